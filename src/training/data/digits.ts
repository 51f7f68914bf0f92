/**
 * A real data set that needs no file: 1,797 handwritten digits.
 *
 * E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, 1998,
 * https://doi.org/10.24432/C50P49, CC BY 4.0. These are the images of 13 writers that the authors kept for tests, as
 * scikit-learn ships them (digits.py). Each was a bitmap of 32x32; the authors counted the ink in its blocks of 4x4, so 8x8
 * numbers from 0 to 16 remain.
 *
 * Here they are 32x32x3 bytes again, the size that CIFAR-10 networks take, by bilinear interpolation between the middles of
 * the blocks, which inverts an average better than repeating it would: repeated, a 3x3 window sees a flat square or a step
 * that no pen drew. Four pixels share a block, so the weights are eighths, and with all in integers nothing is rounded but
 * the end:
 *
 *     position of pixel i among the blocks:  (i + 1/2) / 4 - 1/2 = (2 i - 3) / 8
 *     byte[i, j] = floor((255 sum over the four blocks around it of (wy wx ink) + 512) / 1024),   64 * 16 = 1024
 *
 * Beyond the border the outermost block goes on. All three channels are equal.
 *
 * The first 1,500 images are for training, the last 297 are held out, in scikit-learn's order. It follows the forms of the
 * writers, so the held-out digits are mostly by hands that the model has not seen; a random choice would be easier. Every
 * class has 146 to 153 images in the one part, and 27 to 33 in the other.
 *
 * @module
 */
import { inflateExactly } from "../../formats/inflate.js";
import { type Dataset, type DataSplit, dataset, imageBytes } from "../dataset.js";
import { DIGITS } from "./digits-bytes.js";

const SAMPLES = 1797;
const TRAINING_SAMPLES = 1500;
const BLOCKS = 8;
const SIZE = 32;
const CHANNELS = 3;
const CLASS_NAMES: readonly string[] = Array.from({ length: 10 }, (_, digit) => String(digit));

/** The digits as they are stored: ink of 0 to 16 in [1797, 8, 8], and the digit of each. */
export function unpackDigits(): { ink: Uint8Array; labels: Uint8Array } {
  const packed = Uint8Array.from(atob(DIGITS), (character) => character.charCodeAt(0));
  const pixels = SAMPLES * BLOCKS * BLOCKS;
  const content = inflateExactly("digits", "the embedded digits", packed, pixels + SAMPLES);
  return { ink: content.subarray(0, pixels), labels: content.subarray(pixels) };
}

/** The digits, 32x32x3: 1,500 for training, 297 held out. */
export function digits(): DataSplit & { test: Dataset } {
  const { ink, labels } = unpackDigits();
  const part = (name: string, begin: number, end: number): Dataset => {
    const images = imageBytes((end - begin) * SIZE * SIZE * CHANNELS);
    for (let n = begin; n < end; n++) {
      enlarge(images, (n - begin) * SIZE * SIZE * CHANNELS, ink.subarray(n * BLOCKS * BLOCKS));
    }
    const shape = [end - begin, SIZE, SIZE, CHANNELS] as const;
    return dataset({
      name,
      images,
      shape,
      labels: Int32Array.from(labels.subarray(begin, end)),
      classNames: CLASS_NAMES,
    });
  };
  return {
    training: part("digits, training set", 0, TRAINING_SAMPLES),
    test: part("digits, test set", TRAINING_SAMPLES, SAMPLES),
  };
}

/** Writes the 8x8 blocks at the beginning of `ink` as 32x32x3 bytes to `target`, from `at` on. */
function enlarge(target: Uint8Array, at: number, ink: Uint8Array): void {
  for (let y = 0; y < SIZE; y++) {
    const row = neighbours(y);
    for (let x = 0; x < SIZE; x++) {
      const column = neighbours(x);
      const above = mix(
        ink[row.before * BLOCKS + column.before],
        ink[row.before * BLOCKS + column.after],
        column.eighths,
      );
      const below = mix(
        ink[row.after * BLOCKS + column.before],
        ink[row.after * BLOCKS + column.after],
        column.eighths,
      );
      const byte = (255 * mix(above, below, row.eighths) + 512) >> 10;
      for (let c = 0; c < CHANNELS; c++) target[at++] = byte;
    }
  }
}

/** The two blocks whose middles pixel `i` lies between, and how far from the first, in eighths. */
function neighbours(i: number): { before: number; after: number; eighths: number } {
  const position = 2 * i - 3;
  const before = position >> 3;
  return { before: Math.max(before, 0), after: Math.min(before + 1, BLOCKS - 1), eighths: position & 7 };
}

/** 8 times what lies between `a` and `b`. */
function mix(a: number, b: number, eighths: number): number {
  return a * (8 - eighths) + b * eighths;
}
