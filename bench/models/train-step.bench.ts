import { availableParallelism, cpus } from "node:os";
import { Bench } from "tinybench";
import { createExecution } from "../../src/kernels/execution.js";
import { resnetV1 } from "../../src/models/resnet-v1.js";
import { resnetV2 } from "../../src/models/resnet-v2.js";
import { createTrainer } from "../../src/training/trainer.js";
import { batchOf, stepOptions } from "./batch.js";

const models = [
  ["ResNet20v1", () => resnetV1(20)],
  ["ResNet29v2", () => resnetV2(29)],
  ["ResNet110v2", () => resnetV2(110)],
] as const;
const batch = batchOf(32);
const threads = availableParallelism() > 1 ? [1, 2] : [1];
console.log(`${cpus()[0].model}, Node ${process.versions.node}: training steps of ${batch.labels.length} CIFAR images`);
for (const [name, make] of models) {
  const bench = new Bench({ name, time: 2000, iterations: 3, warmupIterations: 2, throws: true });
  const executions = threads.flatMap((count) =>
    (["float64", "float32"] as const).map((accumulate) => createExecution({ threads: count, accumulate })),
  );
  for (const execution of executions) {
    const trainer = createTrainer(make(), stepOptions(execution));
    bench.add(
      `${execution.accumulate}, ${execution.pool?.threads ?? 1} threads`,
      () => {
        trainer.step(batch);
      },
      { afterAll: () => trainer.close() },
    );
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
