/**
 * What inference gives of a model.
 *
 * @module
 */
import type { CallContext } from "../layers/layer.js";
import type { Tensor } from "../tensor/tensor.js";
import type { Model } from "./model.js";
import type { ForwardOptions } from "./passes.js";
import type { Release } from "./readers.js";

/** Runs `model` in inference as its method `infer` does. */
export type Infer = (
  model: Model,
  inputs: readonly Tensor[],
  context: CallContext,
  release: Release,
  runUnit?: ForwardOptions["runUnit"],
) => readonly Tensor[];

/** The outputs. */
export const inferOutputs: Infer = (model, inputs, context, release, runUnit) =>
  model.infer(inputs, context, release, runUnit);

/** The outputs, and behind them, where the first one is a softmax, what that was taken of: the loss begins there. */
export const inferWithLogits: Infer = (model, inputs, context, release, runUnit) => {
  const { outputs, passes } = model.forward(inputs, context, { want: "outputs", release, runUnit });
  const logits = passes.get(model.outputs[0].node)?.logits;
  return logits === undefined ? outputs : [...outputs, logits.x];
};
