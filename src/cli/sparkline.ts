/**
 * A curve in one line of text: `▇▆▅▃▃▂▂▁`, the highest value as a full block.
 *
 * @module
 */

const BLOCKS = "▁▂▃▄▅▆▇█";
/** In place of a value that is not finite. */
const GAP = "×";

/**
 * Draws `values` in at most `width` characters: each stands for equally many neighbours (the last for the rest), by
 * their mean. A curve without ups and downs is drawn low.
 */
export function sparkline(values: readonly number[], width = 40): string {
  const size = Math.ceil(values.length / width);
  const means: number[] = [];
  for (let from = 0; from < values.length; from += size) {
    const group = values.slice(from, from + size);
    means.push(group.reduce((sum, value) => sum + value, 0) / group.length);
  }
  const finite = means.filter(Number.isFinite);
  const [least, most] = [Math.min(...finite), Math.max(...finite)];
  return means
    .map((mean) => {
      if (!Number.isFinite(mean)) return GAP;
      const height = most > least ? (mean - least) / (most - least) : 0;
      return BLOCKS[Math.round(height * (BLOCKS.length - 1))];
    })
    .join("");
}
