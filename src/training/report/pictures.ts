/**
 * Images of a data set as pictures.
 *
 * @module
 */
import type { Dataset } from "../dataset.js";
import type { ByteImage } from "./png.js";

/**
 * Image `index` of `data`. Bytes are shown as they are; numbers from 0 to 1 are stretched to bytes, others from the least
 * to the greatest of the image. Of channels that are not red, green and blue the first is shown, as grey.
 */
export function pictureOf({ images, shape: [, height, width, channels] }: Dataset, index: number): ByteImage {
  const size = height * width * channels;
  const pixels = images.subarray(index * size, (index + 1) * size);
  const shown = channels === 3 ? pixels : pixels.filter((_, i) => i % channels === 0);
  return { width, height, channels: channels === 3 ? 3 : 1, bytes: bytesOf(shown) };
}

function bytesOf(pixels: Uint8Array | Float32Array): Uint8Array {
  if (pixels instanceof Uint8Array) return pixels;
  const [least, most] = [Math.min(...pixels), Math.max(...pixels)];
  const [from, to] = least >= 0 && most <= 1 ? [0, 1] : [least, most];
  const range = to > from ? to - from : 1;
  return Uint8Array.from(pixels, (pixel) => Math.round((255 * (pixel - from)) / range));
}
