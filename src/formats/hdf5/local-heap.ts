/**
 * Local heaps: the names of a group's links.
 *
 * ```
 * 0  "HEAP", 0, 3 reserved
 * 8  length of the data, offset of the first free block, address of the data
 * data: names at offsets that links and B-tree keys refer to, each ended by a zero
 * ```
 *
 * @module
 */
import { decodeUtf8 } from "../byte-reader.js";
import { expectSignature, expectVersion, fail, type Hdf5File } from "./file.js";

const WHAT = "the local heap of a group";

/** The names of one group by their offsets. */
export class LocalHeap {
  readonly #data: Uint8Array;
  #used = 0;

  constructor(file: Hdf5File, address: number | undefined) {
    const header = file.claim(WHAT, address, 8 + 2 * file.widths.lengthSize + file.widths.offsetSize);
    expectSignature(header, WHAT, "HEAP");
    expectVersion(WHAT, header.u8(), [0]);
    header.skip(3);
    const length = header.length();
    header.skip(file.widths.lengthSize);
    this.#data = file.claim(WHAT, header.address(), length).bytes;
  }

  /**
   * The name at `offset`.
   *
   * @throws FormatError when it does not end inside the heap, or the names together are longer than the heap.
   */
  name(offset: number): string {
    const end = offset < this.#data.length ? this.#data.indexOf(0, offset) : -1;
    if (end < 0) fail(`a name must end inside its heap of ${this.#data.length} bytes.`, `one at offset ${offset}`);
    this.#used += end - offset + 1;
    if (this.#used > this.#data.length) fail("names must not overlap.", `one at offset ${offset}, used before`);
    return decodeUtf8("HDF5", WHAT, this.#data.subarray(offset, end));
  }
}
