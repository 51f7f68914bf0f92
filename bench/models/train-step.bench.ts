import { availableParallelism, cpus } from "node:os";
import { Bench } from "tinybench";
import { createExecution } from "../../src/kernels/execution.js";
import type { Model } from "../../src/models/model.js";
import { resnetV1 } from "../../src/models/resnet-v1.js";
import { resnetV2 } from "../../src/models/resnet-v2.js";
import { Adam } from "../../src/optimizers/adam.js";
import { Arena } from "../../src/tensor/arena.js";
import { tensorOf } from "../../src/tensor/tensor.js";
import type { Batch } from "../../src/training/batches.js";
import { trainStep } from "../../src/training/train-step.js";

/** A batch of images that are neither zero nor all alike. */
function batchOf(size: number): Batch {
  const labels = Int32Array.from({ length: size }, (_, i) => i % 10);
  const pixels = Array.from({ length: size * 32 * 32 * 3 }, (_, i) => (((i * 7919) % 257) - 128) / 256);
  const oneHot = Array.from({ length: size * 10 }, (_, i) => Number(i % 10 === labels[Math.floor(i / 10)]));
  return { x: tensorOf(pixels, [size, 32, 32, 3]), yTrue: tensorOf(oneHot, [size, 10]), labels };
}

const models: readonly [name: string, make: () => Model][] = [
  ["ResNet20v1", () => resnetV1(20)],
  ["ResNet29v2", () => resnetV2(29)],
];
const batch = batchOf(32);
const threads = availableParallelism() > 1 ? [1, 2] : [1];
console.log(`${cpus()[0].model}, Node ${process.versions.node}: training steps of ${batch.labels.length} CIFAR images`);
for (const [name, make] of models) {
  const bench = new Bench({ name, time: 2000, iterations: 3, warmupIterations: 2, throws: true });
  const executions = threads.flatMap((count) =>
    (["float64", "float32"] as const).map((accumulate) => createExecution({ threads: count, accumulate })),
  );
  for (const execution of executions) {
    const model = make();
    const options = {
      loss: "categorical_crossentropy" as const,
      optimizer: new Adam(),
      execution,
      seed: 0,
      arena: new Arena(),
    };
    let step = 0;
    bench.add(`${execution.accumulate}, ${execution.pool?.threads ?? 1} threads`, () => {
      trainStep(model, batch, { ...options, step: step++ });
    });
  }
  await bench.run();
  console.log(name);
  console.table(
    bench.tasks.map(({ name: task, result }) => {
      if (!("latency" in result)) return { task };
      return { task, "best ms": result.latency.min.toFixed(1), "median ms": result.latency.p50.toFixed(1) };
    }),
  );
  for (const execution of executions) execution.close();
}
