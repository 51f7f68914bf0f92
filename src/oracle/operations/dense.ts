/**
 * `dense` and `dense-backward`: {@link denseForward} and {@link denseBackward}; no arguments.
 *
 * With rows x [M, K] a fully connected layer is the convolution of M images of one pixel with a kernel [1, 1, K, U], and its
 * bounds are those of `convolution.ts`: K terms and the bias for y, U for dx, M for dKernel and dBias.
 *
 * @module
 */
import { window2D } from "../../kernels/window.js";
import { type DenseCache, denseBackward, denseForward, type DenseGradients } from "../../layers/dense.js";
import type { Forward } from "../../layers/layer.js";
import { sizeOf } from "../../tensor/shape.js";
import type { Tensor } from "../../tensor/tensor.js";
import { type Conversion, cotangentOf, magnitudes, operandOf, wide } from "../operands.js";
import type { Operands, Operation } from "../operation.js";
import {
  type Convolution,
  expectBiasGradient,
  expectForward,
  expectInputGradient,
  expectKernelGradient,
  type TruthAndCompanion,
} from "./convolution.js";

const FORWARD = "dense";
const BACKWARD = "dense-backward";

function forward(operands: Operands, convert: Conversion): Forward<DenseCache> {
  const [x, kernel] = ["x", "kernel"].map((name) => convert(operandOf(FORWARD, operands, name)));
  const { bias } = operands;
  return denseForward(x, { kernel, bias: bias === undefined ? undefined : convert(bias) });
}

/** The cache of the forward call, and dy. */
function beforeBackward(operands: Operands): { readonly cache: DenseCache; readonly dy: Tensor } {
  const x = operandOf(BACKWARD, operands, "x");
  const { y, cache } = denseForward(x, { kernel: operandOf(BACKWARD, operands, "kernel") });
  return { cache, dy: cotangentOf(BACKWARD, operands, y.shape) };
}

function convolutionOf({ shape, kernel }: DenseCache): Convolution {
  const [channels, filters] = kernel.shape;
  const window = window2D([1, 1], [1, 1], [1, 1], "valid", [1, 1]);
  return { window, batch: sizeOf(shape.slice(0, -1)), channels, filters, groups: 1 };
}

/** The product of rows with a kernel, and the bias. */
export const denseOperation: Operation = {
  name: FORWARD,
  inputs: ["x", "kernel"],
  optional: ["bias"],
  outputs: ["y"],
  run: (operands) => ({ y: forward(operands, (x) => x).y }),
  expect(operands, _args, model) {
    const { y: truth, cache } = forward(operands, wide);
    const companion = forward(operands, (x) => magnitudes(x, model.inputs)).y;
    const { x, kernel, bias } = operands;
    return { y: expectForward({ truth, companion }, [x, kernel, bias], convolutionOf(cache), model) };
  },
};

/** Its gradients. */
export const denseBackwardOperation: Operation = {
  name: BACKWARD,
  inputs: ["x", "kernel", "dy"],
  optional: [],
  outputs: ["dx", "dKernel", "dBias"],
  run(operands) {
    const { cache, dy } = beforeBackward(operands);
    return { ...denseBackward(dy, cache) };
  },
  expect(operands, _args, model) {
    const { cache, dy } = beforeBackward(operands);
    const { x, kernel } = cache;
    const of = (convert: Conversion): DenseGradients =>
      denseBackward(convert(dy), { ...cache, x: convert(x), kernel: convert(kernel) });
    const truth = of(wide);
    const companion = of((operand) => magnitudes(operand, model.inputs));
    const pair = (name: keyof DenseGradients): TruthAndCompanion => ({
      truth: truth[name],
      companion: companion[name],
    });
    const convolution = convolutionOf(cache);
    return {
      dx: expectInputGradient(pair("dx"), [dy, kernel], convolution, model),
      dKernel: expectKernelGradient(pair("dKernel"), [x, dy], convolution, model),
      dBias: expectBiasGradient(pair("dBias"), dy, model),
    };
  },
};
