/**
 * Arrays of numbers as files hold them: an element type, a byte order, and the typed array that JavaScript reads.
 *
 * ```
 * float16          -> Float32Array (widened, exact)     uint8, bool -> Uint8Array
 * float32, float64 -> Float32Array, Float64Array        int64       -> BigInt64Array
 * int8 .. int32    -> Int8Array .. Int32Array           uint64      -> BigUint64Array
 * ```
 *
 * @module
 */

/** The element types that files may hold. */
export type ElementType =
  | "float16"
  | "float32"
  | "float64"
  | "int8"
  | "uint8"
  | "int16"
  | "uint16"
  | "int32"
  | "uint32"
  | "int64"
  | "uint64"
  | "bool";

/** The typed array that holds elements of some {@link ElementType}. */
export type ElementArray =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

interface Form {
  /** Bytes of one element in a file. */
  readonly size: number;
  /** The typed array over `length` elements at `offset` of `buffer`. */
  readonly view: (buffer: ArrayBufferLike, offset: number, length: number) => ElementArray;
}

const FORMS: Readonly<Record<ElementType, Form>> = {
  float16: { size: 2, view: (b, o, n) => widenFloat16(new Uint16Array(b, o, n)) },
  float32: { size: 4, view: (b, o, n) => new Float32Array(b, o, n) },
  float64: { size: 8, view: (b, o, n) => new Float64Array(b, o, n) },
  int8: { size: 1, view: (b, o, n) => new Int8Array(b, o, n) },
  uint8: { size: 1, view: (b, o, n) => new Uint8Array(b, o, n) },
  int16: { size: 2, view: (b, o, n) => new Int16Array(b, o, n) },
  uint16: { size: 2, view: (b, o, n) => new Uint16Array(b, o, n) },
  int32: { size: 4, view: (b, o, n) => new Int32Array(b, o, n) },
  uint32: { size: 4, view: (b, o, n) => new Uint32Array(b, o, n) },
  int64: { size: 8, view: (b, o, n) => new BigInt64Array(b, o, n) },
  uint64: { size: 8, view: (b, o, n) => new BigUint64Array(b, o, n) },
  bool: { size: 1, view: (b, o, n) => new Uint8Array(b, o, n) },
};

/** Whether this machine stores the low byte first, as every machine that runs JavaScript engines today does. */
const HOST_IS_LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** Bytes of one element in a file. */
export function elementSize(type: ElementType): number {
  return FORMS[type].size;
}

/** Whether `data` is the kind of typed array that holds elements of `type`. */
export function holdsElements(type: ElementType, data: ElementArray): boolean {
  const stored = elementTypeOf(data);
  return stored === type || (type === "float16" && stored === "float32") || (type === "bool" && stored === "uint8");
}

/** The element type that `data` is stored as: a `Uint8Array` as `uint8`, a `Float32Array` as `float32`. */
export function elementTypeOf(data: ElementArray): ElementType {
  if (data instanceof Float32Array) return "float32";
  if (data instanceof Float64Array) return "float64";
  if (data instanceof Int8Array) return "int8";
  if (data instanceof Uint8Array) return "uint8";
  if (data instanceof Int16Array) return "int16";
  if (data instanceof Uint16Array) return "uint16";
  if (data instanceof Int32Array) return "int32";
  if (data instanceof Uint32Array) return "uint32";
  if (data instanceof BigInt64Array) return "int64";
  return "uint64";
}

/**
 * The elements in `bytes`, whose length is a multiple of {@link elementSize}.
 *
 * Where the bytes already lie as the machine wants them (its byte order, aligned, not float16) the result is a view of
 * `bytes`, not a copy: a file of 100 MB is read without holding it twice.
 */
export function decodeElements(type: ElementType, bytes: Uint8Array, littleEndian: boolean): ElementArray {
  const { size, view } = FORMS[type];
  const swap = size > 1 && littleEndian !== HOST_IS_LITTLE_ENDIAN;
  const aligned = bytes.byteOffset % size === 0;
  let ordered = bytes;
  if (swap) ordered = swapBytes(bytes, size);
  else if (!aligned) ordered = new Uint8Array(bytes); // not slice: a Node Buffer's is a view
  return view(ordered.buffer, ordered.byteOffset, bytes.length / size);
}

/** The little-endian bytes of `data` as elements of `type`; a view of `data` where nothing has to change. */
export function encodeElements(type: ElementType, data: ElementArray): Uint8Array {
  const stored = type === "float16" && data instanceof Float32Array ? roundToFloat16(data) : data;
  const bytes = new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength);
  return HOST_IS_LITTLE_ENDIAN ? bytes : swapBytes(bytes, FORMS[type].size);
}

function swapBytes(bytes: Uint8Array, size: number): Uint8Array {
  const swapped = new Uint8Array(bytes.length);
  for (let start = 0; start < bytes.length; start += size) {
    for (let i = 0; i < size; i++) swapped[start + i] = bytes[start + size - 1 - i];
  }
  return swapped;
}

/**
 * Float16 (1 sign, 5 exponent, 10 mantissa bits) to float32 (1, 8, 23): every value is exact.
 * A subnormal half is m * 2^-24, which float32 arithmetic gives exactly.
 */
function widenFloat16(halves: Uint16Array): Float32Array {
  const values = new Float32Array(halves.length);
  const bits = new Uint32Array(values.buffer);
  for (let i = 0; i < halves.length; i++) {
    const half = halves[i];
    const sign = (half & 0x8000) << 16;
    const exponent = (half >> 10) & 31;
    const mantissa = half & 1023;
    if (exponent === 31) bits[i] = sign | 0x7f800000 | (mantissa << 13);
    else if (exponent > 0) bits[i] = sign | ((exponent + 112) << 23) | (mantissa << 13);
    else values[i] = ((sign < 0 ? -1 : 1) * mantissa) / 16777216;
  }
  return values;
}

/** Float32 to float16, to nearest, ties to even; beyond 65504 (by half a unit) to infinity. */
function roundToFloat16(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const sign = (bits[i] >>> 16) & 0x8000;
    const magnitude = bits[i] & 0x7fffffff;
    if (magnitude > 0x7f800000) halves[i] = sign | 0x7e00;
    else if (magnitude >= 0x477ff000) halves[i] = sign | 0x7c00;
    else if (magnitude >= 0x38800000) {
      // normal: add half a unit less one bit, plus the lowest kept bit, and cut; a carry runs into the exponent
      halves[i] = sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >> 13) & 1)) >> 13);
    } else {
      // subnormal: 2^-24 becomes the unit, and adding 1.5 * 2^23 makes float32 itself round to whole units
      const units = Math.fround(Math.fround(Math.abs(values[i]) * 16777216) + 12582912) - 12582912;
      halves[i] = sign | units;
    }
  }
  return halves;
}
