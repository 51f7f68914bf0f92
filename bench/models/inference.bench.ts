import { cpus } from "node:os";
import { Bench } from "tinybench";
import { ResNet50 } from "../../src/models/applications/resnet.js";
import { predict } from "../../src/models/predict.js";
import { resnetV1 } from "../../src/models/resnet-v1.js";
import { resnetV2 } from "../../src/models/resnet-v2.js";
import { executions, numbers, taskName } from "../kernels/report.js";

const models = [
  ["ResNet20v1", resnetV1(20), [32, 32, 32, 3]],
  ["ResNet29v2", resnetV2(29), [32, 32, 32, 3]],
  ["ResNet110v2", resnetV2(110), [32, 32, 32, 3]],
  ["ResNet50", ResNet50(), [1, 224, 224, 3]],
  ["ResNet50", ResNet50(), [8, 224, 224, 3]],
] as const;
const all = executions();
console.log(`${cpus()[0].model}, Node ${process.versions.node}: inference`);
for (const [name, model, shape] of models) {
  const x = numbers(shape);
  const bench = new Bench({ name, time: 2000, iterations: 3, warmupIterations: 2, throws: true });
  for (const execution of all) {
    bench.add(taskName("predict", execution), () => void predict(model, [x], { execution, batchSize: shape[0] }));
  }
  await bench.run();
  console.log(`${name}, batch ${shape[0]}`);
  console.table(
    bench.tasks.map(({ name: task, result }) => {
      if (!("latency" in result)) return { task };
      return { task, "best ms": result.latency.min.toFixed(1), "median ms": result.latency.p50.toFixed(1) };
    }),
  );
}
for (const execution of all) execution.close();
