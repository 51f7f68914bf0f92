/**
 * Concatenation of tensors along one axis.
 * Keras: `keras.layers.Concatenate(axis=-1)`.
 *
 * Shapes, which differ in the axis alone:
 *
 *     xi, dxi  [..., Ki, ...]
 *     y, dy    [..., K0 + K1 + ..., ...]
 *
 * Forward:   y   = x0, then x1, ... along the axis
 *
 * Backward:  dxi = the part of dy that xi became
 *
 * @module
 */
import { joinTensors, splitTensor } from "../kernels/concatenate.js";
import { type Execution, serial } from "../kernels/execution.js";
import { type KerasConfig, readConfig } from "../serialization/config.js";
import { checkTensors } from "../serialization/tensors.js";
import { formatShape, type Shape, type SymbolicShape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { resolveAxis } from "./axis.js";
import { expectGradient } from "./expect-gradient.js";
import {
  type CallContext,
  type Forward,
  Layer,
  type LayerOptions,
  type LayerPass,
  layerOptionsFromConfig,
} from "./layer.js";

/** What backward needs from forward. */
export interface ConcatenateCache {
  /** The shapes of the inputs. */
  readonly shapes: readonly Shape[];
  /** The shape of the output. */
  readonly shape: Shape;
  /** The axis, counted from the front. */
  readonly axis: number;
  /** How it runs. @defaultValue one thread */
  readonly execution?: Execution;
}

/**
 * The shape of `shapes` put together along `axis`, counted from the front.
 *
 * @throws RangeError when they differ in another axis, or in rank.
 */
function joinedShape(shapes: readonly SymbolicShape[], axis: number): SymbolicShape {
  const joined = [...shapes[0]];
  for (const shape of shapes.slice(1)) {
    const fits = shape.length === joined.length && shape.every((size, i) => i === axis || agree(size, joined[i]));
    if (!fits) {
      throw new RangeError(
        `Concatenate: all inputs must have the same shape, but for axis ${axis}. ` +
          `Received ${shapes.map(formatShape).join(", ")}.`,
      );
    }
    shape.forEach((size, i) => {
      if (i === axis) joined[i] = size === null || joined[i] === null ? null : size + Number(joined[i]);
      else joined[i] ??= size;
    });
  }
  return joined;
}

function agree(a: number | null, b: number | null): boolean {
  return a === b || a === null || b === null;
}

/** `axis` of inputs of these shapes, counted from the front. @throws RangeError when there is no input, or no such axis. */
function axisOf(axis: number, shapes: readonly SymbolicShape[]): number {
  if (shapes.length > 0) return resolveAxis("Concatenate", axis, shapes[0]);
  throw new RangeError("Concatenate: must be applied to at least one input. Received none.");
}

/**
 * Joins `inputs` along `axis`, by default the last.
 *
 * @throws TypeError when they are no tensors.
 * @throws RangeError when there is no input or no such axis, or their shapes differ in another one.
 */
export function concatenateForward(
  inputs: readonly Tensor[],
  axis = -1,
  execution: Execution = serial,
): Forward<ConcatenateCache> {
  checkTensors("Concatenate", "inputs", inputs);
  const shapes = inputs.map((x) => x.shape);
  const at = axisOf(axis, shapes);
  const shape = joinedShape(shapes, at).map(Number);
  return { y: joinTensors(inputs, shape, at, execution), cache: { shapes, shape, axis: at, execution } };
}

/**
 * The gradient for every input.
 *
 * @throws TypeError when `dy` is no tensor.
 * @throws RangeError when it does not have the shape of the output.
 */
export function concatenateBackward(
  dy: Tensor,
  { shapes, shape, axis, execution = serial }: ConcatenateCache,
): readonly Tensor[] {
  expectGradient("Concatenate", dy, shape);
  return splitTensor(dy, shapes, axis, execution);
}

/** Options of {@link Concatenate}. */
export interface ConcatenateOptions extends LayerOptions {
  /** The axis along which the inputs are joined. @defaultValue -1 */
  readonly axis?: number;
}

/** The concatenation layer of Keras. */
export class Concatenate extends Layer {
  readonly className = "Concatenate";
  /** The axis along which the inputs are joined. */
  readonly axis: number;

  /** @throws TypeError when an option is none of {@link ConcatenateOptions}, or the axis is not a whole number. */
  constructor(options: ConcatenateOptions = {}) {
    super(options, ["axis"]);
    this.axis = readConfig("Concatenate", { ...options }).integer("axis", Number.MIN_SAFE_INTEGER, -1);
  }

  /** Reads the layer from a Keras configuration. */
  static fromConfig(config: KerasConfig): Concatenate {
    const axis = readConfig("Concatenate", config).integer("axis", Number.MIN_SAFE_INTEGER, -1);
    return new Concatenate({ ...layerOptionsFromConfig("Concatenate", config), axis });
  }

  computeOutputShape(inputShapes: readonly SymbolicShape[]): SymbolicShape {
    return joinedShape(inputShapes, axisOf(this.axis, inputShapes));
  }

  override get computesInJobs(): boolean {
    return true;
  }

  override get mixesImages(): boolean {
    return this.nodes.some(({ output: { shape } }) => resolveAxis("Concatenate", this.axis, shape) === 0);
  }

  call(inputs: readonly Tensor[], { execution }: CallContext): LayerPass {
    const { y, cache } = concatenateForward(inputs, this.axis, execution);
    return { y, keeps: [], backward: (dy) => ({ dInputs: concatenateBackward(dy, cache), dWeights: {} }) };
  }

  protected arguments(): KerasConfig {
    return { axis: this.axis };
  }
}
