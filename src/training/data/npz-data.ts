/**
 * Data sets in .npz archives, as numpy writes them.
 *
 * ```
 * x       [N, H, W, C]   uint8, or floats that are scaled already        x_test   [M, H, W, C]   optional
 * y       [N] or [N, 1] whole numbers, or [N, classes] one-hot           y_test   as y
 * ```
 *
 * `x_train` and `y_train`, as Keras names them, do for `x` and `y`.
 *
 * @module
 */
import { FormatError } from "../../formats/format-error.js";
import type { NpyArray } from "../../formats/npy.js";
import { readNpz } from "../../formats/npz.js";
import { formatShape } from "../../tensor/shape.js";
import { type Dataset, type DataSplit, dataset, imageBytes, imageFloats } from "../dataset.js";

/**
 * The largest magnitude of a float pixel. Pixels of 0 to 1 and standardized ones stay below; those of 0 to 255 that somebody
 * cast to float and forgot to scale do not.
 */
const MAX_MAGNITUDE = 16;
/** The most classes: beyond, a label is some other number. */
const MAX_CLASSES = 65536;

/** Options of {@link dataOfNpz}. */
export interface NpzDataOptions {
  /**
   * How many classes there are, where labels are whole numbers.
   *
   * @defaultValue the highest label of both parts, and one
   */
  readonly classes?: number | undefined;
}

type Arrays = ReadonlyMap<string, NpyArray>;

/**
 * The data set in the bytes of an .npz archive.
 *
 * @param path - What messages call it.
 * @throws FormatError when it is no such archive, or what it holds is not as above.
 */
export function dataOfNpz(path: string, bytes: Uint8Array, options: NpzDataOptions = {}): DataSplit {
  try {
    return fromArrays(path, readNpz(bytes), options);
  } catch (error) {
    if (error instanceof FormatError) error.message = `${path}: ${error.message}`;
    throw error;
  }
}

function fromArrays(path: string, arrays: Arrays, options: NpzDataOptions): DataSplit {
  const suffix = arrays.has("x") || arrays.has("y") ? "" : "_train";
  const training = partOf(arrays, suffix);
  if (training === undefined) {
    const received = [...arrays.keys()].join(", ");
    throw new FormatError("data", "the archive must hold `x` and `y`.", received === "" ? "no array" : received);
  }
  const test = partOf(arrays, "_test");
  if (test !== undefined) checkAlike(training, test);
  const classes = classesOf(test === undefined ? [training] : [training, test], options.classes);
  const classNames = Array.from({ length: classes }, (_, i) => String(i));
  const build = (part: Part, kind: string): Dataset =>
    dataset({ name: `${path}, ${kind}`, images: part.images, shape: part.shape, labels: part.labels, classNames });
  return {
    training: build(training, "training set"),
    test: test === undefined ? undefined : build(test, "test set"),
  };
}

/** One of the two pairs of arrays. */
interface Part {
  readonly images: Uint8Array | Float32Array;
  readonly shape: Dataset["shape"];
  readonly labels: Int32Array;
  /** Of one-hot labels. */
  readonly classes: number | undefined;
}

function partOf(arrays: Arrays, suffix: string): Part | undefined {
  const [xName, yName] = [`x${suffix}`, `y${suffix}`];
  const [x, y] = [arrays.get(xName), arrays.get(yName)];
  if (x === undefined && y === undefined) return undefined;
  if (x === undefined || y === undefined) {
    const [there, missing] = x === undefined ? [yName, xName] : [xName, yName];
    throw new FormatError("data", `\`${there}\` must come with \`${missing}\`.`, `no \`${missing}\``);
  }
  const [samples, height, width, channels] = x.shape;
  if (x.shape.length !== 4 || x.shape.includes(0)) {
    throw new FormatError(
      "data",
      `\`${xName}\` must be images [N, H, W, C], at least one; grey ones have C = 1.`,
      `${xName}.shape=${formatShape(x.shape)}`,
    );
  }
  const shape = [samples, height, width, channels] as const;
  return { images: pixelsOf(xName, x), shape, ...labelsOf(yName, y, samples) };
}

