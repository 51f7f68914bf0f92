/**
 * A trace: everything that one pass over a model computes, by Keras's layer and weight names.
 *
 *     output/<layer>                     the output of every layer
 *     loss                               with targets: the loss of the outputs, mean over the batch, plus the regularizers
 *     gradOutput/<layer>                 its derivative for every layer's output
 *     gradWeight/<layer>/<weight>        and for every trainable weight
 *     moving/<layer>/<moving statistic>  in training: their values after the step
 *
 * The second application of a layer is written as `<layer>:1`, the third as `<layer>:2`, ...; see node-names.ts.
 *
 * @module
 */
import { type Execution, serial } from "../kernels/execution.js";
import { expectOptions } from "../serialization/options.js";
import { Arena } from "../tensor/arena.js";
import { formatShape, shapesAgree } from "../tensor/shape.js";
import { cast, contiguous, detach, type Tensor, tensorOf } from "../tensor/tensor.js";
import { checkExecution, checkModel } from "./check-model.js";
import { checkTensors } from "../serialization/tensors.js";
import type { Model } from "./model.js";
import { nodeNames } from "./node-names.js";
import { type LossName, objectiveOf } from "./objective.js";
import {
  backwardPass,
  type ForwardOptions,
  type ModelPass,
  type OutputGradient,
  regularizationLosses,
  withRegularizers,
} from "./passes.js";

/** Options of {@link trace}. */
export interface TraceOptions {
  /** Batch statistics and dropout. @defaultValue false */
  readonly training?: boolean;
  /** One target for each output: then there are a loss and gradients. */
  readonly targets?: readonly Tensor[];
  /** Which loss compares outputs with targets. @defaultValue "categorical_crossentropy" */
  readonly loss?: LossName;
  /** Instead of targets: the derivative for each output of a loss that is the sum of dy y, plus the regularizers. */
  readonly cotangents?: readonly Tensor[];
  /** Threads and accumulation. @defaultValue one thread, float64 */
  readonly execution?: Execution;
  /** Seed of dropout. @defaultValue 0 */
  readonly seed?: number;
  /** What a node reads instead of what earlier nodes gave. */
  readonly replaceInputs?: ForwardOptions["replaceInputs"];
}

const OPTIONS = ["training", "targets", "loss", "cotangents", "execution", "seed", "replaceInputs"];

/** Tensors by key, in the order in which they were computed. */
export type Trace = ReadonlyMap<string, Tensor>;

/**
 * Runs `model` once on `inputs` and, where there are targets or cotangents, back. The model is not changed.
 *
 * @throws RangeError when inputs, targets or cotangents do not fit the model.
 * @throws TypeError when they are no arrays of tensors, `model` is no model, or an option is none of {@link TraceOptions}.
 */
export function trace(model: Model, inputs: readonly Tensor[], options: TraceOptions = {}): Trace {
  checkModel("trace", model);
  expectOptions("trace", options, OPTIONS);
  checkExecution("trace", options.execution);
  const { training = false, execution = serial, seed = 0, targets, cotangents } = options;
  checkTensors("trace", "inputs", inputs);
  if (targets !== undefined) checkTensors("trace", "targets", targets);
  if (cotangents !== undefined) checkTensors("trace", "cotangents", cotangents);
  const arena = new Arena();
  try {
    return arena.run(() => {
      const pass = model.forward(inputs, { training, execution, seed, step: 0 }, options);
      const entries = new Map<string, Tensor>();
      const keep = (key: string, x: Tensor): void => void entries.set(key, detach(x));
      const names = nodeNames(model.graphNodes);
      for (const [node, { y }] of pass.passes) keep(`output/${names.get(node)}`, y);

      const goal = objectives(model, pass, options);
      if (goal !== undefined) {
        const loss = goal.loss + regularizationLosses(model);
        keep("loss", tensorOf([loss], [], model.dtype));
        const { dOutputs, dWeights } = backwardPass(model, pass, goal.gradients);
        for (const [node, dy] of dOutputs) keep(`gradOutput/${names.get(node)}`, dy);
        for (const [path, dWeight] of withRegularizers(model, dWeights)) keep(`gradWeight/${path}`, dWeight);
      }
      for (const [path, weight] of model.weightsByPath()) {
        if (training && !weight.trainable) keep(`moving/${path}`, pass.updates.get(weight) ?? weight.value);
      }
      return entries;
    });
  } finally {
    arena.reset();
  }
}

interface Goal {
  readonly loss: number;
  readonly gradients: readonly OutputGradient[];
}

function objectives(model: Model, pass: ModelPass, options: TraceOptions): Goal | undefined {
  const { targets, cotangents, loss = "categorical_crossentropy" } = options;
  const given = targets ?? cotangents;
  if (given === undefined) return undefined;
  const what = targets === undefined ? "cotangents" : "targets";
  if (given.length !== model.outputs.length) {
    throw new RangeError(
      `trace: \`${what}\` must be given for each of the ${model.outputs.length} outputs. Received ${given.length}.`,
    );
  }
  let sum = 0;
  const gradients = given.map((tensor, i): OutputGradient => {
    const y = pass.outputs[i];
    const value = contiguous(cast(tensor, model.dtype)); // read by index, as y is
    if (targets === undefined) {
      if (!shapesAgree(value.shape, y.shape)) {
        throw new RangeError(
          `trace: \`cotangents\` must have the shape ${formatShape(y.shape)} of the output. ` +
            `Received ${formatShape(value.shape)}.`,
        );
      }
      for (let j = 0; j < y.size; j++) sum += y.data[j] * value.data[j];
      return { dy: value };
    }
    const output = pass.passes.get(model.outputs[i].node);
    if (output === undefined) throw new Error("internal: trace: an output has not run.");
    const objective = objectiveOf(loss, value, output);
    sum += objective.loss;
    return objective.gradient;
  });
  return { loss: sum, gradients };
}
