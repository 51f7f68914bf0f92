/**
 * From pixels to what a model sees, as the CIFAR-10 program of Keras does it:
 *
 *     x = pixels.astype("float32") / 255            scaled[i] = round(scale pixel[i]),   scale = 1/255
 *     x -= np.mean(x_train, axis=0)                 x[i] = round(scaled[i] - mean[i mod HWC])
 *     mean[i] = round(sum over n of scaled[n, i] / N)
 *
 * `round` is to float32. The product with 1/255 is computed in float64 and rounded once: for each of the 256 bytes that is
 * the float32 quotient of numpy, bit for bit, since p/255 repeats its eight bits for ever and so lies far from the middle
 * between two float32 numbers. The sum of the mean runs in float64 in the order of the images, and is rounded once after
 * the division; numpy's sums in float32 are off by up to 1.7e-5 on the 50,000 of CIFAR-10.
 *
 * The mean belongs to the model: who evaluates or predicts later, in another process, perhaps without the training data,
 * must subtract the same. So it is saved with it, as an npz archive of `scale` [] and `mean` [H, W, C]. In a `.keras` file
 * that is the entry {@link PREPROCESSING_ENTRY}: Keras leaves assets that no layer asks for alone (it loads and evaluates
 * the model, and writes them no more when it saves it again), the graph and its weights stay those of the Keras program, and
 * one file says everything. (A Normalization layer would change the network; a second file beside it would be lost on the
 * way.) Where there is none, the training set gives the same mean again. In Python:
 *
 *     p = np.load(io.BytesIO(zipfile.ZipFile("model.keras").read("assets/preprocessing.npz")))
 *     x = (pixels * p["scale"]).astype("float32") - p["mean"]
 *
 * @module
 */
import { FormatError } from "../formats/format-error.js";
import type { NpyArray } from "../formats/npy.js";
import { readNpz, writeNpz } from "../formats/npz.js";
import { kindOf } from "../serialization/config.js";
import { expectOptions } from "../serialization/options.js";
import { formatShape } from "../tensor/shape.js";
import { checkDataset, type Dataset, type ImageShape, imageShapeOf } from "./dataset.js";

/** What happens to pixels before a model sees them. */
export interface Preprocessing {
  /** What pixels are multiplied with: 1/255 for bytes, 1 for numbers that are scaled already. */
  readonly scale: number;
  /** What is subtracted from the scaled pixels, [H, W, C]; nothing where it is undefined. */
  readonly mean: Float32Array | undefined;
}

/** Where a `.keras` archive keeps the {@link Preprocessing} that its model was trained with. */
export const PREPROCESSING_ENTRY = "assets/preprocessing.npz";

/** Options of {@link preprocessingFor}. */
export interface PreprocessingOptions {
  /**
   * Whether the mean of every pixel over the training set is subtracted.
   *
   * @defaultValue true
   */
  readonly subtractMean?: boolean;
}

/**
 * The preprocessing that belongs to models which learn from `training`.
 *
 * @throws TypeError when they are no data set, or an option is none of {@link PreprocessingOptions}.
 */
export function preprocessingFor(training: Dataset, options: PreprocessingOptions = {}): Preprocessing {
  checkDataset("preprocessingFor", training);
  expectOptions("preprocessingFor", options, ["subtractMean"]);
  const { subtractMean = true } = options;
  const scale = scaleOf(training);
  return { scale, mean: subtractMean ? meanImage(training, scale) : undefined };
}

/**
 * The `saved` preprocessing of a model for images that it has not learned from: the mean belongs to the model, the scale to
 * the images. A model that learned from bytes takes floats of pixels / 255 as well.
 *
 * @throws RangeError when the mean is of images of another size.
 * @throws TypeError when `saved` is no preprocessing, or `data` no data set.
 */
export function preprocessingLike(saved: Preprocessing, data: Dataset): Preprocessing {
  checkDataset("preprocessingLike", data);
  checkPreprocessing(saved, imageShapeOf(data));
  return { scale: scaleOf(data), mean: saved.mean };
}

function scaleOf({ images }: Dataset): number {
  return images instanceof Uint8Array ? 1 / 255 : 1;
}

