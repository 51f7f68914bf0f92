/**
 * A data set as batches: what `fit` and `evaluate` read.
 *
 *     x [B, H, W, C]     labels [B]     yTrue [B, classes], one-hot
 *
 * Every batch is a pure function of what the source was made from and of the epoch and index that it is asked for, so a
 * run that is resumed in the middle of an epoch sees what it would have seen. The last batch of an epoch is smaller where
 * the batch size does not divide the number of samples, as in Keras.
 *
 * Batches may be prepared ahead by a worker (`prefetch.ts`): that changes when they are made, and nothing else.
 *
 * @module
 */
import { expectOptions } from "../serialization/options.js";
import { kindOf } from "../serialization/config.js";
import { empty, type Tensor, zeros } from "../tensor/tensor.js";
import { type Augmentation, checkAugmentation } from "./augmentation.js";
import { BatchMaker, type BatchRecipe } from "./batch-maker.js";
import { checkDataset, type Dataset, imageShapeOf } from "./dataset.js";
import { Prefetcher } from "./prefetch.js";
import { checkPreprocessing, type Preprocessing } from "./preprocessing.js";

/** Samples that a step sees together. Its tensors belong to the caller, or to the step's arena if there is one. */
export interface Batch {
  /** The images, [B, H, W, C], float32. */
  readonly x: Tensor;
  /** Their classes, one-hot, [B, classes], float32. */
  readonly yTrue: Tensor;
  /** Their classes, [B]. */
  readonly labels: Int32Array;
}

/** Where batches come from. */
export interface BatchSource {
  /** Batches in an epoch, the smaller last one included. */
  readonly batchesPerEpoch: number;
  /** Samples in an epoch. */
  readonly samples: number;
  /** Classes that labels tell apart. */
  readonly classes: number;
  /** Samples in every batch but, perhaps, the last; no more than there are. */
  readonly batchSize: number;
  /**
   * Batch `index`, from 0 to batchesPerEpoch - 1, of `epoch`, counted from 0. Any may be asked for at any time; in
   * order, they may have been prepared.
   *
   * @throws RangeError when there is no such batch.
   */
  batch(epoch: number, index: number): Batch;
  /** Ends the worker, if there is one. Batches that are asked for afterwards are made on the calling thread. */
  close(): void;
}

/** @throws TypeError when the argument `name` of the function `caller` gives no batches, as data and arrays of them do not. */
export function checkSource(caller: string, name: string, source: BatchSource): void {
  if (typeof source?.batch === "function") return;
  throw new TypeError(`${caller}: \`${name}\` must be what \`batchSource\` gives. Received ${kindOf(source)}.`);
}

/** How batches are made. */
export interface BatchOptions {
  /** Samples in a batch. @defaultValue 32 */
  readonly batchSize?: number;
  /** Whether every epoch has an order of its own (`shuffle.ts`). @defaultValue true */
  readonly shuffle?: boolean;
  /** What the order and the augmentation grow from. @defaultValue 0 */
  readonly seed?: number;
  /** Random changes to the images. @defaultValue none */
  readonly augmentation?: Augmentation | undefined;
  /**
   * Whether a worker prepares batches ahead, where there are workers and shared memory. It is started when the first
   * batch is asked for, and does not keep the process alive.
   *
   * @defaultValue true where there is an augmentation; plain batches are made faster than they are handed over
   */
  readonly prefetch?: boolean;
}

const OPTIONS = ["batchSize", "shuffle", "seed", "augmentation", "prefetch"];

/**
 * Batches of `data`.
 *
 * @throws RangeError when batchSize is not a whole number of at least 1, seed not one from 0 to 2^53 - 1, the mean of
 *   `preprocessing` not made for images of this shape, or a range of the augmentation impossible.
 * @throws TypeError when `data` are no data set, or an option is none of {@link BatchOptions} or {@link Augmentation}.
 */
