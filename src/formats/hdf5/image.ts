/**
 * A file in the making: first every structure gets its place, then all are written into one buffer.
 *
 * Structures refer to each other by address, so that places must be known before anything is written. {@link
 * FileImage.allocate} gives out a place and keeps how to fill it; {@link FileImage.toBytes} makes the buffer, once, and
 * fills it. The elements of a model of 100 MB are copied a single time, from their tensors to their places.
 *
 * @module
 */

/** Writes numbers into a place, one after the other; all little-endian. Bytes that are skipped stay zero. */
export class Hdf5Writer {
  position: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  constructor(bytes: Uint8Array, position: number) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.position = position;
  }

  u8(value: number): this {
    this.#view.setUint8(this.position, value);
    this.position += 1;
    return this;
  }

  u16(value: number): this {
    this.#view.setUint16(this.position, value, true);
    this.position += 2;
    return this;
  }

  u32(value: number): this {
    this.#view.setUint32(this.position, value, true);
    this.position += 4;
    return this;
  }

  /** An address or a length: eight bytes. `undefined` is HDF5's mark for nowhere. */
  u64(value: number | undefined): this {
    this.#view.setBigUint64(this.position, value === undefined ? 2n ** 64n - 1n : BigInt(value), true);
    this.position += 8;
    return this;
  }

  bytes(values: ArrayLike<number>): this {
    this.#bytes.set(values, this.position);
    this.position += values.length;
    return this;
  }

  /** Letters of ASCII, such as a signature. */
  ascii(text: string): this {
    for (let i = 0; i < text.length; i++) this.u8(text.charCodeAt(i));
    return this;
  }

  skip(length: number): this {
    this.position += length;
    return this;
  }
}

type Fill = (writer: Hdf5Writer) => void;

/** The places of a file's structures. */
export class FileImage {
  readonly #fills: { readonly address: number; readonly fill: Fill }[] = [];
  #end = 0;

  /** Reserves `length` bytes at a multiple of eight; `fill` writes them later. Returns their address. */
  allocate(length: number, fill: Fill): number {
    const address = this.#end;
    this.#fills.push({ address, fill });
    this.#end = align8(address + length);
    return address;
  }

  /** Where the file ends. */
  get length(): number {
    return this.#end;
  }

  /** The file. */
  toBytes(): Uint8Array {
    const bytes = new Uint8Array(this.#end);
    for (const { address, fill } of this.#fills) fill(new Hdf5Writer(bytes, address));
    return bytes;
  }
}

/** The next multiple of eight. */
export function align8(length: number): number {
  return Math.ceil(length / 8) * 8;
}
