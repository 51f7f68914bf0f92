/**
 * PNG images as Pillow sees them: red, green, blue, a byte each.
 *
 * `pngjs` decodes. What it is given has been checked and cleaned here: the size before any memory is taken for it, an
 * interlaced image's inflated size too, which it does not bound, and transparency is left out, because alpha is dropped
 * and `pngjs` would blacken what is transparent.
 *
 * @module
 */
import { inflateSync } from "node:zlib";
import { PNG } from "pngjs";
import { MAX_PIXELS, type Pixels } from "./pixels.js";

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const CHANNELS: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };

/** Whether `bytes` begin as a PNG file does. */
export function isPng(bytes: Uint8Array): boolean {
  return SIGNATURE.every((byte, i) => bytes[i] === byte);
}

interface Chunk {
  readonly kind: string;
  /** With length, kind and checksum. */
  readonly whole: Uint8Array;
  readonly data: Uint8Array;
}

function chunksOf(bytes: Uint8Array): readonly Chunk[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const chunks: Chunk[] = [];
  for (let at = SIGNATURE.length; ; ) {
    const end = at + 12 <= bytes.length ? at + 12 + view.getUint32(at) : Number.POSITIVE_INFINITY;
    if (end > bytes.length) throw new Error("it is truncated");
    const kind = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    chunks.push({ kind, whole: bytes.subarray(at, end), data: bytes.subarray(at + 8, end - 4) });
    if (kind === "IEND") return chunks;
    at = end;
  }
}

/**
 * Decodes a PNG file of any colour type and depth.
 *
 * Of 16-bit colours the upper byte is kept. 16-bit grey is cut off at 255 instead: that is what Pillow does when it
 * converts such an image to colour, and so what Keras feeds its models.
 *
 * @throws Error when the file is not a whole and valid PNG file, or has too many pixels.
 */
export function decodePng(bytes: Uint8Array): Pixels {
  const chunks = chunksOf(bytes);
  const [{ kind, data: header }] = chunks;
  if (kind !== "IHDR" || header.length !== 13) throw new Error("it does not begin with a header");
  const view = new DataView(header.buffer, header.byteOffset);
  const [width, height, depth, colourType] = [view.getUint32(0), view.getUint32(4), header[8], header[9]];
  if (width * height > MAX_PIXELS) throw new Error(`it has ${width}x${height} pixels`);
  if (header[12] === 1) {
    // seven reduced images; each of their rows begins with a filter byte and ends on a whole byte
    const rowBytes = Math.ceil((width * depth * (CHANNELS[colourType] ?? 4)) / 8) + 14;
    const compressed = Buffer.concat(chunks.filter((chunk) => chunk.kind === "IDAT").map((chunk) => chunk.data));
    inflateSync(compressed, { maxOutputLength: 2 * (rowBytes * height + 64) });
  }
  const clean = Buffer.concat([
    Buffer.from(SIGNATURE),
    ...chunks.filter((chunk) => chunk.kind !== "tRNS").map((chunk) => chunk.whole),
  ]);
  const { data } = PNG.sync.read(clean, { skipRescale: depth === 16 });
  const rgb = new Uint8Array(width * height * 3);
  for (let i = 0, j = 0; i < rgb.length; i += 3, j += 4) {
    for (let c = 0; c < 3; c++) {
      const sample = data[j + c];
      rgb[i + c] = depth < 16 ? sample : colourType === 0 ? Math.min(sample, 255) : sample >> 8;
    }
  }
  return { width, height, rgb };
}
