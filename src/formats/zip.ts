/**
 * Reading zip archives.
 *
 * ```
 * [local header | name | extra | data] ... [central header | name | extra | comment] ... [end record]
 *  one per entry                            one per entry: sizes, CRC-32, offset          counts, offset, size
 *                                           of the local header                           of the central directory
 * ```
 *
 * A zip file is read from its end: the end record leads to the central directory, which leads to each entry. Zip64
 * files put a second end record with 64-bit numbers before the first, and 64-bit sizes into `extra`.
 *
 * The directory is checked as a whole before anything is unpacked: names are unique, data does not overlap (so that a
 * small file cannot expand one block many times), and the sizes that it declares must fit into `maxBytes`. Names are keys
 * here, never paths: nothing is ever written to a file system under them.
 *
 * @module
 */
import { ByteReader } from "./byte-reader.js";
import { crc32 } from "./crc32.js";
import { FormatError, quote } from "./format-error.js";
import { inflateExactly } from "./inflate.js";

/** One file of an archive, unpacked when it is asked for. */
export interface ZipEntry {
  readonly name: string;
  /** Bytes when unpacked. */
  readonly size: number;
  /**
   * The content. A stored entry is a view of the archive, not a copy; a deflated one is unpacked at each call.
   *
   * @throws FormatError when the data is corrupt, or is not of the declared size or checksum.
   */
  read(): Uint8Array;
}

/** Limits for reading an archive. */
export interface ZipReadOptions {
  /**
   * The most bytes that all entries together may declare to unpack to.
   *
   * @defaultValue 2 GiB
   */
  readonly maxBytes?: number;
}

/** How much memory a file may ask for where the caller does not say otherwise. */
const DEFAULT_MAX_BYTES = 2 ** 31;

const END_SIGNATURE = 0x06054b50;
const END_SIZE = 22;
const ZIP64_LOCATOR_SIGNATURE = 0x07064b50;
const ZIP64_LOCATOR_SIZE = 20;
const ZIP64_END_SIGNATURE = 0x06064b50;
const ZIP64_END_SIZE = 56;
const CENTRAL_SIGNATURE = 0x02014b50;
const LOCAL_SIGNATURE = 0x04034b50;
const LOCAL_SIZE = 30;
const ZIP64_EXTRA = 1;
const ENCRYPTED_FLAGS = 0x2041;
const STORED = 0;
const DEFLATED = 8;
const METHOD_NAMES: ReadonlyMap<number, string> = new Map([
  [1, "shrink"],
  [6, "implode"],
  [9, "deflate64"],
  [12, "bzip2"],
  [14, "LZMA"],
  [93, "Zstandard"],
  [95, "XZ"],
  [99, "AES encryption"],
]);

interface Directory {
  readonly count: number;
  readonly offset: number;
  readonly size: number;
  /** Where the end records begin. */
  readonly end: number;
}

interface CentralHeader {
  readonly name: string;
  readonly method: number;
  readonly crc: number;
  readonly compressedSize: number;
  readonly size: number;
  readonly offset: number;
}

/**
 * The entries of an archive by name, in the order of its directory.
 *
 * @throws FormatError when the archive is corrupt, encrypted, packed by a method other than deflate, or would unpack to
 *   more than `maxBytes`.
 */
export function readZip(bytes: Uint8Array, options: ZipReadOptions = {}): Map<string, ZipEntry> {
  const maxBytes = options.maxBytes ?? DEFAULT_MAX_BYTES;
  const directory = findDirectory(bytes);
  const headers = readDirectory(bytes, directory);
  let total = 0;
  for (const { size } of headers) total += size;
  if (total > maxBytes) fail(`the entries must unpack to at most ${maxBytes} bytes.`, `${total} bytes`);

  const entries = new Map<string, ZipEntry>();
  let end = 0;
  for (const header of headers.toSorted((a, b) => a.offset - b.offset)) {
    const { name, size } = header;
    if (header.offset < end)
      fail("entries must not overlap.", `${quote(name)} at byte ${header.offset} of ${end} in use`);
    const data = locateData(bytes.subarray(0, directory.offset), header);
    end = data.byteOffset - bytes.byteOffset + data.length;
    entries.set(name, { name, size, read: () => unpack(header, data) });
  }
  return new Map(headers.map(({ name }) => [name, entries.get(name) ?? missing(name)]));
}

