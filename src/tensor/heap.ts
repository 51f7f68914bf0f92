/**
 * The heap: one shared memory for all large tensors, so that worker threads and SIMD kernels read them in place.
 *
 * It is a `WebAssembly.Memory` where there is one, else a `SharedArrayBuffer`, else (a page without cross-origin
 * isolation) an ordinary `ArrayBuffer`, which is used by one thread. Blocks are handed out first-fit from a list of free
 * ranges (`free-ranges.ts`).
 *
 * @module
 */
import type { DType, FloatArray } from "./dtype.js";
import { FreeRanges } from "./free-ranges.js";

/** Bytes of a line of the cache. Two threads that write should not share one: so no two blocks do. */
export const CACHE_LINE = 64;

/** `bytes`, or as many as whole lines of the cache have that hold them. */
export function wholeLines(bytes: number): number {
  return Math.ceil(bytes / CACHE_LINE) * CACHE_LINE;
}

/** Bytes of a block of which `bytes` are used. */
function sizeOfBlock(bytes: number): number {
  return Math.max(CACHE_LINE, wholeLines(bytes));
}

const PAGE = 65536;
/**
 * 4 GiB, all that a 32-bit WebAssembly memory can address, but for one page: so the address behind the end of a block is
 * still a 32-bit number, and loops in kernels may compare with it. Only what is used is ever backed by real memory.
 */
const MAX_PAGES = 65535;

/** The memory that heaps grow in: `grow` returns a buffer of at least `bytes` over the same storage. */
interface GrowableMemory {
  /** What workers are given to reach the same storage. */
  readonly handle: WebAssembly.Memory | ArrayBufferLike;
  /** @throws RangeError when the storage cannot become so large. */
  grow(bytes: number): ArrayBufferLike;
}

function growableMemory(): GrowableMemory {
  if (typeof WebAssembly === "object" && typeof SharedArrayBuffer === "function") {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: MAX_PAGES, shared: true });
    return {
      handle: memory,
      grow(bytes) {
        const missing = Math.ceil(bytes / PAGE) - memory.buffer.byteLength / PAGE;
        if (missing > 0) memory.grow(missing);
        return memory.buffer;
      },
    };
  }
  const fixed = new (typeof SharedArrayBuffer === "function" ? SharedArrayBuffer : ArrayBuffer)(256 * 2 ** 20);
  return {
    handle: fixed,
    grow(bytes) {
      if (bytes > fixed.byteLength) throw new RangeError(`needs ${bytes} bytes of ${fixed.byteLength}`);
      return fixed;
    },
  };
}

/** Blocks of shared memory, allocated and freed by byte offset. */
export class Heap {
  readonly #memory: GrowableMemory = growableMemory();
  readonly #buffers: WeakSet<ArrayBufferLike> = new WeakSet();
  readonly #free = new FreeRanges();
  /** Block sizes by offset. */
  readonly #blocks = new Map<number, number>();
  #top = 0;
  #used = 0;
  #buffer: ArrayBufferLike;
  #region: Region | undefined;

  constructor() {
    this.#buffer = this.#memory.grow(PAGE);
    this.#buffers.add(this.#buffer);
  }

  /** What a worker needs to build its own views of this memory. */
  get handle(): WebAssembly.Memory | ArrayBufferLike {
    return this.#memory.handle;
  }

  /** Whether other threads can see this memory. */
  get isShared(): boolean {
    return typeof SharedArrayBuffer === "function";
  }

  /** Bytes in blocks that are allocated now. */
  get used(): number {
    return this.#used;
  }

  /** Bytes from the start of the memory to the end of the highest block ever allocated. */
  get peak(): number {
    return this.#top;
  }

  /** Whether `data` lies in this memory. */
  owns(data: ArrayBufferView): boolean {
    const { buffer } = data;
    return buffer === this.#buffer || this.#buffers.has(buffer);
  }

  /**
   * Reserves `bytes` and returns where they begin. The content is undefined.
   *
   * @throws RangeError when the memory is full.
   */
  allocate(bytes: number): number {
    return this.#region?.allocate(bytes) ?? this.#reserve(sizeOfBlock(bytes));
  }

