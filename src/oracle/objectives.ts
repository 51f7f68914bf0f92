/**
 * What is expected of the loss, and of where backward begins.
 *
 * Cross-entropy of an output that is a softmax is taken of its logits, as Keras does; the trace has only the output, so
 * the logits are known up to their expectation. If the output itself is wrong, backward is judged from the candidate's own
 * probabilities p, whose unrounded values are within twice the bound B of the softmax:
 *
 *     dLogits[k] = (p[k] sum t - t[k]) / M,   |error| <= (2 B sum |t| + gamma_(K + 4) (p sum |t| + |t|)) / M
 *
 * @module
 */
import type { LayerNode } from "../layers/layer.js";
import type { Model } from "../models/model.js";
import type { LossName } from "../models/objective.js";
import type { TraceOptions } from "../models/trace.js";
import { formatShape, shapesAgree } from "../tensor/shape.js";
import { cast, contiguous, type Tensor, tensor } from "../tensor/tensor.js";
import type { ArithmeticModel } from "./arithmetic-model.js";
import { type Expectation, gamma } from "./expectation.js";
import { exactly, type LayerExpectation } from "./layer-expectations.js";
import { operationOf } from "./layer-operations.js";
import { float64Of } from "./operands.js";
import { operationNamed } from "./operations/table.js";
import { penaltiesOf } from "./penalties.js";
import { expectOf, NotJudged, type Reading, sumOf } from "./reading.js";

/** Where backward begins at one output. */
interface OutputGoal {
  /** The gradient for the output. */
  readonly output?: Expectation | NotJudged;
  /** The gradient for what its softmax was taken of. */
  readonly logits?: Expectation | NotJudged;
  /** The gradient for the output where backward begins at the logits: some report it, nobody reads it. */
  readonly reported?: Expectation | NotJudged;
}

/** What is expected of the loss and its derivatives. */
export interface Goal {
  readonly loss: Expectation | NotJudged;
  readonly outputs: ReadonlyMap<LayerNode, OutputGoal>;
}

/** What the forward pass of the judgement knows. */
export interface ForwardKnowledge {
  /** The candidate's output of a node. */
  reading(node: LayerNode): Reading | NotJudged;
  /** What was expected of it. */
  expectation(node: LayerNode): LayerExpectation | undefined;
  /** What the node read. */
  inputs(node: LayerNode): readonly (Reading | NotJudged)[];
  /** Whether the candidate's output broke its bound. */
  isBroken(node: LayerNode): boolean;
  readonly arithmetic: ArithmeticModel;
}

/**
 * The objective that `options` describe, if they do.
 *
 * @throws RangeError when targets or cotangents are not one for each output, or a cotangent has another shape.
 */
export function goalsOf(
  model: Model,
  { targets, cotangents, loss = "categorical_crossentropy" }: Pick<TraceOptions, "targets" | "cotangents" | "loss">,
  known: ForwardKnowledge,
): Goal | undefined {
  const given = targets ?? cotangents;
  if (given === undefined) return undefined;
  if (given.length !== model.outputs.length) {
    const what = targets === undefined ? "cotangents" : "targets";
    throw new RangeError(
      `judge: \`${what}\` must be given for each of the ${model.outputs.length} outputs. Received ${given.length}.`,
    );
  }
  const outputs = new Map<LayerNode, OutputGoal>();
  const losses: (Expectation | NotJudged)[] = [];
  given.forEach((x, i) => {
    const { node } = model.outputs[i];
    const goal = targets === undefined ? cotangentGoal(node, x, known) : targetGoal(node, x, loss, known);
    outputs.set(node, goal);
    losses.push(goal.loss);
  });
  return { loss: totalLoss(model, losses, known.arithmetic), outputs };
}

type GoalOfOutput = OutputGoal & { readonly loss: Expectation | NotJudged };

/** The loss is the sum of dy y: n products and sums, each term of which is rounded at most n times. */
function cotangentGoal(node: LayerNode, cotangent: Tensor, known: ForwardKnowledge): GoalOfOutput {
  const y = known.reading(node);
  if (y instanceof NotJudged) return { loss: y, output: exactly(cotangent) };
  if (!shapesAgree(cotangent.shape, y.value.shape)) {
    throw new RangeError(
      `judge: \`cotangents\` must have the shape ${formatShape(y.value.shape)} of the output. ` +
        `Received ${formatShape(cotangent.shape)}.`,
    );
  }
  const [ys, dys] = [contiguous(y.value).data, contiguous(cotangent).data];
  let [sum, size, doubt] = [0, 0, 0];
  for (let i = 0; i < ys.length; i++) {
    sum += ys[i] * dys[i];
    size += Math.abs(ys[i] * dys[i]);
    doubt += Math.abs(dys[i]) * (y.doubt?.bound[i] ?? 0);
  }
  const error = doubt + gamma(ys.length + 1, known.arithmetic.sums.roundoff) * (size + doubt);
  return { loss: scalar(sum, error), output: exactly(cotangent) };
}