function missing(name: string): never {
  throw new Error(`internal: zip: the entry ${name} was not located.`);
}

function fail(rule: string, received: string): never {
  throw new FormatError("zip", rule, received);
}

/** Finds the end record, which may be followed by a comment of up to 65535 bytes, and reads where the directory is. */
function findDirectory(bytes: Uint8Array): Directory {
  const first = Math.max(0, bytes.length - END_SIZE - 65535);
  for (let at = bytes.length - END_SIZE; at >= first; at--) {
    if (signatureAt(bytes, at) !== END_SIGNATURE) continue;
    // a comment that ends with the file
    if ((bytes[at + 20] | (bytes[at + 21] << 8)) !== bytes.length - at - END_SIZE) continue;
    return readEnd(bytes, at);
  }
  return fail("a file must end with the record of its directory.", `${bytes.length} bytes without one`);
}

function readEnd(bytes: Uint8Array, at: number): Directory {
  const reader = new ByteReader("zip", "the end record", bytes.subarray(at, at + END_SIZE));
  reader.skip(4);
  const disk = reader.u16();
  const directoryDisk = reader.u16();
  const countHere = reader.u16();
  const count = reader.u16();
  const size = reader.u32();
  const offset = reader.u32();
  const isZip64 = count === 0xffff || size === 0xffffffff || offset === 0xffffffff;
  const locator = at - ZIP64_LOCATOR_SIZE;
  const directory =
    isZip64 && locator >= 0 && signatureAt(bytes, locator) === ZIP64_LOCATOR_SIGNATURE
      ? readZip64End(bytes, locator)
      : { count, offset, size, end: at };
  if (disk !== directoryDisk || countHere !== count || (disk !== 0 && disk !== 0xffff)) {
    fail("an archive must be one file.", `a part of an archive of several`);
  }
  if (directory.offset + directory.size > directory.end) {
    fail(
      `the directory must lie before the end record at byte ${directory.end}.`,
      `offset ${directory.offset}, size ${directory.size}`,
    );
  }
  return directory;
}

function readZip64End(bytes: Uint8Array, locator: number): Directory {
  const pointer = new ByteReader("zip", "the Zip64 locator", bytes.subarray(locator, locator + ZIP64_LOCATOR_SIZE));
  pointer.skip(8);
  const end = pointer.uint(8);
  if (end + ZIP64_END_SIZE > locator || signatureAt(bytes, end) !== ZIP64_END_SIGNATURE) {
    fail("the Zip64 locator must lead to the Zip64 end record before it.", `byte ${end} of ${locator}`);
  }
  const reader = new ByteReader("zip", "the Zip64 end record", bytes.subarray(end, locator));
  reader.skip(24);
  const countHere = reader.uint(8);
  const count = reader.uint(8);
  if (countHere !== count) fail("an archive must be one file.", "a part of an archive of several");
  const size = reader.uint(8);
  return { count, size, offset: reader.uint(8), end };
}