function pixelsOf(name: string, { dtype, data }: NpyArray): Uint8Array | Float32Array {
  if (dtype === "uint8") {
    const images = imageBytes(data.length);
    if (data instanceof Uint8Array) images.set(data);
    return images;
  }
  if (!(data instanceof Float32Array || data instanceof Float64Array)) {
    throw new FormatError("data", `\`${name}\` must be uint8, or float16, float32 or float64.`, dtype);
  }
  const at = data.findIndex((value) => !(Math.abs(value) <= MAX_MAGNITUDE));
  if (at >= 0) {
    throw new FormatError(
      "data",
      `\`${name}\` must be scaled already where it is of floats, as by pixels / 255: of magnitudes up to ${MAX_MAGNITUDE}.`,
      `${data[at]} at ${at}`,
    );
  }
  const images = imageFloats(data.length);
  images.set(data);
  return images;
}

function labelsOf(name: string, y: NpyArray, samples: number): Pick<Part, "labels" | "classes"> {
  const [rows, classes = 1] = y.shape;
  if (y.shape.length < 1 || y.shape.length > 2 || rows !== samples || classes === 0) {
    throw new FormatError(
      "data",
      `\`${name}\` must be class numbers [${samples}] or one-hot [${samples}, classes].`,
      `${name}.shape=${formatShape(y.shape)}`,
    );
  }
  return classes === 1
    ? { labels: classNumbers(name, y), classes: undefined }
    : { labels: oneHot(name, y, classes), classes };
}

function classNumbers(name: string, { data }: NpyArray): Int32Array {
  return Int32Array.from({ length: data.length }, (_, n) => {
    const label = Number(data[n]);
    if (!(Number.isInteger(label) && label >= 0 && label < MAX_CLASSES)) {
      throw new FormatError(
        "data",
        `\`${name}\` must hold class numbers from 0 to ${MAX_CLASSES - 1}.`,
        `${data[n]} at ${n}`,
      );
    }
    return label;
  });
}

/** The place of the one in each row. */
function oneHot(name: string, { data, shape: [samples] }: NpyArray, classes: number): Int32Array {
  return Int32Array.from({ length: samples }, (_, n) => {
    const row = Array.from({ length: classes }, (_, c) => Number(data[n * classes + c]));
    const label = row.indexOf(1);
    if (label < 0 || row.some((value, c) => c !== label && value !== 0)) {
      throw new FormatError(
        "data",
        `\`${name}\` must have exactly one 1 in each row, and zeros, where it has two dimensions.`,
        `row ${n}: ${row.slice(0, 12).join(", ")}${classes > 12 ? ", ..." : ""}`,
      );
    }
    return label;
  });
}

function checkAlike(training: Part, test: Part): void {
  const [own, other] = [training, test].map((part) => formatShape(part.shape.slice(1)));
  const typeOf = (part: Part): string => (part.images instanceof Uint8Array ? "uint8" : "floats");
  if (own !== other || typeOf(training) !== typeOf(test)) {
    throw new FormatError(
      "data",
      `\`x_test\` must hold images like those of the training set, ${own} of ${typeOf(training)}.`,
      `${other} of ${typeOf(test)}`,
    );
  }
}

function classesOf(parts: readonly Part[], wanted: number | undefined): number {
  const highest = Math.max(...parts.map(({ labels }) => labels.reduce((a, b) => (a > b ? a : b))));
  const widths = parts.flatMap(({ classes }) => classes ?? []);
  const width = widths[0] ?? wanted ?? highest + 1;
  if (widths.some((other) => other !== width) || highest >= width) {
    throw new FormatError(
      "data",
      `the labels must be of ${width} classes in all arrays.`,
      highest >= width ? `label ${highest}` : `one-hot labels of ${widths.join(" and ")} classes`,
    );
  }
  return width;
}
