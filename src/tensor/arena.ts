/**
 * The step arena: everything that one forward (and backward) pass allocates, given back in one go when the step ends.
 *
 * Inside {@link Arena.run} every tensor made by `zeros` or `empty` is a block of the shared heap that belongs to the
 * arena. The garbage collector never sees these blocks, so memory is the same from step to step. What must outlive the
 * step is copied out with `detach`.
 *
 * @module
 */
import { type DType, type FloatArray, floatArray } from "./dtype.js";
import { sharedHeap } from "./heap.js";

/** The arena of the step that runs now, if any. Steps are synchronous, so there is at most one stack of them. */
let current: Arena | undefined;

/** The blocks of one step. */
export class Arena {
  readonly #offsets = new Map<ArrayBufferView, number>();

  /** Runs `step` with this arena as the place where tensors are made; an arena already running is put aside. */
  run<Result>(step: () => Result): Result {
    const outer = current;
    current = this;
    try {
      return step();
    } finally {
      current = outer;
    }
  }

  /** A block of `length` elements; the content is undefined. */
  allocate(dtype: DType, length: number): FloatArray {
    const heap = sharedHeap();
    const offset = heap.allocate(length * (dtype === "float64" ? 8 : 4));
    const data = heap.view(dtype, offset, length);
    this.#offsets.set(data, offset);
    return data;
  }

  /** Gives the block of `data` back before the step ends. Memory that is not of this arena is left alone. */
  release(data: ArrayBufferView): void {
    const offset = this.#offsets.get(data);
    if (offset === undefined) return;
    this.#offsets.delete(data);
    sharedHeap().free(offset);
  }

  /** Ends the step: gives every block back. Tensors of the arena must not be used any more. */
  reset(): void {
    for (const offset of this.#offsets.values()) sharedHeap().free(offset);
    this.#offsets.clear();
  }
}

/** Memory for a tensor: from the arena of the step that runs now, else an ordinary typed array. */
export function allocateInScope(dtype: DType, length: number): FloatArray {
  if (current !== undefined) return current.allocate(dtype, length);
  return floatArray(dtype, length);
}
