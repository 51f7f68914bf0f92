/**
 * 2-D convolution (cross-correlation, as every deep learning library calls it).
 * Keras: `keras.layers.Conv2D`.
 *
 * Shapes, with G groups:
 *
 *     x, dx            [N, H, W, C]
 *     kernel, dKernel  [kH, kW, C / G, F]
 *     bias, dBias      [F]
 *     y, dy            [N, oH, oW, F]
 *
 * Forward, with strides s, dilation d, and x zero outside the image:
 *
 *     y[n, oh, ow, f] = bias[f] + sum over kh, kw, c of  x[n, oh s - padTop + kh d, ow s - padLeft + kw d, c] kernel[kh, kw, c, f]
 *
 * Backward. Every product of the forward sum has two factors, and each receives dy times the other:
 *
 *     dKernel[kh, kw, c, f] = sum over n, oh, ow of  x[n, oh s - padTop + kh d, ow s - padLeft + kw d, c] dy[n, oh, ow, f]
 *     dx[n, h, w, c]        = sum over oh, ow, f  of  dy[n, oh, ow, f] kernel[kh, kw, c, f],  kh d = h + padTop - oh s,  kw likewise
 *     dBias[f]              = sum over n, oh, ow of  dy[n, oh, ow, f]
 *
 * With G groups, group g convolves the g-th slice of the channels into the g-th slice of the filters.
 *
 * Notes on the numbers:
 * - Each sum is one flat sum in float64 in the order written, rounded once when it is stored, the bias added last.
 * - The zeros around the image are multiplied like any other value: an infinite weight over the border gives NaN.
 * - SAME with an odd total of padding puts the larger part below and to the right, as TensorFlow does (PyTorch cannot).
 *
 * @module
 */
import { conv2D, conv2DFinished } from "../kernels/conv2d.js";
import { conv2DGradients, conv2DWeightGradients } from "../kernels/conv2d-backward.js";
import { type Execution, serial } from "../kernels/execution.js";
import type { Epilogue, Prologue } from "../kernels/normalize.js";
import { sumTensors } from "../kernels/sum-tensors.js";
import { type Window2D, window2D } from "../kernels/window.js";
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
  KERNEL_OPTIONS,
  kernelSettings,
  kernelVariables,
} from "./kernel-options.js";
import {
  type BackwardOptions,
  type CallContext,
  FINISHES,
  type Finish,
  type Forward,
  knownDimension,
  Layer,
  type LayerGradients,
  type LayerPass,
  singleInput,
  type WeightValues,
} from "./layer.js";
import type { VariableSpec } from "./variable.js";
import { type ConvolutionMoveOptions, type ConvolutionMoves, readMoves, windowOutput } from "./window-shape.js";

/** How the window moves, and what it sees. */
export interface Conv2DConfig extends ConvolutionMoves {
  /** Into how many independent convolutions channels and filters are split. @defaultValue 1 */
  readonly groups?: number;
}

/** The weights of a convolution. */
export interface Conv2DWeights {
  /** [kH, kW, C / groups, F]. */
  readonly kernel: Tensor;
  /** [F], or none. */
  readonly bias?: Tensor | undefined;
}

/** What backward needs from forward. */
export interface Conv2DCache {
  /** The input, [N, H, W, C]. */
  readonly x: Tensor;
  /** The kernel, [kH, kW, C / groups, F]. */
  readonly kernel: Tensor;
  /** Where the window goes. */
  readonly window: Window2D;
  /** The groups. */
  readonly groups: number;
  /** Threads and accumulation. */
  readonly execution: Execution;
  /** What was convolved is what this makes of x. */
  readonly prologue?: Prologue | undefined;
}

/** Gradients of the loss; each has the shape of the tensor it is named after. */
export interface Conv2DGradients {
  /** [N, H, W, C]. */
  readonly dx: Tensor;
  /** [kH, kW, C / groups, F]. */
  readonly dKernel: Tensor;
  /** [F]; belongs to the bias, if there is one. */
  readonly dBias: Tensor;
}

/**
 * Convolves `x` [N, H, W, C] with `kernel` [kH, kW, C / groups, F].
 *
 * @throws TypeError when the input or a weight is no tensor.
 * @throws RangeError when the shapes do not fit together, or no window fits into the image.
 */
export function conv2DForward(
  x: Tensor,
  { kernel, bias }: Conv2DWeights,
  config: Conv2DConfig = {},
  execution: Execution = serial,
): Forward<Conv2DCache> {
  const { groups = 1 } = config;
  expectFitting(x, { kernel, bias }, groups);
  const window = windowOf(x, kernel, config);
  const y = conv2D(x, kernel, bias, window, groups, execution);
  return { y, cache: { x, kernel, window, groups, execution } };
}

