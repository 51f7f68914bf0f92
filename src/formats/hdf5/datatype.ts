/**
 * Datatypes: how the bytes of one element are to be understood.
 *
 * ```
 * 0  class (low 4 bits), version (high 4 bits)
 * 1  24 bits whose meaning depends on the class: byte order, sign, padding, character set
 * 4  u32 size of an element
 * 8  properties of the class
 *      0 fixed-point  u16 bit offset, u16 precision
 *      1 floating     u16 bit offset, u16 precision, exponent: location, size; mantissa: location, size; u32 bias
 *      3 string       none: a fixed number of bytes, ended by zeros or blanks
 *      8 enumeration  base type, then names, then values
 *      9 variable     base type; each element is u32 length, address and index of an object in a global heap
 * ```
 *
 * We read what Keras and numpy store: whole numbers, IEEE floats of 16, 32 and 64 bits, both kinds of strings, and the
 * enumeration {FALSE, TRUE} that h5py makes of booleans. Any other type is named in the error when its data is read.
 *
 * @module
 */
import type { ElementType } from "../elements.js";
import { fail, type Hdf5Reader } from "./file.js";

/** How to read an element. `name` is what users see. */
export type Datatype =
  | { readonly kind: "element"; readonly name: ElementType; readonly size: number; readonly littleEndian: boolean }
  | { readonly kind: "fixed-string"; readonly name: "string"; readonly size: number; readonly padding: number }
  | { readonly kind: "variable-string"; readonly name: "string"; readonly size: number }
  | { readonly kind: "unsupported"; readonly name: string; readonly size: number };

const CLASS_NAMES = [
  "fixed-point",
  "floating-point",
  "time",
  "string",
  "bit field",
  "opaque",
  "compound",
  "reference",
  "enumeration",
  "variable-length sequence",
  "array",
  "complex",
];
/** Bits, exponent location, exponent size, mantissa location, mantissa size, bias. */
const FLOATS: ReadonlyMap<string, ElementType> = new Map([
  ["16,10,5,0,10,15", "float16"],
  ["32,23,8,0,23,127", "float32"],
  ["64,52,11,0,52,1023", "float64"],
]);
const OTHER_FLOATS: ReadonlyMap<string, string> = new Map([
  ["16,7,8,0,7,127", "bfloat16"],
  ["8,3,4,0,3,7", "float8 (e4m3)"],
  ["8,2,5,0,2,15", "float8 (e5m2)"],
]);
const INTEGERS: ReadonlyMap<string, ElementType> = new Map([
  ["1,true", "int8"],
  ["1,false", "uint8"],
  ["2,true", "int16"],
  ["2,false", "uint16"],
  ["4,true", "int32"],
  ["4,false", "uint32"],
  ["8,true", "int64"],
  ["8,false", "uint64"],
]);

/** @throws FormatError when the message is cut off, or says that an element has no bytes. */
export function readDatatype(reader: Hdf5Reader): Datatype {
  const classAndVersion = reader.u8();
  const type = classAndVersion & 15;
  const bits = reader.uint(3);
  const size = reader.u32();
  if (size === 0) fail("an element must have at least one byte.", `a ${CLASS_NAMES[type] ?? "strange"} type of size 0`);
  const unsupported = (name: string): Datatype => ({ kind: "unsupported", name, size });
  switch (type) {
    case 0:
      return readFixedPoint(reader, bits, size);
    case 1:
      return readFloat(reader, bits, size);
    case 3:
      return { kind: "fixed-string", name: "string", size, padding: bits & 15 };
    case 8:
      return readEnumeration(reader, bits & 0xffff, size, classAndVersion >> 4);
    case 9:
      return (bits & 15) === 1 ? { kind: "variable-string", name: "string", size } : unsupported(CLASS_NAMES[type]);
    default:
      return unsupported(CLASS_NAMES[type] ?? `class ${type}`);
  }
}

function readFixedPoint(reader: Hdf5Reader, bits: number, size: number): Datatype {
  const bitOffset = reader.u16();
  const precision = reader.u16();
  const name = INTEGERS.get(`${size},${(bits & 8) !== 0}`);
  if (name === undefined || bitOffset !== 0 || precision !== size * 8) {
    return { kind: "unsupported", name: `${precision}-bit integer in ${size} bytes`, size };
  }
  return { kind: "element", name, size, littleEndian: (bits & 1) === 0 };
}

function readFloat(reader: Hdf5Reader, bits: number, size: number): Datatype {
  const bitOffset = reader.u16();
  const precision = reader.u16();
  const fields = [reader.u8(), reader.u8(), reader.u8(), reader.u8(), reader.u32()];
  const key = [precision, ...fields].join(",");
  const name = FLOATS.get(key);
  const isVax = (bits & 0x40) !== 0;
  const signAtTop = ((bits >> 8) & 255) === precision - 1;
  if (name === undefined || bitOffset !== 0 || precision !== size * 8 || isVax || !signAtTop) {
    const [, exponent, , mantissa] = fields;
    const described = `${precision}-bit float with ${exponent} exponent and ${mantissa} mantissa bits`;
    return { kind: "unsupported", name: OTHER_FLOATS.get(key) ?? described, size };
  }
  return { kind: "element", name, size, littleEndian: (bits & 1) === 0 };
}

/** h5py's booleans: an enumeration over int8 with FALSE = 0 and TRUE = 1. */
function readEnumeration(reader: Hdf5Reader, members: number, size: number, version: number): Datatype {
  const base = reader.u8();
  reader.skip(7);
  if ((base & 15) === 0 && size === 1 && members === 2) {
    reader.skip(4);
    // names are padded to eight bytes before version 3
    const names = version >= 3 ? "FALSE\0TRUE\0" : "FALSE\0\0\0TRUE\0\0\0\0";
    const isBoolean = reader.remaining >= names.length + 2 && reader.text(names.length) === names;
    if (isBoolean && reader.u8() === 0 && reader.u8() === 1) {
      return { kind: "element", name: "bool", size, littleEndian: true };
    }
  }
  return { kind: "unsupported", name: "enumeration", size };
}
