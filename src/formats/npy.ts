/**
 * The npy format: one array, as `numpy.save` writes it.
 *
 * ```
 * byte 0        6      8            10 (version 1) or 12
 *      \u0093NUMPY  1 0    header size  {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }  \n   elements
 *                major   u16 in 1.0,  a Python dictionary, padded with spaces so that the
 *                minor   u32 in 2, 3  elements begin at a multiple of 64
 * ```
 *
 * Version 2 allows longer headers, version 3 UTF-8 in them. `descr` is byte order (`<` little, `>` big, `|` none), kind
 * (`f i u b`) and bytes per element. With `fortran_order` the first index runs fastest; we turn such arrays round.
 *
 * @module
 */
import { ByteReader, checkBytes } from "./byte-reader.js";
import {
  decodeElements,
  type ElementArray,
  type ElementType,
  elementSize,
  encodeElements,
  holdsElements,
} from "./elements.js";
import { FormatError, quote } from "./format-error.js";
import { type NpyHeader, parseNpyHeader } from "./npy-header.js";

/** An array of a file: row-major. */
export interface NpyArray {
  /** numpy's name of the element type. */
  readonly dtype: ElementType;
  /** Its dimensions; [] for a single number. */
  readonly shape: readonly number[];
  /** float16 is widened to a `Float32Array`, int64 and uint64 are big integers, bool is a `Uint8Array` of 0 and 1. */
  readonly data: ElementArray;
}

const MAGIC = "\u0093NUMPY";
/** Our types by kind and size as numpy's `descr` writes them. */
const TYPES: ReadonlyMap<string, ElementType> = new Map([
  ["f2", "float16"],
  ["f4", "float32"],
  ["f8", "float64"],
  ["i1", "int8"],
  ["u1", "uint8"],
  ["i2", "int16"],
  ["u2", "uint16"],
  ["i4", "int32"],
  ["u4", "uint32"],
  ["i8", "int64"],
  ["u8", "uint64"],
  ["b1", "bool"],
]);
/** Kinds of numpy that have no typed array, by the letter of `descr`. */
const UNSUPPORTED_KINDS: ReadonlyMap<string, string> = new Map([
  ["O", "object"],
  ["c", "complex"],
  ["S", "byte string"],
  ["a", "byte string"],
  ["U", "text"],
  ["V", "structured or void"],
  ["M", "datetime"],
  ["m", "timedelta"],
]);

/**
 * Reads one array. Its data is a view of `bytes` where it lies there aligned and in this machine's byte order.
 *
 * Memory: at most twice the size of `bytes`.
 *
 * @throws FormatError when the bytes are not exactly one npy array of numbers; object arrays are refused by name, since
 *   reading them means running the pickled code inside.
 */
export function readNpy(bytes: Uint8Array): NpyArray {
  checkBytes("readNpy", bytes);
  const { header, content } = splitNpy(bytes);
  return npyArray(header, content);
}

/**
 * The header of an npy file, and the bytes after it, which nobody has looked at yet.
 *
 * @throws FormatError when the header is not one.
 */
export function splitNpy(bytes: Uint8Array): { header: NpyHeader; content: Uint8Array } {
  const reader = new ByteReader("npy", "the file", bytes);
  const magic = String.fromCharCode(...reader.take(Math.min(6, reader.remaining)));
  if (magic !== MAGIC) {
    throw new FormatError("npy", `a file must begin with ${quote(MAGIC)}.`, quote(magic));
  }
  const major = reader.u8();
  const minor = reader.u8();
  if (major < 1 || major > 3 || minor !== 0) {
    throw new FormatError("npy", "the version must be 1.0, 2.0 or 3.0.", `version ${major}.${minor}`);
  }
  const header = parseNpyHeader(reader.text(major === 1 ? reader.u16() : reader.u32()));
  return { header, content: reader.take(reader.remaining) };
}

/**
 * The array that `header` says is in `content`.
 *
 * @throws FormatError when its elements are not numbers, or `content` has another size.
 */
export function npyArray(header: NpyHeader, content: Uint8Array): NpyArray {
  const { dtype, littleEndian } = parseDescr(header.descr);
  const expected = expectedBytes(header, dtype);
  if (content.length !== expected) {
    throw new FormatError(
      "npy",
      `an array of shape [${header.shape.join(", ")}] of ${dtype} must have ${expected} bytes of elements.`,
      `${content.length} bytes`,
    );
  }
  const elements = header.fortranOrder ? toRowMajor(content, header.shape, elementSize(dtype)) : content;
  return { dtype, shape: header.shape, data: decodeElements(dtype, elements, littleEndian) };
}

