/**
 * Sensitivity of operations: |J| D, how far a result moves where operands move by at most D, element by element.
 *
 * - Linear in what moves: the same operation on D, with magnitudes for the other factors and without what is added.
 * - A maximum moves by at most the greatest D of its window: the same operation on D.
 * - |f'| <= L, as ReLU (the greater of 1 and its slope), sigmoid (1/4), tanh (1): L D.
 * - The derivative of the sigmoid changes by at most 0.1 D, that of tanh by 0.77 D; dy times it accordingly.
 * - Softmax: a probability grows by at most the factor exp(2 max D): p (exp(2 max D) - 1).
 *   Its gradient: see below.
 * - Cross-entropy of logits: log sum exp moves by at most max D, a logit by as much: 2 max D times the labels' mean sum; its
 *   gradient as the softmax does, times the labels' sum over M rows.
 * - Batch normalization in inference is linear in x with the factor gamma / sqrt(variance + epsilon).
 *
 * Gradients of a ReLU whose input is known up to D depend on a sign that D may hide: such inputs are taken to be at the
 * kink, where both slopes are right.
 *
 * @module
 */
import type { KerasConfig } from "../serialization/config.js";
import { contiguous, type Tensor, tensor } from "../tensor/tensor.js";
import { axisFromLast, axisToLast, resolveAxis } from "../layers/axis.js";
import { softmaxForward } from "../layers/softmax.js";
import { growthOfExp } from "./error-arithmetic.js";
import { float64Of, greatestOf, mapElements, wide } from "./operands.js";
import type { Operands, Operation } from "./operation.js";

/** |J| D by result, for operands with the errors D (0 where they are exact). */
export type Sensitivity = (values: Operands, errors: Operands, args: KerasConfig) => Operands;

/** Linear in x, or a maximum; the kernel is a factor, the bias is added. */
const OF_INPUTS: ReadonlySet<string> = new Set([
  "conv2d",
  "depthwise-conv2d",
  "dense",
  "average-pooling2d",
  "global-average-pooling2d",
  "max-pooling2d",
  "global-max-pooling2d",
  "zero-padding2d",
  "flatten",
  "reshape",
  "rescaling",
  "add",
  "concatenate",
]);
const RECTIFIERS: ReadonlySet<string> = new Set(["relu", "relu6", "leaky-relu"]);
/** Lipschitz constants of functions, and of their derivatives. */
const SMOOTH: Readonly<Record<string, readonly [number, number]>> = { sigmoid: [0.25, 0.1], tanh: [1, 0.77] };
/** Backward passes in which x is a factor of the gradients of weights; elsewhere it chooses, and keeps its sign. */
const WITH_KERNEL: ReadonlySet<string> = new Set(["conv2d-backward", "depthwise-conv2d-backward", "dense-backward"]);

/** Losses of logits; of probabilities they are never in doubt. */
const CROSS_ENTROPIES: ReadonlySet<string> = new Set(["categorical-crossentropy", "sparse-categorical-crossentropy"]);

/** The sensitivity of `operation` to the operands `doubtful`, if it is known here. */
export function sensitivityOf(operation: Operation, doubtful: readonly string[]): Sensitivity | undefined {
  const { name } = operation;
  const forward = name.replace(/-backward$/, "");
  if (name === forward) {
    if (CROSS_ENTROPIES.has(name)) return crossEntropyMoves;
    if (doubtful.some((operand) => !/^x\d*$/.test(operand))) return undefined;
    if (OF_INPUTS.has(name)) return (values, errors, args) => linear(operation, values, errors, args, doubtful);
    if (RECTIFIERS.has(name)) return (_, { x }, args) => ({ y: scaled(x, Math.max(1, slopeOf(name, args))) });
    if (name in SMOOTH) return (_, { x }) => ({ y: scaled(x, SMOOTH[name][0]) });
    if (name === "softmax") return (values, errors, args) => ({ y: softmaxMoves(operation, values, errors, args) });
    if (name === "batch-normalization") return (values, errors, args) => normalized(operation, values, errors, args);
    return undefined;
  }
  if (CROSS_ENTROPIES.has(forward)) return crossEntropyGradientMoves;
  if (forward === "softmax") return (values, errors, args) => softmaxGradientMoves(values, errors, args);
  if (forward in SMOOTH) return smoothBackward(operation, SMOOTH[forward]);
  // an x in doubt has been taken to the kink, where it matters
  if (RECTIFIERS.has(forward)) return (values, errors, args) => rectified(values, errors, slopeOf(forward, args));
  if (doubtful.some((operand) => operand !== "dy")) return undefined;
  if (name === "batch-normalization-backward")
    return (values, errors, args) => normalized(operation, values, errors, args);
  if (!OF_INPUTS.has(forward)) return undefined;
  return (values, errors, args) => linear(operation, values, errors, args, doubtful);
}

/** The operands with inputs of ReLUs that their errors may carry over the kink put there. */
export function atKinks({ name }: Operation, values: Operands, errors: Operands): Operands {
  if (!RECTIFIERS.has(name.replace(/-backward$/, "")) || !name.endsWith("-backward")) return values;
  const reach = errors["x"].data;
  const snap = (v: number, i: number): number => (reach[i] > 0 && Math.abs(v) <= reach[i] ? 0 : v);
  return { ...values, x: mapElements(values["x"], snap) };
}

function magnitude(x: Tensor): Tensor {
  return mapElements(x, Math.abs);
}

function scaled(x: Tensor, factor: number): Tensor {
  return mapElements(x, (v) => v * factor);
}

