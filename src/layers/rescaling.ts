/**
 * Rescaling: brings pixels into the range that a network was trained on.
 * Keras: `keras.layers.Rescaling(scale, offset=0.0)`.
 *
 * Shapes: x, y, dx, dy are all [..., C]; scale and offset are one number each, or C numbers, one for each channel.
 *
 * Forward:   y  = scale x + offset
 *
 * Backward:  dx = scale dy
 *
 * Notes on the numbers: scale and offset are float64 numbers (1/255 is not a float32); y is rounded once.
 *
 * @module
 */
import { type Execution, serial } from "../kernels/execution.js";
import { rescale } from "../kernels/rescale.js";
import { type KerasConfig, readConfig } from "../serialization/config.js";
import { checkTensor } from "../serialization/tensors.js";
import { formatShape, type Shape, type SymbolicShape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { expectGradient } from "./expect-gradient.js";
import {
  type CallContext,
  type Forward,
  Layer,
  type LayerOptions,
  type LayerPass,
  layerOptionsFromConfig,
  singleInput,
} from "./layer.js";

/** One number for all channels, or one for each. */
export type PerChannel = number | readonly number[];

/** The map. */
export interface RescalingConfig {
  /** What x is multiplied by. */
  readonly scale: PerChannel;
  /** What is added then. @defaultValue 0 */
  readonly offset?: PerChannel;
}

/** What backward needs from forward. */
export interface RescalingCache {
  /** The shape of input and output. */
  readonly shape: Shape;
  /** What x was multiplied by, channel by channel. */
  readonly scale: readonly number[];
  /** How it runs. @defaultValue one thread */
  readonly execution?: Execution;
}

/** `value` as a list of `channels` numbers. */
function spread(value: PerChannel, channels: number): readonly number[] {
  return typeof value === "number" ? new Array<number>(channels).fill(value) : value;
}

/**
 * Rescales every element of `x`.
 *
 * @throws TypeError when `x` is no tensor.
 * @throws RangeError when scale or offset has another number of channels than `x`.
 */
export function rescalingForward(
  x: Tensor,
  { scale, offset = 0 }: RescalingConfig,
  execution: Execution = serial,
): Forward<RescalingCache> {
  checkTensor("Rescaling", "x", x);
  const channels = channelsOf(x.shape) ?? 1;
  checkChannels(x.shape, { scale, offset });
  const scales = spread(scale, channels);
  const y = rescale(x, scales, spread(offset, channels), execution);
  return { y, cache: { shape: x.shape, scale: scales, execution } };
}

/**
 * The gradient for the input.
 *
 * @throws TypeError when `dy` is no tensor.
 * @throws RangeError when it does not have the shape of the output.
 */
export function rescalingBackward(dy: Tensor, { shape, scale, execution = serial }: RescalingCache): Tensor {
  expectGradient("Rescaling", dy, shape);
  checkChannels(shape, { scale });
  return rescale(dy, scale, spread(-0, scale.length), execution);
}

/** The last dimension; a single number is its own channel. */
function channelsOf(shape: SymbolicShape): number | null {
  return shape.length === 0 ? 1 : shape[shape.length - 1];
}

function checkChannels(shape: SymbolicShape, config: RescalingConfig): void {
  const channels = channelsOf(shape);
  for (const argument of ["scale", "offset"] as const) {
    const value = config[argument] ?? 0;
    if (typeof value === "number" || value.length === channels) continue;
    throw new RangeError(
      `Rescaling: \`${argument}\` must be one number, or one for each channel of an input of shape ` +
        `${formatShape(shape)}. Received ${value.length} numbers.`,
    );
  }
}

/** A number, or a list of them. */
function readPerChannel(config: KerasConfig, key: "scale" | "offset", absent?: number): PerChannel {
  const value = config[key];
  if (!Array.isArray(value)) return readConfig("Rescaling", config).number(key, absent);
  return value.map((number) => readConfig("Rescaling", { [key]: number }).number(key));
}

/** Options of {@link Rescaling}. */
export interface RescalingOptions extends LayerOptions, RescalingConfig {}

/** The rescaling layer of Keras. */
export class Rescaling extends Layer {
  readonly className = "Rescaling";
  /** The map. */
  readonly config: Required<RescalingConfig>;

  /** @throws TypeError when an option is none of {@link RescalingOptions}, or scale or offset is not made of finite numbers. */
  constructor(options: RescalingOptions) {
    super(options, ["scale", "offset"]);
    const config = { ...options };
    this.config = { scale: readPerChannel(config, "scale"), offset: readPerChannel(config, "offset", 0) };
  }

  /** Reads the layer from a Keras configuration. */
  static fromConfig(config: KerasConfig): Rescaling {
    return new Rescaling({
      ...layerOptionsFromConfig("Rescaling", config),
      scale: readPerChannel(config, "scale"),
      offset: readPerChannel(config, "offset", 0),
    });
  }

  computeOutputShape(inputShapes: readonly SymbolicShape[]): SymbolicShape {
    const shape = singleInput(this, inputShapes);
    checkChannels(shape, this.config);
    return shape;
  }

  override get computesInJobs(): boolean {
    return true;
  }

  call([x]: readonly Tensor[], { execution }: CallContext): LayerPass {
    const { y, cache } = rescalingForward(x, this.config, execution);
    return { y, keeps: [], backward: (dy) => ({ dInputs: [rescalingBackward(dy, cache)], dWeights: {} }) };
  }

  protected arguments(): KerasConfig {
    return { ...this.config };
  }
}
