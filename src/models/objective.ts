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
  /** Where backward begins. */
  readonly gradient: OutputGradient;
}

/**
 * The loss of one output for the targets `yTrue`.
 *
 * @throws RangeError when the targets do not fit the output, or there is no such loss.
 */
export function objectiveOf(loss: LossName, yTrue: Tensor, output: LayerPass): Objective {
  switch (loss) {
    case "mean_squared_error": {
      const { loss, cache } = meanSquaredErrorForward(yTrue, output.y);
      return { loss, gradient: { dy: meanSquaredErrorBackward(cache) } };
    }
    case "categorical_crossentropy":
      return crossentropyOf(output, (yPred, fromLogits) => {
        const { loss, cache } = categoricalCrossentropyForward(yTrue, yPred, { fromLogits });
        return { loss, dYPred: categoricalCrossentropyBackward(cache) };
      });
    case "sparse_categorical_crossentropy":
      return crossentropyOf(output, (yPred, fromLogits) => {
        const { loss, cache } = sparseCategoricalCrossentropyForward(yTrue, yPred, { fromLogits });
        return { loss, dYPred: sparseCategoricalCrossentropyBackward(cache) };
      });
    default:
      throw new RangeError(`loss: it must be one of ${LOSSES.join(", ")}. Received ${describe(loss)}.`);
  }
}

function crossentropyOf(
  { y, logits }: LayerPass,
  crossentropy: (yPred: Tensor, fromLogits: boolean) => { loss: number; dYPred: Tensor },
): Objective {
  const ofProbabilities = crossentropy(y, false);
  if (logits === undefined) return { loss: ofProbabilities.loss, gradient: { dy: ofProbabilities.dYPred } };
  const { loss, dYPred } = crossentropy(logits.x, true);
  return { loss, gradient: { dy: ofProbabilities.dYPred, dLogits: dYPred } };
}