function slopeOf(name: string, args: KerasConfig): number {
  return Number(args["negativeSlope"] ?? (name === "leaky-relu" ? 0.3 : 0));
}

function linear(
  operation: Operation,
  values: Operands,
  errors: Operands,
  args: KerasConfig,
  doubtful: readonly string[],
): Operands {
  const operands: Record<string, Tensor> = {};
  for (const [name, value] of Object.entries(values)) {
    if (name === "bias") continue;
    if (doubtful.includes(name)) operands[name] = errors[name];
    else if (name === "kernel" || WITH_KERNEL.has(operation.name)) operands[name] = magnitude(value);
    else if (/^x\d+$/.test(name) && !operation.name.endsWith("-backward")) operands[name] = errors[name];
    else operands[name] = wide(value);
  }
  const scale = args["scale"];
  const isRescaling = operation.name.startsWith("rescaling");
  return operation.run(operands, isRescaling ? { ...args, scale: Math.abs(Number(scale)), offset: 0 } : args);
}

/** Both directions of batch normalization by given statistics: factors in magnitude, nothing subtracted or added. */
function normalized(operation: Operation, values: Operands, errors: Operands, args: KerasConfig): Operands {
  const { movingMean, movingVariance, gamma } = values;
  const operands: Record<string, Tensor> = {
    movingMean: scaled(movingMean, 0),
    movingVariance: wide(movingVariance),
    ...(gamma && { gamma: magnitude(gamma) }),
  };
  if (errors["dy"] === undefined) return operation.run({ ...operands, x: errors["x"] }, args);
  // dGamma = sum dy (x - mean) rstd <= sum |dy| (|x| + |mean|) rstd
  let largest = 0;
  for (const mean of contiguous(movingMean).data) largest = Math.max(largest, Math.abs(mean));
  return operation.run(
    { ...operands, x: mapElements(values["x"], (v) => Math.abs(v) + largest), dy: errors["dy"] },
    args,
  );
}

function rectified({ dy }: Operands, errors: Operands, slope: number): Operands {
  if (errors["dy"] === undefined) return { dx: scaled(dy, 0) };
  return { dx: scaled(errors["dy"], Math.max(1, slope)) };
}

function smoothBackward(operation: Operation, [steepest, change]: readonly [number, number]): Sensitivity {
  return ({ dy }, errors) => {
    const [dyErrors, xErrors, dys] = [errors["dy"].data, errors["x"].data, contiguous(dy).data];
    const move = (e: number, i: number): number =>
      steepest * e + change * xErrors[i] * (Math.abs(dys[i]) + dyErrors[i]);
    return { [operation.outputs[0]]: mapElements(errors["dy"], move) };
  };
}

function softmaxMoves(operation: Operation, { x }: Operands, errors: Operands, args: KerasConfig): Tensor {
  const y = operation.run({ x: wide(x) }, args)["y"];
  return scaled(y, growthOfExp(2 * greatestOf(errors["x"])));
}

/**
 * dx = p (dy - sum p dy), with P = p (exp(2 max D) - 1) for p and E for dy:
 * P |dy - sum p dy| + (p + P) (E + sum (|dy| P + E (p + P))).
 */
function softmaxGradientMoves({ x, dy }: Operands, errors: Operands, args: KerasConfig): Operands {
  const axis = resolveAxis("Softmax", Number(args["axis"] ?? -1), x.shape);
  const last = (tensor: Tensor): Float64Array => float64Of(axisToLast(tensor, axis));
  const p = last(softmaxForward(wide(x), axis).y);
  const [dys, dyErrors] = [last(dy), last(errors["dy"])];
  const growth = growthOfExp(2 * greatestOf(errors["x"]));
  const classes = x.shape[axis];
  const moves = new Float64Array(p.length);
  for (let start = 0; start < p.length; start += classes) {
    let [dot, common] = [0, 0];
    for (let k = start; k < start + classes; k++) {
      dot += p[k] * dys[k];
      common += p[k] * (growth * Math.abs(dys[k]) + (1 + growth) * dyErrors[k]);
    }
    for (let k = start; k < start + classes; k++) {
      moves[k] = p[k] * (growth * Math.abs(dys[k] - dot) + (1 + growth) * (dyErrors[k] + common));
    }
  }
  return { dx: axisFromLast(tensor(moves, axisToLast(x, axis).shape), axis) };
}

/** The greatest sum of the magnitudes of a row's labels; class numbers stand for one 1. */
function labelSum(yTrue: Tensor, yPred: Tensor): number {
  if (yTrue.size !== yPred.size) return 1;
  const classes = yPred.shape[yPred.dimension - 1];
  const labels = contiguous(yTrue).data;
  let greatest = 0;
  for (let start = 0; start < labels.length; start += classes) {
    let sum = 0;
    for (let i = start; i < start + classes; i++) sum += Math.abs(labels[i]);
    greatest = Math.max(greatest, sum);
  }
  return greatest;
}

const crossEntropyMoves: Sensitivity = ({ yTrue, yPred }, errors) => {
  return { loss: tensor(Float64Array.of(2 * greatestOf(errors["yPred"]) * labelSum(yTrue, yPred)), []) };
};

const crossEntropyGradientMoves: Sensitivity = ({ yTrue, yPred }, errors) => {
  const rows = yPred.size / yPred.shape[yPred.dimension - 1];
  const { y } = softmaxForward(wide(yPred));
  return { dYPred: scaled(y, (growthOfExp(2 * greatestOf(errors["yPred"])) * labelSum(yTrue, yPred)) / rows) };
};
