/**
 * What the parts of the self-check share: arrays of awkward values, and comparing them; see `self-check.ts`.
 *
 * @module
 */
import type { FloatArray } from "../../tensor/dtype.js";
import { sharedHeap } from "../../tensor/heap.js";
import { doubles, type Lanes, singles } from "./lanes.js";
import type { runKernel } from "./thread.js";

/** What runs a kernel. */
export type Run = typeof runKernel;

/** Numbers that round, subnormals and a signed zero, for left operands. */
export const LEFT: readonly number[] = [
  ...[1.1, -2.3, 0.7, 1e-40, -5.9, 16777217, -0, 0.3, -1.4e-45, 1e20, 2.5, -0.1, 3e-39],
];
/** The same for right operands. */
export const RIGHT: readonly number[] = [0.3, -1.7, 2.9, -0, 4.1, 1e-38, -0.01, 1e-20, 7.7, 0.1, -3.3];

/** By which channels are moved and stretched, and what is added. */
export const NUMBERS: readonly number[] = [0.7, -1.3, 2.1, -0, 0.9, 1e-3, -2.6];

/** max(value, 0), as a ReLU takes it. */
export const positivePart = (value: number): number => (value <= 0 ? 0 : value);

/** Space behind arrays that are read and written in whole vectors. */
const SLACK = 64;
/** What all arrays take together, with room for more. */
const SPACE = 2 ** 18;

/** An array: numbers of the type of `lanes`, filled with `values` in turn. */
export type MakeArray = (lanes: Lanes, length: number, values: readonly number[]) => FloatArray;

/** What kernels must compute. */
export interface Check {
  /** What computes it, in words. */
  readonly what: string;
  readonly compute: (run: Run) => void;
  /** Where it is then. */
  readonly actual: FloatArray;
  /** What plain loops give. */
  readonly expected: FloatArray;
}

/** The check of `what`, which must give `valueAt` of 0 to the length of `actual`. */
export function checkOf(
  what: string,
  actual: FloatArray,
  compute: (run: Run) => void,
  valueAt: (i: number) => number,
): Check {
  const expected = actual.slice();
  for (let i = 0; i < expected.length; i++) expected[i] = valueAt(i);
  return { what, compute, actual, expected };
}

/**
 * Checks whose arrays lie in one block of the heap, and stay there: a check that is made again has only to run kernels and to
 * compare. First the block gets back what was in it, so that nothing is taken for a result that was there before.
 */
export class Checks {
  readonly #block: Uint8Array;
  readonly #before: Uint8Array;
  readonly #checks: readonly Check[];

  constructor(prepare: (make: MakeArray) => readonly Check[]) {
    const heap = sharedHeap();
    const start = heap.allocate(SPACE);
    let end = start;
    this.#checks = prepare((lanes, length, values) => {
      const array = heap.view(lanes === doubles ? "float64" : "float32", end, length);
      end += Math.ceil((length * lanes.bytes + SLACK) / SLACK) * SLACK;
      if (end > start + SPACE) throw new Error(`internal: self-check: ${SPACE} bytes are too few.`);
      for (let i = 0; i < length; i++) array[i] = Math.fround(values[i % values.length]);
      return array;
    });
    this.#block = new Uint8Array(heap.view("float32", start, 0).buffer, start, end - start);
    this.#before = this.#block.slice();
  }

  /** The first difference between what kernels compute and what they must, in words; undefined where there is none. */
  findDifference(run: Run): string | undefined {
    this.#block.set(this.#before);
    for (const { what, compute, actual, expected } of this.#checks) {
      compute(run);
      for (let i = 0; i < actual.length; i++) {
        if (!Object.is(actual[i], expected[i])) return `${what} gives ${actual[i]}, not ${expected[i]}`;
      }
    }
    return undefined;
  }
}

/** An array of `addresses` in the heap; returns where it is. */
export function tableOf(make: MakeArray, addresses: readonly number[]): number {
  const { buffer, byteOffset } = make(singles, addresses.length, [0]);
  new Int32Array(buffer, byteOffset, addresses.length).set(addresses);
  return byteOffset;
}

/** How products and sums are rounded. */
export function roundingIn(lanes: Lanes): (value: number) => number {
  return lanes === singles ? Math.fround : (value) => value;
}
