/**
 * Draws: random numbers one after another, for what is sampled in some order, all from one address.
 *
 * @module
 */
import { type RandomStream, randomStream } from "../arithmetic/random.js";

/** The numbers of one seed, purpose and index. */
export class Draw {
  readonly #stream: RandomStream;
  readonly #shared: RandomStream;
  #next = 0;

  /** @throws RangeError when `seed` or `index` is no whole number in the range of {@link randomStream}. */
  constructor(seed: number, purpose: string, index: number) {
    this.#stream = randomStream(seed, purpose, index);
    this.#shared = randomStream(seed, `${purpose}/shared`, index);
  }

  /** Uniform in [-1, 1). */
  signed(): number {
    return 2 * this.#stream.uniform(this.#next++) - 1;
  }

  /** Standard normal. */
  normal(): number {
    return this.#stream.normal(this.#next++);
  }

  /** A whole number from `least` to `greatest`. */
  integer(least: number, greatest: number): number {
    return least + this.#stream.integer(this.#next++, greatest - least + 1);
  }

  /** One of `choices`. */
  choice<T>(choices: readonly T[]): T {
    return choices[this.integer(0, choices.length - 1)];
  }

  /** True once in `times`. */
  once(times: number): boolean {
    return this.integer(1, times) === 1;
  }

  /** Uniform in [-1, 1): the same number for the same `index`, whenever it is asked for. */
  shared(index: number): number {
    return 2 * this.#shared.uniform(index) - 1;
  }

  /**
   * Whole numbers within `ranges`, each different from all others: where a backend swaps two axes, it shows.
   *
   * A range whose numbers are all taken repeats one.
   */
  distinct(...ranges: readonly (readonly [least: number, greatest: number])[]): readonly number[] {
    const taken: number[] = [];
    for (const [least, greatest] of ranges) {
      const free = Array.from({ length: greatest - least + 1 }, (_, i) => least + i).filter((n) => !taken.includes(n));
      taken.push(free.length > 0 ? this.choice(free) : this.integer(least, greatest));
    }
    return taken;
  }
}
