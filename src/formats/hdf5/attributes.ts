/**
 * Attributes: small named values that hang on a group or a dataset.
 *
 * ```
 * message 0x0c  version, flags, u16 sizes of name, datatype and dataspace, [charset: version 3],
 *               name, datatype, dataspace (each padded to 8 in version 1), elements
 * dense         message 0x15: 0, flags, [u16 order], fractal heap, B-tree (version 2) of type 8
 *               B-tree -> id in the heap, flags, u32 order, u32 hash -> the body of a message 0x0c
 * ```
 *
 * @module
 */
import { decodeUtf8 } from "../byte-reader.js";
import { readBtree2 } from "./btree2.js";
import { countElements, readDataspace } from "./dataspace.js";
import { type Datatype, readDatatype } from "./datatype.js";
import { expectVersion, fail, type Hdf5File, type Hdf5Reader } from "./file.js";
import { FractalHeap } from "./fractal-heap.js";
import type { GlobalHeap } from "./global-heap.js";
import { MESSAGE, type ObjectHeader } from "./object-header.js";
import { decodeValue, type Hdf5Data } from "./values.js";

const ATTRIBUTES_BY_NAME = 8;
const SHARED_PARTS = 3;

/** A value of a group or a dataset. */
export class Hdf5Attribute {
  readonly name: string;
  readonly shape: readonly number[];
  readonly #decode: () => Hdf5Data;
  readonly #type: Datatype;
  #data: Hdf5Data | undefined;

  constructor(name: string, shape: readonly number[], type: Datatype, decode: () => Hdf5Data) {
    this.name = name;
    this.shape = shape;
    this.#type = type;
    this.#decode = decode;
  }

  /** The type of an element, for example `float32`, `string`, or a type that cannot be read. */
  get dtype(): string {
    return this.#type.name;
  }

  /**
   * The elements, decoded once.
   *
   * @throws FormatError when their type is not supported, or they are corrupt.
   */
  read(): Hdf5Data {
    this.#data ??= this.#decode();
    return this.#data;
  }
}

/** All attributes of an object by name. */
export function readAttributes(file: Hdf5File, heap: GlobalHeap, header: ObjectHeader): Map<string, Hdf5Attribute> {
  const attributes = new Map<string, Hdf5Attribute>();
  const add = (message: Hdf5Reader): void => {
    const attribute = readAttribute(file, heap, message);
    if (attributes.has(attribute.name)) {
      fail("attributes of an object must have unique names.", `${JSON.stringify(attribute.name)} twice`);
    }
    attributes.set(attribute.name, attribute);
  };
  for (const message of header.all(MESSAGE.attribute)) add(message);
  const info = header.find(MESSAGE.attributeInfo);
  if (info !== undefined) readDense(file, info, add);
  return attributes;
}

function readDense(file: Hdf5File, message: Hdf5Reader, add: (message: Hdf5Reader) => void): void {
  expectVersion("attribute information", message.u8(), [0]);
  if (message.u8() & 1) message.skip(2);
  const heapAddress = message.address();
  const tree = message.address();
  if (heapAddress === undefined) return;
  const heap = new FractalHeap(file, heapAddress);
  for (const record of readBtree2(file, tree, ATTRIBUTES_BY_NAME)) add(heap.read(record));
}

function readAttribute(file: Hdf5File, heap: GlobalHeap, message: Hdf5Reader): Hdf5Attribute {
  const version = message.u8();
  expectVersion("an attribute", version, [1, 2, 3]);
  const flags = message.u8();
  const sizes = { name: message.u16(), datatype: message.u16(), dataspace: message.u16() };
  if (version === 3) message.skip(1);
  const part = (what: string, size: number): Hdf5Reader => {
    const window = message.window(what, size);
    if (version === 1) message.skip(Math.min(message.remaining, (8 - (size % 8)) % 8));
    return window;
  };
  const nameBytes = part("the name of an attribute", sizes.name).bytes;
  const zero = nameBytes.indexOf(0);
  const name = decodeUtf8("HDF5", "the name of an attribute", zero < 0 ? nameBytes : nameBytes.subarray(0, zero));
  if (version > 1 && (flags & SHARED_PARTS) !== 0) {
    fail("attributes must hold their type and shape themselves.", `${JSON.stringify(name)}, which shares them`);
  }
  const type = readDatatype(part(`the datatype of ${JSON.stringify(name)}`, sizes.datatype));
  const shape = readDataspace(part(`the shape of ${JSON.stringify(name)}`, sizes.dataspace));
  const elements = message.window(`the attribute ${JSON.stringify(name)}`, message.remaining);
  return new Hdf5Attribute(name, shape, type, () => {
    elements.position = 0;
    return decodeValue(file, heap, type, elements.take(countElements(shape) * type.size));
  });
}
