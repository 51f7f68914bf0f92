/**
 * The objective of a model: its loss for given targets, and where backward begins.
 *
 * Cross-entropy of an output that is a softmax is taken of the logits, as Keras does: p - t is exact where t / p followed
 * by the softmax's own backward cancels. Of any other output it is taken of the values as probabilities.
 *
 * @module
 */
import type { LayerPass } from "../layers/layer.js";
import { categoricalCrossentropyBackward, categoricalCrossentropyForward } from "../losses/categorical-crossentropy.js";
import { meanSquaredErrorBackward, meanSquaredErrorForward } from "../losses/mean-squared-error.js";
import {
  sparseCategoricalCrossentropyBackward,
  sparseCategoricalCrossentropyForward,
} from "../losses/sparse-categorical-crossentropy.js";
import { describe } from "../serialization/config.js";
import type { Tensor } from "../tensor/tensor.js";
import type { OutputGradient } from "./passes.js";

/** Keras's names of the losses. */
export const LOSSES = ["categorical_crossentropy", "sparse_categorical_crossentropy", "mean_squared_error"] as const;

/** Keras's name of a loss. */
export type LossName = (typeof LOSSES)[number];

/** The loss of one output, the mean over the batch, and its derivative. */
export interface Objective {
  /** Without regularizers. */
  readonly loss: number;
  /** Where backward begins. What nobody asks for is not computed. */
  readonly gradient: OutputGradient;
}

/** An output, and where that is a softmax what it was taken of. */
export interface ModelOutput {
  readonly y: Tensor;
  readonly logits?: Pick<NonNullable<LayerPass["logits"]>, "x"> | undefined;
}

/** A loss of predictions, and what gives its gradient for them. */
interface Evaluated {
  readonly loss: number;
  readonly backward: () => Tensor;
}

/**
 * The loss of one output for the targets `yTrue`.
 *
 * @throws RangeError when the targets do not fit the output, or there is no such loss.
 */
export function objectiveOf(loss: LossName, yTrue: Tensor, output: ModelOutput): Objective {
  switch (loss) {
    case "mean_squared_error": {
      const { loss, cache } = meanSquaredErrorForward(yTrue, output.y);
      return objectiveFor({ loss, backward: () => meanSquaredErrorBackward(cache) });
    }
    case "categorical_crossentropy":
      return crossentropyOf(output, (yPred, fromLogits) => {
        const { loss, cache } = categoricalCrossentropyForward(yTrue, yPred, { fromLogits });
        return { loss, backward: () => categoricalCrossentropyBackward(cache) };
      });
    case "sparse_categorical_crossentropy":
      return crossentropyOf(output, (yPred, fromLogits) => {
        const { loss, cache } = sparseCategoricalCrossentropyForward(yTrue, yPred, { fromLogits });
        return { loss, backward: () => sparseCategoricalCrossentropyBackward(cache) };
      });
    default:
      throw new RangeError(`loss: it must be one of ${LOSSES.join(", ")}. Received ${describe(loss)}.`);
  }
}

function crossentropyOf(
  { y, logits }: ModelOutput,
  crossentropy: (yPred: Tensor, fromLogits: boolean) => Evaluated,
): Objective {
  if (logits === undefined) return objectiveFor(crossentropy(y, false));
  const ofLogits = crossentropy(logits.x, true);
  return objectiveFor({ loss: ofLogits.loss, backward: () => crossentropy(y, false).backward() }, ofLogits.backward);
}

/** The objective of an output; with `backwardToLogits`, backward begins at these. */
function objectiveFor({ loss, backward }: Evaluated, backwardToLogits?: () => Tensor): Objective {
  let [dy, dLogits]: (Tensor | undefined)[] = [];
  return {
    loss,
    gradient: {
      get dy() {
        return (dy ??= backward());
      },
      get dLogits() {
        return (dLogits ??= backwardToLogits?.());
      },
    },
  };
}
