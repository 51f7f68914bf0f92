/**
 * The fully connected layer: every output sees every input.
 * Keras: `keras.layers.Dense`.
 *
 * Shapes, with M rows of K inputs; all axes before the last (batch, and others if there are any) count as rows:
 *
 *     x, dx            [M, K]
 *     kernel, dKernel  [K, U]
 *     bias, dBias      [U]
 *     y, dy            [M, U]
 *
 * Forward:   y       = x kernel + bias          y[m, u]       = bias[u] + sum over k of  x[m, k] kernel[k, u]
 *
 * Backward:  dx      = dy transpose(kernel)     dx[m, k]      = sum over u of  dy[m, u] kernel[k, u]
 *            dKernel = transpose(x) dy          dKernel[k, u] = sum over m of  x[m, k] dy[m, u]
 *            dBias                              dBias[u]      = sum over m of  dy[m, u]
 *
 * Notes on the numbers: each sum runs in float64 in the order written and is rounded once, the bias added last.
 *
 * @module
 */
import { type Execution, serial } from "../kernels/execution.js";
import { gemm } from "../kernels/gemm.js";
import { biasGradient } from "../kernels/reduce.js";
import { type KerasConfig, readConfig } from "../serialization/config.js";
import { formatShape, type Shape, sizeOf, type SymbolicShape } from "../tensor/shape.js";
import { reshape, type Tensor } from "../tensor/tensor.js";
import { withActivation } from "./activation.js";
import { expectGradient } from "./expect-gradient.js";
import { expectOperands } from "./expect-operands.js";
import {
  kernelArguments,
  kernelGradients,
  type KernelOptions,
  kernelOptionsFromConfig,
  type KernelSettings,
  KERNEL_OPTIONS,
  kernelSettings,
  kernelVariables,
} from "./kernel-options.js";
import { type CallContext, type Forward, knownDimension, Layer, type LayerPass, singleInput } from "./layer.js";
import type { VariableSpec } from "./variable.js";

/** The weights of a fully connected layer. */
export interface DenseWeights {
  /** [K, U]. */
  readonly kernel: Tensor;
  /** [U], or none. */
  readonly bias?: Tensor | undefined;
}

/** What backward needs from forward. */
export interface DenseCache {
  /** The input as rows, [M, K]. */
  readonly x: Tensor;
  /** The kernel, [K, U]. */
  readonly kernel: Tensor;
  /** The shape of the input, [..., K]. */
  readonly shape: Shape;
  /** Threads and accumulation. */
  readonly execution: Execution;
}

/** Gradients of the loss; each has the shape of the tensor it is named after. */
export interface DenseGradients {
  /** [..., K]. */
  readonly dx: Tensor;
  /** [K, U]. */
  readonly dKernel: Tensor;
  /** [U]; belongs to the bias, if there is one. */
  readonly dBias: Tensor;
}

/** `x` [..., K] as rows [M, K]. */
function asRows(x: Tensor): Tensor {
  return reshape(x, [sizeOf(x.shape.slice(0, -1)), x.shape[x.dimension - 1]]);
}

/**
 * Multiplies the rows of `x` [..., K] by `kernel` [K, U].
 *
 * @throws TypeError when the input or a weight is no tensor.
 * @throws RangeError when the shapes do not fit together.
 */
export function denseForward(
  x: Tensor,
  { kernel, bias }: DenseWeights,
  execution: Execution = serial,
): Forward<DenseCache> {
  expectOperands("Dense", x, { kernel, bias });
  const { shape } = x;
  const inputs = shape[shape.length - 1];
  if (kernel.dimension !== 2 || kernel.shape[0] !== inputs) {
    throw new RangeError(
      `Dense: \`kernel\` must have shape [${inputs}, units] for an input of shape ${formatShape(shape)}. ` +
        `Received kernel.shape=${formatShape(kernel.shape)}.`,
    );
  }
  const units = kernel.shape[1];
  if (bias !== undefined && (bias.dimension !== 1 || bias.size !== units)) {
    throw new RangeError(
      `Dense: \`bias\` must have shape [${units}] for a kernel of shape ${formatShape(kernel.shape)}. ` +
        `Received bias.shape=${formatShape(bias.shape)}.`,
    );
  }
  const rows = asRows(x);
  const y = reshape(gemm(rows, kernel, bias, execution), [...shape.slice(0, -1), units]);
  return { y, cache: { x: rows, kernel, shape, execution } };
}

/**
 * Gradients for `x`, `kernel` and the bias, given `dy` [..., U] and the cache of the matching forward call.
 *
 * @throws TypeError when `dy` is no tensor.
 * @throws RangeError when it does not have the shape of the output.
 */
export function denseBackward(dy: Tensor, { x, kernel, shape, execution }: DenseCache): DenseGradients {
  expectGradient("Dense", dy, [...shape.slice(0, -1), kernel.shape[1]]);
  const rows = asRows(dy);
  return {
    dx: reshape(gemm(rows, kernel.transpose(1, 0), undefined, execution), shape),
    dKernel: gemm(x.transpose(1, 0), rows, undefined, execution),
    dBias: biasGradient(rows, execution),
  };
}

/** Options of {@link Dense}, with Keras's defaults. */
export interface DenseOptions extends KernelOptions {
  /** Number of outputs. */
  readonly units: number;
}

/** The fully connected layer of Keras. */
export class Dense extends Layer {
  readonly className = "Dense";
  readonly #units: number;
  readonly #settings: KernelSettings;

  /**
   * @throws TypeError when `units` is not a whole number of at least 1, or an option is none of {@link DenseOptions}, or of
   *   another type.
   * @throws RangeError when a factor of a regularizer is negative or not finite.
   */
  constructor(options: DenseOptions) {
    super(options, ["units", ...KERNEL_OPTIONS]);
    this.#units = readConfig("Dense", { ...options }).integer("units", 1);
    this.#settings = kernelSettings("Dense", options);
  }

  /** Reads the layer from a Keras configuration. */
  static fromConfig(config: KerasConfig): Dense {
    const read = readConfig("Dense", config);
    for (const key of ["lora_rank", "quantization_config"]) read.refuse(key);
    return new Dense({ ...kernelOptionsFromConfig("Dense", config), units: read.integer("units", 1) });
  }

  computeOutputShape(inputShapes: readonly SymbolicShape[]): SymbolicShape {
    const shape = singleInput(this, inputShapes);
    if (shape.length < 2) {
      throw new RangeError(`Dense: the input must have at least 2 dimensions. Received shape ${formatShape(shape)}.`);
    }
    knownDimension(this, shape, -1);
    return [...shape.slice(0, -1), this.#units];
  }

  protected override weightSpecs([shape]: readonly SymbolicShape[]): readonly VariableSpec[] {
    return kernelVariables(this.#settings, [knownDimension(this, shape, -1), this.#units], this.#units);
  }

  override get computesInJobs(): boolean {
    return true;
  }

  call([x]: readonly Tensor[], context: CallContext): LayerPass {
    const { kernel, bias } = this.values();
    const { y, cache } = denseForward(x, { kernel, bias }, context.execution);
    return withActivation(this.#settings.activation, y, context, [cache.x], (dy) => {
      const { dx, dKernel, dBias } = denseBackward(dy, cache);
      return { dInputs: [dx], dWeights: kernelGradients(this.#settings, dKernel, dBias) };
    });
  }

  protected arguments(): KerasConfig {
    return { units: this.#units, ...kernelArguments(this.#settings) };
  }
}
