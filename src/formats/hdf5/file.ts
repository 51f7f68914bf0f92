/**
 * An open HDF5 file: its bytes, how wide its numbers are, and the ledger that keeps a hostile file harmless.
 *
 * HDF5 is a graph of structures that refer to each other by address:
 *
 * ```
 * superblock -> object header of the root group -> [messages]
 *                 a group's messages lead to its links, each with the address of another object header;
 *                 a dataset's messages say shape, element type, and the address of the elements
 * ```
 *
 * Any address may lie. One rule makes all such lies harmless: **every byte of a file belongs to one structure.** Whoever
 * reads a structure claims its bytes first, and together the claims may not exceed the file. A tree that contains itself,
 * a thousand tables that are one, a header that continues in itself: each runs into that limit, and the work of reading
 * a file stays proportional to its size. What is *made* from a file (unpacked chunks, fill values) is reserved against
 * `maxBytes` before it is allocated.
 *
 * @module
 */
import { ByteReader } from "../byte-reader.js";
import { FormatError } from "../format-error.js";
import { lookup3 } from "./lookup3.js";

/** How an HDF5 file is opened. */
export interface Hdf5Options {
  /**
   * The most bytes that reading may allocate for elements that do not lie in the file as they are.
   *
   * @defaultValue 2 GiB
   */
  readonly maxBytes?: number;
  /**
   * Whether the checksums of metadata are verified; switch it off to salvage a damaged file.
   *
   * @defaultValue true
   */
  readonly verifyChecksums?: boolean;
}

/** @throws FormatError always: an HDF5 file breaks `rule`. */
export function fail(rule: string, received: string): never {
  throw new FormatError("HDF5", rule, received);
}

/** Reads numbers of a file: besides plain ones, addresses and lengths in the widths that its superblock gave. */
export class Hdf5Reader extends ByteReader {
  readonly #widths: Widths;

  constructor(what: string, bytes: Uint8Array, widths: Widths) {
    super("HDF5", what, bytes);
    this.#widths = widths;
  }

  /** An address, relative to the superblock; `undefined` where all bits are set, HDF5's mark for nowhere. */
  address(): number | undefined {
    const size = this.#widths.offsetSize;
    const end = this.position + size;
    let isUndefined = this.remaining >= size;
    for (let at = this.position; at < end && isUndefined; at++) isUndefined = this.bytes[at] === 255;
    if (!isUndefined) return this.uint(size);
    this.skip(size);
    return undefined;
  }

  /** A size in bytes or elements. */
  length(): number {
    return this.uint(this.#widths.lengthSize);
  }

  /** The next `length` bytes as a window of their own. */
  window(what: string, length: number): Hdf5Reader {
    return new Hdf5Reader(what, this.take(length), this.#widths);
  }
}

/** Bytes of an address and of a length, from the superblock. */
export interface Widths {
  readonly offsetSize: number;
  readonly lengthSize: number;
}

/** The file under all groups and datasets. */
export class Hdf5File {
  readonly bytes: Uint8Array;
  readonly widths: Widths;
  readonly maxBytes: number;
  readonly #verifyChecksums: boolean;
  #claimed = 0;
  #reserved = 0;

  /** @param bytes - The file from its superblock on: addresses count from there. */
  constructor(bytes: Uint8Array, widths: Widths, options: Hdf5Options) {
    this.bytes = bytes;
    this.widths = widths;
    this.maxBytes = options.maxBytes ?? 2 ** 31;
    this.#verifyChecksums = options.verifyChecksums ?? true;
  }

  /**
   * The `length` bytes of a structure at `address`, claimed for it.
   *
   * @throws FormatError when they are not inside the file, or the structures read so far claim more than the file has.
   */
  claim(what: string, address: number | undefined, length: number): Hdf5Reader {
    const reader = this.peek(what, address, length);
    this.#claimed += length;
    if (this.#claimed > this.bytes.length) {
      fail("structures must not overlap or contain themselves.", `${what} at ${address}, read again`);
    }
    return reader;
  }

  /** Like {@link claim}, for a first look that decides how much is to be claimed. */
  peek(what: string, address: number | undefined, length: number): Hdf5Reader {
    if (address === undefined || address + length > this.bytes.length) {
      fail(
        `${what} must lie inside the file of ${this.bytes.length} bytes.`,
        address === undefined ? "no address" : `${length} bytes at ${address}`,
      );
    }
    return new Hdf5Reader(what, this.bytes.subarray(address, address + length), this.widths);
  }

  /** Checks that a structure of `length` bytes ends with the checksum of those before. */
  verify(what: string, address: number, length: number): void {
    if (!this.#verifyChecksums) return;
    const end = address + length;
    const stored = new Hdf5Reader(what, this.bytes.subarray(end - 4, end), this.widths).u32();
    const actual = lookup3(this.bytes.subarray(address, end - 4));
    if (stored !== actual) fail(`${what} must have the checksum ${stored.toString(16)}.`, actual.toString(16));
  }

  /**
   * Counts `bytes` that are about to be allocated.
   *
   * @throws FormatError when the file has asked for more than `maxBytes`.
   */
  reserve(what: string, bytes: number): void {
    this.#reserved += bytes;
    if (!(this.#reserved <= this.maxBytes)) {
      fail(`a file must unpack to at most ${this.maxBytes} bytes.`, `${this.#reserved} bytes with ${what}`);
    }
  }
}

/** @throws FormatError when the next four bytes of `reader` are not `signature`. */
export function expectSignature(reader: Hdf5Reader, what: string, signature: string): void {
  const found = String.fromCharCode(...reader.take(4));
  if (found !== signature) fail(`${what} must begin with "${signature}".`, JSON.stringify(found));
}

/** @throws FormatError when `version` is not one of `known`. */
export function expectVersion(what: string, version: number, known: readonly number[]): void {
  if (!known.includes(version)) fail(`the version of ${what} must be one of ${known.join(", ")}.`, String(version));
}
