/**
 * Memory that lives as long as it is held: a layer's weights, in the shared heap, so that kernels on every thread read
 * them in place.
 *
 * The block goes back to the heap when the garbage collector finds that its array is gone. Views as `ndarray` makes them
 * hold that array; a `subarray`, or another array over the same buffer, does not, and is garbage once the array is gone.
 *
 * @module
 */
import { type DType, type FloatArray, floatArray } from "./dtype.js";
import { sharedHeap } from "./heap.js";

/** Below this many elements an ordinary array is kept: copying it to the heap costs less than a block there. */
const SMALL = 1024;

/**
 * The most bytes of the heap that are given to long-lived memory while others hold as much. The collector runs when it
 * likes, and never within a synchronous loop over many models: beyond this, weights are ordinary arrays, which kernels
 * copy to the heap when they run, and the heap keeps room for the steps.
 */
const LIMIT = 2 ** 30;

let registry: FinalizationRegistry<number> | undefined;

/** `length` elements, content undefined, given back to the heap after the array has been collected. */
export function allocatePersistent(dtype: DType, length: number): FloatArray {
  const heap = sharedHeap();
  const bytes = length * (dtype === "float64" ? 8 : 4);
  if (length < SMALL || heap.used + bytes > LIMIT) return floatArray(dtype, length);
  const offset = heap.allocateOutside(bytes);
  registry ??= new FinalizationRegistry((freed) => sharedHeap().free(freed));
  const data = heap.view(dtype, offset, length);
  registry.register(data, offset);
  return data;
}