/** The mean of every scaled pixel, [H, W, C]. */
function meanImage({ images, shape: [samples, height, width, channels] }: Dataset, scale: number): Float32Array {
  const size = height * width * channels;
  const sums = new Float64Array(size);
  for (let n = 0, at = 0; n < samples; n++) {
    for (let i = 0; i < size; i++) sums[i] += Math.fround(images[at++] * scale);
  }
  return Float32Array.from(sums, (sum) => sum / samples);
}

/**
 * Writes the image of `pixels` that begins at `from`, preprocessed, to `target` from `at` on.
 *
 * @param size - How many values an image has, H W C; as many as `mean` has.
 */
export function preprocessImage(
  target: Float32Array | Float64Array,
  at: number,
  pixels: ArrayLike<number>,
  from: number,
  size: number,
  { scale, mean }: Preprocessing,
): void {
  for (let i = 0; i < size; i++) {
    const scaled = Math.fround(pixels[from + i] * scale);
    target[at + i] = mean === undefined ? scaled : Math.fround(scaled - mean[i]);
  }
}

/**
 * Checks that `preprocessing` is made for images of `shape`.
 *
 * @throws TypeError when it is none, as options in its place are not.
 * @throws RangeError when its mean has another number of values.
 */
export function checkPreprocessing(preprocessing: Preprocessing, shape: ImageShape): void {
  if (typeof preprocessing?.scale !== "number") {
    throw new TypeError(
      `preprocessing: it must be { scale, mean }, as \`preprocessingFor\` gives. Received ${kindOf(preprocessing)}.`,
    );
  }
  const { mean } = preprocessing;
  const size = shape[0] * shape[1] * shape[2];
  if (mean !== undefined && mean.length !== size) {
    throw new RangeError(
      `preprocessing: \`mean\` must have ${size} values for images of shape ${formatShape(shape)}. ` +
        `Received mean.length=${mean.length}.`,
    );
  }
}

/** `preprocessing` as arrays: `scale`, and `mean` where there is one. Checkpoints and archives keep these. */
export function preprocessingArrays(preprocessing: Preprocessing, shape: ImageShape): Map<string, NpyArray> {
  checkPreprocessing(preprocessing, shape);
  const arrays = new Map<string, NpyArray>([
    ["scale", { dtype: "float64", shape: [], data: Float64Array.of(preprocessing.scale) }],
  ]);
  if (preprocessing.mean !== undefined) arrays.set("mean", { dtype: "float32", shape, data: preprocessing.mean });
  return arrays;
}

/**
 * The preprocessing that {@link preprocessingArrays} wrote.
 *
 * @throws FormatError when `scale` is not a finite float64 number, or `mean` is no finite float32 image.
 */
export function preprocessingFromArrays(arrays: ReadonlyMap<string, NpyArray>): Preprocessing {
  const scale = arrays.get("scale");
  if (!(scale?.data instanceof Float64Array && scale.shape.length === 0 && Number.isFinite(scale.data[0]))) {
    throw new FormatError("preprocessing", "`scale` must be a finite float64 number.", describe(scale));
  }
  const mean = arrays.get("mean");
  if (mean === undefined) return { scale: scale.data[0], mean: undefined };
  if (!(mean.data instanceof Float32Array && mean.shape.length === 3 && mean.data.every(Number.isFinite))) {
    throw new FormatError("preprocessing", "`mean` must be float32, [H, W, C], and finite.", describe(mean));
  }
  return { scale: scale.data[0], mean: mean.data };
}

/** `preprocessing` as the bytes of an npz archive; equal ones give equal bytes. */
export function writePreprocessing(preprocessing: Preprocessing, shape: ImageShape): Uint8Array {
  return writeNpz(preprocessingArrays(preprocessing, shape));
}

/**
 * The preprocessing in the bytes of an npz archive.
 *
 * @throws FormatError when they are not what {@link writePreprocessing} writes.
 */
export function readPreprocessing(bytes: Uint8Array): Preprocessing {
  return preprocessingFromArrays(readNpz(bytes));
}

function describe(array: NpyArray | undefined): string {
  if (array === undefined) return "no such array";
  return `${array.dtype} of shape ${formatShape(array.shape)}${array.shape.length === 0 ? `, ${array.data[0]}` : ""}`;
}
