/**
 * What the benches of models share: images, and the options of a step.
 *
 * @module
 */
import type { Execution } from "../../src/kernels/execution.js";
import { Adam } from "../../src/optimizers/adam.js";
import { tensor } from "../../src/tensor/tensor.js";
import type { Batch } from "../../src/training/batches.js";
import type { TrainerOptions } from "../../src/training/trainer.js";

/** `size` CIFAR images that are neither zero nor all alike, with labels. */
export function batchOf(size: number): Batch {
  const labels = Int32Array.from({ length: size }, (_, i) => i % 10);
  const pixels = new Float32Array(size * 32 * 32 * 3).map((_, i) => (((i * 7919) % 257) - 128) / 256);
  const oneHot = new Float32Array(size * 10).map((_, i) => Number(i % 10 === labels[Math.floor(i / 10)]));
  return { x: tensor(pixels, [size, 32, 32, 3]), yTrue: tensor(oneHot, [size, 10]), labels };
}

/** Steps of Adam on `execution`. */
export function stepOptions(execution: Execution): TrainerOptions {
  return { loss: "categorical_crossentropy", optimizer: new Adam(), execution, seed: 0 };
}
