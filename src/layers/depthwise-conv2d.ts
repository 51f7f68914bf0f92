/**
 * Depthwise convolution: every channel is convolved by itself, with M filters of its own (the depth multiplier).
 * Keras: `keras.layers.DepthwiseConv2D`.
 *
 * Shapes:
 *
 *     x, dx            [N, H, W, C]
 *     kernel, dKernel  [kH, kW, C, M]
 *     bias, dBias      [C M]
 *     y, dy            [N, oH, oW, C M]
 *
 * Forward, with strides s, dilation d, and x zero outside the image:
 *
 *     y[n, oh, ow, c M + m]  = bias[c M + m] + sum over kh, kw of  x[n, oh s - padTop + kh d, ow s - padLeft + kw d, c] kernel[kh, kw, c, m]
 *
 * Backward. Every product of the forward sum has two factors, and each receives dy times the other:
 *
 *     dKernel[kh, kw, c, m]  = sum over n, oh, ow of  x[n, oh s - padTop + kh d, ow s - padLeft + kw d, c] dy[n, oh, ow, c M + m]
 *     dx[n, h, w, c]         = sum over oh, ow, m of  dy[n, oh, ow, c M + m] kernel[kh, kw, c, m],  kh d = h + padTop - oh s,  kw likewise
 *     dBias[c M + m]         = sum over n, oh, ow of  dy[n, oh, ow, c M + m]
 *
 * It is a {@link Conv2D} with as many groups as channels. Notes on the numbers: see there.
 *
 * @module
 */
import { depthwiseConv2D, depthwiseConv2DInputGradient, depthwiseConv2DKernelGradient } from "../kernels/depthwise.js";
import { type Execution, serial } from "../kernels/execution.js";
import { biasGradient } from "../kernels/reduce.js";
import { type Window2D, window2D } from "../kernels/window.js";
import type { InitializerConfig } from "../initializers/initializer.js";
import type { RegularizerOption } from "../regularizers/regularizer.js";
import { type KerasConfig, readConfig } from "../serialization/config.js";
import { formatShape, type SymbolicShape } from "../tensor/shape.js";
import { contiguous, type Tensor } from "../tensor/tensor.js";
import { withActivation } from "./activation.js";
import { expectGradient } from "./expect-gradient.js";
import { expectOperands } from "./expect-operands.js";
import {
  kernelArguments,
  kernelGradients,
  type KernelOptions,
  kernelOptionsFromConfig,
  type KernelSettings,
  kernelSettings,
  kernelVariables,
} from "./kernel-options.js";
import { type CallContext, type Forward, knownDimension, Layer, type LayerPass, singleInput } from "./layer.js";
import type { VariableSpec } from "./variable.js";
import { type ConvolutionMoveOptions, type ConvolutionMoves, readMoves, windowOutput } from "./window-shape.js";

/** The weights of a depthwise convolution. */
export interface DepthwiseConv2DWeights {
  /** [kH, kW, C, M]. */
  readonly kernel: Tensor;
  /** [C M], or none. */
  readonly bias?: Tensor | undefined;
}

/** What backward needs from forward. */
export interface DepthwiseConv2DCache {
  /** The input, [N, H, W, C]. */
  readonly x: Tensor;
  /** The kernel, [kH, kW, C, M]. */
  readonly kernel: Tensor;
  /** Where the window goes. */
  readonly window: Window2D;
  /** Threads and accumulation. */
  readonly execution: Execution;
}

/** Gradients of the loss; each has the shape of the tensor it is named after. */
export interface DepthwiseConv2DGradients {
  /** [N, H, W, C]. */
  readonly dx: Tensor;
  /** [kH, kW, C, M]. */
  readonly dKernel: Tensor;
  /** [C M]; belongs to the bias, if there is one. */
  readonly dBias: Tensor;
}

/**
 * Convolves every channel of `x` [N, H, W, C] with its own filters in `kernel` [kH, kW, C, M].
 *
 * @throws TypeError when the input or a weight is no tensor.
 * @throws RangeError when the shapes do not fit together, or no window fits into the image.
 */
export function depthwiseConv2DForward(
  x: Tensor,
  { kernel, bias }: DepthwiseConv2DWeights,
  config: ConvolutionMoves = {},
  execution: Execution = serial,
): Forward<DepthwiseConv2DCache> {
  expectOperands("DepthwiseConv2D", x, { kernel, bias });
  const { strides = [1, 1], padding = "valid", dilationRate = [1, 1] } = config;
  if (x.dimension !== 4 || kernel.dimension !== 4) {
    throw new RangeError(
      "DepthwiseConv2D: `x` and `kernel` must have 4 dimensions. " +
        `Received x.shape=${formatShape(x.shape)}, kernel.shape=${formatShape(kernel.shape)}.`,
    );
  }
  const [kernelHeight, kernelWidth, channels, multiplier] = kernel.shape;
  if (channels !== x.shape[3]) {
    throw new RangeError(
      `DepthwiseConv2D: \`kernel\` must have ${x.shape[3]} input channels for an input of shape ` +
        `${formatShape(x.shape)}. Received kernel.shape=${formatShape(kernel.shape)}.`,
    );
  }
  if (bias !== undefined && (bias.dimension !== 1 || bias.size !== channels * multiplier)) {
    throw new RangeError(
      `DepthwiseConv2D: \`bias\` must have shape [${channels * multiplier}] for a kernel of shape ` +
        `${formatShape(kernel.shape)}. Received bias.shape=${formatShape(bias.shape)}.`,
    );
  }
  const window = window2D([x.shape[1], x.shape[2]], [kernelHeight, kernelWidth], strides, padding, dilationRate);
  return { y: depthwiseConv2D(x, kernel, bias, window, execution), cache: { x, kernel, window, execution } };
}

