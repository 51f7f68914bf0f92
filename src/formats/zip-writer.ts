/**
 * Writing zip archives: the same entries give the same bytes, at any time and on any machine.
 *
 * The layout is drawn in `zip.ts`. Every entry bears the date 1980-01-01, the first that zip can tell. The whole
 * archive is one allocation: sizes are added up first.
 *
 * @module
 */
import { deflateSync } from "fflate";
import { crc32 } from "./crc32.js";

/** How an archive is packed. */
export interface ZipWriteOptions {
  /**
   * Whether entries are deflated; weights hardly shrink.
   *
   * @defaultValue false
   */
  readonly deflate?: boolean;
}

const LOCAL_SIZE = 30;
const CENTRAL_SIZE = 46;
const END_SIZE = 22;
/** 1980-01-01 as MS-DOS writes it: (year - 1980) << 9 | month << 5 | day. */
const DATE = 0x21;
const UTF8_NAME = 0x0800;
const LIMIT = 0xffffffff;

interface Packed {
  readonly name: Uint8Array;
  readonly data: Uint8Array;
  readonly size: number;
  readonly crc: number;
  readonly method: number;
}

/**
 * The bytes of an archive of `entries`, in their order.
 *
 * @throws RangeError when the archive would need Zip64: 4 GiB or more, or more than 65534 entries, or when a name is
 *   longer than 65535 bytes.
 */
export function writeZip(entries: ReadonlyMap<string, Uint8Array>, options: ZipWriteOptions = {}): Uint8Array {
  const packed = Array.from(entries, ([name, content]) => pack(name, content, options.deflate ?? false));
  let total = END_SIZE;
  for (const { name, data } of packed) total += LOCAL_SIZE + CENTRAL_SIZE + 2 * name.length + data.length;
  if (total >= LIMIT || packed.length >= 0xffff) {
    throw new RangeError(
      "writeZip: an archive must be smaller than 4 GiB, with at most 65534 entries. " +
        `Received ${packed.length} entries that need ${total} bytes.`,
    );
  }
  const bytes = new Uint8Array(total);
  const view = new DataView(bytes.buffer);
  const offsets: number[] = [];
  let at = 0;
  for (const entry of packed) {
    offsets.push(at);
    view.setUint32(at, 0x04034b50, true);
    at = writeCommon(view, at + 4, entry);
    at += 2; // length of the extra field: none
    bytes.set(entry.name, at);
    bytes.set(entry.data, at + entry.name.length);
    at += entry.name.length + entry.data.length;
  }
  const directory = at;
  for (const [i, entry] of packed.entries()) {
    view.setUint32(at, 0x02014b50, true);
    view.setUint16(at + 4, 20, true); // made by version 2.0
    writeCommon(view, at + 6, entry);
    // extra, comment, disk, and attributes stay zero
    view.setUint32(at + 42, offsets[i], true);
    bytes.set(entry.name, at + CENTRAL_SIZE);
    at += CENTRAL_SIZE + entry.name.length;
  }
  view.setUint32(at, 0x06054b50, true);
  view.setUint16(at + 8, packed.length, true);
  view.setUint16(at + 10, packed.length, true);
  view.setUint32(at + 12, at - directory, true);
  view.setUint32(at + 16, directory, true);
  return bytes;
}

/** The 24 bytes that the local and the central header share. Returns where they end. */
function writeCommon(view: DataView, at: number, { name, data, size, crc, method }: Packed): number {
  view.setUint16(at, 20, true); // version 2.0 reads it
  view.setUint16(at + 2, UTF8_NAME, true);
  view.setUint16(at + 4, method, true);
  view.setUint16(at + 8, DATE, true);
  view.setUint32(at + 10, crc, true);
  view.setUint32(at + 14, data.length, true);
  view.setUint32(at + 18, size, true);
  view.setUint16(at + 22, name.length, true);
  return at + 24;
}

function pack(text: string, content: Uint8Array, deflate: boolean): Packed {
  const name = new TextEncoder().encode(text);
  if (name.length > 0xffff) {
    throw new RangeError(`writeZip: a name must be at most 65535 bytes long. Received ${name.length} bytes.`);
  }
  if (content.length >= LIMIT) {
    throw new RangeError(`writeZip: an entry must be smaller than 4 GiB. Received ${content.length} bytes.`);
  }
  const data = deflate ? deflateSync(content) : content;
  return { name, data, size: content.length, crc: crc32(content), method: deflate ? 8 : 0 };
}
