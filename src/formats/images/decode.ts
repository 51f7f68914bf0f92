/**
 * PNG and JPEG images, and their sizes. It runs under Node only, since the decoders do.
 *
 * @module
 */
import { FormatError } from "../format-error.js";
import { decodeJpeg, isJpeg } from "./jpeg.js";
import { MAX_PIXELS, type Pixels } from "./pixels.js";
import { decodePng, isPng } from "./png.js";

/**
 * The PNG or JPEG image in `bytes`. Grey is repeated in all channels; alpha is dropped.
 *
 * @param name - What messages call it: its path.
 * @throws FormatError when it is neither, is not whole, or has more than 50 million pixels.
 */
export function decodeImage(name: string, bytes: Uint8Array): Pixels {
  const format = isPng(bytes) ? "PNG" : isJpeg(bytes) ? "JPEG" : undefined;
  if (format === undefined) {
    const start = Array.from(bytes.subarray(0, 4), (byte) => byte.toString(16).padStart(2, "0")).join(" ");
    throw new FormatError(
      name,
      "must be a PNG or JPEG image.",
      start === "" ? "an empty file" : `a file that begins with ${start}`,
    );
  }
  try {
    return format === "PNG" ? decodePng(bytes) : decodeJpeg(bytes);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new FormatError(
      name,
      `must be a whole ${format} image of at most ${MAX_PIXELS / 1e6} million pixels.`,
      `one that cannot be decoded: ${reason}`,
      { cause },
    );
  }
}

/**
 * `image` at another size, each pixel of which shows the one its middle lies in: what `load_img` of Keras does where it is
 * not told otherwise.
 */
export function resizeToNearest(image: Pixels, height: number, width: number): Pixels {
  if (height === image.height && width === image.width) return image;
  const rgb = new Uint8Array(height * width * 3);
  const columns = nearest(image.width, width);
  let i = 0;
  for (const row of nearest(image.height, height)) {
    for (const column of columns) {
      const at = (row * image.width + column) * 3;
      for (let c = 0; c < 3; c++) rgb[i++] = image.rgb[at + c];
    }
  }
  return { height, width, rgb };
}

/**
 * Which of `from` pixels in a row each of `to` pixels shows. The position is summed up step by step, so that it is rounded
 * as Pillow's is.
 */
function nearest(from: number, to: number): readonly number[] {
  const step = from / to;
  const pixels: number[] = [];
  for (let i = 0, at = step * 0.5; i < to; i++, at += step) pixels.push(Math.trunc(at));
  return pixels;
}
