/**
 * Random changes to images, so that a network never sees quite the same one twice.
 * Keras: the legacy `keras.preprocessing.image.ImageDataGenerator`, with its argument names and its distributions.
 *
 * The numbers behind sample i of the data set in an epoch are 12i ... 12i+11 of randomStream(seed, "augmentation", epoch),
 * wherever in the epoch it is seen and by whichever thread:
 *
 *     12i      theta                      12i + 5   shear
 *     12i + 1  height shift               12i + 6   zoom zx          12i + 8   horizontal flip
 *     12i + 2  its sign (whole pixels)    12i + 7   zoom zy          12i + 9   vertical flip
 *     12i + 3  width shift, 12i + 4 its sign
 *
 * @module
 */
import { type RandomStream, randomStream } from "../arithmetic/random.js";
import { expectOptions } from "../serialization/options.js";
import type { ImageShape } from "./dataset.js";
import { type Fill, Resampler } from "./resample.js";
import { FILL_MODES, type FillMode } from "./taps.js";
import type { Transform } from "./transform.js";

/** Random changes, each at Keras's default where it is left out: none. */
export interface Augmentation {
  /** Degrees: theta is uniform from -rotationRange to rotationRange. @defaultValue 0 */
  readonly rotationRange?: number;
  /**
   * Below 1, a part of the width: the shift is uniform from -range to range, times the width, and so between pixels.
   * A whole number n from 1 on: -(n-1) ... n-1 pixels, 0 twice as often. Any other from 1 on: uniform, in pixels.
   *
   * The shift that Keras draws from this range moves rows, not columns; see `transform.ts`.
   *
   * @defaultValue 0
   */
  readonly widthShiftRange?: number;
  /** The same for the height; it moves columns. @defaultValue 0 */
  readonly heightShiftRange?: number;
  /** Degrees: shear is uniform from -shearRange to shearRange. @defaultValue 0 */
  readonly shearRange?: number;
  /** zx and zy are uniform between the two numbers, or 1 - zoomRange and 1 + zoomRange, each by itself. @defaultValue 0 */
  readonly zoomRange?: number | readonly [low: number, high: number];
  /** Whether every second image, at random, is flipped left to right. @defaultValue false */
  readonly horizontalFlip?: boolean;
  /** Whether every second image, at random, is flipped upside down. @defaultValue false */
  readonly verticalFlip?: boolean;
  /** What is seen outside of the image. @defaultValue "nearest" */
  readonly fillMode?: FillMode;
  /** What is seen there with fillMode "constant". @defaultValue 0 */
  readonly cval?: number;
}

const OPTIONS = [
  "rotationRange",
  "widthShiftRange",
  "heightShiftRange",
  "shearRange",
  "zoomRange",
  "horizontalFlip",
  "verticalFlip",
  "fillMode",
  "cval",
];

/** Random numbers that belong to one sample. */
const DRAWS = 12;

/**
 * Checks the ranges of `augmentation`.
 *
 * @throws RangeError when a range is negative or not finite, zoomRange does not lie above 0, or there is no such fillMode.
 * @throws TypeError when there is a change that is none of {@link Augmentation}.
 */
export function checkAugmentation(augmentation: Augmentation): void {
  expectOptions("augmentation", augmentation, OPTIONS);
  for (const name of ["rotationRange", "widthShiftRange", "heightShiftRange", "shearRange"] as const) {
    const range = augmentation[name] ?? 0;
    if (!(range >= 0 && range < Number.POSITIVE_INFINITY)) {
      throw new RangeError(`augmentation: \`${name}\` must be a number of at least 0. Received ${name}=${range}.`);
    }
  }
  const [low, high] = zoomsOf(augmentation);
  if (!(low > 0 && high >= low && high < Number.POSITIVE_INFINITY)) {
    throw new RangeError(
      "augmentation: `zoomRange` must be a number from 0 to below 1, or two numbers above 0, the smaller one first. " +
        `Received zoomRange=${formatZoom(augmentation.zoomRange)}.`,
    );
  }
  const { fillMode, cval } = fillOf(augmentation);
  if (!FILL_MODES.includes(fillMode)) {
    const modes = FILL_MODES.map((mode) => `"${mode}"`).join(", ");
    throw new RangeError(`augmentation: \`fillMode\` must be one of ${modes}. Received fillMode="${fillMode}".`);
  }
  if (!Number.isFinite(cval)) {
    throw new RangeError(`augmentation: \`cval\` must be a finite number. Received cval=${cval}.`);
  }
}

function formatZoom(range: Augmentation["zoomRange"]): string {
  return typeof range === "object" ? `[${range.join(", ")}]` : String(range);
}

function zoomsOf({ zoomRange = 0 }: Augmentation): readonly [low: number, high: number] {
  return typeof zoomRange === "number" ? [1 - zoomRange, 1 + zoomRange] : zoomRange;
}

function fillOf({ fillMode = "nearest", cval = 0 }: Augmentation): Fill {
  return { fillMode, cval };
}

/** What happens to sample number `sample` of a data set of images of height x width. */
export function drawTransform(
  augmentation: Augmentation,
  stream: RandomStream,
  sample: number,
  [height, width]: ImageShape,
): Transform {
  const at = DRAWS * sample;
  const between = (k: number, low: number, high: number): number => low + (high - low) * stream.uniform(at + k);
  const shift = (range: number, size: number, k: number): number => {
    if (range === 0) return 0;
    if (Number.isInteger(range)) return stream.integer(at + k, range) * (stream.integer(at + k + 1, 2) === 0 ? -1 : 1);
    return between(k, -range, range) * (range < 1 ? size : 1);
  };
  const { rotationRange = 0, heightShiftRange = 0, widthShiftRange = 0, shearRange = 0 } = augmentation;
  const [low, high] = zoomsOf(augmentation);
  return {
    theta: rotationRange === 0 ? 0 : between(0, -rotationRange, rotationRange),
    tx: shift(heightShiftRange, height, 1),
    ty: shift(widthShiftRange, width, 3),
    shear: shearRange === 0 ? 0 : between(5, -shearRange, shearRange),
    zx: between(6, low, high),
    zy: between(7, low, high),
    flipHorizontal: augmentation.horizontalFlip === true && stream.uniform(at + 8) < 0.5,
    flipVertical: augmentation.verticalFlip === true && stream.uniform(at + 9) < 0.5,
  };
}

/** Changes images of one shape, at random but the same for the same seed, epoch and sample. */
export class Augmenter {
  readonly #augmentation: Augmentation;
  readonly #shape: ImageShape;
  readonly #seed: number;
  readonly #resampler: Resampler;
  #epoch = -1;
  #stream: RandomStream;

  /** @throws RangeError as {@link checkAugmentation}. */
  constructor(augmentation: Augmentation, shape: ImageShape, seed: number) {
    checkAugmentation(augmentation);
    this.#augmentation = augmentation;
    this.#shape = shape;
    this.#seed = seed;
    this.#resampler = new Resampler(shape, fillOf(augmentation));
    this.#stream = randomStream(seed, "augmentation", 0);
  }

  /** Writes `image`, as `epoch` sees it when it is sample number `sample`, to `target` from `at` on. */
  augment(target: Float32Array, at: number, image: Float32Array, epoch: number, sample: number): void {
    if (epoch !== this.#epoch) {
      this.#stream = randomStream(this.#seed, "augmentation", epoch);
      this.#epoch = epoch;
    }
    const transform = drawTransform(this.#augmentation, this.#stream, sample, this.#shape);
    this.#resampler.transform(target, at, image, transform);
  }
}
