/**
 * JPEG images: red, green, blue, a byte each.
 *
 * `jpeg-js` decodes luminance and colour differences; jpeg-colours.ts makes colours of them as libjpeg does, where
 * `jpeg-js` itself would repeat colours of half resolution (differences of 40 along edges). What remains against Pillow
 * is the rounding of the cosine transform: at most 1 in luminance and 3 in a colour on the images of the tests.
 *
 * @module
 */
import { decode } from "jpeg-js";
import { MAX_PIXELS, type Pixels } from "./pixels.js";
import { type Plane, toRgb, upsample } from "./jpeg-colours.js";

/** Whether `bytes` begin as a JPEG file does. */
export function isJpeg(bytes: Uint8Array): boolean {
  return bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff;
}

/** What the segments before the picture say. */
interface Header {
  readonly width: number;
  readonly height: number;
  /** Bits of a sample. */
  readonly precision: number;
  /** Of each component: its letter or number, and its samples across and down for one unit of the picture. */
  readonly components: readonly { id: number; across: number; down: number }[];
  /** Whether the samples are red, green, blue themselves. */
  readonly isRgb: boolean;
  /** The file without Adobe's segment, after which `jpeg-js` would convert colours whatever it is told. */
  readonly bare: Uint8Array;
}

const START_OF_SCAN = 0xda;
const JFIF = 0xe0;
const ADOBE = 0xee;
/** C0 to CF begin a frame, but for the tables of Huffman codes, an extension, and arithmetic coding. */
const isStartOfFrame = (marker: number): boolean =>
  marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);

function headerOf(bytes: Uint8Array): Header {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const kept = [bytes.subarray(0, 2)];
  let frame: Uint8Array | undefined;
  let isJfif = false;
  let transform: number | undefined;
  for (let at = 2; ; ) {
    while (bytes[at] === 0xff && bytes[at + 1] === 0xff) at++;
    if (at + 4 > bytes.length) throw new Error("it is truncated");
    if (bytes[at] !== 0xff) throw new Error("it has no segment where one must begin");
    const marker = bytes[at + 1];
    const end = at + 2 + view.getUint16(at + 2);
    if (end > bytes.length) throw new Error("it is truncated");
    const segment = bytes.subarray(at + 4, end);
    const label = String.fromCharCode(...segment.subarray(0, 5));
    if (isStartOfFrame(marker)) frame = segment;
    if (marker === JFIF && label.startsWith("JFIF")) isJfif = true;
    if (marker === ADOBE && label === "Adobe") transform = segment[11];
    else kept.push(bytes.subarray(at, end));
    at = end;
    if (marker !== START_OF_SCAN) continue;
    if (frame === undefined || frame.length < 6 + 3 * frame[5]) throw new Error("it has no header before the picture");
    if (!hasEnd(bytes, end)) throw new Error("it is truncated");
    const bare = Buffer.concat([...kept, bytes.subarray(end)]);
    return { ...frameOf(frame), isRgb: isRgb(frame, isJfif, transform), bare };
  }
}

function frameOf(frame: Uint8Array): Pick<Header, "precision" | "height" | "width" | "components"> {
  const components = Array.from({ length: frame[5] }, (_, i) => {
    const [id, factors] = frame.subarray(6 + 3 * i);
    return { id, across: factors >> 4, down: factors & 15 };
  });
  return { precision: frame[0], height: frame[1] * 256 + frame[2], width: frame[3] * 256 + frame[4], components };
}

/** libjpeg's rule: JFIF never is, Adobe says so, and otherwise the components' letters do. */
function isRgb(frame: Uint8Array, isJfif: boolean, transform: number | undefined): boolean {
  if (isJfif) return false;
  if (transform !== undefined) return transform === 0;
  return String.fromCharCode(frame[6], frame[9], frame[12]) === "RGB";
}

function hasEnd(bytes: Uint8Array, from: number): boolean {
  for (let at = bytes.length - 2; at >= from; at--) if (bytes[at] === 0xff && bytes[at + 1] === 0xd9) return true;
  return false;
}

/**
 * Decodes a baseline or progressive JPEG file, grey or in colour.
 *
 * @throws Error when the file is not a whole and valid JPEG file, has too many pixels, or is of a rarer kind.
 */
export function decodeJpeg(bytes: Uint8Array): Pixels {
  const { width, height, precision, components, bare, ...header } = headerOf(bytes);
  if (width * height === 0 || width * height > MAX_PIXELS) throw new Error(`it has ${width}x${height} pixels`);
  if (components.length !== 1 && components.length !== 3) throw new Error(`it has ${components.length} components`);
  if (precision !== 8) throw new Error(`it has samples of ${precision} bits`);
  const { data } = decode(bare, {
    useTArray: true,
    formatAsRGBA: false,
    tolerantDecoding: false,
    colorTransform: false,
    maxResolutionInMP: MAX_PIXELS / 1e6,
    maxMemoryUsageInMB: 1024,
  });
  if (components.length === 1 || header.isRgb) return { width, height, rgb: data };

  const across = Math.max(...components.map((component) => component.across));
  const down = Math.max(...components.map((component) => component.down));
  const [luminance, blueDifference, redDifference] = components.map((component, c): Plane => {
    const [acrossBy, downBy] = [across / component.across, down / component.down];
    // rarer ratios stay repeated, as libjpeg has them too
    if ((acrossBy !== 1 && acrossBy !== 2) || (downBy !== 1 && downBy !== 2))
      return plane(data, c, width, height, 1, 1);
    return upsample(plane(data, c, width, height, acrossBy, downBy), width, height, acrossBy, downBy);
  });
  return { width, height, rgb: toRgb(luminance, blueDifference, redDifference) };
}

/** Component `c` as it is stored, from pixels in which `jpeg-js` has repeated it. */
function plane(data: Uint8Array, c: number, width: number, height: number, acrossBy: number, downBy: number): Plane {
  const [columns, rows] = [Math.ceil(width / acrossBy), Math.ceil(height / downBy)];
  const samples = new Uint8Array(columns * rows);
  for (let y = 0, i = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) samples[i++] = data[(y * downBy * width + x * acrossBy) * 3 + c];
  }
  return { width: columns, height: rows, samples };
}
