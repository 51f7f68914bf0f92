/**
 * Images as models take them. Keras: `keras.utils.load_img(path, target_size=...)`, then `img_to_array`.
 *
 * @module
 */
import { decodeImage, resizeToNearest } from "../formats/images/decode.js";
import { type Tensor, tensor } from "../tensor/tensor.js";
import { readBytes } from "./files.js";

/**
 * The PNG or JPEG image at `path` as a tensor [H, W, 3] of 0 to 255: at its own size, or resized to `size`,
 * [height, width]. Grey is repeated in all channels; alpha is dropped.
 *
 * @throws UsageError when the file cannot be read.
 * @throws FormatError when it is not a whole image, or has more than 50 million pixels.
 */
export function readImage(path: string, size?: readonly [number, number]): Tensor {
  const decoded = decodeImage(path, readBytes(path));
  const [toHeight, toWidth] = size ?? [decoded.height, decoded.width];
  const { height, width, rgb } = resizeToNearest(decoded, toHeight, toWidth);
  return tensor(Float32Array.from(rgb), [height, width, 3]);
}
