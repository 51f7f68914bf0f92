/**
 * The heap: one shared memory for all large tensors, so that worker threads and SIMD kernels read them in place.
 *
 * It is a `WebAssembly.Memory` where there is one, else a `SharedArrayBuffer`, else (a page without cross-origin
 * isolation) an ordinary `ArrayBuffer`, which is used by one thread. Blocks are handed out first-fit from a list of free
 * ranges kept in address order; neighbours merge when they are freed, so a step that repeats finds its blocks again.
 *
 * @module
 */
import type { DType, FloatArray } from "./dtype.js";

/** Bytes of a line of the cache. Two threads that write should not share one: so no two blocks do. */
export const CACHE_LINE = 64;

/** `bytes`, or as many as whole lines of the cache have that hold them. */
export function wholeLines(bytes: number): number {
  return Math.ceil(bytes / CACHE_LINE) * CACHE_LINE;
}

const PAGE = 65536;
/**
 * 4 GiB, all that a 32-bit WebAssembly memory can address, but for one page: so the address behind the end of a block is
 * still a 32-bit number, and loops in kernels may compare with it. Only what is used is ever backed by real memory.
 */
const MAX_PAGES = 65535;

interface Range {
  start: number;
  end: number;
}

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
  /** Free ranges in address order, no two of them touching. */
  readonly #free: Range[] = [];
  /** Block sizes by offset. */
  readonly #blocks = new Map<number, number>();
  #top = 0;
  #used = 0;
  #buffer: ArrayBufferLike;

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
    const size = Math.max(CACHE_LINE, wholeLines(bytes));
    let offset: number;
    const fit = this.#firstFit(size);
    if (fit < this.#free.length) {
      const range = this.#free[fit];
      offset = range.start;
      range.start += size;
      if (range.start === range.end) this.#free.splice(fit, 1);
    } else {
      // a free range that ends at the top is used as the beginning of the new block
      const last = this.#free.at(-1);
      const extendsLast = last !== undefined && last.end === this.#top;
      offset = extendsLast ? last.start : this.#top;
      this.#growTo(offset + size);
      if (extendsLast) this.#free.pop();
      this.#top = offset + size;
    }
    this.#blocks.set(offset, size);
    this.#used += size;
    return offset;
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
    const size = this.#blocks.get(offset);
    if (size === undefined) throw new Error(`internal: heap: no block begins at ${offset}.`);
    this.#blocks.delete(offset);
    this.#used -= size;
    const end = offset + size;
    const at = this.#firstBehind(offset);
    const before = this.#free[at - 1];
    const after = this.#free[at];
    if (before?.end === offset && after?.start === end) {
      before.end = after.end;
      this.#free.splice(at, 1);
    } else if (before?.end === offset) {
      before.end = end;
    } else if (after?.start === end) {
      after.start = offset;
    } else {
      this.#free.splice(at, 0, { start: offset, end });
    }
  }

  /** The index of the first free range of at least `size` bytes; of none, behind the last. */
  #firstFit(size: number): number {
    let at = 0;
    while (at < this.#free.length && this.#free[at].end - this.#free[at].start < size) at++;
    return at;
  }

  /** The index of the first free range behind `offset`; of none, behind the last. */
  #firstBehind(offset: number): number {
    let [from, to] = [0, this.#free.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      if (this.#free[middle].start > offset) to = middle;
      else from = middle + 1;
    }
    return from;
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

let shared: Heap | undefined;

/** The heap of this thread's tensors, made when it is first asked for. */
export function sharedHeap(): Heap {
  shared ??= new Heap();
  return shared;
}
