/**
 * Activations by name: as a layer of its own, and as the last step of Conv2D, DepthwiseConv2D and Dense.
 * Keras: `keras.layers.Activation(activation)`, `keras.activations`.
 *
 * Each function has its page: relu.ts, sigmoid.ts, tanh.ts, softmax.ts.
 *
 * @module
 */
import type { Execution } from "../kernels/execution.js";
import { describe, isKerasConfig, type KerasConfig } from "../serialization/config.js";
import type { SymbolicShape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import {
  type BackwardOptions,
  type CallContext,
  type Finish,
  Layer,
  type LayerOptions,
  type LayerPass,
  layerOptionsFromConfig,
  singleInput,
} from "./layer.js";
import { RELU, RELU6, type ReLUConfig, reluBackward, reluForward } from "./relu.js";
import { sigmoidBackward, sigmoidForward } from "./sigmoid.js";
import { softmaxBackward, softmaxForward } from "./softmax.js";
import { tanhBackward, tanhForward } from "./tanh.js";

/** A function applied element by element (softmax: over the last axis), and the way back. */
interface Applied {
  readonly y: Tensor;
  /** Which of x and y backward reads. */
  readonly keeps: readonly Tensor[];
  backward(dy: Tensor): Tensor;
}

function rectified(x: Tensor, config: ReLUConfig, execution: Execution): Applied {
  const { y, cache } = reluForward(x, config, execution);
  return { y, keeps: [cache.x], backward: (dy) => reluBackward(dy, cache) };
}

const functions = {
  linear: (x: Tensor): Applied => ({ y: x, keeps: [], backward: (dy) => dy }),
  relu: (x: Tensor, { execution }: CallContext): Applied => rectified(x, RELU, execution),
  relu6: (x: Tensor, { execution }: CallContext): Applied => rectified(x, RELU6, execution),
  // Keras's default slope of the function; the layer LeakyReLU has 0.3
  leaky_relu: (x: Tensor, { execution }: CallContext): Applied =>
    rectified(x, { ...RELU, negativeSlope: 0.2 }, execution),
  sigmoid(x: Tensor, { execution }: CallContext): Applied {
    const { y, cache } = sigmoidForward(x, execution);
    return { y, keeps: [y], backward: (dy) => sigmoidBackward(dy, cache) };
  },
  tanh(x: Tensor, { execution }: CallContext): Applied {
    const { y, cache } = tanhForward(x, execution);
    return { y, keeps: [y], backward: (dy) => tanhBackward(dy, cache) };
  },
  softmax(x: Tensor, { execution, release }: CallContext): Applied {
    const { y, cache } = softmaxForward(x, -1, execution);
    release?.(cache.probabilities);
    return { y, keeps: [], backward: (dy) => softmaxBackward(dy, cache) };
  },
} as const;

/** Keras's name of an activation. */
export type ActivationName = keyof typeof functions;

const names = Object.keys(functions) as ActivationName[];

/**
 * `value` as the name of an activation; Keras 3 may also write it as `{ class_name: "function", config: "relu" }`, and null
 * is linear.
 *
 * @throws TypeError when it has no such name; the message begins with `where`.
 */
export function activationFromConfig(value: unknown, where: string): ActivationName {
  if (value === null) return "linear";
  const name = isKerasConfig(value) ? (value["config"] ?? value["class_name"]) : value;
  const activation = names.find((known) => known === name);
  if (activation === undefined) {
    throw new TypeError(`${where} must be one of ${names.map(describe).join(", ")}. Received ${describe(value)}.`);
  }
  return activation;
}

/** The pass of a layer whose own output is `x`, with `activation` behind it. `keeps` are what the layer itself keeps. */
export function withActivation(
  activation: ActivationName,
  x: Tensor,
  context: CallContext,
  keeps: readonly Tensor[],
  backward: LayerPass["backward"],
): LayerPass {
  const applied = functions[activation](x, context);
  const pass = {
    y: applied.y,
    keeps: [...keeps, ...applied.keeps],
    backward: (dy: Tensor, options?: BackwardOptions) => backward(applied.backward(dy), options),
  };
  return activation === "softmax" ? { ...pass, logits: { x, backward } } : pass;
}

/** Options of {@link Activation}. */
export interface ActivationOptions extends LayerOptions {
  /** Keras's name of the function. */
  readonly activation: ActivationName;
}

/** The activation layer of Keras. */
export class Activation extends Layer {
  readonly className = "Activation";
  /** Keras's name of the function. */
  readonly activation: ActivationName;

  /** @throws TypeError when there is no such activation, no activation, or an option that is none of {@link ActivationOptions}. */
  constructor(options: ActivationOptions) {
    super(options, ["activation"]);
    this.activation = activationFromConfig({ ...options }.activation, "Activation: `activation`");
  }

  /** Reads the layer from a Keras configuration. */
  static fromConfig(config: KerasConfig): Activation {
    const activation = activationFromConfig(config["activation"], "Activation: `activation`");
    return new Activation({ ...layerOptionsFromConfig("Activation", config), activation });
  }

  computeOutputShape(inputShapes: readonly SymbolicShape[]): SymbolicShape {
    return singleInput(this, inputShapes);
  }

  override get finish(): Finish | undefined {
    return this.activation === "relu" ? "rectify" : undefined;
  }

  override get computesInJobs(): boolean {
    return true;
  }

  call([x]: readonly Tensor[], context: CallContext): LayerPass {
    return withActivation(this.activation, x, context, [], (dx) => ({ dInputs: [dx], dWeights: {} }));
  }

  protected arguments(): KerasConfig {
    return { activation: this.activation };
  }
}
