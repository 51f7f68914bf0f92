/**
 * Kernels in miniature that add up terms as they are told: conv2d, depthwise-conv2d and dense, forward and backward. All
 * loops run once, collect the terms of every sum, and leave the sums to a function: one of the honest ones, or one that
 * accumulates in float16.
 *
 * @module
 */
import { type Pair, window2D } from "../../kernels/window.js";
import { type KerasConfig, readConfig } from "../../serialization/config.js";
import { readMoves } from "../../layers/window-shape.js";
import { type Shape, sizeOf } from "../../tensor/shape.js";
import { type Tensor, tensor } from "../../tensor/tensor.js";
import type { HonestSum } from "../honest-sums.js";
import type { Operands } from "../operation.js";
import { operationNamed } from "../operations/table.js";
import type { Compute } from "./mutant.js";

const { fround } = Math;

/** The terms of every element of a result. */
class Terms {
  readonly #terms: number[][];
  readonly #result: Tensor;

  constructor(shape: Shape) {
    this.#terms = Array.from({ length: sizeOf(shape) }, () => []);
    this.#result = tensor(new Float32Array(sizeOf(shape)), shape);
  }

  add(term: number, ...position: readonly number[]): void {
    this.#terms[this.#result.index(...position)].push(term);
  }

  summed(sum: HonestSum): Tensor {
    this.#terms.forEach((terms, i) => (this.#result.data[i] = sum(Float64Array.from(terms))));
    return this.#result;
  }
}

/** Calls `meet` for every product of a convolution: an input pixel, a tap of the kernel, an output pixel. */
function forEachProduct(
  x: Shape,
  kernel: Shape,
  args: KerasConfig,
  depthwise: boolean,
  meet: (input: readonly number[], tap: readonly number[], output: readonly number[]) => void,
): void {
  const read = readConfig("conv2d", args);
  const { strides, padding, dilationRate } = readMoves(read, "dilationRate");
  const pair = (value: number | readonly [number, number]): Pair =>
    typeof value === "number" ? [value, value] : value;
  const window = window2D([x[1], x[2]], [kernel[0], kernel[1]], pair(strides), padding, pair(dilationRate));
  const groups = depthwise ? x[3] : read.integer("groups", 1, 1);
  const channels = x[3] / groups;
  const filters = depthwise ? kernel[3] : kernel[3] / groups;
  const each = (count: number, visit: (i: number) => void): void => {
    for (let i = 0; i < count; i++) visit(i);
  };
  const atTap = (n: number, oh: number, ow: number, kh: number, kw: number): void => {
    const ih = oh * window.strideHeight + kh * window.dilationHeight - window.padTop;
    const iw = ow * window.strideWidth + kw * window.dilationWidth - window.padLeft;
    if (ih < 0 || ih >= x[1] || iw < 0 || iw >= x[2]) return;
    each(groups, (g) =>
      each(channels, (ci) =>
        each(filters, (co) => {
          const tap = depthwise ? [kh, kw, g, co] : [kh, kw, ci, g * filters + co];
          meet([n, ih, iw, g * channels + ci], tap, [n, oh, ow, g * filters + co]);
        }),
      ),
    );
  };
  each(x[0], (n) =>
    each(window.outputHeight, (oh) =>
      each(window.outputWidth, (ow) => each(kernel[0], (kh) => each(kernel[1], (kw) => atTap(n, oh, ow, kh, kw)))),
    ),
  );
}

function forward(name: string, sum: HonestSum): Compute {
  return (operands, args) => {
    const { x, kernel, bias } = operands;
    const { y } = operationNamed(name).run(operands, args);
    const terms = new Terms(y.shape);
    forEachProduct(x.shape, kernel.shape, args, name !== "conv2d", (input, tap, output) =>
      terms.add(x.get(...input) * kernel.get(...tap), ...output),
    );
    const products = terms.summed(sum);
    if (bias !== undefined) {
      for (let i = 0; i < products.size; i++) products.data[i] = fround(products.data[i] + bias.get(i % bias.size));
    }
    return { y: products };
  };
}

function backward(name: string, sum: HonestSum): Compute {
  return ({ x, kernel, dy }, args) => {
    const [dx, dKernel, dBias] = [x.shape, kernel.shape, [dy.shape[3]]].map((shape) => new Terms(shape));
    forEachProduct(x.shape, kernel.shape, args, name !== "conv2d", (input, tap, output) => {
      dx.add(dy.get(...output) * kernel.get(...tap), ...input);
      dKernel.add(dy.get(...output) * x.get(...input), ...tap);
    });
    const channels = dy.shape[3];
    for (let i = 0; i < dy.size; i++) dBias.add(dy.data[i], i % channels);
    return { dx: dx.summed(sum), dKernel: dKernel.summed(sum), dBias: dBias.summed(sum) };
  };
}

/** Rows of dense layers as images of one pixel. */
function asDense(convolution: Compute): Compute {
  const widen = (x: Tensor, kernel: boolean): Tensor =>
    tensor(x.data, kernel ? [1, 1, ...x.shape] : [x.shape[0], 1, 1, x.shape[1]]);
  const narrow = (x: Tensor): Tensor =>
    x.dimension < 4
      ? x
      : tensor(
          x.data,
          x.shape.filter((_, i) => i === 0 || i === 3),
        );
  return (operands) => {
    const images: Operands = Object.fromEntries(
      Object.entries(operands).map(([name, x]) => [name, name === "bias" ? x : widen(x, name === "kernel")]),
    );
    const { dKernel, ...results } = convolution(images, {});
    return {
      ...Object.fromEntries(Object.entries(results).map(([name, x]) => [name, narrow(x)])),
      ...(dKernel && { dKernel: tensor(dKernel.data, dKernel.shape.slice(2)) }),
    };
  };
}

/** All products of sums, with `sum` for every sum. */
export function summingKernels(sum: HonestSum): Readonly<Record<string, Compute>> {
  return {
    conv2d: forward("conv2d", sum),
    "conv2d-backward": backward("conv2d", sum),
    "depthwise-conv2d": forward("depthwise-conv2d", sum),
    "depthwise-conv2d-backward": backward("depthwise-conv2d", sum),
    dense: asDense(forward("conv2d", sum)),
    "dense-backward": asDense(backward("conv2d", sum)),
  };
}
