/**
 * Addition of two or more tensors: where the two ways through a residual block meet.
 * Keras: `keras.layers.Add`.
 *
 * Shapes: x0, x1, ..., y and their gradients are all [N, ...]; where a dimension of an input is 1 it is repeated, and an
 * input with fewer dimensions is given dimensions of 1 behind its first.
 *
 * Forward:   y   = x0 + x1 + ...
 *
 * Backward:  dxi = dy, summed over the dimensions in which xi was repeated
 *
 * Notes on the numbers: the sum runs in float64 in the order of the inputs and is rounded once, when it is stored.
 *
 * @module
 */
import { type Execution, serial } from "../kernels/execution.js";
import { sumTensors } from "../kernels/sum-tensors.js";
import type { KerasConfig } from "../serialization/config.js";
import { checkTensors } from "../serialization/tensors.js";
import { formatShape, type Shape, type SymbolicShape, shapesAgree, sizeOf } from "../tensor/shape.js";
import { contiguous, dtypeOf, empty, reshape, type Tensor } from "../tensor/tensor.js";
import { expectGradient } from "./expect-gradient.js";
import {
  type CallContext,
  type Finish,
  type Forward,
  Layer,
  type LayerOptions,
  type LayerPass,
  layerOptionsFromConfig,
} from "./layer.js";

/** What backward needs from forward. */
export interface AddCache {
  /** The shapes of the inputs. */
  readonly shapes: readonly Shape[];
  /** The shape of the output. */
  readonly shape: Shape;
}

/** `shape` with dimensions of 1 behind the first, so that it has `rank` of them. */
function raise<Size>(shape: readonly Size[], rank: number): readonly (Size | 1)[] {
  const ones = new Array<1>(rank - shape.length).fill(1);
  return [...shape.slice(0, 1), ...ones, ...shape.slice(1)];
}

/**
 * The shape that `shapes` share when dimensions of 1 are repeated.
 *
 * @throws RangeError when there are none, or they do not agree otherwise.
 */
export function broadcastShape(shapes: readonly SymbolicShape[]): SymbolicShape {
  if (shapes.length === 0) throw new RangeError("Add: must be applied to at least one input. Received none.");
  const rank = Math.max(...shapes.map((shape) => shape.length));
  const [first, ...rest] = shapes.map((shape) => raise(shape, rank));
  return rest.reduce((shape, other) => {
    if (!other.every((size, axis) => agree(size, shape[axis]))) {
      throw new RangeError(
        `Add: all inputs must have the same shape, up to dimensions of 1. Received ${shapes.map(formatShape).join(", ")}.`,
      );
    }
    return shape.map((size, axis) => (size === 1 || (size === null && other[axis] !== 1) ? other[axis] : size));
  }, first);
}

function agree(a: number | null, b: number | null): boolean {
  return a === b || a === 1 || b === 1 || a === null || b === null;
}

/** For each element of `shape` in row-major order, the offset of the element of an input of shape `from` that it repeats. */
function broadcastOffsets(from: Shape, shape: Shape): Int32Array {
  const raised = raise(from, shape.length);
  const strides = raised.map((size, axis) => (size === 1 ? 0 : sizeOf(raised.slice(axis + 1))));
  const offsets = new Int32Array(sizeOf(shape));
  const index = new Array<number>(shape.length).fill(0);
  for (let i = 0; i < offsets.length; i++) {
    let at = 0;
    for (let axis = 0; axis < shape.length; axis++) at += index[axis] * strides[axis];
    offsets[i] = at;
    for (let axis = shape.length - 1; axis >= 0 && ++index[axis] === shape[axis]; axis--) index[axis] = 0;
  }
  return offsets;
}

/**
 * The sum of `inputs`.
 *
 * @throws TypeError when they are no tensors.
 * @throws RangeError when there are none, or their shapes do not agree.
 */
export function addForward(inputs: readonly Tensor[], execution: Execution = serial): Forward<AddCache> {
  checkTensors("Add", "inputs", inputs);
  const shapes = inputs.map((x) => x.shape);
  const shape = broadcastShape(shapes).map(Number);
  const cache = { shapes, shape };
  // not +0: the sum of -0 and -0 is -0
  if (shapes.every((other) => sizeOf(other) === sizeOf(shape))) {
    const terms = inputs.map((x) => reshape(x, shape));
    return { y: sumTensors(terms, { start: -0 }, execution), cache };
  }
  const y = empty(shape, inputs[0]);
  const sum = y.data;
  const rows = inputs.map((x) => {
    const { data } = contiguous(x);
    return { data, offsets: x.size === y.size ? undefined : broadcastOffsets(x.shape, shape) };
  });
  for (let i = 0; i < sum.length; i++) {
    let total = -0;
    for (const { data, offsets } of rows) total += data[offsets === undefined ? i : offsets[i]];
    sum[i] = total;
  }
  return { y, cache };
}

/**
 * The gradient for every input, given `dy` and the cache of the matching forward call.
 *
 * @throws TypeError when `dy` is no tensor.
 * @throws RangeError when it does not have the shape of the output.
 */
export function addBackward(dy: Tensor, { shapes, shape: outputShape }: AddCache): readonly Tensor[] {
  expectGradient("Add", dy, outputShape);
  dy = contiguous(dy);
  return shapes.map((shape) => {
    if (sizeOf(shape) === dy.size) return shapesAgree(shape, dy.shape) ? dy : reshape(dy, shape);
    const offsets = broadcastOffsets(shape, dy.shape);
    const sums = new Float64Array(sizeOf(shape));
    for (let i = 0; i < dy.size; i++) sums[offsets[i]] += dy.data[i];
    const dx = empty(shape, dtypeOf(dy));
    dx.data.set(sums);
    return dx;
  });
}

/** The addition layer of Keras. */
export class Add extends Layer {
  readonly className = "Add";

  /** @throws TypeError when an option is none of {@link LayerOptions}. */
  constructor(options: LayerOptions = {}) {
    super(options, []);
  }

  /** Reads the layer from a Keras configuration. */
  static fromConfig(config: KerasConfig): Add {
    return new Add(layerOptionsFromConfig("Add", config));
  }

  computeOutputShape(inputShapes: readonly SymbolicShape[]): SymbolicShape {
    if (inputShapes.length < 2) {
      throw new RangeError(`Add: must be applied to at least two inputs. Received ${inputShapes.length} inputs.`);
    }
    return broadcastShape(inputShapes);
  }

  override get finish(): Finish {
    return "add";
  }

  override get computesInJobs(): boolean {
    return true;
  }

  call(inputs: readonly Tensor[], { execution }: CallContext): LayerPass {
    const { y, cache } = addForward(inputs, execution);
    return { y, keeps: [], backward: (dy) => ({ dInputs: addBackward(dy, cache), dWeights: {} }) };
  }

  protected arguments(): KerasConfig {
    return {};
  }
}
