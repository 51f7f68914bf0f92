/**
 * A batch from what it is made of: a pure function of epoch and index, on whichever thread.
 *
 *     order  = the samples of the epoch, shuffled or as they lie                    (shuffle.ts)
 *     image  = the preprocessed pixels of sample order[index * batchSize + n]       (preprocessing.ts)
 *     x[n]   = the image, augmented                                                 (augmentation.ts)
 *
 * Augmentation comes after the mean has been subtracted, as in the CIFAR-10 program of Keras: what is filled in at the
 * edges are pixels of the centred image.
 *
 * @module
 */
import { type Augmentation, Augmenter } from "./augmentation.js";
import type { Dataset, ImageShape } from "./dataset.js";
import { type Preprocessing, preprocessImage } from "./preprocessing.js";
import { shuffled } from "./shuffle.js";

/** All that batches depend on, in a form that can be sent to a worker. */
export interface BatchRecipe {
  readonly images: Dataset["images"];
  readonly shape: Dataset["shape"];
  readonly labels: Int32Array;
  readonly preprocessing: Preprocessing;
  readonly batchSize: number;
  readonly shuffle: boolean;
  readonly seed: number;
  readonly augmentation: Augmentation | undefined;
}

/** Makes batches. */
export class BatchMaker {
  readonly #recipe: BatchRecipe;
  readonly #shape: ImageShape;
  readonly #imageSize: number;
  readonly #augmenter: Augmenter | undefined;
  /** The image that is augmented next. */
  readonly #image: Float32Array;
  /** The order of the epoch that was asked for last. */
  #order: Uint32Array | undefined;
  #epoch = -1;

  constructor(recipe: BatchRecipe) {
    const [, height, width, channels] = recipe.shape;
    this.#recipe = recipe;
    this.#shape = [height, width, channels];
    this.#imageSize = height * width * channels;
    this.#image = new Float32Array(this.#imageSize);
    this.#augmenter = recipe.augmentation && new Augmenter(recipe.augmentation, this.#shape, recipe.seed);
  }

  /** Writes batch `index` of `epoch`, [B, H, W, C] and [B], where B is as many labels as there is room for. */
  make(epoch: number, index: number, x: Float32Array, labels: Int32Array): void {
    const { images, preprocessing, batchSize } = this.#recipe;
    const size = this.#imageSize;
    for (let n = 0; n < labels.length; n++) {
      const sample = this.#sampleAt(epoch, index * batchSize + n);
      labels[n] = this.#recipe.labels[sample];
      if (this.#augmenter === undefined) {
        preprocessImage(x, n * size, images, sample * size, size, preprocessing);
      } else {
        preprocessImage(this.#image, 0, images, sample * size, size, preprocessing);
        this.#augmenter.augment(x, n * size, this.#image, epoch, sample);
      }
    }
  }

  #sampleAt(epoch: number, position: number): number {
    const { shuffle, seed, shape } = this.#recipe;
    if (!shuffle) return position;
    if (this.#order === undefined || this.#epoch !== epoch) {
      this.#order = shuffled(shape[0], seed, epoch);
      this.#epoch = epoch;
    }
    return this.#order[position];
  }
}
