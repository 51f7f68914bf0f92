/**
 * Values: the elements of datasets and attributes as JavaScript has them.
 *
 * @module
 */
import { decodeUtf8 } from "../byte-reader.js";
import { decodeElements, type ElementArray } from "../elements.js";
import type { Datatype } from "./datatype.js";
import { fail, type Hdf5File, Hdf5Reader } from "./file.js";
import type { GlobalHeap } from "./global-heap.js";

/** Elements in row-major order: numbers as a typed array (float16 widened to float32, booleans as 0 and 1), or strings. */
export type Hdf5Data = ElementArray | readonly string[];

const SPACE_PADDED = 2;
/** What a JavaScript string costs besides its characters, for the ledger. */
const STRING_OVERHEAD = 16;

/**
 * Reads `bytes`, which hold whole elements of `type`.
 *
 * @throws FormatError when the type is not supported (the message names it), or a string is not UTF-8.
 */
export function decodeValue(file: Hdf5File, heap: GlobalHeap, type: Datatype, bytes: Uint8Array): Hdf5Data {
  switch (type.kind) {
    case "element":
      return decodeElements(type.name, bytes, type.littleEndian);
    case "fixed-string":
      return decodeFixedStrings(file, bytes, type.size, type.padding);
    case "variable-string":
      return decodeVariableStrings(file, heap, bytes, type.size);
    case "unsupported":
      return fail("elements must be integers, IEEE floats, booleans or strings.", `elements of type ${type.name}`);
  }
}

function decodeFixedStrings(file: Hdf5File, bytes: Uint8Array, size: number, padding: number): string[] {
  file.reserve("strings", (bytes.length / size) * STRING_OVERHEAD + 2 * bytes.length);
  const strings: string[] = [];
  for (let start = 0; start < bytes.length; start += size) {
    const slot = bytes.subarray(start, start + size);
    const zero = slot.indexOf(0);
    const text = decodeUtf8("HDF5", "a string", zero < 0 ? slot : slot.subarray(0, zero));
    strings.push(padding === SPACE_PADDED ? text.replace(/ +$/, "") : text);
  }
  return strings;
}

function decodeVariableStrings(file: Hdf5File, heap: GlobalHeap, bytes: Uint8Array, size: number): string[] {
  const { offsetSize } = file.widths;
  if (size !== 8 + offsetSize) fail(`a variable-length string must take ${8 + offsetSize} bytes.`, `${size} bytes`);
  const elements = new Hdf5Reader("variable-length strings", bytes, file.widths);
  const strings: string[] = [];
  while (elements.remaining > 0) {
    const length = elements.u32();
    const address = elements.address();
    const index = elements.u32();
    file.reserve("strings", STRING_OVERHEAD + 2 * length);
    const text = length === 0 ? new Uint8Array(0) : heap.read(address, index, length);
    const zero = text.indexOf(0);
    strings.push(decodeUtf8("HDF5", "a string", zero < 0 ? text : text.subarray(0, zero)));
  }
  return strings;
}