  #reserve(size: number): number {
    const offset = this.#free.take(size) ?? this.#takeFromTop(size);
    this.#blocks.set(offset, size);
    this.#used += size;
    return offset;
  }

  /** Takes `size` bytes where no range has so many. One that ends at the top is the beginning of them. */
  #takeFromTop(size: number): number {
    const offset = this.#free.lastBefore(this.#top);
    this.#growTo(offset + size);
    this.#free.give(this.#top, offset + size);
    this.#top = offset + size;
    this.#free.take(size); // in all ranges before this one there is less
    return offset;
  }

  /** Like {@link allocate}, from no region: for what outlives it. */
  allocateOutside(bytes: number): number {
    return this.within(undefined, () => this.allocate(bytes));
  }

  /** What `use` returns, while what it allocates is cut from `region`; or from none. */
  within<Result>(region: Region | undefined, use: () => Result): Result {
    const outer = this.#region;
    this.#region = region;
    try {
      return use();
    } finally {
      this.#region = outer;
    }
  }

  /** A typed view of `length` elements at `offset`. */
  view(dtype: DType, offset: number, length: number): FloatArray {
    return dtype === "float64"
      ? new Float64Array(this.#buffer, offset, length)
      : new Float32Array(this.#buffer, offset, length);
  }

  /**
   * Gives the block at `offset` back. Views of it must not be used any more.
   *
   * @throws Error when no block begins there.
   */
  free(offset: number): void {
    if (this.#region?.free(offset) === true) return;
    const size = this.#blocks.get(offset);
    if (size === undefined) throw new Error(`internal: heap: no block begins at ${offset}.`);
    this.#blocks.delete(offset);
    this.#used -= size;
    this.#free.give(offset, offset + size);
  }

  #growTo(bytes: number): void {
    if (bytes <= this.#buffer.byteLength) return;
    const limit = MAX_PAGES * PAGE;
    try {
      if (bytes > limit) throw new RangeError(`needs ${bytes} bytes of ${limit}`);
      try {
        // half as much again, so that a growing step asks the system only a few times
        this.#buffer = this.#memory.grow(Math.min(limit, Math.max(bytes, this.#buffer.byteLength * 1.5)));
      } catch {
        this.#buffer = this.#memory.grow(bytes);
      }
    } catch (cause) {
      const rule = bytes > limit ? "fit in 4 GiB of shared memory" : "fit in the memory that the system gives";
      throw new RangeError(
        `heap: tensors must ${rule}. Received a request that needs ${bytes} bytes ` +
          `with ${this.#used} in use; a smaller batch needs less.`,
        { cause },
      );
    }
    this.#buffers.add(this.#buffer);
  }
}

interface Span {
  readonly start: number;
  readonly end: number;
}

/** A region with as much memory as another. */
export interface Twin {
  readonly region: Region;
  /** Where in it lies what lies at `offset` in the other; `offset` itself, where that is elsewhere. */
  readonly placeOf: (offset: number) => number;
}

/**
 * Memory of a heap that is set apart: what is freed here is handed out here again, and to nobody else. So whoever knows what
 * was in it, and in what order, can do all of that once more. It becomes as large as it needs to be.
 */
export class Region {
  readonly #heap: Heap;
  readonly #free = new FreeRanges();
  /** Sizes by offset: of what has been cut, and of the blocks that it was cut from. */
  readonly #pieces = new Map<number, number>();
  readonly #blocks: Span[] = [];

  constructor(heap: Heap) {
    this.#heap = heap;
  }

  /** Reserves `bytes` and returns where they begin. The content is undefined. */
  allocate(bytes: number): number {
    const size = sizeOfBlock(bytes);
    const offset = this.#free.take(size) ?? this.#grow(size);
    this.#pieces.set(offset, size);
    return offset;
  }

  #grow(size: number): number {
    const start = this.#heap.allocateOutside(size);
    this.#blocks.push({ start, end: start + size });
    return start;
  }

  /** Gives back what begins at `offset`; false where that is not of this region. */
  free(offset: number): boolean {
    const size = this.#pieces.get(offset);
    if (size === undefined) return false;
    this.#pieces.delete(offset);
    this.#free.give(offset, offset + size);
    return true;
  }

  /** Another region with as much memory, where the same may lie as lies here. */
  twin(): Twin {
    const region = new Region(this.#heap);
    const spans = this.#spans().map((span) => ({ ...span, to: region.#grow(span.end - span.start) }));
    const placeOf = (offset: number): number => {
      const span = spans.find(({ start, end }) => offset >= start && offset < end);
      return span === undefined ? offset : span.to + offset - span.start;
    };
    return { region, placeOf };
  }

  /** The blocks in address order, those that touch as one: pieces may lie across them. */
  #spans(): Span[] {
    const spans: { start: number; end: number }[] = [];
    for (const { start, end } of this.#blocks.toSorted((a, b) => a.start - b.start)) {
      const last = spans.at(-1);
      if (last?.end === start) last.end = end;
      else spans.push({ start, end });
    }
    return spans;
  }

  /** Whether `data` lies in it. */
  holds(data: ArrayBufferView): boolean {
    if (!this.#heap.owns(data)) return false;
    return this.#blocks.some(({ start, end }) => data.byteOffset >= start && data.byteOffset < end);
  }

  /** Gives all of it back to the heap. Nothing in it may be used any more. */
  close(): void {
    for (const { start } of this.#blocks.splice(0)) this.#heap.within(undefined, () => this.#heap.free(start));
  }
}

let shared: Heap | undefined;

/** The heap of this thread's tensors, made when it is first asked for. */
export function sharedHeap(): Heap {
  shared ??= new Heap();
  return shared;
}
