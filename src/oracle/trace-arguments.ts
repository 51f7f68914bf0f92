/**
 * What a trace is judged by, checked.
 *
 * @module
 */
import { describe, kindOf } from "../serialization/config.js";
import { checkModel } from "../models/check-model.js";
import { checkTensor, checkTensors } from "../serialization/tensors.js";
import type { Model } from "../models/model.js";
import { LOSSES } from "../models/objective.js";
import type { TraceOptions } from "../models/trace.js";
import { expectOptions } from "../serialization/options.js";
import { formatShape, shapesAgree } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { type ArithmeticModel, checkArithmetic, FLOAT32 } from "./arithmetic-model.js";

/** What a trace is judged by. */
export interface TraceJudgementOptions extends Pick<TraceOptions, "training" | "targets" | "cotangents" | "loss"> {
  /** What the candidate's arithmetic may do. @defaultValue FLOAT32 */
  readonly arithmetic?: ArithmeticModel;
}

const OPTIONS = ["training", "targets", "cotangents", "loss", "arithmetic"];

/**
 * @throws TypeError when an argument of `judgeTrace` is of another type, or an option is none of its own; RangeError when
 *   inputs do not fit the model, or there is no such loss.
 */
export function checkTraceArguments(
  model: Model,
  inputs: readonly Tensor[],
  candidate: ReadonlyMap<string, Tensor>,
  options: TraceJudgementOptions,
): void {
  checkModel("judgeTrace", model);
  checkTensors("judgeTrace", "inputs", inputs);
  if (typeof candidate?.get !== "function") {
    throw new TypeError(
      `judgeTrace: \`candidate\` must be a Map of tensors by key, as \`trace\` gives. Received ${kindOf(candidate)}.`,
    );
  }
  for (const [key, x] of candidate) checkTensor("judgeTrace", key, x);
  expectOptions("judgeTrace", options, OPTIONS);
  const { targets, cotangents, loss, arithmetic = FLOAT32 } = options;
  if (targets !== undefined) checkTensors("judgeTrace", "targets", targets);
  if (cotangents !== undefined) checkTensors("judgeTrace", "cotangents", cotangents);
  checkArithmetic("judgeTrace", "arithmetic", arithmetic);
  if (loss !== undefined && !LOSSES.includes(loss)) {
    throw new RangeError(`judgeTrace: \`loss\` must be one of ${LOSSES.join(", ")}. Received ${describe(loss)}.`);
  }
  const shapes = model.inputs.map((x) => x.shape);
  if (inputs.length !== shapes.length || !inputs.every((x, i) => shapesAgree(x.shape, shapes[i]))) {
    throw new RangeError(
      `judgeTrace: \`inputs\` must have the shape ${shapes.map(formatShape).join(", ")}. ` +
        `Received ${inputs.map((x) => formatShape(x.shape)).join(", ") || "no input"}.`,
    );
  }
}
