/**
 * A directory of CIFAR-10, in one of the two forms that its page offers. It runs under Node only.
 *
 * ```
 * cifar-10-batches-bin/  data_batch_1.bin ... data_batch_5.bin   test_batch.bin      records, see cifar10-records.ts
 * cifar-10-batches-py/   data_batch_1     ... data_batch_5       test_batch          pickles, see cifar10-pickle.ts
 * ```
 *
 * Small copies for trials are welcome: fewer batches, numbered from 1, with fewer images. But where a training batch has
 * the 10,000 images of the real set, all of it must be there, lest an accuracy be reported for a part of CIFAR-10.
 *
 * @module
 */
import { join } from "node:path";
import { FormatError } from "../../formats/format-error.js";
import type { Dataset, DataSplit } from "../dataset.js";
import { CIFAR10_BATCH, CIFAR10_TRAINING_BATCHES, type Cifar10Batch, cifar10Dataset } from "./cifar10.js";
import { readPickledBatch } from "./cifar10-pickle.js";
import { countRecords, readRecords } from "./cifar10-records.js";
import { fileSize, listDirectory, readFile, readPart, statOf } from "./files.js";

/** One of the two forms. */
interface Form {
  /** The directory in the archive. */
  readonly folder: string;
  /** Names of training batches; the group is the number. */
  readonly batch: RegExp;
  readonly ending: string;
  /** How many images a file has. */
  readonly count: (path: string) => number;
  readonly read: (path: string, count: number) => Cifar10Batch;
}

const FORMS: readonly Form[] = [
  {
    folder: "cifar-10-batches-bin",
    batch: /^data_batch_(\d+)\.bin$/,
    ending: ".bin",
    count: (path) => countRecords(path, fileSize(path)),
    read: (path, count) => readRecords(count, (target, from) => readPart(path, target, from)),
  },
  {
    folder: "cifar-10-batches-py",
    batch: /^data_batch_(\d+)$/,
    ending: "",
    // to know the number of images is to read the file: read twice, it need not stay in memory
    count: (path) => readPickledBatch(path, readFile(path)).count,
    read: (path) => readPickledBatch(path, readFile(path)),
  },
];

/** A directory with files of one form. */
interface Found {
  readonly folder: string;
  readonly names: readonly string[];
  readonly form: Form;
}

function find(path: string): Found | undefined {
  const names = listDirectory(path);
  for (const form of FORMS) {
    if (names.includes(form.folder) && statOf(join(path, form.folder))?.isDirectory()) {
      const folder = join(path, form.folder);
      return { folder, names: listDirectory(folder), form };
    }
    if (names.some((name) => form.batch.test(name) || name === `test_batch${form.ending}`)) {
      return { folder: path, names, form };
    }
  }
  return undefined;
}

/** Whether the directory at `path` holds CIFAR-10, or a part of it, for {@link readCifar10Directory}. */
export function holdsCifar10(path: string): boolean {
  return find(path) !== undefined;
}

/**
 * The CIFAR-10 in the directory at `path`, or in its `cifar-10-batches-bin` or `cifar-10-batches-py`; nothing where there
 * is none.
 *
 * @throws FormatError when a file is missing, has a wrong size or a wrong label, or cannot be read.
 */
export function readCifar10Directory(path: string): (DataSplit & { test: Dataset }) | undefined {
  const found = find(path);
  return found === undefined ? undefined : readForm(found);
}

function readForm({ folder, names, form }: Found): DataSplit & { test: Dataset } {
  const last = Math.max(1, ...names.map((name) => Number(form.batch.exec(name)?.[1] ?? 0)));
  // of more than there are names, one is missing at the latest after them
  const length = Math.min(last, names.length + 1);
  const training = Array.from({ length }, (_, i) => `data_batch_${i + 1}${form.ending}`);
  const test = `test_batch${form.ending}`;
  const missing = [...training, test].filter((name) => !names.includes(name));
  if (missing.length > 0) refuseMissing(folder, missing);
  const counts = training.map((name) => form.count(join(folder, name)));
  checkComplete(folder, training, counts);
  const part = (name: string, files: readonly string[], sizes: readonly number[]): Dataset => {
    const paths = files.map((file) => join(folder, file));
    return cifar10Dataset(
      name,
      sizes,
      (file) => form.read(paths[file], sizes[file]),
      (file) => paths[file],
    );
  };
  const testCount = form.count(join(folder, test));
  if (counts.includes(CIFAR10_BATCH) && testCount !== CIFAR10_BATCH) refuseSize(folder, test, testCount);
  return {
    training: part("CIFAR-10, training set", training, counts),
    test: part("CIFAR-10, test set", [test], [testCount]),
  };
}

/** Where one training batch has the size of the real ones, there must be five such. */
function checkComplete(folder: string, names: readonly string[], counts: readonly number[]): void {
  if (!counts.includes(CIFAR10_BATCH)) return;
  const at = counts.findIndex((count) => count !== CIFAR10_BATCH);
  if (at >= 0) refuseSize(folder, names[at], counts[at]);
  if (counts.length < CIFAR10_TRAINING_BATCHES) {
    const ending = names[0].endsWith(".bin") ? ".bin" : "";
    const absent = Array.from({ length: CIFAR10_TRAINING_BATCHES }, (_, i) => `data_batch_${i + 1}${ending}`);
    refuseMissing(folder, absent.slice(counts.length));
  }
}

function refuseMissing(folder: string, missing: readonly string[]): never {
  throw new FormatError(
    "CIFAR-10",
    `${folder} must hold its training batches without a gap, and the test batch.`,
    `a directory without ${missing.slice(0, 8).join(", ")}`,
  );
}

function refuseSize(folder: string, name: string, count: number): never {
  throw new FormatError(
    "CIFAR-10",
    `${join(folder, name)} must have ${CIFAR10_BATCH} images, as the batches beside it.`,
    `${count}`,
  );
}
