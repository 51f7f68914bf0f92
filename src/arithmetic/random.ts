/**
 * All randomness of the library: streams of numbers that are addressed, not drawn.
 *
 * A stream belongs to a seed, a purpose ("initializer/conv2d/kernel", "shuffle", ...) and an epoch, and every index of
 * it has its number, whoever asks, in whatever order. A run that is resumed, or split over threads, sees the same
 * numbers.
 *
 *     key     = [seed mod 2^32, floor(seed / 2^32)]
 *     counter = [floor(index / 4) mod 2^32, attempt, epoch, fnv1a32(purpose as UTF-8)]
 *     bits(index) = philox4x32(counter, key)[index mod 4],  attempt = 0
 *
 * The attempt counts rejections, so a number that needs several tries takes none from its neighbours.
 *
 * @module
 */
import type { FloatArray } from "../tensor/dtype.js";
import { normalQuantile } from "./normal-quantile.js";
import { philox4x32 } from "./philox.js";

const TWO_TO_32 = 4294967296;

/** By what a stream is found, by another thread for one: nothing but numbers. */
export interface StreamAddress {
  readonly seed: number;
  /** {@link fnv1a32} of the purpose. */
  readonly purpose: number;
  readonly epoch: number;
}

/** The numbers of one seed, purpose and epoch. An index is a whole number of at least 0. */
export interface RandomStream {
  /** A whole number from 0 to 2^32 - 1. */
  bits(index: number): number;
  /** Uniform in [0, 1): {@link uniformOf} of {@link bits}. */
  uniform(index: number): number;
  /** Standard normal: the quantile at {@link bits}, within 6.34 of 0. */
  normal(index: number): number;
  /** Standard normal among those from -2 to 2: the first attempt that lies there. */
  truncatedNormal(index: number): number;
  /**
   * A whole number from 0 to bound - 1: floor(bits(index) / 2^32 * bound).
   *
   * @throws RangeError when `bound` is not a whole number from 1 to 2^32.
   */
  integer(index: number, bound: number): number;
  /** Sets target[i] = minval + (maxval - minval) * uniform(i), and returns `target`. */
  fillUniform<Target extends FloatArray>(target: Target, minval?: number, maxval?: number): Target;
  /** Sets target[i] = mean + stddev * normal(i), and returns `target`. */
  fillNormal<Target extends FloatArray>(target: Target, mean?: number, stddev?: number): Target;
  /** Sets target[i] = mean + stddev * truncatedNormal(i), and returns `target`. */
  fillTruncatedNormal<Target extends FloatArray>(target: Target, mean?: number, stddev?: number): Target;
}

/**
 * The stream of numbers for `purpose` in `epoch` of everything that grows from `seed`.
 *
 * @throws RangeError when `seed` is not a whole number from 0 to 2^53 - 1, or `epoch` not one from 0 to 2^32 - 1.
 */
export function randomStream(seed: number, purpose: string, epoch = 0): RandomStream {
  return streamAt({ seed, purpose: fnv1a32(purpose), epoch });
}

/** A stream that gives several numbers at a time. */
export interface BlockStream extends RandomStream {
  /** `bits` of the indices from 4 block to 4 block + 3, until the stream is asked for something else. */
  block(block: number): Uint32Array;
}

/** The stream at this address. @throws RangeError as {@link randomStream}. */
export function streamAt({ seed, purpose, epoch }: StreamAddress): BlockStream {
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new RangeError(
      `randomStream: \`seed\` must be a whole number from 0 to ${Number.MAX_SAFE_INTEGER}. Received seed=${seed}.`,
    );
  }
  if (!Number.isInteger(epoch) || epoch < 0 || epoch >= TWO_TO_32) {
    throw new RangeError(
      `randomStream: \`epoch\` must be a whole number from 0 to ${TWO_TO_32 - 1}. Received epoch=${epoch}.`,
    );
  }
  return new PhiloxStream(seed, purpose, epoch);
}

/** Of random bits a number in [0, 1): the upper 24 over 2^24, exact in float32. */
export function uniformOf(bits: number): number {
  return (bits >>> 8) / 16777216;
}

class PhiloxStream implements BlockStream {
  readonly #seedLow: number;
  readonly #seedHigh: number;
  readonly #epoch: number;
  readonly #purpose: number;
  /** The four numbers of the block that was asked for last: neighbours are usually next. */
  readonly #words = new Uint32Array(4);
  #block = -1;
  #attempt = -1;

  constructor(seed: number, purpose: number, epoch: number) {
    this.#seedLow = seed >>> 0;
    this.#seedHigh = Math.floor(seed / TWO_TO_32);
    this.#epoch = epoch;
    this.#purpose = purpose;
  }

  #word(index: number, attempt: number): number {
    if (!Number.isSafeInteger(index) || index < 0) {
      throw new RangeError(`RandomStream: \`index\` must be a whole number of at least 0. Received index=${index}.`);
    }
    const block = Math.floor(index / 4) >>> 0;
    if (block !== this.#block || attempt !== this.#attempt) {
      philox4x32(this.#words, block, attempt, this.#epoch, this.#purpose, this.#seedLow, this.#seedHigh);
      this.#block = block;
      this.#attempt = attempt;
    }
    return this.#words[index % 4];
  }

  bits(index: number): number {
    return this.#word(index, 0);
  }

  block(block: number): Uint32Array {
    this.#word(4 * block, 0);
    return this.#words;
  }

  uniform(index: number): number {
    return uniformOf(this.#word(index, 0));
  }

  normal(index: number): number {
    return normalQuantile(this.#word(index, 0));
  }

  truncatedNormal(index: number): number {
    for (let attempt = 0; ; attempt++) {
      const z = normalQuantile(this.#word(index, attempt));
      if (z >= -2 && z <= 2) return z;
    }
  }

  integer(index: number, bound: number): number {
    if (!Number.isInteger(bound) || bound < 1 || bound > TWO_TO_32) {
      throw new RangeError(
        `RandomStream: \`bound\` must be a whole number from 1 to ${TWO_TO_32}. Received bound=${bound}.`,
      );
    }
    return Math.floor((this.#word(index, 0) / TWO_TO_32) * bound);
  }

  fillUniform<Target extends FloatArray>(target: Target, minval = 0, maxval = 1): Target {
    for (let i = 0; i < target.length; i++) target[i] = minval + (maxval - minval) * this.uniform(i);
    return target;
  }

  fillNormal<Target extends FloatArray>(target: Target, mean = 0, stddev = 1): Target {
    for (let i = 0; i < target.length; i++) target[i] = mean + stddev * this.normal(i);
    return target;
  }

  fillTruncatedNormal<Target extends FloatArray>(target: Target, mean = 0, stddev = 1): Target {
    for (let i = 0; i < target.length; i++) target[i] = mean + stddev * this.truncatedNormal(i);
    return target;
  }
}

/** The 32-bit FNV-1a hash of the UTF-8 bytes of `text`. */
export function fnv1a32(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}
