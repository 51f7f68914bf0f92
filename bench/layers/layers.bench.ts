import { cpus } from "node:os";
import { Bench } from "tinybench";
import { Activation } from "../../src/layers/activation.js";
import { Add } from "../../src/layers/add.js";
import { AveragePooling2D } from "../../src/layers/average-pooling2d.js";
import { BatchNormalization } from "../../src/layers/batch-normalization.js";
import { Concatenate } from "../../src/layers/concatenate.js";
import { Conv2D } from "../../src/layers/conv2d.js";
import { Dense } from "../../src/layers/dense.js";
import { DepthwiseConv2D } from "../../src/layers/depthwise-conv2d.js";
import { Dropout } from "../../src/layers/dropout.js";
import { Flatten } from "../../src/layers/flatten.js";
import { GlobalAveragePooling2D } from "../../src/layers/global-average-pooling2d.js";
import { GlobalMaxPooling2D } from "../../src/layers/global-max-pooling2d.js";
import { input } from "../../src/layers/input-layer.js";
import type { Layer } from "../../src/layers/layer.js";
import { LeakyReLU } from "../../src/layers/leaky-relu.js";
import { MaxPooling2D } from "../../src/layers/max-pooling2d.js";
import { ReLU } from "../../src/layers/relu.js";
import { Rescaling } from "../../src/layers/rescaling.js";
import { Reshape } from "../../src/layers/reshape.js";
import { Softmax } from "../../src/layers/softmax.js";
import { ZeroPadding2D } from "../../src/layers/zero-padding2d.js";
import { Arena } from "../../src/tensor/arena.js";
import type { Shape } from "../../src/tensor/shape.js";
import { executions, numbers, taskName } from "../kernels/report.js";

/** Layers on the images that they see in ResNet20 (batch 32) and ResNet50 (batch 2): [layer, shapes of its inputs]. */
const images = [32, 32, 32, 16];
const layers: readonly (readonly [Layer, readonly Shape[]])[] = [
  [new Conv2D({ filters: 16, kernelSize: 3, padding: "same" }), [images]],
  [new Conv2D({ filters: 32, kernelSize: 1, strides: 2, padding: "same" }), [images]],
  [new DepthwiseConv2D({ kernelSize: 3, padding: "same" }), [images]],
  [new BatchNormalization(), [images]],
  [new ReLU(), [images]],
  [new Activation({ activation: "relu" }), [images]],
  [new LeakyReLU(), [images]],
  [new Activation({ activation: "sigmoid" }), [images]],
  [new Activation({ activation: "tanh" }), [images]],
  [new Dropout({ rate: 0.2 }), [images]],
  [new Rescaling({ scale: 1 / 255 }), [images]],
  [new Add(), [images, images]],
  [new Concatenate(), [images, images]],
  [new ZeroPadding2D({ padding: 3 }), [[2, 224, 224, 3]]],
  [new MaxPooling2D({ poolSize: 3, strides: 2 }), [[2, 114, 114, 64]]],
  [new AveragePooling2D({ poolSize: 8 }), [[32, 8, 8, 64]]],
  [new GlobalAveragePooling2D(), [[2, 7, 7, 2048]]],
  [new GlobalMaxPooling2D(), [[2, 7, 7, 2048]]],
  [new Flatten(), [[32, 8, 8, 64]]],
  [new Reshape({ targetShape: [8 * 8, 64] }), [[32, 8, 8, 64]]],
  [new Dense({ units: 1000 }), [[32, 2048]]],
  [new Softmax(), [[32, 1000]]],
];

const arena = new Arena();
const all = executions();
console.log(`${cpus()[0].model}, Node ${process.versions.node}: layers in training, medians in ms`);
const rows = [];
for (const [layer, shapes] of layers) {
  layer.apply(shapes.map((shape) => input({ shape: shape.slice(1) })));
  const inputs = arena.run(() => shapes.map(numbers));
  const bench = new Bench({ time: 200, iterations: 5, warmupIterations: 3, throws: true });
  for (const execution of all) {
    const context = { training: true, execution, seed: 0, step: 0 };
    const step = new Arena();
    bench.add(taskName("forward", execution), () => {
      step.run(() => layer.call(inputs, context));
      step.reset();
    });
    const kept = new Arena();
    const pass = kept.run(() => layer.call(inputs, context));
    const dy = kept.run(() => numbers(pass.y.shape));
    bench.add(taskName("backward", execution), () => {
      step.run(() => pass.backward(dy));
      step.reset();
    });
  }
  await bench.run();
  const times = bench.tasks.map(({ name, result }) => {
    return [name, "latency" in result ? result.latency.p50.toFixed(3) : ""] as const;
  });
  rows.push({
    layer: layer instanceof Activation ? layer.activation : layer.className,
    inputs: shapes.map((shape) => shape.join("x")).join(", "),
    ...Object.fromEntries(times),
  });
}
console.table(rows);
for (const execution of all) execution.close();