/**
 * Gradients for `x`, `kernel` and the bias, given `dy` [N, oH, oW, C M] and the cache of the matching forward call.
 *
 * @throws TypeError when `dy` is no tensor.
 * @throws RangeError when it does not have the shape of the output.
 */
export function depthwiseConv2DBackward(
  dy: Tensor,
  { x, kernel, window, execution }: DepthwiseConv2DCache,
): DepthwiseConv2DGradients {
  const [, , channels, multiplier] = kernel.shape;
  const shape = [x.shape[0], window.outputHeight, window.outputWidth, channels * multiplier];
  expectGradient("DepthwiseConv2D", dy, shape);
  dy = contiguous(dy);
  return {
    dx: depthwiseConv2DInputGradient(dy, kernel, window, execution),
    dKernel: depthwiseConv2DKernelGradient(x, dy, window, execution),
    dBias: biasGradient(dy, execution),
  };
}

/** Options of {@link DepthwiseConv2D}, with Keras's defaults. */
export interface DepthwiseConv2DOptions
  extends Omit<KernelOptions, "kernelInitializer" | "kernelRegularizer">,
    ConvolutionMoveOptions {
  /** Filters for every channel. @defaultValue 1 */
  readonly depthMultiplier?: number;
  /** How the kernel is first filled. @defaultValue "glorot_uniform" */
  readonly depthwiseInitializer?: InitializerConfig | string | undefined;
  /** The penalty on the kernel. @defaultValue none */
  readonly depthwiseRegularizer?: RegularizerOption | undefined;
}

const OPTIONS: readonly (keyof DepthwiseConv2DOptions)[] = [
  "kernelSize",
  "strides",
  "padding",
  "dilationRate",
  "depthMultiplier",
  "activation",
  "useBias",
  "depthwiseInitializer",
  "biasInitializer",
  "depthwiseRegularizer",
  "biasRegularizer",
];

/** The depthwise convolution layer of Keras. */
export class DepthwiseConv2D extends Layer {
  readonly className = "DepthwiseConv2D";
  readonly #kernelSize: readonly [number, number];
  readonly #multiplier: number;
  readonly #config: Required<ConvolutionMoves>;
  readonly #settings: KernelSettings;

  /**
   * @throws TypeError when a size is not a whole number of at least 1, or an option is none of {@link DepthwiseConv2DOptions},
   *   or of another type.
   * @throws RangeError when a factor of a regularizer is negative or not finite.
   */
  constructor(options: DepthwiseConv2DOptions) {
    super(options, OPTIONS);
    const read = readConfig("DepthwiseConv2D", { ...options });
    this.#kernelSize = read.pair("kernelSize");
    this.#multiplier = read.integer("depthMultiplier", 1, 1);
    this.#config = readMoves(read, "dilationRate");
    const { depthwiseInitializer = "glorot_uniform", depthwiseRegularizer, ...shared } = options;
    const kernel = { kernelInitializer: depthwiseInitializer, kernelRegularizer: depthwiseRegularizer };
    this.#settings = kernelSettings("DepthwiseConv2D", { ...shared, ...kernel }, "depthwise");
  }

  /** Reads the layer from a Keras configuration. */
  static fromConfig(config: KerasConfig): DepthwiseConv2D {
    const read = readConfig("DepthwiseConv2D", config);
    read.refuse("data_format", "channels_last");
    const shared = kernelOptionsFromConfig("DepthwiseConv2D", config, "depthwise");
    const { kernelInitializer: depthwiseInitializer, kernelRegularizer: depthwiseRegularizer, ...options } = shared;
    return new DepthwiseConv2D({
      ...options,
      depthwiseInitializer,
      depthwiseRegularizer,
      kernelSize: read.pair("kernel_size"),
      depthMultiplier: read.integer("depth_multiplier", 1, 1),
      ...readMoves(read, "dilation_rate"),
    });
  }

  computeOutputShape(inputShapes: readonly SymbolicShape[]): SymbolicShape {
    const shape = singleInput(this, inputShapes, 4);
    const outputs = knownDimension(this, shape, 3) * this.#multiplier;
    return [shape[0], ...windowOutput(shape, { windowSize: this.#kernelSize, ...this.#config }), outputs];
  }

  protected override weightSpecs([shape]: readonly SymbolicShape[]): readonly VariableSpec[] {
    const channels = knownDimension(this, shape, 3);
    const kernelShape = [...this.#kernelSize, channels, this.#multiplier];
    return kernelVariables(this.#settings, kernelShape, channels * this.#multiplier);
  }

  override get computesInJobs(): boolean {
    return true;
  }

  call([x]: readonly Tensor[], context: CallContext): LayerPass {
    const { kernel, bias } = this.values();
    const { y, cache } = depthwiseConv2DForward(x, { kernel, bias }, this.#config, context.execution);
    return withActivation(this.#settings.activation, y, context, [cache.x], (dy) => {
      const { dx, dKernel, dBias } = depthwiseConv2DBackward(dy, cache);
      return { dInputs: [dx], dWeights: kernelGradients(this.#settings, dKernel, dBias) };
    });
  }

  protected arguments(): KerasConfig {
    const { strides, padding, dilationRate } = this.#config;
    return {
      depth_multiplier: this.#multiplier,
      kernel_size: this.#kernelSize,
      strides,
      padding,
      data_format: "channels_last",
      dilation_rate: dilationRate,
      ...kernelArguments(this.#settings, "depthwise"),
    };
  }
}
