import { Bench } from "tinybench";
import {
  depthwiseConv2D,
  depthwiseConv2DInputGradient,
  depthwiseConv2DKernelGradient,
} from "../../src/kernels/depthwise.js";
import { window2D } from "../../src/kernels/window.js";
import { Arena } from "../../src/tensor/arena.js";
import { executions, numbers, report, taskName } from "./report.js";

/** Depthwise convolutions of MobileNet with SAME padding: [batch, side, channels, kernel, stride]. */
const layers = [
  [2, 112, 32, 3, 1],
  [2, 112, 64, 3, 2],
  [2, 28, 128, 3, 2],
  [2, 56, 128, 3, 1],
  [2, 14, 512, 3, 1],
] as const;

const arena = new Arena(); // in the heap, as in a training step
const all = executions();
for (const [batch, side, channels, kernelSize, stride] of layers) {
  const window = window2D([side, side], [kernelSize, kernelSize], [stride, stride], "same", [1, 1]);
  const { outputHeight, outputWidth } = window;
  const [x, kernel, dy] = arena.run(() => [
    numbers([batch, side, side, channels]),
    numbers([kernelSize, kernelSize, channels, 1]),
    numbers([batch, outputHeight, outputWidth, channels]),
  ]);
  const name = `depthwise ${batch}x${side}x${side}x${channels}, kernel ${kernelSize}, stride ${stride}`;
  const bench = new Bench({ name, time: 300, iterations: 5, warmupIterations: 2, throws: true });
  for (const execution of all) {
    const products = {
      forward: () => depthwiseConv2D(x, kernel, undefined, window, execution),
      "kernel gradient": () => depthwiseConv2DKernelGradient(x, dy, window, execution),
      "input gradient": () => depthwiseConv2DInputGradient(dy, kernel, window, execution),
    };
    for (const [product, run] of Object.entries(products)) {
      bench.add(taskName(product, execution), () => {
        arena.run(() => arena.release(run().data));
      });
    }
  }
  await report(bench, 2 * batch * outputHeight * outputWidth * kernelSize ** 2 * channels);
}
for (const execution of all) execution.close();
