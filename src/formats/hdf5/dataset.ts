/**
 * Datasets: an array of elements with a shape, a type and attributes.
 *
 * ```
 * object header = dataspace 0x01 (shape), datatype 0x03, layout 0x08 (where), [fill value 0x05], [filters 0x0b],
 *                 [attributes 0x0c]
 * ```
 *
 * @module
 */
import { type Hdf5Attribute, readAttributes } from "./attributes.js";
import { readChunks } from "./chunks.js";
import { countElements, readDataspace } from "./dataspace.js";
import { type Datatype, readDatatype } from "./datatype.js";
import { expectVersion, fail, type Hdf5File } from "./file.js";
import { readFilters } from "./filters.js";
import type { GlobalHeap } from "./global-heap.js";
import { readLayout } from "./layout.js";
import { MESSAGE, type ObjectHeader } from "./object-header.js";
import { decodeValue, type Hdf5Data } from "./values.js";

/** An array in a file. Its elements are read when they are asked for. */
export class Hdf5Dataset {
  readonly kind = "dataset";
  /** Names from the root to here, for example `/layers/conv2d/vars/0`. */
  readonly path: string;
  /** [] is a scalar. */
  readonly shape: readonly number[];
  readonly #file: Hdf5File;
  readonly #heap: GlobalHeap;
  readonly #header: ObjectHeader;
  readonly #type: Datatype;
  #attributes: Map<string, Hdf5Attribute> | undefined;
  #data: Hdf5Data | undefined;

  /** @throws FormatError when shape or type cannot be read. */
  constructor(file: Hdf5File, heap: GlobalHeap, header: ObjectHeader, path: string) {
    this.#file = file;
    this.#heap = heap;
    this.#header = header;
    this.path = path;
    this.shape = readDataspace(header.require(MESSAGE.dataspace, "dataspace"));
    this.#type = readDatatype(header.require(MESSAGE.datatype, "datatype"));
  }

  /** The type of an element, for example `float32`, `string`, or a type that cannot be read. */
  get dtype(): string {
    return this.#type.name;
  }

  /** The attributes by name. */
  get attributes(): ReadonlyMap<string, Hdf5Attribute> {
    this.#attributes ??= readAttributes(this.#file, this.#heap, this.#header);
    return this.#attributes;
  }

  /**
   * The elements in row-major order, read once. Contiguous numbers in this machine's byte order are a view of the file
   * where they lie aligned; all others are copied.
   *
   * @throws FormatError when their type is not supported (the message names it), or they are corrupt.
   */
  read(): Hdf5Data {
    this.#data ??= decodeValue(this.#file, this.#heap, this.#type, this.#readElements());
    return this.#data;
  }

  #readElements(): Uint8Array {
    const { size } = this.#type;
    const header = this.#header;
    const bytes = countElements(this.shape) * size;
    if (header.has(MESSAGE.externalFiles)) fail("elements must be in this file.", `external files for ${this.path}`);
    const layout = readLayout(header.require(MESSAGE.layout, "layout"));
    switch (layout.kind) {
      case "compact":
        if (layout.elements.length < bytes) {
          fail(`${this.path} must have ${bytes} bytes of elements.`, `${layout.elements.length} bytes`);
        }
        return layout.elements.subarray(0, bytes);
      case "contiguous":
        if (layout.address === undefined || bytes === 0) return this.#filled(bytes);
        return this.#file.claim(`the elements of ${this.path}`, layout.address, bytes).bytes;
      case "chunked": {
        const elements = this.#filled(bytes);
        const pipeline = header.find(MESSAGE.filters);
        const filters = pipeline === undefined ? [] : readFilters(pipeline);
        const { chunkShape, index } = layout;
        readChunks(this.#file, { shape: this.shape, chunkShape, elementSize: size, index, filters }, elements);
        return elements;
      }
    }
  }

  /** Elements that were never written: all the fill value. */
  #filled(bytes: number): Uint8Array {
    this.#file.reserve(this.path, bytes);
    const elements = new Uint8Array(bytes);
    const value = readFillValue(this.#header);
    if (value === undefined || value.length === 0 || value.every((byte) => byte === 0)) return elements;
    if (value.length !== this.#type.size) {
      fail(`the fill value of ${this.path} must have ${this.#type.size} bytes.`, `${value.length} bytes`);
    }
    if (bytes > 0) elements.set(value);
    // what is filled doubles with each copy
    for (let done = value.length; done < bytes; done *= 2) elements.copyWithin(done, 0, Math.min(done, bytes - done));
    return elements;
  }
}

/**
 * ```
 * message 0x05  version 1, 2: version, allocation, writing, defined [, u32 size, value]; version 3: 3, flags [, ...]
 * message 0x04  u32 size, value
 * ```
 */
function readFillValue(header: ObjectHeader): Uint8Array | undefined {
  const message = header.find(MESSAGE.fillValue);
  if (message === undefined) {
    const old = header.find(MESSAGE.oldFillValue);
    return old?.take(old.u32());
  }
  const version = message.u8();
  expectVersion("a fill value", version, [1, 2, 3]);
  let isDefined: boolean;
  if (version === 3) isDefined = (message.u8() & 0x20) !== 0;
  else {
    message.skip(2);
    isDefined = message.u8() !== 0 || version === 1;
  }
  return isDefined ? message.take(message.u32()) : undefined;
}
