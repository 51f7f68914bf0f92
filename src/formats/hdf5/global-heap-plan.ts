/**
 * Global heaps, written: the layout is drawn in `global-heap.ts`.
 *
 * Texts are gathered while attributes are planned, and packed into collections when all are known. A collection takes
 * at least 4096 bytes, HDF5's minimum; a longer text gets a collection of its size.
 *
 * @module
 */
import { align8, type FileImage, Hdf5Writer } from "./image.js";

const MIN_COLLECTION = 4096;
const HEADER = 16;
const OBJECT_HEADER = 16;

interface Place {
  readonly address: number;
  readonly index: number;
}

/** The texts of one file. */
export class GlobalHeapPlan {
  readonly #texts: Uint8Array[] = [];
  readonly #places: Place[] = [];

  /** Adds a text. What is returned gives, once the heap has its place, the 12 bytes that refer to the text. */
  add(text: Uint8Array): () => Uint8Array {
    const number = this.#texts.push(text) - 1;
    return () => {
      const reference = new Uint8Array(12);
      // an empty text is not in the heap at all
      if (text.length === 0) return reference;
      const { address, index } = this.#places[number];
      new Hdf5Writer(reference, 0).u64(address).u32(index);
      return reference;
    };
  }

  /** Gives all texts their places. */
  plan(image: FileImage): void {
    let members: number[] = [];
    let used = HEADER;
    const flush = (): void => {
      if (members.length > 0) this.#planCollection(image, members, used);
      members = [];
      used = HEADER;
    };
    for (const [number, text] of this.#texts.entries()) {
      const size = OBJECT_HEADER + align8(text.length);
      if (used + size > MIN_COLLECTION) flush();
      members.push(number);
      used += size;
    }
    flush();
  }

  #planCollection(image: FileImage, members: readonly number[], used: number): void {
    const length = Math.max(MIN_COLLECTION, used);
    const texts = members.map((number) => this.#texts[number]);
    const address = image.allocate(length, (writer) => {
      writer.ascii("GCOL").u8(1).skip(3).u64(length);
      for (const [i, text] of texts.entries()) {
        const end = writer.position + OBJECT_HEADER + align8(text.length);
        writer
          .u16(i + 1)
          .u16(0)
          .skip(4)
          .u64(text.length)
          .bytes(text);
        writer.position = end;
      }
      // the rest is free: object 0, whose size counts its own header
      if (length - used >= OBJECT_HEADER)
        writer
          .u16(0)
          .u16(0)
          .skip(4)
          .u64(length - used);
    });
    for (const [i, number] of members.entries()) this.#places[number] = { address, index: i + 1 };
  }
}