export function batchSource(data: Dataset, preprocessing: Preprocessing, options: BatchOptions = {}): BatchSource {
  checkDataset("batchSource", data);
  expectOptions("batchSource", options, OPTIONS);
  const { batchSize = 32, shuffle = true, seed = 0, augmentation } = options;
  if (!Number.isSafeInteger(batchSize) || batchSize < 1) {
    throw new RangeError(
      `batchSource: \`batchSize\` must be a whole number of at least 1. Received batchSize=${batchSize}.`,
    );
  }
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new RangeError(
      `batchSource: \`seed\` must be a whole number from 0 to ${Number.MAX_SAFE_INTEGER}. Received seed=${seed}.`,
    );
  }
  checkPreprocessing(preprocessing, imageShapeOf(data));
  if (augmentation !== undefined) checkAugmentation(augmentation);
  const { images, shape, labels, classNames } = data;
  // one batch of all samples at most: memory follows the data
  const atOnce = Math.min(batchSize, Math.max(1, shape[0]));
  const recipe = { images, shape, labels, preprocessing, batchSize: atOnce, shuffle, seed, augmentation };
  return new Batches(recipe, classNames.length, options.prefetch ?? augmentation !== undefined);
}

class Batches implements BatchSource {
  readonly batchesPerEpoch: number;
  readonly samples: number;
  readonly classes: number;
  readonly batchSize: number;
  readonly #recipe: BatchRecipe;
  readonly #maker: BatchMaker;
  /** Whether a worker is to be started with the next batch. */
  #wantsPrefetch: boolean;
  #prefetcher: Prefetcher | undefined;
  /** Where this thread makes batches, when it does. */
  #scratch: Float32Array | undefined;

  constructor(recipe: BatchRecipe, classes: number, prefetch: boolean) {
    this.samples = recipe.shape[0];
    this.classes = classes;
    this.batchSize = recipe.batchSize;
    this.batchesPerEpoch = Math.ceil(this.samples / this.batchSize);
    this.#recipe = recipe;
    this.#maker = new BatchMaker(recipe);
    this.#wantsPrefetch = prefetch;
  }

  batch(epoch: number, index: number): Batch {
    if (!Number.isInteger(epoch) || epoch < 0 || epoch >= 2 ** 32) {
      throw new RangeError(`batch: \`epoch\` must be a whole number from 0 to 2^32 - 1. Received epoch=${epoch}.`);
    }
    if (!Number.isInteger(index) || index < 0 || index >= this.batchesPerEpoch) {
      throw new RangeError(
        `batch: \`index\` must be a whole number from 0 to ${this.batchesPerEpoch - 1}. Received index=${index}.`,
      );
    }
    if (this.#wantsPrefetch) {
      this.#prefetcher = Prefetcher.start(this.#recipe);
      this.#wantsPrefetch = false;
    }
    const [, height, width, channels] = this.#recipe.shape;
    const size = Math.min(this.batchSize, this.samples - index * this.batchSize);
    const x = empty([size, height, width, channels], "float32");
    const labels = new Int32Array(size);
    if (this.#prefetcher?.take(epoch, index, x.data, labels) !== true) {
      this.#scratch ??= new Float32Array(this.batchSize * height * width * channels);
      this.#maker.make(epoch, index, this.#scratch, labels);
      x.data.set(this.#scratch.subarray(0, x.size));
    }
    return { x, yTrue: oneHot(labels, this.classes), labels };
  }

  close(): void {
    this.#wantsPrefetch = false;
    this.#prefetcher?.close();
    this.#prefetcher = undefined;
  }
}

/** Row n is 1 at column labels[n], and 0 elsewhere: [labels.length, classes]. */
function oneHot(labels: Int32Array, classes: number): Tensor {
  const rows = zeros([labels.length, classes], "float32");
  labels.forEach((label, n) => {
    rows.data[n * classes + label] = 1;
  });
  return rows;
}
