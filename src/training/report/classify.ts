/**
 * What a model makes of every sample.
 *
 * @module
 */
import { type Execution, serial } from "../../kernels/execution.js";
import type { Model } from "../../models/model.js";
import { predict } from "../../models/predict.js";
import { type Tensor, tensor } from "../../tensor/tensor.js";
import type { BatchSource } from "../batches.js";
import { yieldToEvents } from "../yield.js";

/** Options of {@link probabilitiesOf}. */
export interface ProbabilityOptions {
  /** Threads and accumulation. @defaultValue one thread, float64 */
  readonly execution?: Execution;
  /** Told after every batch how many samples are done. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** The outputs of `model` for epoch 0 of `source`, [N, classes], in the order of the batches. */
export async function probabilitiesOf(
  model: Model,
  source: BatchSource,
  { execution = serial, onProgress }: ProbabilityOptions = {},
): Promise<Tensor> {
  const { samples, classes, batchSize, batchesPerEpoch } = source;
  const rows = new Float32Array(samples * classes);
  for (let index = 0; index < batchesPerEpoch; index++) {
    const { x } = source.batch(0, index);
    const [y] = predict(model, [x], { batchSize, execution });
    rows.set(y.data, index * batchSize * classes);
    onProgress?.(Math.min((index + 1) * batchSize, samples), samples);
    await yieldToEvents();
  }
  return tensor(rows, [samples, classes]);
}
