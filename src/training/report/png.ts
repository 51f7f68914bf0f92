/**
 * Small images as PNG, written down as a `data:` address that a picture holds within itself.
 *
 * A PNG file is a signature and chunks: length, type, content, CRC-32 of type and content. IHDR tells size and kind, IDAT
 * holds the rows, each after a byte that says how it was filtered (0: not at all), deflated as zlib does; IEND ends it.
 *
 * @module
 */
import { strToU8, zlibSync } from "fflate";
import { crc32 } from "../../formats/crc32.js";

/** An image of bytes, row-major [height, width, channels]; one channel is grey, three are red, green, blue. */
export interface ByteImage {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  readonly bytes: Uint8Array;
}

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
/** PNG's numbers for kinds of colour. */
const COLOUR_TYPE = { 1: 0, 3: 2 } as const;

/** The PNG file of an image. */
export function writePng({ width, height, channels, bytes }: ByteImage): Uint8Array {
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header[8] = 8; // bits of a sample
  header[9] = COLOUR_TYPE[channels];
  const rowLength = width * channels;
  const rows = new Uint8Array(height * (rowLength + 1));
  for (let y = 0; y < height; y++) {
    rows.set(bytes.subarray(y * rowLength, (y + 1) * rowLength), y * (rowLength + 1) + 1);
  }
  const parts = [
    Uint8Array.from(SIGNATURE),
    chunk("IHDR", header),
    chunk("IDAT", zlibSync(rows)),
    chunk("IEND", new Uint8Array()),
  ];
  return concatenate(parts);
}

/** An image as a `data:` address. */
export function pngAddress(image: ByteImage): string {
  let binary = "";
  for (const byte of writePng(image)) binary += String.fromCharCode(byte);
  return `data:image/png;base64,${btoa(binary)}`;
}

function chunk(type: string, content: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(content.length + 12);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, content.length);
  bytes.set(strToU8(type), 4);
  bytes.set(content, 8);
  view.setUint32(content.length + 8, crc32(bytes.subarray(4, content.length + 8)));
  return bytes;
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
