/**
 * Global heaps: the content of variable-length elements, such as the JSON configuration of a model.
 *
 * ```
 * 0  "GCOL", 1, 3 reserved
 * 8  length of the collection, this header included
 *    objects: u16 index, u16 references, u32 reserved, length, data padded to 8
 *             index 0 is the free space at the end
 * ```
 *
 * An element of a dataset refers to collection and index: u32 length, address of the collection, u32 index.
 *
 * @module
 */
import { expectSignature, expectVersion, fail, type Hdf5File } from "./file.js";

const WHAT = "a global heap collection";

/** Where an object's data is. */
interface HeapObject {
  readonly address: number;
  readonly length: number;
}

/** All global heap collections of a file, each read once. */
export class GlobalHeap {
  readonly #file: Hdf5File;
  readonly #collections = new Map<number, ReadonlyMap<number, HeapObject>>();

  constructor(file: Hdf5File) {
    this.#file = file;
  }

  /**
   * The first `length` bytes of an object.
   *
   * @throws FormatError when there is no such object, or it is shorter.
   */
  read(address: number | undefined, index: number, length: number): Uint8Array {
    const object = this.#collection(address).get(index);
    if (object === undefined || length > object.length) {
      fail(
        `object ${index} of the global heap at ${address} must have ${length} bytes.`,
        object === undefined ? "no such object" : `${object.length} bytes`,
      );
    }
    return this.#file.claim("an object of a global heap", object.address, length).bytes;
  }

  #collection(address: number | undefined): ReadonlyMap<number, HeapObject> {
    if (address === undefined) fail(`${WHAT} must lie inside the file.`, "no address");
    let objects = this.#collections.get(address);
    if (objects === undefined) {
      objects = readCollection(this.#file, address);
      this.#collections.set(address, objects);
    }
    return objects;
  }
}

/** The objects of a collection by index. Only their headers are claimed; data is, when it is read. */
function readCollection(file: Hdf5File, address: number): Map<number, HeapObject> {
  const { lengthSize } = file.widths;
  const header = file.claim(WHAT, address, 8 + lengthSize);
  expectSignature(header, WHAT, "GCOL");
  expectVersion(WHAT, header.u8(), [1]);
  header.skip(3);
  const length = header.length();
  const end = address + file.peek(WHAT, address, length).bytes.length;
  const objects = new Map<number, HeapObject>();
  const headerSize = Math.ceil((8 + lengthSize) / 8) * 8;
  let at = address + headerSize;
  while (at + headerSize <= end) {
    const object = file.claim(WHAT, at, headerSize);
    const index = object.u16();
    if (index === 0) break;
    object.skip(6);
    const size = object.length();
    at += headerSize;
    if (at + size > end) fail(`objects must lie inside their global heap, before ${end}.`, `${size} bytes at ${at}`);
    objects.set(index, { address: at, length: size });
    at += Math.ceil(size / 8) * 8;
  }
  return objects;
}
