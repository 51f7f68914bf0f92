/**
 * CIFAR-10: 60,000 photographs of 32x32 pixels in ten classes (A. Krizhevsky, 2009).
 *
 * Its files, binary or pickled, hold a label and 3,072 bytes for each image: all red, then all green, then all blue, each
 * row after row (channel-major, [3, 32, 32]). Networks here take [32, 32, 3].
 *
 * @module
 */
import { FormatError } from "../../formats/format-error.js";
import { type Dataset, dataset, imageBytes } from "../dataset.js";

/** The classes, in the order of the labels. */
export const CIFAR10_CLASSES: readonly string[] = [
  "airplane",
  "automobile",
  "bird",
  "cat",
  "deer",
  "dog",
  "frog",
  "horse",
  "ship",
  "truck",
];

/** Height and width. */
const SIZE = 32;
const PLANE = SIZE * SIZE;
const CHANNELS = 3;
/** Bytes of one image. */
export const CIFAR10_IMAGE_BYTES: number = PLANE * CHANNELS;
/** The images of each of the six real files. */
export const CIFAR10_BATCH: number = 10000;
/** The training batches of the real set. */
export const CIFAR10_TRAINING_BATCHES: number = 5;

/** The images of one file. */
export interface Cifar10Batch {
  /** The label of image `n`, not yet checked. */
  readonly label: (n: number) => number;
  /** The channel-major bytes of image `n`, until another is asked for. */
  readonly image: (n: number) => Uint8Array;
}

/**
 * A data set that is filled file after file, image after image, in order: no more than a piece of one file need be in memory
 * beside the images.
 *
 * @param name - What messages call it.
 * @param counts - The number of images of each file.
 * @param read - Reads the file with that index.
 * @param fileName - What messages call it.
 * @throws FormatError when a label is above 9. @throws whatever `read` throws.
 */
export function cifar10Dataset(
  name: string,
  counts: readonly number[],
  read: (file: number) => Cifar10Batch,
  fileName: (file: number) => string,
): Dataset {
  const samples = counts.reduce((sum, count) => sum + count, 0);
  const images = imageBytes(samples * CIFAR10_IMAGE_BYTES);
  const labels = new Int32Array(samples);
  let sample = 0;
  counts.forEach((count, file) => {
    const batch = read(file);
    for (let n = 0; n < count; n++, sample++) {
      const label = batch.label(n);
      if (!(Number.isInteger(label) && label >= 0 && label < CIFAR10_CLASSES.length)) {
        throw new FormatError(
          "CIFAR-10",
          `labels in ${fileName(file)} must be from 0 to 9.`,
          `${label} for image ${n}`,
        );
      }
      labels[sample] = label;
      interleave(images, sample * CIFAR10_IMAGE_BYTES, batch.image(n));
    }
  });
  return dataset({ name, images, shape: [samples, SIZE, SIZE, CHANNELS], labels, classNames: CIFAR10_CLASSES });
}

/** Writes the [3, 32, 32] bytes of `planes` to `target` as [32, 32, 3], from `at` on. */
function interleave(target: Uint8Array, at: number, planes: Uint8Array): void {
  for (let i = 0; i < PLANE; i++) {
    target[at++] = planes[i];
    target[at++] = planes[PLANE + i];
    target[at++] = planes[2 * PLANE + i];
  }
}
