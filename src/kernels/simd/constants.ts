/**
 * What does not change while a model only predicts, packed once: the right operands of products, and what normalizations
 * move and stretch channels with.
 *
 * Packing reads and writes all weights. For a batch of one image that is as much memory as everything else together.
 *
 * @module
 */
import type { DType, FloatArray } from "../../tensor/dtype.js";
import { sharedHeap } from "../../tensor/heap.js";
import type { ChannelMap } from "../normalize.js";

interface PackedCopy {
  /** How it is packed. */
  readonly layout: readonly number[];
  readonly offset: number;
  readonly data: FloatArray;
}

function isSame(a: readonly number[], b: readonly number[]): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Arrays that stay as they are until {@link PackedConstants.close}, and their packed copies. */
export class PackedConstants {
  readonly #copies: Map<FloatArray, PackedCopy[]>;
  readonly #maps = new Map<object, ChannelMap>();
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
    const heap = sharedHeap();
    const offset = heap.allocate(length * (dtype === "float64" ? 8 : 4));
    const packed = heap.view(dtype, offset, length);
    try {
      pack(packed);
    } catch (error) {
      heap.free(offset);
      throw error;
    }
    copies.push({ layout, offset, data: packed });
    return packed;
  }

  /** Gives the memory of the copies back. */
  close(): void {
    for (const copies of this.#copies.values()) {
      for (const { offset } of copies.splice(0)) sharedHeap().free(offset);
    }
    this.#copies.clear();
    this.#maps.clear();
    this.#isClosed = true;
  }
}