/**
 * The bytes of an npy file, version 1.0 (3.0 never: the header is ASCII), little-endian, row-major.
 *
 * @throws RangeError when the shape does not fit the data.
 * @throws TypeError when `data` is not the typed array of `dtype`.
 */
export function writeNpy(array: NpyArray): Uint8Array {
  if ("stride" in array) {
    throw new TypeError("writeNpy: `array` must be row-major, as `fromTensor` makes it. Received a tensor.");
  }
  const { dtype, shape, data } = array;
  if (!holdsElements(dtype, data)) {
    throw new TypeError(
      `writeNpy: \`data\` must be the typed array that holds ${dtype}. Received ${data.constructor.name}.`,
    );
  }
  if (!shape.every((size) => Number.isSafeInteger(size) && size >= 0) || elementCount(shape) !== data.length) {
    throw new RangeError(
      `writeNpy: \`shape\` must be whole numbers whose product is data.length=${data.length}. ` +
        `Received shape=[${shape.join(", ")}].`,
    );
  }
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
  const dictionary = `{'descr': '${descrOf(dtype)}', 'fortran_order': False, 'shape': ${tuple}, }`;
  // magic, version and size take 10 bytes, the newline 1
  const start = Math.ceil((10 + dictionary.length + 1) / 64) * 64;
  const header = `${dictionary.padEnd(start - 11)}\n`;
  const elements = encodeElements(dtype, data);
  const bytes = new Uint8Array(start + elements.length);
  for (let i = 0; i < 6; i++) bytes[i] = MAGIC.charCodeAt(i);
  bytes.set([1, 0, header.length & 255, header.length >> 8], 6);
  for (let i = 0; i < header.length; i++) bytes[10 + i] = header.charCodeAt(i);
  bytes.set(elements, start);
  return bytes;
}

function descrOf(dtype: ElementType): string {
  for (const [code, type] of TYPES) {
    if (type === dtype) return (elementSize(type) === 1 ? "|" : "<") + code;
  }
  throw new Error(`internal: npy: no descr for ${dtype}.`);
}

function parseDescr(descr: string): { dtype: ElementType; littleEndian: boolean } {
  const order = descr.slice(0, 1);
  const dtype = TYPES.get(descr.slice(1));
  if (dtype !== undefined && (order === "<" || order === ">" || (order === "|" && elementSize(dtype) === 1))) {
    return { dtype, littleEndian: order !== ">" };
  }
  const kind = UNSUPPORTED_KINDS.get(descr.replace(/^[<>|=]/, "").slice(0, 1));
  throw new FormatError(
    "npy",
    `elements must be one of ${[...TYPES.values()].join(", ")}.`,
    `${kind === undefined ? "" : `an array of ${kind} elements, `}descr=${quote(descr)}`,
  );
}

function elementCount(shape: readonly number[]): number {
  return shape.includes(0) ? 0 : shape.reduce((count, size) => count * size, 1);
}

function expectedBytes({ shape }: NpyHeader, dtype: ElementType): number {
  const expected = elementCount(shape) * elementSize(dtype);
  if (!Number.isSafeInteger(expected)) {
    throw new FormatError("npy", "an array must be smaller than 2^53 bytes.", `shape=[${shape.join(", ")}]`);
  }
  return expected;
}

/** A row-major copy of column-major elements: the one at [i, j, k] lies at i + I * (j + J * k). */
function toRowMajor(elements: Uint8Array, shape: readonly number[], size: number): Uint8Array {
  const result = new Uint8Array(elements.length);
  const strides = shape.map(() => size);
  for (let axis = 1; axis < shape.length; axis++) strides[axis] = strides[axis - 1] * shape[axis - 1];
  const index = shape.map(() => 0);
  for (let to = 0, from = 0; to < result.length; to += size) {
    for (let i = 0; i < size; i++) result[to + i] = elements[from + i];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis];
      if (++index[axis] < shape[axis]) break;
      from -= strides[axis] * shape[axis];
      index[axis] = 0;
    }
  }
  return result;
}
