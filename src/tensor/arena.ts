/**
 * The step arena: everything that one forward (and backward) pass allocates, given back in one go when the step ends.
 *
 * Inside {@link Arena.run} every tensor made by `zeros` or `empty` is a block of the shared heap that belongs to the
 * arena. The garbage collector never sees these blocks, so memory is the same from step to step. What must outlive the
 * step is copied out with `detach`.
 *
 * Of small tensors, one number or a few for every channel, there are thousands in a step, and to find a block for each
 * would take longer than to compute it: they are cut one after another from pages, which stay until the step ends.
 *
 * @module
 */
import { type DType, type FloatArray, floatArray } from "./dtype.js";
import { sharedHeap } from "./heap.js";

/** The arena of the step that runs now, if any. Steps are synchronous, so there is at most one stack of them. */
let current: Arena | undefined;

/** The most bytes of a small tensor. */
const SMALL_BYTES = 8192;
const PAGE_BYTES = 65_536;
/** Bytes between the starts of small tensors: a cache line, since threads may write neighbours. */
const ALIGNMENT = 64;

/** The blocks of one step. */
export class Arena {
  readonly #offsets = new Map<ArrayBufferView, number>();
  readonly #pages: number[] = [];
  /** What is left of the last page. */
  #at = 0;
  #end = 0;

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
    const bytes = length * (dtype === "float64" ? 8 : 4);
    if (bytes <= SMALL_BYTES) return heap.view(dtype, this.#cut(bytes), length);
    const offset = heap.allocate(bytes);
    const data = heap.view(dtype, offset, length);
    this.#offsets.set(data, offset);
    return data;
  }

  /** Where the next `bytes` bytes of a page begin. */
  #cut(bytes: number): number {
    const size = Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
    if (this.#end - this.#at < size) {
      this.#at = sharedHeap().allocate(PAGE_BYTES);
      this.#end = this.#at + PAGE_BYTES;
      this.#pages.push(this.#at);
    }
    const offset = this.#at;
    this.#at += size;
    return offset;
  }

  /**
   * Gives the block of `data` back before the step ends. Small tensors stay until then, and memory that is not of this
   * arena is left alone.
   */
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
    for (const offset of this.#pages.splice(0)) sharedHeap().free(offset);
    this.#at = this.#end = 0;
  }
}

/**
 * What `use` returns for what `make` makes, whose memory is given back then: within a step, what is but a means need not stay
 * until the step ends.
 */
export function withPassing<Made, Result>(make: () => Made, use: (made: Made) => Result): Result {
  if (current === undefined) return use(make());
  const own = new Arena();
  try {
    return use(own.run(make));
  } finally {
    own.reset();
  }
}

/** `length` doubles, content undefined: from the arena of the step that runs now, else an ordinary typed array. */
export function doublesInScope(length: number): Float64Array {
  const doubles = allocateInScope("float64", length);
  if (doubles instanceof Float64Array) return doubles;
  throw new Error("internal: arena: doubles were asked for.");
}

/** Memory for a tensor: from the arena of the step that runs now, else an ordinary typed array. */
export function allocateInScope(dtype: DType, length: number): FloatArray {
  if (current !== undefined) return current.allocate(dtype, length);
  return floatArray(dtype, length);
}
