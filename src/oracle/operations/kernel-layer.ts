/**
 * The two operations of a layer with a kernel, made from its pair of functions: Conv2D, DepthwiseConv2D, Dense.
 *
 *     name            x, kernel, bias or none  ->  y
 *     name-backward   x, kernel, dy            ->  dx, dKernel, dBias
 *
 * Each is a convolution of some kind, so `convolution.ts` bounds all of them. The truth is what the pair gives in
 * float64, the companion what it gives for magnitudes.
 *
 * @module
 */
import type { Forward } from "../../layers/layer.js";
import { type ConfigReader, type KerasConfig, readConfig } from "../../serialization/config.js";
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

/** The weights of such a layer. */
interface KernelWeights {
  readonly kernel: Tensor;
  readonly bias?: Tensor | undefined;
}

/** What its cache holds besides other things. */
interface KernelCache {
  readonly x: Tensor;
  readonly kernel: Tensor;
}

/** Its gradients. */
interface KernelGradients {
  readonly dx: Tensor;
  readonly dKernel: Tensor;
  readonly dBias: Tensor;
}

/** A layer with a kernel. */
export interface KernelLayer<Cache extends KernelCache> {
  /** Of the forward operation. */
  readonly name: string;
  /** All arguments that it reads. */
  readonly complete: (read: ConfigReader) => KerasConfig;
  /** The forward function, with the arguments that it reads. */
  readonly forward: (x: Tensor, weights: KernelWeights, read: ConfigReader) => Forward<Cache>;
  readonly backward: (dy: Tensor, cache: Cache) => KernelGradients;
  /** The convolution that the layer is. */
  readonly convolutionOf: (cache: Cache) => Convolution;
}

/** The operations `name` and `name-backward` of `layer`. */
export function kernelLayerOperations<Cache extends KernelCache>(layer: KernelLayer<Cache>): readonly Operation[] {
  return [forwardOperation(layer), backwardOperation(layer)];
}

function forwardOperation<Cache extends KernelCache>(layer: KernelLayer<Cache>): Operation {
  const { name, convolutionOf } = layer;
  const forward = (operands: Operands, args: KerasConfig, convert: Conversion): Forward<Cache> => {
    const [x, kernel] = ["x", "kernel"].map((operand) => convert(operandOf(name, operands, operand)));
    const { bias } = operands;
    return layer.forward(x, { kernel, bias: bias && convert(bias) }, readConfig(name, args));
  };
  return {
    name,
    inputs: ["x", "kernel"],
    optional: ["bias"],
    outputs: ["y"],
    complete: (args) => layer.complete(readConfig(name, args)),
    run: (operands, args) => ({ y: forward(operands, args, (x) => x).y }),
    expect(operands, args, model) {
      const { y: truth, cache } = forward(operands, args, wide);
      const companion = forward(operands, args, (x) => magnitudes(x, model.inputs)).y;
      const { x, kernel, bias } = operands;
      return { y: expectForward({ truth, companion }, [x, kernel, bias], convolutionOf(cache), model) };
    },
  };
}

function backwardOperation<Cache extends KernelCache>(layer: KernelLayer<Cache>): Operation {
  const { backward, convolutionOf } = layer;
  const name = `${layer.name}-backward`;
  /** The cache of the forward call, and dy. */
  const before = (operands: Operands, args: KerasConfig): { readonly cache: Cache; readonly dy: Tensor } => {
    const [x, kernel] = ["x", "kernel"].map((operand) => operandOf(name, operands, operand));
    const { y, cache } = layer.forward(x, { kernel }, readConfig(name, args));
    return { cache, dy: cotangentOf(name, operands, y.shape) };
  };
  return {
    name,
    inputs: ["x", "kernel", "dy"],
    optional: [],
    outputs: ["dx", "dKernel", "dBias"],
    complete: (args) => layer.complete(readConfig(name, args)),
    run(operands, args) {
      const { cache, dy } = before(operands, args);
      return { ...backward(dy, cache) };
    },
    expect(operands, args, model) {
      const { cache, dy } = before(operands, args);
      const { x, kernel } = cache;
      const of = (convert: Conversion): KernelGradients =>
        backward(convert(dy), { ...cache, x: convert(x), kernel: convert(kernel) });
      const truth = of(wide);
      const companion = of((operand) => magnitudes(operand, model.inputs));
      const pair = (gradient: keyof KernelGradients): TruthAndCompanion => ({
        truth: truth[gradient],
        companion: companion[gradient],
      });
      const convolution = convolutionOf(cache);
      return {
        dx: expectInputGradient(pair("dx"), [dy, kernel], convolution, model),
        dKernel: expectKernelGradient(pair("dKernel"), [x, dy], convolution, model),
        dBias: expectBiasGradient(pair("dBias"), dy, model),
      };
    },
  };
}
