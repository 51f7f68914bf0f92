/**
 * Arrays from outside the heap, lent a place in it for as long as a job takes.
 *
 * @module
 */
import type { FloatArray } from "../tensor/dtype.js";
import { type Heap, sharedHeap } from "../tensor/heap.js";
import { computeHere } from "./recording.js";

/**
 * What `use` returns for `reads` and `writes`, each where it lies in the heap, or a block of the heap in its place: what is
 * read is copied in before, and what is written is copied back after.
 */
export function withArraysInHeap<Result>(
  reads: readonly FloatArray[],
  writes: readonly FloatArray[],
  use: (reads: readonly FloatArray[], writes: readonly FloatArray[]) => Result,
): Result {
  const heap = sharedHeap();
  if (areThere(heap, reads) && areThere(heap, writes)) return use(reads, writes);
  const borrowed: number[] = [];
  try {
    const sharedReads = reads.map((array) => inHeap(array, true, borrowed));
    const sharedWrites = writes.map((array) => inHeap(array, false, borrowed));
    const result = use(sharedReads, sharedWrites);
    writes.forEach((array, i) => {
      const written = sharedWrites[i];
      if (array !== written) computeHere([written], [array], () => array.set(written));
    });
    return result;
  } finally {
    for (const offset of borrowed) heap.free(offset);
  }
}

/** Whether all of `arrays` lie in the heap. An empty one, which stands for what is not there, lies anywhere. */
function areThere(heap: Heap, arrays: readonly FloatArray[]): boolean {
  for (let i = 0; i < arrays.length; i++) if (arrays[i].length > 0 && !heap.owns(arrays[i])) return false;
  return true;
}

/** `array` where it lies in the heap, else a block of the heap in its place, noted in `borrowed`. */
function inHeap(array: FloatArray, copy: boolean, borrowed: number[]): FloatArray {
  const heap = sharedHeap();
  if (array.length === 0 || heap.owns(array)) return array;
  const offset = heap.allocate(array.byteLength);
  borrowed.push(offset);
  const view = heap.view(array instanceof Float64Array ? "float64" : "float32", offset, array.length);
  if (copy) computeHere([array], [view], () => view.set(array));
  return view;
}
