/**
 * `depthwise-conv2d` and `depthwise-conv2d-backward`: {@link depthwiseConv2DForward} and {@link depthwiseConv2DBackward}.
 *
 * Arguments: `strides`, `padding`, `dilationRate`, with Keras's defaults. The derivation of the bounds is in
 * `convolution.ts`; companions are the same convolutions of magnitudes.
 *
 * @module
 */
import {
  depthwiseConv2DBackward,
  type DepthwiseConv2DCache,
  depthwiseConv2DForward,
  type DepthwiseConv2DGradients,
} from "../../layers/depthwise-conv2d.js";
import type { Forward } from "../../layers/layer.js";
import { type ConvolutionMoves, readMoves } from "../../layers/window-shape.js";
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

const FORWARD = "depthwise-conv2d";
const BACKWARD = "depthwise-conv2d-backward";

function readArguments(name: string, args: KerasConfig): Required<ConvolutionMoves> {
  return readMoves(readConfig(name, args), "dilationRate");
}

function forward(operands: Operands, args: KerasConfig, convert: Conversion): Forward<DepthwiseConv2DCache> {
  const [x, kernel] = ["x", "kernel"].map((name) => convert(operandOf(FORWARD, operands, name)));
  const { bias } = operands;
  return depthwiseConv2DForward(
    x,
    { kernel, bias: bias === undefined ? undefined : convert(bias) },
    readArguments(FORWARD, args),
  );
}

/** The cache of the forward call, and dy. */
function beforeBackward(
  operands: Operands,
  args: KerasConfig,
): { readonly cache: DepthwiseConv2DCache; readonly dy: Tensor } {
  const x = operandOf(BACKWARD, operands, "x");
  const { y, cache } = depthwiseConv2DForward(
    x,
    { kernel: operandOf(BACKWARD, operands, "kernel") },
    readArguments(BACKWARD, args),
  );
  return { cache, dy: cotangentOf(BACKWARD, operands, y.shape) };
}

function convolutionOf({ x, kernel, window }: DepthwiseConv2DCache): Convolution {
  const channels = x.shape[3];
  return { window, batch: x.shape[0], channels, filters: channels * kernel.shape[3], groups: channels };
}

/** Convolution of every channel by itself, with its bias. */
export const depthwiseConv2dOperation: Operation = {
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
export const depthwiseConv2dBackwardOperation: Operation = {
  name: BACKWARD,
  inputs: ["x", "kernel", "dy"],
  optional: [],
  outputs: ["dx", "dKernel", "dBias"],
  run(operands, args) {
    const { cache, dy } = beforeBackward(operands, args);
    return { ...depthwiseConv2DBackward(dy, cache) };
  },
  expect(operands, args, model) {
    const { cache, dy } = beforeBackward(operands, args);
    const { x, kernel } = cache;
    const of = (convert: Conversion): DepthwiseConv2DGradients =>
      depthwiseConv2DBackward(convert(dy), { ...cache, x: convert(x), kernel: convert(kernel) });
    const truth = of(wide);
    const companion = of((operand) => magnitudes(operand, model.inputs));
    const pair = (name: keyof DepthwiseConv2DGradients): TruthAndCompanion => ({
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
