/**
 * Reading numbers from bytes that may lie.
 *
 * A {@link ByteReader} is a window on a file with a position in it. Each read checks first that the bytes are there;
 * where they are not, the error names what was being read, so that a truncated file is told apart from a wrong one.
 *
 * @module
 */
import { kindOf } from "../serialization/config.js";
import { FormatError } from "./format-error.js";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** @throws TypeError when the argument `bytes` of the function `caller` is none: the path of a file, or memory itself. */
export function checkBytes(caller: string, bytes: Uint8Array): void {
  if (bytes instanceof Uint8Array) return;
  throw new TypeError(`${caller}: \`bytes\` must be a Uint8Array, the content of a file. Received ${kindOf(bytes)}.`);
}

/** A position in a window of bytes. All numbers are little-endian. */
export class ByteReader {
  /** The next byte that is read. */
  position = 0;
  readonly bytes: Uint8Array;
  readonly #format: string;
  readonly #what: string;
  readonly #view: DataView;

  /**
   * @param format - The format that errors name, for example `zip`.
   * @param what - What lies in the window, for example `the central directory`.
   */
  constructor(format: string, what: string, bytes: Uint8Array) {
    this.#format = format;
    this.#what = what;
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** How many bytes are left. */
  get remaining(): number {
    return this.bytes.length - this.position;
  }

  u8(): number {
    return this.#view.getUint8(this.#advance(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#advance(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#advance(4), true);
  }

  /** An unsigned 64-bit number, exact. */
  u64(): bigint {
    return this.#view.getBigUint64(this.#advance(8), true);
  }

  /**
   * An unsigned number of 1 to 8 bytes that is used as a size or an offset.
   *
   * @throws FormatError when it is above 2^53 - 1: no file is so large.
   */
  uint(bytes: number): number {
    const at = this.#advance(bytes);
    let value = 0;
    for (let i = bytes - 1; i >= 0; i--) value = value * 256 + this.bytes[at + i];
    if (!Number.isSafeInteger(value)) {
      throw new FormatError(this.#format, `a size or an offset in ${this.#what} must be below 2^53.`, String(value));
    }
    return value;
  }

  /** The next `length` bytes, as a view. */
  take(length: number): Uint8Array {
    const at = this.#advance(length);
    return this.bytes.subarray(at, at + length);
  }

  skip(length: number): void {
    this.#advance(length);
  }

  /**
   * The next `length` bytes as UTF-8 text.
   *
   * @throws FormatError when they are not UTF-8.
   */
  text(length: number): string {
    return decodeUtf8(this.#format, this.#what, this.take(length));
  }

  #advance(length: number): number {
    const at = this.position;
    if (length > this.remaining) {
      throw new FormatError(
        this.#format,
        `${this.#what} must hold ${length} more bytes at byte ${at}.`,
        `${this.remaining} bytes`,
      );
    }
    this.position = at + length;
    return at;
  }
}

/**
 * `bytes` as text.
 *
 * @throws FormatError when they are not UTF-8.
 */
export function decodeUtf8(format: string, what: string, bytes: Uint8Array): string {
  try {
    // a copy, because browsers refuse to decode shared memory
    return utf8.decode(new Uint8Array(bytes));
  } catch (cause) {
    throw new FormatError(format, `text in ${what} must be UTF-8.`, `${bytes.length} bytes that are not`, { cause });
  }
}
