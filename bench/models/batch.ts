/**
 * What the benches of models share: images, models by name, and the options of a step.
 *
 * @module
 */
import type { Execution } from "../../src/kernels/execution.js";
import type { Model } from "../../src/models/model.js";
import { resnetV1 } from "../../src/models/resnet-v1.js";
import { resnetV2 } from "../../src/models/resnet-v2.js";
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

/** The CIFAR-10 ResNet that the command line names, ResNet20v1 unless another one is named; ends the bench `caller` where it is none. */
export function namedModel(caller: string): { readonly name: string; readonly model: Model } {
  const [name = "resnet20v1"] = process.argv.slice(2);
  const { depth, version } = /^resnet(?<depth>\d+)(?<version>v[12])$/.exec(name)?.groups ?? {};
  if (depth === undefined) {
    console.error(`${caller}: the model must be resnetDEPTHv1 or resnetDEPTHv2. Received ${name}.`);
    process.exit(2);
  }
  return { name, model: (version === "v1" ? resnetV1 : resnetV2)(Number(depth)) };
}

/** Steps of Adam on `execution`. */
export function stepOptions(execution: Execution): TrainerOptions {
  return { loss: "categorical_crossentropy", optimizer: new Adam(), execution, seed: 0 };
}
