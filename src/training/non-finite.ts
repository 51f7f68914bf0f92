/**
 * Where numbers ceased to be finite: a loss of NaN says that training has failed, not why.
 *
 * Nothing of a failed step has been applied, so the pass that failed can be repeated, and is: the first layer, in the order
 * of the graph, whose output has an element that is not finite is named, with what it read and its own weights cleared of
 * suspicion or not. A gradient is looked for on the way back, from the last layer to the first.
 *
 * @module
 */
import { type Execution, runsSimd, serial } from "../kernels/execution.js";
import { areAllFinite } from "../kernels/simd/finite.js";
import type { CallContext, Layer, LayerNode } from "../layers/layer.js";
import { indexOf } from "../losses/loss.js";
import { Model } from "../models/model.js";
import { formatShape } from "../tensor/shape.js";
import { Arena } from "../tensor/arena.js";
import { contiguous, type Tensor } from "../tensor/tensor.js";

/** A number that is not finite. */
export interface NonFinite {
  /** The path of the layer, or of the weight whose gradient it is. */
  readonly path: string;
  /** NaN or an infinity. */
  readonly value: number;
  /** Its index in the tensor. */
  readonly index: readonly number[];
  /** What explains it: the data, or a weight. */
  readonly because: string | undefined;
}

/** Training has failed: the loss or a gradient is not finite. Model and optimizer are as they were before the step. */
export class NonFiniteError extends Error {
  override readonly name = "NonFiniteError";
  /** The number of the step, from 1. */
  readonly step: number;
  /** Where; undefined when every output is finite, and the loss alone is not. */
  readonly found: NonFinite | undefined;

  constructor(what: "loss" | "gradient", value: number, step: number, learningRate: number, found?: NonFinite) {
    super(
      `fit: the ${what} must be finite. Received ${value} in step ${step}, at a learning rate of ${learningRate}. ` +
        `${describeFinding(what, found)} The step has not been applied. ${advice(found)}`,
    );
    this.step = step;
    this.found = found;
  }
}

function describeFinding(what: "loss" | "gradient", found: NonFinite | undefined): string {
  if (found === undefined) return "The outputs of all layers are finite: the sum of the loss is not.";
  const where = `(${found.value} at ${formatShape(found.index)})`;
  const because = found.because === undefined ? "" : `, because ${found.because}`;
  if (what === "gradient")
    return `On the way back, \`${found.path}\` is the first whose gradient is not finite ${where}.`;
  return `Layer \`${found.path}\` is the first whose output is not finite ${where}${because}.`;
}

function advice(found: NonFinite | undefined): string {
  if (found?.because === BAD_DATA) return "Look at the data and at how they are scaled.";
  return "Try a learning rate of a tenth, a warm-up, inputs scaled to about -1 to 1, or a regularizer.";
}

const BAD_DATA = "the data are not finite";

/** The first element of `x` that is not finite. */
export function firstNonFinite(x: Tensor): { readonly value: number; readonly index: readonly number[] } | undefined {
  const { data, shape } = contiguous(x);
  const at = data.findIndex((value: number) => !Number.isFinite(value));
  return at < 0 ? undefined : { value: data[at], index: indexOf(at, shape) };
}

/** Runs the pass of `context` again and looks at every layer's output, in order; within models too. */
export function findNonFiniteLayer(
  model: Model,
  inputs: readonly Tensor[],
  context: CallContext,
): NonFinite | undefined {
  const arena = new Arena();
  try {
    return arena.run(() => {
      const read = new Map<LayerNode, readonly Tensor[]>();
      const replaceInputs = (node: LayerNode, xs: readonly Tensor[]): readonly Tensor[] => {
        read.set(node, xs);
        return xs;
      };
      const { passes } = model.forward(inputs, context, { replaceInputs });
      for (const [node, { y }] of passes) {
        const element = firstNonFinite(y);
        if (element === undefined) continue;
        const { layer } = node;
        const within = layer instanceof Model ? findNonFiniteLayer(layer, read.get(node) ?? [], context) : undefined;
        if (within !== undefined) return { ...within, path: `${layer.name}/${within.path}` };
        return { path: layer.name, ...element, because: node.inputs.length === 0 ? BAD_DATA : badWeight(layer) };
      }
      return undefined;
    });
  } finally {
    arena.reset();
  }
}

function badWeight(layer: Layer): string | undefined {
  const weight = layer.weights.find(({ value }) => firstNonFinite(value) !== undefined);
  return weight && `its weight \`${weight.name}\` is not finite`;
}

/** From so many elements on, the vector unit looks at them sooner than a loop. */
const MANY = 1024;

/** Which of `tensors` have finite elements only; threads share the large ones. */
export function finiteTensors(tensors: readonly Tensor[], execution: Execution = serial): ReadonlyMap<Tensor, boolean> {
  const large = tensors.filter((x) => x.size >= MANY && runsSimd(execution, x));
  const areFinite = areAllFinite(
    large.map((x) => contiguous(x).data),
    execution,
  );
  const found = new Map(large.map((x, i) => [x, areFinite[i]]));
  for (const x of tensors) if (!found.has(x)) found.set(x, isFiniteTensor(x));
  return found;
}

/** Whether all elements of `x` are finite: x - x is 0 for finite x alone, and one NaN makes the sum NaN. */
function isFiniteTensor(x: Tensor): boolean {
  const { data } = contiguous(x);
  let sum = 0;
  for (let i = 0; i < data.length; i++) sum += data[i] - data[i];
  return sum === 0;
}
