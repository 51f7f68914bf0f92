/**
 * What does not change while a model only predicts, packed once: the right operands of products, and what normalizations
 * move and stretch channels with.
 *
 * Packing reads and writes all weights. For a batch of one image that is as much memory as everything else together.
 *
 * Copies are made one by one, in the first pass, and stay. Each in a block of its own would lie between the tensors of that
 * pass, and leave holes that no tensor of the next fits in: so there is one block for all of them.
 *
 * @module
 */
import { makeOnce } from "../../parallel/recording.js";
import type { DType, FloatArray } from "../../tensor/dtype.js";
import { CACHE_LINE, sharedHeap, wholeLines } from "../../tensor/heap.js";
import type { ChannelMap } from "../normalize.js";

interface PackedCopy {
  /** How it is packed. */
  readonly layout: readonly number[];
  readonly data: FloatArray;
}

/**
 * Above this many values an operand is kept in single precision for float64 sums, too, and tiles widen its panels: as doubles
 * it would take 2 MB or more, and be read from memory as such each time.
 */
export const MOST_DOUBLES = 262_144;

/** Bytes of room for a copy, and for what tells that it is finite; what panels add to the last columns is forgotten, but for a line. */
function roomFor({ length }: FloatArray): number {
  return wholeLines(length * (length > MOST_DOUBLES ? 4 : 8)) + 2 * CACHE_LINE;
}

/** What normalizations read takes so much less than the kernels: some numbers for each of their filters. */
const MAPS_SHARE = 32;

function isSame(a: readonly number[], b: readonly number[]): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Arrays that stay as they are until {@link PackedConstants.close}, and their packed copies. */
export class PackedConstants {
  readonly #copies: Map<FloatArray, PackedCopy[]>;
  readonly #maps = new Map<object, ChannelMap>();
  /** Where blocks begin: that for all copies, and those of copies that it had no room for. */
  readonly #blocks: number[] = [];
  /** Where the next copy goes in the first block, and where that ends. */
  #next = 0;
  #end = 0;
  #isClosed = false;

  constructor(arrays: Iterable<FloatArray>) {
    this.#copies = new Map(Array.from(arrays, (data) => [data, []]));
  }

  /**
   * How the layer `owner` moves and stretches channels, made of its weights by `make` when it is first asked for; undefined
   * when they may change again.
   */
  channelMap(owner: object, make: () => ChannelMap): ChannelMap | undefined {
    if (this.#isClosed) return undefined;
    const known = this.#maps.get(owner);
    if (known !== undefined) return known;
    const map = make();
    this.#maps.set(owner, map);
    this.#copies.set(map.scale, []); // it stays as it is, too
    return map;
  }

  /** The copy of `data` in `layout`, made by `pack` when it is first asked for; undefined where `data` may change. */
  find(
    data: FloatArray,
    layout: readonly number[],
    length: number,
    pack: (to: FloatArray) => void,
    dtype: DType = "float32",
  ): FloatArray | undefined {
    const copies = this.#copies.get(data);
    if (copies === undefined) return undefined;
    for (const copy of copies) if (isSame(copy.layout, layout)) return copy.data;
    const packed = sharedHeap().view(dtype, this.#reserve(length * (dtype === "float64" ? 8 : 4)), length);
    makeOnce(() => pack(packed));
    copies.push({ layout, data: packed });
    return packed;
  }

  /** Reserves memory for all copies, if that has not been done: best before a pass, whose tensors then lie behind it. */
  makeRoom(): void {
    if (this.#blocks.length > 0 || this.#copies.size === 0) return;
    const kernels = [...this.#copies.keys()].reduce((sum, array) => sum + roomFor(array), 0);
    const room = kernels + wholeLines(kernels / MAPS_SHARE);
    this.#next = sharedHeap().allocateOutside(room);
    this.#end = this.#next + room;
    this.#blocks.push(this.#next);
  }

  /** Where there are `bytes` for a copy. */
  #reserve(bytes: number): number {
    this.makeRoom();
    const offset = this.#next;
    if (offset + bytes > this.#end) {
      const block = sharedHeap().allocateOutside(bytes);
      this.#blocks.push(block);
      return block;
    }
    this.#next += wholeLines(bytes);
    return offset;
  }

  /** Whether the arrays stay as they are. */
  get isOpen(): boolean {
    return !this.#isClosed;
  }

  /** Gives the memory of the copies back. */
  close(): void {
    for (const block of this.#blocks.splice(0)) sharedHeap().free(block);
    this.#copies.clear();
    this.#maps.clear();
    this.#isClosed = true;
  }
}
