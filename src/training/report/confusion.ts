/**
 * What a classifier takes for what: the confusion matrix, and the worst mistakes.
 *
 * @module
 */
import { formatShape } from "../../tensor/shape.js";
import type { Tensor } from "../../tensor/tensor.js";

/** How many samples of each class were taken for which. */
export interface ConfusionMatrix {
  readonly classNames: readonly string[];
  /** `counts[t][p]`: samples of class t that were taken for class p. */
  readonly counts: readonly (readonly number[])[];
}

/** A sample that was taken for another class. */
export interface Mistake {
  /** Which sample of the data it is. */
  readonly index: number;
  /** Its class. */
  readonly truth: number;
  /** The class that it was taken for. */
  readonly predicted: number;
  /** The probability given to `predicted`. */
  readonly probability: number;
  /** The probability given to `truth`. */
  readonly truthProbability: number;
}

/** The most probable class of every row of `probabilities` [N, K]; of equals the first, as argmax takes it. */
function predictions(probabilities: Tensor): readonly number[] {
  const [samples, classes] = probabilities.shape;
  return Array.from({ length: samples }, (_, n) => {
    let best = 0;
    for (let k = 1; k < classes; k++) if (probabilities.get(n, k) > probabilities.get(n, best)) best = k;
    return best;
  });
}

function check(probabilities: Tensor, labels: ArrayLike<number>, classes: number): void {
  const { shape } = probabilities;
  if (shape.length !== 2 || shape[0] !== labels.length || shape[1] !== classes) {
    throw new RangeError(
      `report: \`probabilities\` must have shape [${labels.length}, ${classes}] for ${labels.length} labels of ` +
        `${classes} classes. Received probabilities.shape=${formatShape(shape)}.`,
    );
  }
}

/**
 * Counts what was taken for what.
 *
 * @param probabilities - The model's outputs, [N, K].
 * @param labels - The true classes, N whole numbers below K.
 * @param classNames - Names of the K classes.
 * @throws RangeError when the three do not fit together.
 */
export function confusionMatrix(
  probabilities: Tensor,
  labels: ArrayLike<number>,
  classNames: readonly string[],
): ConfusionMatrix {
  check(probabilities, labels, classNames.length);
  const counts = classNames.map(() => classNames.map(() => 0));
  for (const [n, predicted] of predictions(probabilities).entries()) counts[labels[n]][predicted]++;
  return { classNames, counts };
}

/**
 * All mistakes, the worst first: those whose true class was given the least probability, which have the greatest loss.
 *
 * @throws RangeError as {@link confusionMatrix}.
 */
export function mistakes(probabilities: Tensor, labels: ArrayLike<number>): readonly Mistake[] {
  check(probabilities, labels, probabilities.shape[1] ?? 0);
  return predictions(probabilities)
    .map((predicted, index) => ({
      index,
      truth: labels[index],
      predicted,
      probability: probabilities.get(index, predicted),
      truthProbability: probabilities.get(index, labels[index]),
    }))
    .filter(({ truth, predicted }) => truth !== predicted)
    .sort((a, b) => a.truthProbability - b.truthProbability || b.probability - a.probability || a.index - b.index);
}
