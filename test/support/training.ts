/**
 * Small models and batches to train in tests.
 *
 * @module
 */
import { randomStream } from "../../src/arithmetic/random.js";
import { BatchNormalization } from "../../src/layers/batch-normalization.js";
import { Conv2D } from "../../src/layers/conv2d.js";
import { Dense } from "../../src/layers/dense.js";
import { Dropout } from "../../src/layers/dropout.js";
import { GlobalAveragePooling2D } from "../../src/layers/global-average-pooling2d.js";
import { input } from "../../src/layers/input-layer.js";
import { Model } from "../../src/models/model.js";
import { l2 } from "../../src/regularizers/regularizer.js";
import { type Tensor, tensorOf } from "../../src/tensor/tensor.js";
import type { BatchSource } from "../../src/training/batches.js";

/** `count` numbers of the order of 1 that do not repeat soon; the Python that made the expectations has the same. */
export function pattern(count: number, factor: number): number[] {
  return Array.from({ length: count }, (_, i) => (((i + 1) * factor) % 101) / 64 - 0.75);
}

/** The samples `x` [N, ...] with their labels, in order, in batches of `batchSize`. */
export function inOrder(x: Tensor, labels: readonly number[], classes: number, batchSize: number): BatchSource {
  const [samples, ...rest] = x.shape;
  const size = x.size / samples;
  return {
    batchesPerEpoch: Math.ceil(samples / batchSize),
    samples,
    classes,
    batchSize,
    batch(_epoch, index) {
      const begin = index * batchSize;
      const end = Math.min(begin + batchSize, samples);
      const chosen = labels.slice(begin, end);
      return {
        x: tensorOf(x.data.subarray(begin * size, end * size), [end - begin, ...rest]),
        yTrue: oneHot(chosen, classes),
        labels: Int32Array.from(chosen),
      };
    },
    close() {},
  };
}

function oneHot(labels: readonly number[], classes: number): Tensor {
  const rows = labels.flatMap((label) => Array.from({ length: classes }, (_, k) => (k === label ? 1 : 0)));
  return tensorOf(rows, [labels.length, classes]);
}

/** Images of 5x4x3 whose class is where they are bright, other ones in every epoch. */
export function brightRows(batchesPerEpoch: number, batchSize: number, seed = 1): BatchSource {
  const classes = 5;
  return {
    batchesPerEpoch,
    samples: batchesPerEpoch * batchSize,
    classes,
    batchSize,
    batch(epoch, index) {
      const stream = randomStream(seed, "bright rows", epoch);
      const labels = Array.from({ length: batchSize }, (_, b) => (index * batchSize + b * 3 + epoch) % classes);
      const size = 5 * 4 * 3;
      const x = new Float32Array(batchSize * size);
      for (let i = 0; i < x.length; i++) {
        const row = Math.floor((i % size) / 12);
        x[i] = stream.uniform(index * x.length + i) - 0.5 + (row === labels[Math.floor(i / size)] ? 1 : 0);
      }
      return { x: tensorOf(x, [batchSize, 5, 4, 3]), yTrue: oneHot(labels, classes), labels: Int32Array.from(labels) };
    },
    close() {},
  };
}

/** Convolution, batch normalization, dropout and a softmax for {@link brightRows}. */
export function smallConvolutional(seed = 0): Model {
  const x = input({ shape: [5, 4, 3], name: "image" });
  const conv = new Conv2D({ filters: 6, kernelSize: 3, padding: "same", name: "conv", kernelRegularizer: l2(1e-3) });
  const norm = new BatchNormalization({ name: "norm", momentum: 0.9 });
  const second = new Conv2D({ filters: 7, kernelSize: [5, 1], activation: "relu", name: "second" });
  const pooled = new GlobalAveragePooling2D({ name: "pool" }).apply(second.apply(norm.apply(conv.apply(x))));
  const outputs = new Dense({ units: 5, activation: "softmax", name: "head" }).apply(
    new Dropout({ rate: 0.2, name: "drop" }).apply(pooled),
  );
  return new Model({ inputs: x, outputs, seed });
}

/** Copies of all weights, by path. */
export function weightsOf(model: Model): ReadonlyMap<string, Float32Array | Float64Array> {
  return new Map(Array.from(model.weightsByPath(), ([path, weight]) => [path, weight.read().data]));
}
