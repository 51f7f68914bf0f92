/**
 * Text in columns of fixed width, wrapped and boxed as the Python package `rich` does it for Keras's summaries.
 *
 * Lines break between words. A word that is longer than a line is folded into several, or, in a table, cut short with an
 * ellipsis. Every character counts as one cell.
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
  const starts = lineStarts(text, width, overflow === "fold");
  return starts.map((start, i) => {
    const line = text.slice(start, starts[i + 1]);
    return line.trimEnd().length <= width ? line.slice(0, width) : `${line.slice(0, width - 1)}…`;
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
    const wrapped = cells.map((cell, i) => wrapText(cell, columns[i].width, "ellipsis"));
    const height = Math.max(...wrapped.map((lines) => lines.length));
    return Array.from({ length: height }, (_, line) => {
      const parts = columns.map((column, i) => {
        const skipped = atBottom ? height - wrapped[i].length : 0;
        return ` ${align(wrapped[i][line - skipped] ?? "", column)} `;
      });
      return bar + parts.join(bar) + bar;
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
