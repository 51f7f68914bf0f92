/**
 * Filters: what was done to a chunk before it was stored, undone from the last to the first.
 *
 * ```
 * message 0x0b, version 1: 1, n, 6 reserved; each u16 id, u16 name length, u16 flags, u16 n values, name, u32 values,
 *                          padded to 8
 *               version 2: 2, n;             each u16 id, [u16 name length: ids from 256], u16 flags, u16 n values,
 *                          [name], u32 values
 *
 * 1 deflate      a zlib stream
 * 2 shuffle      byte 0 of all elements, then byte 1 of all, ...: alike bytes come together and deflate better
 * 3 fletcher32   a checksum behind the data
 * ```
 *
 * @module
 */
import { inflateExactly } from "../inflate.js";
import { expectVersion, fail, type Hdf5Reader } from "./file.js";

const DEFLATE = 1;
const SHUFFLE = 2;
const FLETCHER32 = 3;
const FILTER_NAMES: ReadonlyMap<number, string> = new Map([
  [4, "szip"],
  [5, "n-bit"],
  [6, "scale-offset"],
  [32000, "LZF"],
  [32001, "Blosc"],
  [32004, "LZ4"],
  [32015, "Zstandard"],
]);
const MAX_FILTERS = 32;

/** The filters of a dataset, in the order in which they were applied. */
export type FilterPipeline = readonly number[];

/** The ids of the filters of a pipeline message; whether we know them is checked when data is read. */
export function readFilters(message: Hdf5Reader): FilterPipeline {
  const version = message.u8();
  expectVersion("a filter pipeline", version, [1, 2]);
  const count = message.u8();
  if (count > MAX_FILTERS) fail(`a dataset must have at most ${MAX_FILTERS} filters.`, String(count));
  if (version === 1) message.skip(6);
  const filters: number[] = [];
  for (let i = 0; i < count; i++) {
    const id = message.u16();
    const nameLength = version === 1 || id >= 256 ? message.u16() : 0;
    message.skip(2);
    const values = message.u16();
    message.skip(version === 1 ? Math.ceil(nameLength / 8) * 8 : nameLength);
    message.skip(4 * values + (version === 1 && values % 2 === 1 ? 4 : 0));
    filters.push(id);
  }
  return filters;
}

/**
 * The chunk of `size` bytes that was stored as `stored`.
 *
 * @param skipped - Bit i tells that filter i was not applied to this chunk.
 * @param elementSize - Bytes of an element, for shuffling.
 * @throws FormatError when a filter is unknown, a checksum is wrong, or the size is.
 */
export function undoFilters(
  stored: Uint8Array,
  filters: FilterPipeline,
  skipped: number,
  size: number,
  elementSize: number,
): Uint8Array {
  const applied = filters.filter((_, i) => i > 31 || ((skipped >>> i) & 1) === 0);
  // sizes[i] is the size before filter i, known up to the first deflate
  const sizes = [size];
  for (const id of applied) sizes.push(sizes[sizes.length - 1] + (id === FLETCHER32 ? 4 : 0));
  if (applied.indexOf(DEFLATE) !== applied.lastIndexOf(DEFLATE)) fail("a chunk must be deflated once.", "two deflates");
  let data = stored;
  for (let i = applied.length - 1; i >= 0; i--) data = undoFilter(applied[i], data, sizes[i], elementSize);
  if (data.length !== size) fail(`a chunk must have ${size} bytes.`, `${data.length} bytes`);
  return data;
}

function undoFilter(id: number, data: Uint8Array, size: number, elementSize: number): Uint8Array {
  switch (id) {
    case DEFLATE:
      return unzlib(data, size);
    case SHUFFLE:
      return unshuffle(data, elementSize);
    case FLETCHER32:
      return checkFletcher32(data);
    default:
      return fail(
        "filters must be deflate, shuffle or fletcher32.",
        `filter ${id}${FILTER_NAMES.has(id) ? ` (${FILTER_NAMES.get(id)})` : ""}`,
      );
  }
}

/** A zlib stream: method and window, flags, deflate data, Adler-32 with the high byte first. */
function unzlib(stream: Uint8Array, size: number): Uint8Array {
  const header = (stream[0] << 8) | stream[1];
  if (stream.length < 6 || (header & 0x0f00) !== 0x0800 || header % 31 !== 0 || (header & 0x20) !== 0) {
    fail("a deflated chunk must be a zlib stream.", `${stream.length} bytes that are not`);
  }
  const data = inflateExactly("HDF5", "a deflated chunk", stream.subarray(2, -4), size);
  const stored = new DataView(stream.buffer, stream.byteOffset + stream.length - 4, 4).getUint32(0);
  const actual = adler32(data);
  if (stored !== actual) fail(`a deflated chunk must have Adler-32 ${stored.toString(16)}.`, actual.toString(16));
  return data;
}

/** Sums modulo 65521; 5552 bytes are the most that cannot overflow 32 bits in between. */
function adler32(data: Uint8Array): number {
  let a = 1;
  let b = 0;
  for (let start = 0; start < data.length; start += 5552) {
    const end = Math.min(data.length, start + 5552);
    for (let i = start; i < end; i++) b += a += data[i];
    a %= 65521;
    b %= 65521;
  }
  return b * 65536 + a;
}

function unshuffle(data: Uint8Array, elementSize: number): Uint8Array {
  const count = Math.floor(data.length / elementSize);
  const result = new Uint8Array(data.length);
  for (let byte = 0, from = 0; byte < elementSize; byte++) {
    for (let i = 0, to = byte; i < count; i++, to += elementSize) result[to] = data[from++];
  }
  // bytes beyond the last whole element stay where they are
  result.set(data.subarray(count * elementSize), count * elementSize);
  return result;
}

/** Fletcher's checksum over 16-bit words, high byte first, modulo 65535; it stands behind the data, low byte first. */
function checkFletcher32(stored: Uint8Array): Uint8Array {
  if (stored.length < 4) fail("a chunk with a checksum must have at least 4 bytes.", `${stored.length} bytes`);
  const data = stored.subarray(0, -4);
  let low = 0;
  let high = 0;
  const even = data.length - (data.length % 2);
  for (let i = 0; i < even; i += 2) {
    low = (low + ((data[i] << 8) | data[i + 1])) % 65535;
    high = (high + low) % 65535;
  }
  if (even < data.length) {
    low = (low + (data[even] << 8)) % 65535;
    high = (high + low) % 65535;
  }
  const actual = high * 65536 + low;
  const expected = new DataView(stored.buffer, stored.byteOffset + data.length, 4).getUint32(0, true);
  // the folding that HDF5 uses may write 65535 where the remainder is 0
  if (foldZero(actual) !== foldZero(expected)) {
    fail(`a chunk must have the Fletcher checksum ${expected.toString(16)}.`, actual.toString(16));
  }
  return data;
}

function foldZero(sum: number): number {
  return (Math.floor(sum / 65536) % 65535) * 65536 + ((sum % 65536) % 65535);
}
