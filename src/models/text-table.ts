/**
 * Text in columns of fixed width, wrapped and boxed as the Python package `rich` does it for Keras's summaries.
 *
 * Lines break between words. A word that is longer than a line is folded into several, or, in a table, cut short with an
 * ellipsis. A character takes one cell, those of East Asian scripts two; while a line is set, each of these is followed by
 * a mark that stands for its second cell.
 *
 * @module
 */

/** How a column's text stands in it. */
export type Alignment = "left" | "right" | "center";

/** A column of {@link boxTable}. */
export interface Column {
  /** What stands on top. */
  readonly header: string;
  /** How many characters a line holds, without the blank on either side. */
  readonly width: number;
  /** How lines shorter than that are filled up. */
  readonly alignment: Alignment;
}

/** Characters of two cells that are one unit of a string; of those that are two units each unit counts as a cell. */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6]/g;
const SECOND_CELL = "\0";

function markCells(text: string): string {
  return text.replace(WIDE, `$&${SECOND_CELL}`);
}

function unmarkCells(line: string): string {
  return line.replaceAll(SECOND_CELL, "");
}

/** The first `width` cells of `line`; a blank for half of a character. */
function cut(line: string, width: number): string {
  return line.slice(0, width - (line[width] === SECOND_CELL ? 1 : 0)).padEnd(Math.min(width, line.length));
}

/** Where lines of `text` begin, if none may be longer than `width`. */
function lineStarts(text: string, width: number, fold: boolean): readonly number[] {
  const starts = [0];
  const breakAt = (position: number): void => void (position > 0 && starts.push(position));
  let used = 0;
  for (const match of text.matchAll(/\s*\S+\s*/g)) {
    const [word] = match;
    const { length } = word.trimEnd();
    if (length <= width - used) {
      used += word.length;
    } else if (length > width && fold) {
      // as many lines as it takes; what is left of the word opens the last
      for (let at = 0; at < word.length; at += width) {
        breakAt(match.index + at);
        used = word.length - at;
      }
    } else {
      breakAt(match.index);
      used = word.length;
    }
  }
  return starts;
}

/** The lines of `text`; blanks at their ends stay as far as there is room. */
export function wrapText(text: string, width: number, overflow: "fold" | "ellipsis"): readonly string[] {
  return wrapCells(text, width, overflow).map(unmarkCells);
}

/** {@link wrapText} with the marks left in. */
function wrapCells(text: string, width: number, overflow: "fold" | "ellipsis"): readonly string[] {
  const cells = markCells(text);
  const starts = lineStarts(cells, width, overflow === "fold");
  return starts.map((start, i) => {
    const line = cells.slice(start, starts[i + 1]);
    return line.trimEnd().length <= width ? cut(line, width) : `${cut(line, width - 1)}…`;
  });
}

function align(line: string, { width, alignment }: Column): string {
  if (alignment === "left") return line.padEnd(width);
  const trimmed = line.trimEnd();
  if (alignment === "right") return trimmed.padStart(width);
  return trimmed.padStart(trimmed.length + Math.floor((width - trimmed.length) / 2)).padEnd(width);
}

/** The lines of a table: a heavy head, then `rows` with a line between any two. */
export function boxTable(columns: readonly Column[], rows: readonly (readonly string[])[]): readonly string[] {
  const rule = (left: string, line: string, cross: string, right: string): string =>
    left + columns.map(({ width }) => line.repeat(width + 2)).join(cross) + right;
  const row = (cells: readonly string[], bar: string, atBottom = false): readonly string[] => {
    const wrapped = cells.map((cell, i) => wrapCells(cell, columns[i].width, "ellipsis"));
    const height = Math.max(...wrapped.map((lines) => lines.length));
    return Array.from({ length: height }, (_, line) => {
      const parts = columns.map((column, i) => {
        const skipped = atBottom ? height - wrapped[i].length : 0;
        return ` ${align(wrapped[i][line - skipped] ?? "", column)} `;
      });
      return unmarkCells(bar + parts.join(bar) + bar);
    });
  };
  const header = columns.map((column) => column.header);
  const between = rule("├", "─", "┼", "┤");
  return [
    rule("┏", "━", "┳", "┓"),
    ...row(header, "┃", true),
    rule("┡", "━", "╇", "┩"),
    ...rows.flatMap((cells, i) => [...(i > 0 ? [between] : []), ...row(cells, "│")]),
    rule("└", "─", "┴", "┘"),
  ];
}