/** An operation's argument and operands for the loss `loss`. */
function targetGoal(node: LayerNode, target: Tensor, loss: LossName, known: ForwardKnowledge): GoalOfOutput {
  const name = loss.replaceAll("_", "-");
  const [forward, backward] = [operationNamed(name), operationNamed(`${name}-backward`)];
  const y = known.reading(node);
  const yTrue: Reading = { value: cast(target, "float64") };
  const of = (yPred: Reading | NotJudged, args: { readonly fromLogits?: boolean }) => {
    if (yPred instanceof NotJudged) return { loss: yPred, gradient: yPred };
    const read = { yTrue, yPred };
    const losses = expectOf(forward, read, args, known.arithmetic);
    const gradients = expectOf(backward, read, args, known.arithmetic);
    return {
      loss: losses instanceof NotJudged ? losses : losses["loss"],
      gradient: gradients instanceof NotJudged ? gradients : gradients["dYPred"],
    };
  };
  const logits = loss === "mean_squared_error" ? undefined : logitsOf(node, known);
  if (logits === undefined) {
    const result = of(y, {});
    return { loss: result.loss, output: result.gradient };
  }
  const fromLogits = of(logits, { fromLogits: true });
  const reported = of(y, { fromLogits: false }).gradient;
  const p = known.expectation(node)?.y;
  if (!known.isBroken(node) || p === undefined || y instanceof NotJudged) {
    return { loss: fromLogits.loss, logits: fromLogits.gradient, reported };
  }
  const wrong = new NotJudged(`the output of \`${node.layer.name}\` is wrong`);
  const ofOwn = ofOwnProbabilities(oneHot(target, y.value), y.value, p, known.arithmetic);
  return { loss: wrong, logits: ofOwn, reported };
}

/** What the softmax at the end of `node` was taken of; undefined where there is none. */
function logitsOf(node: LayerNode, known: ForwardKnowledge): Reading | NotJudged | undefined {
  const applied = operationOf(node.layer, false);
  if (applied?.activation === "softmax") {
    return known.expectation(node)?.beforeActivation ?? new NotJudged("its layer was not judged");
  }
  if (applied?.operation.name !== "softmax") return undefined;
  const axis = Number(applied.args["axis"] ?? -1);
  return axis === -1 || axis === node.output.shape.length - 1 ? known.inputs(node)[0] : undefined;
}

function ofOwnProbabilities(labels: Tensor, p: Tensor, { bound }: Expectation, { sums }: ArithmeticModel): Expectation {
  const classes = p.shape[p.dimension - 1];
  const rows = p.size / classes;
  const ps = contiguous(p).data;
  const ts = float64Of(labels);
  const truth = new Float64Array(p.size);
  const errors = new Float64Array(p.size);
  const growth = gamma(classes + 4, sums.roundoff);
  for (let start = 0; start < ps.length; start += classes) {
    const row = ts.subarray(start, start + classes);
    const [total, size] = [row.reduce((a, t) => a + t, 0), row.reduce((a, t) => a + Math.abs(t), 0)];
    for (let i = start; i < start + classes; i++) {
      truth[i] = (ps[i] * total - ts[i]) / rows;
      errors[i] = (2 * bound[i] * size + growth * ((ps[i] + 2 * bound[i]) * size + Math.abs(ts[i]))) / rows;
    }
  }
  return { shape: [...p.shape], truth, bound: errors, spread: new Float64Array(p.size) };
}

/** Class numbers as one-hot rows of the shape of `like`; labels that have it already as they are. */
function oneHot(target: Tensor, like: Tensor): Tensor {
  if (shapesAgree(target.shape, like.shape)) return target;
  const classes = like.shape[like.dimension - 1];
  const labels = contiguous(target).data;
  const data = new Float64Array(like.size);
  labels.forEach((label, row) => (data[row * classes + label] = 1));
  return tensor(data, like.shape);
}

function totalLoss(
  model: Model,
  losses: readonly (Expectation | NotJudged)[],
  arithmetic: ArithmeticModel,
): Expectation | NotJudged {
  const expectations: Expectation[] = [];
  for (const loss of losses) {
    if (loss instanceof NotJudged) return loss;
    expectations.push(loss);
  }
  const { value, error } = penaltiesOf(model, arithmetic);
  if (value > 0) expectations.push(scalar(value, error));
  return sumOf(expectations, arithmetic);
}

function scalar(value: number, error: number): Expectation {
  return { shape: [], truth: Float64Array.of(value), bound: Float64Array.of(error), spread: new Float64Array(1) };
}