/**
 * @throws TypeError when something is no tensor.
 * @throws RangeError when the shapes do not fit together.
 */
function expectFitting(x: Tensor, { kernel, bias }: Conv2DWeights, groups: number): void {
  expectOperands("Conv2D", x, { kernel, bias });
  if (x.dimension !== 4 || kernel.dimension !== 4) {
    throw new RangeError(
      "Conv2D: `x` and `kernel` must have 4 dimensions. " +
        `Received x.shape=${formatShape(x.shape)}, kernel.shape=${formatShape(kernel.shape)}.`,
    );
  }
  const [, , channels, filters] = kernel.shape;
  const inputs = x.shape[3];
  if (channels * groups !== inputs || filters % groups !== 0) {
    const wanted = groups === 1 ? inputs : `${inputs} / ${groups}`;
    const multiple = groups === 1 ? "" : ` and a multiple of ${groups} filters`;
    throw new RangeError(
      `Conv2D: \`kernel\` must have ${wanted} input channels${multiple} for an input of shape ` +
        `${formatShape(x.shape)}. Received kernel.shape=${formatShape(kernel.shape)}.`,
    );
  }
  if (bias !== undefined && (bias.dimension !== 1 || bias.size !== filters)) {
    throw new RangeError(
      `Conv2D: \`bias\` must have shape [${filters}] for a kernel of shape ${formatShape(kernel.shape)}. ` +
        `Received bias.shape=${formatShape(bias.shape)}.`,
    );
  }
}

/** Where the window goes in images like those of `x`. */
function windowOf(x: Tensor, kernel: Tensor, config: Conv2DConfig): Window2D {
  const { strides = [1, 1], padding = "valid", dilationRate = [1, 1] } = config;
  const [kernelHeight, kernelWidth] = kernel.shape;
  return window2D([x.shape[1], x.shape[2]], [kernelHeight, kernelWidth], strides, padding, dilationRate);
}

/**
 * Gradients for `x`, or for what a prologue made of it, `kernel` and the bias, given `dy` [N, oH, oW, F] and the cache of the
 * matching forward call.
 *
 * @throws TypeError when `dy` is no tensor.
 * @throws RangeError when it does not have the shape of the output.
 */
export function conv2DBackward(dy: Tensor, cache: Conv2DCache): Conv2DGradients {
  const { x, kernel, window, groups, execution, prologue } = cache;
  expectGradient("Conv2D", dy, [x.shape[0], window.outputHeight, window.outputWidth, kernel.shape[3]]);
  dy = contiguous(dy);
  return conv2DGradients(x, dy, kernel, window, groups, execution, prologue);
}

/** The gradients for `kernel` and the bias alone: the first layer of a model needs no other. */
function conv2DWeightsBackward(
  dy: Tensor,
  { x, window, groups, execution, prologue }: Conv2DCache,
): Omit<Conv2DGradients, "dx"> {
  return conv2DWeightGradients(x, dy, window, groups, execution, prologue);
}

/** Options of {@link Conv2D}, with Keras's defaults. */
export interface Conv2DOptions extends KernelOptions, ConvolutionMoveOptions {
  /** Number of output channels. */
  readonly filters: number;
  /** Into how many independent convolutions channels and filters are split. @defaultValue 1 */
  readonly groups?: number;
}

/** The convolution layer of Keras. */
export class Conv2D extends Layer {
  readonly className = "Conv2D";
  readonly #filters: number;
  readonly #kernelSize: readonly [number, number];
  readonly #config: Required<Conv2DConfig>;
  readonly #settings: KernelSettings;
  #lastWindow: Window2D | undefined;

