/**
 * Who has yet to read a piece of memory.
 *
 * Several tensors may share memory (Flatten, a gradient that is passed on as it is), so it is the memory that is counted,
 * not the tensor. What nobody will read any more is handed to `release`.
 *
 * @module
 */
import type { FloatArray } from "../tensor/dtype.js";

/** Takes memory that nobody will read any more. */
export type Release = (data: FloatArray) => void;

/** Counts of readers to come. */
export class Readers {
  readonly #counts = new Map<FloatArray, number>();
  readonly #release: Release;

  constructor(release: Release) {
    this.#release = release;
  }

  /** `data` will be read `times` more times. */
  expect(data: FloatArray, times = 1): void {
    this.#counts.set(data, (this.#counts.get(data) ?? 0) + times);
  }

  /** Whether whoever reads `data` next is the last who does. */
  isLast(data: FloatArray): boolean {
    return this.#counts.get(data) === 1;
  }

  /** `data` has been read once. */
  done(data: FloatArray): void {
    const left = (this.#counts.get(data) ?? 0) - 1;
    if (left > 0) {
      this.#counts.set(data, left);
      return;
    }
    this.#counts.delete(data);
    this.#release(data);
  }
}
