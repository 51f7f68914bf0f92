/**
 * The free parts of a memory, as ranges of addresses.
 *
 * Blocks are cut from the first range that has room for them. Neighbours merge when they are given back, so a step that
 * repeats finds its blocks again.
 *
 * @module
 */

interface Range {
  start: number;
  end: number;
}

/** Free ranges in address order, no two of them touching. */
export class FreeRanges {
  readonly #ranges: Range[] = [];

  /** Takes `size` bytes of the first range that has so many, and returns where they begin; undefined where none has. */
  take(size: number): number | undefined {
    let at = 0;
    while (at < this.#ranges.length && this.#ranges[at].end - this.#ranges[at].start < size) at++;
    if (at === this.#ranges.length) return undefined;
    const range = this.#ranges[at];
    const offset = range.start;
    range.start += size;
    if (range.start === range.end) this.#ranges.splice(at, 1);
    return offset;
  }

  /** Where the range begins that ends at `end`; where none does, `end`. */
  lastBefore(end: number): number {
    const last = this.#ranges.at(-1);
    return last?.end === end ? last.start : end;
  }

  /** Gives the bytes from `start` to `end` back, of which none is free. */
  give(start: number, end: number): void {
    const at = this.#firstBehind(start);
    const before = this.#ranges[at - 1];
    const after = this.#ranges[at];
    if (before?.end === start && after?.start === end) {
      before.end = after.end;
      this.#ranges.splice(at, 1);
    } else if (before?.end === start) {
      before.end = end;
    } else if (after?.start === end) {
      after.start = start;
    } else {
      this.#ranges.splice(at, 0, { start, end });
    }
  }

  /** The index of the first range behind `offset`; of none, behind the last. */
  #firstBehind(offset: number): number {
    let [from, to] = [0, this.#ranges.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      if (this.#ranges[middle].start > offset) to = middle;
      else from = middle + 1;
    }
    return from;
  }
}
