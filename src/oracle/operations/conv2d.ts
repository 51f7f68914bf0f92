/**
 * `conv2d` and `conv2d-backward`: {@link conv2DForward} and {@link conv2DBackward}.
 *
 * Arguments: `strides`, `padding`, `dilationRate`, `groups`, with Keras's defaults. The derivation of the bounds is in
 * `convolution.ts`; companions are the same convolutions of magnitudes.
 *
 * @module
 */
import {
  conv2DBackward,
  type Conv2DCache,
  type Conv2DConfig,
  conv2DForward,
  type Conv2DGradients,
} from "../../layers/conv2d.js";
import type { Forward } from "../../layers/layer.js";
import { readMoves } from "../../layers/window-shape.js";
import { type KerasConfig, readConfig } from "../../serialization/config.js";
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

const FORWARD = "conv2d";
const BACKWARD = "conv2d-backward";

function readArguments(name: string, args: KerasConfig): Required<Conv2DConfig> {
  const read = readConfig(name, args);
  return { ...readMoves(read, "dilationRate"), groups: read.integer("groups", 1, 1) };
}

function forward(operands: Operands, args: KerasConfig, convert: Conversion): Forward<Conv2DCache> {
  const [x, kernel] = ["x", "kernel"].map((name) => convert(operandOf(FORWARD, operands, name)));
  const { bias } = operands;
  return conv2DForward(
    x,
    { kernel, bias: bias === undefined ? undefined : convert(bias) },
    readArguments(FORWARD, args),
  );
}

/** The cache of the forward call, and dy. */
function beforeBackward(operands: Operands, args: KerasConfig): { readonly cache: Conv2DCache; readonly dy: Tensor } {
  const x = operandOf(BACKWARD, operands, "x");
  const { y, cache } = conv2DForward(
    x,
    { kernel: operandOf(BACKWARD, operands, "kernel") },
    readArguments(BACKWARD, args),
  );
  return { cache, dy: cotangentOf(BACKWARD, operands, y.shape) };
}

function convolutionOf({ x, kernel, window, groups }: Conv2DCache): Convolution {
  return { window, batch: x.shape[0], channels: x.shape[3], filters: kernel.shape[3], groups };
}

/** Convolution, with its bias. */
export const conv2dOperation: Operation = {
  name: FORWARD,
  inputs: ["x", "kernel"],
  optional: ["bias"],
  outputs: ["y"],
  run: (operands, args) => ({ y: forward(operands, args, (x) => x).y }),
  expect(operands, args, model) {
    const { y: truth, cache } = forward(operands, args, wide);
    const companion = forward(operands, args, (x) => magnitudes(x, model.inputs)).y;
    const { x, kernel, bias } = operands;
    return { y: expectForward({ truth, companion }, [x, kernel, bias], convolutionOf(cache), model) };
  },
};

/** Its gradients. */
export const conv2dBackwardOperation: Operation = {
  name: BACKWARD,
  inputs: ["x", "kernel", "dy"],
  optional: [],
  outputs: ["dx", "dKernel", "dBias"],
  run(operands, args) {
    const { cache, dy } = beforeBackward(operands, args);
    return { ...conv2DBackward(dy, cache) };
  },
  expect(operands, args, model) {
    const { cache, dy } = beforeBackward(operands, args);
    const { x, kernel } = cache;
    const of = (convert: Conversion): Conv2DGradients =>
      conv2DBackward(convert(dy), { ...cache, x: convert(x), kernel: convert(kernel) });
    const truth = of(wide);
    const companion = of((operand) => magnitudes(operand, model.inputs));
    const pair = (name: keyof Conv2DGradients): TruthAndCompanion => ({
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
