/**
 * `loadData`: the data set that a name or a path stands for.
 *
 * ```
 * "digits"                  data/digits.ts              embedded; also in a browser
 * path of a .npz file       data/npz-data.ts
 * path of a directory       data/cifar10-directory.ts   CIFAR-10, binary or pickled
 *                           data/cifar10-download.ts    ... after it was fetched, where that was asked for
 *                           data/image-folder.ts        otherwise: a sub-folder for each class
 * ```
 *
 * Modules that read files need Node, and are imported when they are needed.
 *
 * @module
 */
import { describe } from "../serialization/config.js";
import { FormatError } from "../formats/format-error.js";
import { expectOptions } from "../serialization/options.js";
import type { Cifar10Archive } from "./data/cifar10-download.js";
import { type DataSplit, splitForValidation } from "./dataset.js";
import { digits } from "./data/digits.js";
import { dataOfNpz } from "./data/npz-data.js";

/** Options of {@link loadData}. */
export interface DataOptions {
  /**
   * The fraction of the training set that is split off, by {@link splitForValidation}, and stands in place of the test set:
   * where a model is chosen by what it does on data, those should not be the data that it is judged by at the end.
   *
   * @defaultValue no split
   */
  readonly validationSplit?: number | undefined;
  /**
   * The seed of that split.
   *
   * @defaultValue 0
   */
  readonly seed?: number | undefined;
  /** The size, [height, width], that the images of a folder are resized to. @defaultValue they must have one size */
  readonly imageSize?: readonly [height: number, width: number] | undefined;
  /** The number of classes of an archive whose labels are numbers. @defaultValue the highest label and one */
  readonly classes?: number | undefined;
  /**
   * Whether CIFAR-10 is fetched into the directory, which is made if need be, where it is not there yet: 170 MB from the
   * page of its author, checked by SHA-256. Nothing is fetched without this.
   *
   * @defaultValue false
   */
  readonly download?: boolean | undefined;
  /** Is told how many bytes have come, of how many. */
  readonly onDownload?: ((received: number, total: number) => void) | undefined;
  /** What is fetched, where it is not the archive of that page. */
  readonly archive?: Cifar10Archive | undefined;
}

const OPTIONS = ["validationSplit", "seed", "imageSize", "classes", "download", "onDownload", "archive"];

/**
 * The data that `spec` stands for.
 *
 * @throws RangeError when it stands for nothing, or an option has a wrong value.
 * @throws TypeError when it is no string, or an option is none of {@link DataOptions}.
 * @throws FormatError when the data is not as its form demands.
 */
export async function loadData(spec: string, options: DataOptions = {}): Promise<DataSplit> {
  if (typeof spec !== "string") {
    throw new TypeError(`loadData: \`spec\` must be "digits" or a path. Received ${describe(spec)}.`);
  }
  expectOptions("loadData", options, OPTIONS);
  const { validationSplit, seed = 0 } = options;
  checkSize(options.imageSize);
  const data = spec === "digits" ? readDigits(options) : await readPath(spec, options);
  return validationSplit === undefined ? data : splitForValidation(data.training, validationSplit, seed);
}

/** The longest side that images are resized to. */
export const MAX_SIDE = 4096;

function checkSize(size: DataOptions["imageSize"]): void {
  if (size === undefined) return;
  const fits = (side: number): boolean => Number.isInteger(side) && side >= 1 && side <= MAX_SIDE;
  if (Array.isArray(size) && size.length === 2 && size.every(fits)) return;
  throw new RangeError(`imageSize must be two whole numbers from 1 to ${MAX_SIDE}. Received ${describe(size)}.`);
}

/** What goes with each option that not all data take. */
const GOES_WITH = {
  imageSize: "a folder of images",
  classes: "an .npz",
  download: "a directory",
} as const;

/** @throws RangeError when one of `names` is given, which `data` do not take. */
function refuse(options: DataOptions, names: readonly (keyof typeof GOES_WITH)[], data: string): void {
  const given = names.find((name) => options[name] !== undefined && options[name] !== false);
  if (given !== undefined) throw new RangeError(`${given} must go with ${GOES_WITH[given]}. Received ${data}.`);
}

function readDigits(options: DataOptions): DataSplit {
  refuse(options, ["imageSize", "classes", "download"], "digits");
  return digits();
}

async function readPath(path: string, options: DataOptions): Promise<DataSplit> {
  if (globalThis.process?.versions?.node === undefined) {
    throw new RangeError(`data must be digits where there are no files, as in a browser. Received ${path}.`);
  }
  const { readFile, statOf } = await import("./data/files.js");
  if (options.download === true) await download(path, options);
  const stat = statOf(path);
  if (stat?.isFile() && /\.npz$/i.test(path)) {
    refuse(options, ["imageSize"], path);
    return dataOfNpz(path, readFile(path), { classes: options.classes });
  }
  if (stat?.isDirectory()) return readDirectory(path, options);
  const received = stat === undefined ? `${path}, where there is no such file` : `${path}, another kind of file`;
  throw new RangeError(
    `data must be digits, a directory of CIFAR-10 or of images, or an .npz file. Received ${received}.`,
  );
}

/** Fetches CIFAR-10 into the directory at `path` unless it is there; a part of it that is there is an error, not replaced. */
async function download(path: string, { archive, onDownload }: DataOptions): Promise<void> {
  const { statOf } = await import("./data/files.js");
  const { holdsCifar10 } = await import("./data/cifar10-directory.js");
  const stat = statOf(path);
  if (stat !== undefined && !stat.isDirectory()) {
    throw new RangeError(`a download must go into a directory. Received ${path}.`);
  }
  if (stat !== undefined && holdsCifar10(path)) return;
  const { downloadCifar10 } = await import("./data/cifar10-download.js");
  await downloadCifar10(path, { archive, onProgress: onDownload });
}

async function readDirectory(path: string, options: DataOptions): Promise<DataSplit> {
  refuse(options, ["classes"], `the directory ${path}`);
  const { readCifar10Directory } = await import("./data/cifar10-directory.js");
  const cifar10 = readCifar10Directory(path);
  if (cifar10 !== undefined) {
    refuse(options, ["imageSize"], `CIFAR-10 in ${path}`);
    return cifar10;
  }
  const { readImageFolder } = await import("./data/image-folder.js");
  const images = readImageFolder(path, options.imageSize);
  if (images !== undefined) return images;
  throw new FormatError(
    "data",
    `${path} must hold CIFAR-10 (data_batch_1.bin ... and test_batch.bin, or data_batch_1 ... and test_batch), or a ` +
      "sub-folder of images for each class.",
    "a directory with neither",
  );
}
