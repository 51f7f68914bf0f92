import { Bench } from "tinybench";
import { gemm } from "../../src/kernels/gemm.js";
import { Arena } from "../../src/tensor/arena.js";
import { executions, numbers, report, taskName } from "./report.js";

const arena = new Arena(); // in the heap, as in a training step
const all = executions();
for (const size of [256, 512, 1024]) {
  const [a, b] = arena.run(() => [numbers([size, size]), numbers([size, size])]);
  const bench = new Bench({ name: `gemm ${size}^3`, time: 1000, iterations: 5, warmupIterations: 2, throws: true });
  for (const execution of all) {
    bench.add(taskName("gemm", execution), () => {
      arena.run(() => arena.release(gemm(a, b, undefined, execution).data));
    });
  }
  await report(bench, 2 * size ** 3);
}
for (const execution of all) execution.close();