  /**
   * @throws TypeError when a size is not a whole number of at least 1, or an option is none of {@link Conv2DOptions}, or of
   *   another type.
   * @throws RangeError when the groups do not divide the filters, strides and dilation are both above 1, or a factor of a
   *   regularizer is negative or not finite.
   */
  constructor(options: Conv2DOptions) {
    super(options, ["filters", "kernelSize", "strides", "padding", "dilationRate", "groups", ...KERNEL_OPTIONS]);
    const read = readConfig("Conv2D", { ...options });
    this.#filters = read.integer("filters", 1);
    this.#kernelSize = read.pair("kernelSize");
    this.#config = {
      ...readMoves(read, "dilationRate"),
      groups: read.integer("groups", 1, 1),
    };
    this.#settings = kernelSettings("Conv2D", options);
    const { strides, dilationRate, groups } = this.#config;
    if (this.#filters % groups !== 0) {
      throw new RangeError(
        `Conv2D: \`filters\` must be a multiple of \`groups\`. Received filters=${this.#filters}, groups=${groups}.`,
      );
    }
    if (Math.max(...strides) > 1 && Math.max(...dilationRate) > 1) {
      throw new RangeError(
        "Conv2D: `strides` and `dilationRate` must not both be above 1, as in Keras. " +
          `Received strides=${formatShape(strides)}, dilationRate=${formatShape(dilationRate)}.`,
      );
    }
  }

  /** Reads the layer from a Keras configuration. */
  static fromConfig(config: KerasConfig): Conv2D {
    const read = readConfig("Conv2D", config);
    read.refuse("data_format", "channels_last");
    return new Conv2D({
      ...kernelOptionsFromConfig("Conv2D", config),
      filters: read.integer("filters", 1),
      kernelSize: read.pair("kernel_size"),
      ...readMoves(read, "dilation_rate"),
      groups: read.integer("groups", 1, 1),
    });
  }

  computeOutputShape(inputShapes: readonly SymbolicShape[]): SymbolicShape {
    const shape = singleInput(this, inputShapes, 4);
    const { groups, ...moves } = this.#config;
    if (knownDimension(this, shape, 3) % groups !== 0) {
      throw new RangeError(
        `Conv2D: the input's channels must be a multiple of \`groups\`=${groups}. Received shape ${formatShape(shape)}.`,
      );
    }
    return [shape[0], ...windowOutput(shape, { windowSize: this.#kernelSize, ...moves }), this.#filters];
  }

  protected override weightSpecs([shape]: readonly SymbolicShape[]): readonly VariableSpec[] {
    const channels = knownDimension(this, shape, 3) / this.#config.groups;
    return kernelVariables(this.#settings, [...this.#kernelSize, channels, this.#filters], this.#filters);
  }

  override get computesInJobs(): boolean {
    return true;
  }

  call(inputs: readonly Tensor[], context: CallContext): LayerPass {
    return this.callFinished(inputs, context, {});
  }

  /** The window for images like those of `x`: the same object as last time where they have the same size. */
  #windowOf(x: Tensor, kernel: Tensor): Window2D {
    const last = this.#lastWindow;
    if (last !== undefined && last.inputHeight === x.shape[1] && last.inputWidth === x.shape[2]) return last;
    this.#lastWindow = windowOf(x, kernel, this.#config);
    return this.#lastWindow;
  }

  override get firstFinishes(): readonly Finish[] {
    return this.#settings.activation === "linear" ? FINISHES : [];
  }

  /** A kernel of one pixel reads every pixel once: what would have to be written for larger ones need not be for it. */
  override get takesPrologue(): boolean {
    return this.#kernelSize.every((size) => size === 1) && this.#config.groups === 1;
  }

  /** Convolves, and finishes every part of the output before it goes to memory. */
  override callFinished(
    [x]: readonly Tensor[],
    context: CallContext,
    epilogue: Epilogue,
    prologue?: Prologue,
  ): LayerPass {
    const { execution } = context;
    const { kernel, bias } = this.values();
    const { groups } = this.#config;
    const { activation } = this.#settings;
    const { map, addend } = epilogue;
    const rectify = epilogue.rectify === true || activation === "relu";
    expectFitting(x, { kernel, bias }, groups);
    const window = this.#windowOf(x, kernel);
    const surroundings = { prologue, map, addend, rectify };
    const y = conv2DFinished(contiguous(x), kernel, bias, window, groups, surroundings, execution);
    const cache = { x, kernel, window, groups, execution, prologue };
    const gradients = (dy: Tensor, { inputs = true }: BackwardOptions = {}): LayerGradients => {
      if (map !== undefined) {
        throw new Error("internal: Conv2D: what was normalized behind it in inference has no way back.");
      }
      const dWeights = ({ dKernel, dBias }: Omit<Conv2DGradients, "dx">): WeightValues =>
        kernelGradients(this.#settings, dKernel, dBias);
      if (!inputs) return { dInputs: [], dWeights: dWeights(conv2DWeightsBackward(contiguous(dy), cache)) };
      const all = conv2DBackward(dy, cache);
      return { dInputs: addend === undefined ? [all.dx] : [all.dx, dy], dWeights: dWeights(all) };
    };
    if (!rectify) return withActivation(activation, y, context, [x], gradients);
    return {
      y,
      keeps: [x, y],
      backward: (dy, options) => gradients(sumTensors([dy], { start: -0, positive: y }, execution), options),
    };
  }

  protected arguments(): KerasConfig {
    const { strides, padding, dilationRate, groups } = this.#config;
    return {
      filters: this.#filters,
      kernel_size: this.#kernelSize,
      strides,
      padding,
      data_format: "channels_last",
      dilation_rate: dilationRate,
      groups,
      ...kernelArguments(this.#settings),
    };
  }
}
