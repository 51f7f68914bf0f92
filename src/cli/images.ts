/**
 * Images as models take them. Keras: `keras.utils.load_img(path, target_size=...)`, then `img_to_array`.
 *
 * @module
 */
import { type Tensor, tensor } from "../tensor/tensor.js";
import { UsageError } from "./errors.js";
import { readBytes } from "./files.js";
import { decodeJpeg, isJpeg } from "./jpeg.js";
import { MAX_PIXELS, type Pixels } from "./pixels.js";
import { decodePng, isPng } from "./png.js";

/**
 * The PNG or JPEG image at `path` as a tensor [H, W, 3] of 0 to 255: at its own size, or resized to `size`,
 * [height, width]. Grey is repeated in all channels; alpha is dropped.
 *
 * @throws UsageError when the file cannot be read, is not a whole image, or has more than 50 million pixels.
 */
export function readImage(path: string, size?: readonly [number, number]): Tensor {
  const bytes = readBytes(path);
  const { width, height, rgb } = decode(path, bytes);
  const [toHeight, toWidth] = size ?? [height, width];
  const rows = nearest(height, toHeight);
  const columns = nearest(width, toWidth);
  const values = new Float32Array(toHeight * toWidth * 3);
  let i = 0;
  for (const row of rows) {
    for (const column of columns) {
      const at = (row * width + column) * 3;
      for (let c = 0; c < 3; c++) values[i++] = rgb[at + c];
    }
  }
  return tensor(values, [toHeight, toWidth, 3]);
}

function decode(path: string, bytes: Uint8Array): Pixels {
  const format = isPng(bytes) ? "PNG" : isJpeg(bytes) ? "JPEG" : undefined;
  if (format === undefined) {
    const start = Array.from(bytes.subarray(0, 4), (byte) => byte.toString(16).padStart(2, "0")).join(" ");
    throw new UsageError(
      `${path}: must be a PNG or JPEG image.`,
      start === "" ? "an empty file" : `a file that begins with ${start}`,
    );
  }
  try {
    return format === "PNG" ? decodePng(bytes) : decodeJpeg(bytes);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(
      `${path}: must be a whole ${format} image of at most ${MAX_PIXELS / 1e6} million pixels.`,
      `one that cannot be decoded: ${reason}`,
    );
  }
}

/**
 * Which of `from` pixels in a row each of `to` pixels shows: the one its middle lies in. The position is summed up
 * step by step, so that it is rounded as Pillow's is.
 */
function nearest(from: number, to: number): readonly number[] {
  const step = from / to;
  const pixels: number[] = [];
  for (let i = 0, at = step * 0.5; i < to; i++, at += step) pixels.push(Math.trunc(at));
  return pixels;
}