function signatureAt(bytes: Uint8Array, at: number): number {
  return (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0;
}

function readDirectory(bytes: Uint8Array, directory: Directory): CentralHeader[] {
  const reader = new ByteReader(
    "zip",
    "the directory",
    bytes.subarray(directory.offset, directory.offset + directory.size),
  );
  const headers: CentralHeader[] = [];
  const names = new Set<string>();
  while (reader.remaining > 0) {
    const header = readCentralHeader(reader);
    if (names.has(header.name)) fail("names must be unique.", `${quote(header.name)} twice`);
    names.add(header.name);
    headers.push(header);
  }
  if (headers.length !== directory.count) {
    fail(`the directory must have ${directory.count} entries.`, `${headers.length} entries`);
  }
  return headers;
}

function readCentralHeader(reader: ByteReader): CentralHeader {
  const at = reader.position;
  const signature = reader.u32();
  if (signature !== CENTRAL_SIGNATURE) {
    fail('a directory entry must begin with "PK\\1\\2".', `0x${signature.toString(16)} at byte ${at} of the directory`);
  }
  reader.skip(4);
  const flags = reader.u16();
  const method = reader.u16();
  reader.skip(4);
  const crc = reader.u32();
  const compressedSize = reader.u32();
  const size = reader.u32();
  const nameLength = reader.u16();
  const extraLength = reader.u16();
  const commentLength = reader.u16();
  reader.skip(8);
  const offset = reader.u32();
  const name = reader.text(nameLength);
  const extra = reader.take(extraLength);
  reader.skip(commentLength);
  if ((flags & ENCRYPTED_FLAGS) !== 0) fail("entries must not be encrypted.", `the encrypted entry ${quote(name)}`);
  if (method !== STORED && method !== DEFLATED) {
    const label = METHOD_NAMES.get(method) ?? "unknown";
    fail("entries must be stored or deflated.", `${quote(name)} packed by method ${method} (${label})`);
  }
  const header = widen({ name, method, crc, compressedSize, size, offset }, extra);
  if (method === STORED && header.size !== header.compressedSize) {
    fail("a stored entry must have one size.", `${quote(name)} with ${header.compressedSize} and ${header.size} bytes`);
  }
  return header;
}

/** Replaces sizes and the offset by those of the Zip64 extra field where 32 bits were not enough. */
function widen(header: CentralHeader, extra: Uint8Array): CentralHeader {
  let { size, compressedSize, offset } = header;
  if (size !== 0xffffffff && compressedSize !== 0xffffffff && offset !== 0xffffffff) return header;
  const fields = new ByteReader("zip", `the extra fields of ${quote(header.name)}`, extra);
  while (fields.remaining >= 4) {
    const id = fields.u16();
    const field = new ByteReader("zip", `the Zip64 field of ${quote(header.name)}`, fields.take(fields.u16()));
    if (id !== ZIP64_EXTRA) continue;
    if (size === 0xffffffff) size = field.uint(8);
    if (compressedSize === 0xffffffff) compressedSize = field.uint(8);
    if (offset === 0xffffffff) offset = field.uint(8);
    break;
  }
  return { ...header, size, compressedSize, offset };
}

/** The packed bytes of an entry. The local header repeats the name and has an extra field of its own length. */
function locateData(bytes: Uint8Array, header: CentralHeader): Uint8Array {
  const { name, offset, compressedSize } = header;
  if (offset + LOCAL_SIZE > bytes.length) {
    fail(`${quote(name)} must begin before the directory at byte ${bytes.length}.`, `byte ${offset}`);
  }
  const reader = new ByteReader("zip", `the entry ${quote(name)}`, bytes.subarray(offset));
  const signature = reader.u32();
  reader.skip(4);
  const method = reader.u16();
  reader.skip(16);
  const nameLength = reader.u16();
  const extraLength = reader.u16();
  const localName = reader.text(nameLength);
  if (signature !== LOCAL_SIGNATURE || localName !== name || method !== header.method) {
    fail(`the directory entry ${quote(name)} must lead to a local header that says the same.`, quote(localName));
  }
  reader.skip(extraLength);
  return reader.take(compressedSize);
}

function unpack({ name, method, size, crc }: CentralHeader, data: Uint8Array): Uint8Array {
  const content = method === STORED ? data : inflateExactly("zip", `the entry ${quote(name)}`, data, size);
  const actual = crc32(content);
  if (actual !== crc) {
    fail(`the entry ${quote(name)} must have CRC-32 ${crc.toString(16)}.`, actual.toString(16));
  }
  return content;
}
