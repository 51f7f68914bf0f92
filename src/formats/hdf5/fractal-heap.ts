/**
 * Fractal heaps: the bodies of links and attributes where there are many ("dense" storage).
 *
 * ```
 * header  "FRHP", 0, u16 bytes of an id, u16 filter size, flags, ... see the constructor
 * direct block    "FHDB", 0, heap address, offset of the block, [checksum], objects
 * indirect block  "FHIB", 0, heap address, offset of the block, addresses of the blocks below, checksum
 * ```
 *
 * The heap is one long space of offsets, laid out in rows of `width` blocks; rows 0 and 1 have blocks of the starting
 * size, each later row blocks of twice the size. Blocks up to the largest direct size hold objects; larger ones are
 * indirect, and divide their space in the same way. An object's id is either the offset and length of a managed object,
 * or (too large for a block) a number in a B-tree of "huge" objects, or (tiny) the object itself.
 *
 * @module
 */
import { bytesFor, readBtree2 } from "./btree2.js";
import { expectSignature, expectVersion, fail, type Hdf5File, Hdf5Reader } from "./file.js";

const WHAT = "a fractal heap";
const HUGE_OBJECTS = 1;

interface DirectBlock {
  readonly offset: number;
  readonly size: number;
  readonly address: number;
}

interface HugeObject {
  readonly address: number | undefined;
  readonly length: number;
}

/** The objects of one heap by their ids. */
export class FractalHeap {
  readonly #file: Hdf5File;
  readonly #idLength: number;
  readonly #hasChecksums: boolean;
  readonly #maxManaged: number;
  readonly #hugeTree: number | undefined;
  readonly #width: number;
  readonly #startSize: number;
  readonly #maxDirectSize: number;
  /** Bytes of an offset into the heap. */
  readonly #offsetBytes: number;
  readonly #blocks: DirectBlock[] = [];
  #huge: Map<number, HugeObject> | undefined;

  constructor(file: Hdf5File, address: number | undefined) {
    const { offsetSize, lengthSize } = file.widths;
    const size = 26 + 3 * offsetSize + 12 * lengthSize;
    this.#file = file;
    const header = file.claim(WHAT, address, size);
    expectSignature(header, WHAT, "FRHP");
    expectVersion(WHAT, header.u8(), [0]);
    this.#idLength = header.u16();
    if (header.u16() !== 0) fail(`${WHAT} must not be compressed.`, "a heap with filters");
    file.verify(WHAT, address ?? 0, size);
    this.#hasChecksums = (header.u8() & 2) !== 0;
    this.#maxManaged = header.u32();
    header.skip(lengthSize); // next id of a huge object
    this.#hugeTree = header.address();
    header.skip(lengthSize + offsetSize + 8 * lengthSize); // free space and statistics
    this.#width = header.u16();
    this.#startSize = header.length();
    this.#maxDirectSize = header.length();
    const offsetBits = header.u16();
    header.skip(2);
    const root = header.address();
    const rows = header.u16();
    this.#offsetBytes = Math.ceil(offsetBits / 8);
    const isPowerOfTwo = (n: number): boolean => n > 0 && Number.isInteger(log2(n));
    if (this.#width === 0 || !isPowerOfTwo(this.#startSize) || !isPowerOfTwo(this.#maxDirectSize) || offsetBits > 48) {
      fail(
        `${WHAT} must have rows, block sizes that are powers of two, and offsets of at most 48 bits.`,
        `width ${this.#width}, sizes ${this.#startSize} and ${this.#maxDirectSize}, ${offsetBits} bits`,
      );
    }
    if (root === undefined) return;
    if (rows === 0) this.#addDirect(root, 0, this.#startSize);
    else this.#addIndirect(root, 0, rows, 2 ** offsetBits);
  }

