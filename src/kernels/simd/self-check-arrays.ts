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

/** Space for arrays that are read and written in whole vectors. */
const SLACK = 64;

/** An array in the heap: numbers of the type of `lanes`, filled with `values` in turn. */
export type MakeArray = (lanes: Lanes, length: number, values: readonly number[]) => FloatArray;

/** Calls `use` with a maker of arrays that last until it returns. */
export function withArrays<Result>(use: (make: MakeArray) => Result): Result {
  const heap = sharedHeap();
  const offsets: number[] = [];
  try {
    return use((lanes, length, values) => {
      const offset = heap.allocate(length * lanes.bytes + SLACK);
      offsets.push(offset);
      const array = heap.view(lanes === doubles ? "float64" : "float32", offset, length);
      if (values.length === 1) array.fill(Math.fround(values[0]));
      else for (let i = 0; i < length; i++) array[i] = Math.fround(values[i % values.length]);
      return array;
    });
  } finally {
    for (const offset of offsets) heap.free(offset);
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

/** What plain loops gave, by the name of the sums: the inputs are always the same, and checks are made again. */
const remembered = new Map<string, Float64Array>();

/** The values that `valueAt` gives for 0 to `length`, computed once for each `name`. */
export function expectedOnce(name: string, length: number, valueAt: (i: number) => number): (i: number) => number {
  const known = remembered.get(name) ?? Float64Array.from({ length }, (_, i) => valueAt(i));
  remembered.set(name, known);
  return (i) => known[i];
}

/** The first value that is not the expected one, in words. */
export function firstDifference(what: string, actual: FloatArray, expected: (i: number) => number): string | undefined {
  for (let i = 0; i < actual.length; i++) {
    if (!Object.is(actual[i], expected(i))) return `${what} gives ${actual[i]}, not ${expected(i)}`;
  }
  return undefined;
}
