import { Bench } from "tinybench";
import { conv2D } from "../../src/kernels/conv2d.js";
import { conv2DInputGradient, conv2DKernelGradient } from "../../src/kernels/conv2d-gradients.js";
import { window2D } from "../../src/kernels/window.js";
import { Arena } from "../../src/tensor/arena.js";
import { executions, numbers, report, taskName } from "./report.js";

/** Convolutions with SAME padding: [origin, batch, side, channels, filters, kernel, stride]. */
const layers = [
  ["ResNet20 first layer", 32, 32, 3, 16, 3, 1],
  ["ResNet20 first stack", 32, 32, 16, 16, 3, 1],
  ["ResNet20 first down-sampling", 32, 32, 16, 32, 3, 2],
  ["ResNet20 last stack", 32, 8, 64, 64, 3, 1],
  ["to a picture", 32, 32, 64, 3, 3, 1],
  ["ResNet20 shortcut", 32, 32, 16, 32, 1, 2],
  ["ResNet50 conv2 3x3", 2, 56, 64, 64, 3, 1],
  ["ResNet50 conv2 expansion", 2, 56, 64, 256, 1, 1],
  ["ResNet50 conv4 3x3", 2, 14, 256, 256, 3, 1],
  ["ResNet50 conv5 3x3", 1, 7, 512, 512, 3, 1],
  ["ResNet50 conv5 reduction", 1, 7, 2048, 512, 1, 1],
] as const;

const arena = new Arena(); // in the heap, as in a training step
const all = executions();
for (const [origin, batch, side, channels, filters, kernelSize, stride] of layers) {
  const window = window2D([side, side], [kernelSize, kernelSize], [stride, stride], "same", [1, 1]);
  const { outputHeight, outputWidth } = window;
  const [x, kernel, dy] = arena.run(() => [
    numbers([batch, side, side, channels]),
    numbers([kernelSize, kernelSize, channels, filters]),
    numbers([batch, outputHeight, outputWidth, filters]),
  ]);
  const name = `${origin}: ${batch}x${side}x${side}x${channels} -> ${filters}, kernel ${kernelSize}, stride ${stride}`;
  const bench = new Bench({ name, time: 300, iterations: 5, warmupIterations: 2, throws: true });
  for (const execution of all) {
    const products = {
      forward: () => conv2D(x, kernel, undefined, window, 1, execution),
      "kernel gradient": () => conv2DKernelGradient(x, dy, window, 1, execution),
      "input gradient": () => conv2DInputGradient(dy, kernel, window, 1, execution),
    };
    for (const [product, run] of Object.entries(products)) {
      bench.add(taskName(product, execution), () => {
        arena.run(() => arena.release(run().data));
      });
    }
  }
  await report(bench, 2 * batch * outputHeight * outputWidth * kernelSize ** 2 * channels * filters);
}
for (const execution of all) execution.close();