  /**
   * The object with this id.
   *
   * @throws FormatError when there is none.
   */
  read(id: Hdf5Reader): Hdf5Reader {
    const idBytes = id.take(this.#idLength);
    const reader = new Hdf5Reader("the id of a heap object", idBytes, this.#file.widths);
    const flags = reader.u8();
    switch ((flags >> 4) & 3) {
      case 0:
        return this.#readManaged(reader);
      case 1:
        return this.#readHuge(reader);
      case 2:
        return reader.window("a heap object", (flags & 15) + 1);
      default:
        return fail("a heap object must be managed, huge or tiny.", `id type ${(flags >> 4) & 3}`);
    }
  }

  #readManaged(id: Hdf5Reader): Hdf5Reader {
    const offset = id.uint(this.#offsetBytes);
    const length = id.uint(Math.min(bytesFor(this.#maxDirectSize), bytesFor(this.#maxManaged)));
    const block = this.#findBlock(offset);
    if (block === undefined || offset + length > block.offset + block.size) {
      fail("a heap object must lie inside one block.", `${length} bytes at offset ${offset}`);
    }
    return this.#file.claim("a heap object", block.address + offset - block.offset, length);
  }

  #readHuge(id: Hdf5Reader): Hdf5Reader {
    const { offsetSize, lengthSize } = this.#file.widths;
    // an id with room for it holds address and length itself
    if (id.remaining >= offsetSize + lengthSize) return this.#file.claim("a heap object", id.address(), id.length());
    this.#huge ??= this.#readHugeTree();
    const number = id.uint(Math.min(id.remaining, lengthSize));
    const object = this.#huge.get(number);
    if (object === undefined) fail("a huge object must be in the tree of its heap.", `object ${number}`);
    return this.#file.claim("a heap object", object.address, object.length);
  }

  #readHugeTree(): Map<number, HugeObject> {
    const objects = new Map<number, HugeObject>();
    for (const record of readBtree2(this.#file, this.#hugeTree, HUGE_OBJECTS)) {
      const object = { address: record.address(), length: record.length() };
      objects.set(record.length(), object);
    }
    return objects;
  }

  /** The block that holds `offset`; blocks are in order. */
  #findBlock(offset: number): DirectBlock | undefined {
    let low = 0;
    let high = this.#blocks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#blocks[middle].offset + this.#blocks[middle].size <= offset) low = middle + 1;
      else high = middle;
    }
    const block = this.#blocks.at(low);
    return block !== undefined && block.offset <= offset ? block : undefined;
  }

  #addDirect(address: number, offset: number, size: number): void {
    const prefix = 5 + this.#file.widths.offsetSize + this.#offsetBytes + (this.#hasChecksums ? 4 : 0);
    const block = this.#file.claim("a heap block", address, prefix);
    expectSignature(block, "a heap block", "FHDB");
    this.#blocks.push({ offset, size, address });
  }

  /**
   * Adds the blocks below an indirect block, in order.
   *
   * @param rows - How many rows of blocks it has.
   * @param space - Bytes of the heap's space that it may divide: those below are smaller, so that this ends.
   */
  #addIndirect(address: number, offset: number, rows: number, space: number): void {
    const { offsetSize } = this.#file.widths;
    const prefix = 5 + offsetSize + this.#offsetBytes;
    const size = prefix + rows * this.#width * offsetSize + 4;
    const block = this.#file.claim("a heap block", address, size);
    expectSignature(block, "a heap block", "FHIB");
    this.#file.verify("a heap block", address, size);
    block.position = prefix;
    let at = offset;
    for (let row = 0; row < rows; row++) {
      const blockSize = row === 0 ? this.#startSize : this.#startSize * 2 ** (row - 1);
      for (let column = 0; column < this.#width; column++, at += blockSize) {
        const child = block.address();
        if (child === undefined) continue;
        if (at + blockSize > offset + space || blockSize >= space) {
          fail("blocks of a heap must lie inside their parent.", `${blockSize} bytes at offset ${at}`);
        }
        if (blockSize <= this.#maxDirectSize) this.#addDirect(child, at, blockSize);
        else this.#addIndirect(child, at, log2(blockSize) - log2(this.#startSize * this.#width) + 1, blockSize);
      }
    }
  }
}

/** The exponent of a power of two; no whole number for any other. */
function log2(n: number): number {
  let exponent = 0;
  for (; n > 1; n /= 2) exponent++;
  return n === 1 ? exponent : Number.NaN;
}
