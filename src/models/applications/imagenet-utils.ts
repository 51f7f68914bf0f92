/**
 * What goes into networks trained on ImageNet, and what comes out of them. Keras: `keras.applications.imagenet_utils`.
 *
 * The pixel p of channel c, 0 to 255 in the order red, green, blue, becomes
 *
 *     caffe   q[2 - c] = p - mean[2 - c],  mean = 103.939, 116.779, 123.68 for blue, green, red     ResNet50, 101, 152
 *     tf      q[c] = p / 127.5 - 1                                                                  ResNet50V2, ...
 *     torch   q[c] = (p / 255 - mean[c]) / deviation[c]
 *
 * Notes on the numbers: each step is rounded to the element type of the image, and so are the constants, as in Keras.
 *
 * @module
 */
import { describe, kindOf } from "../../serialization/config.js";
import { checkTensor } from "../../serialization/tensors.js";
import { formatShape, type SymbolicShape } from "../../tensor/shape.js";
import { contiguous, dtypeOf, empty, type Tensor } from "../../tensor/tensor.js";
import { imageNetClasses } from "./imagenet-classes.js";

/** How pixels are scaled. */
export type PreprocessMode = "caffe" | "tf" | "torch";

const BLUE_GREEN_RED_MEAN = [103.939, 116.779, 123.68];
const TORCH_MEAN = [0.485, 0.456, 0.406];
const TORCH_DEVIATION = [0.229, 0.224, 0.225];

/**
 * Images `x` [..., 3] of 0 to 255, scaled as a network wants them: a new tensor.
 *
 * @throws RangeError when there is no such mode, or the last dimension is not 3; TypeError when `x` is no tensor.
 */
export function preprocessInput(x: Tensor, mode: PreprocessMode = "caffe"): Tensor {
  if (!Array.isArray(x?.shape)) {
    throw new TypeError(`preprocessInput: \`x\` must be a tensor. Received ${kindOf(x)}.`);
  }
  if (!["caffe", "tf", "torch"].includes(mode)) {
    throw new RangeError(
      `preprocessInput: \`mode\` must be one of "caffe", "tf", "torch". Received mode=${describe(mode)}.`,
    );
  }
  if (x.shape.at(-1) !== 3) {
    throw new RangeError(
      `preprocessInput: the last dimension must be red, green, blue. Received shape ${formatShape(x.shape)}.`,
    );
  }
  const { data } = contiguous(x);
  const y = empty(x.shape, x);
  const round = dtypeOf(x) === "float32" ? Math.fround : (value: number): number => value;
  for (let i = 0; i < data.length; i++) {
    const c = i % 3;
    if (mode === "tf") y.data[i] = round(data[i] / 127.5) - 1;
    else if (mode === "caffe") y.data[i] = data[i - c + 2 - c] - round(BLUE_GREEN_RED_MEAN[c]);
    else y.data[i] = round(round(data[i] / 255) - round(TORCH_MEAN[c])) / round(TORCH_DEVIATION[c]);
  }
  return y;
}

/** A class of ImageNet with the score that a network gave it. */
export interface ClassPrediction {
  /** The WordNet id: `n02123045`. */
  readonly wordNetId: string;
  /** The name, with underscores for spaces: `tabby`. */
  readonly className: string;
  /** The network's output for it. */
  readonly score: number;
}

/**
 * The `top` classes of highest score for each row of `predictions` [N, 1000], best first; of equal scores the class with
 * the lower index.
 *
 * @throws RangeError when `predictions` has another shape, or `top` is not a whole number of at least 1.
 * @throws TypeError when `predictions` is no tensor, as the array that `predict` gives is not.
 */
export function decodePredictions(predictions: Tensor, top = 5): readonly (readonly ClassPrediction[])[] {
  checkTensor("decodePredictions", "predictions", predictions);
  const { shape } = predictions;
  if (shape.length !== 2 || shape[1] !== 1000) {
    throw new RangeError(
      "`decodePredictions` expects a batch of predictions (i.e. a 2D array of shape (samples, 1000)). " +
        `Received array with shape: (${shape.join(", ")}${shape.length === 1 ? "," : ""})`,
    );
  }
  if (!Number.isSafeInteger(top) || top < 1) {
    throw new RangeError(`decodePredictions: \`top\` must be a whole number of at least 1. Received top=${top}.`);
  }
  const classes = imageNetClasses();
  const { data } = contiguous(predictions);
  return Array.from({ length: shape[0] }, (_, row) => {
    const scored = classes.map((entry, i) => ({ ...entry, score: data[row * 1000 + i] }));
    return scored.sort(byScore).slice(0, top);
  });
}

/** Descending; NaN comes first, as in numpy, so that it is seen. */
function byScore({ score: a }: ClassPrediction, { score: b }: ClassPrediction): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(b)) - Number(Number.isNaN(a));
  return a === b ? 0 : b - a;
}

/** What {@link obtainInputShape} needs to know of a network. */
export interface InputShapeRules {
  /** Height and width where the author gives none. */
  readonly defaultSize: number;
  /** The least height and width. */
  readonly minSize: number;
  /** Whether the network ends in a classifier, for which height and width must be known. */
  readonly includeTop: boolean;
}

/**
 * The shape [H, W, C] of a network's input: the author's, checked, or the default.
 *
 * @throws TypeError when it is no array.
 * @throws RangeError when it has not three dimensions, is too small, or is open where it must be known.
 */
export function obtainInputShape(
  where: string,
  inputShape: SymbolicShape | undefined,
  { defaultSize, minSize, includeTop }: InputShapeRules,
): SymbolicShape {
  if (inputShape === undefined) return includeTop ? [defaultSize, defaultSize, 3] : [null, null, 3];
  if (!Array.isArray(inputShape)) {
    throw new TypeError(
      `${where}: \`inputShape\` must be an array [height, width, channels]. Received ${describe(inputShape)}.`,
    );
  }
  const received = `Received inputShape=${formatShape(inputShape)}.`;
  if (inputShape.length !== 3) {
    throw new RangeError(`${where}: \`inputShape\` must be three numbers, height, width and channels. ${received}`);
  }
  const [height, width] = inputShape;
  if ((height ?? minSize) < minSize || (width ?? minSize) < minSize) {
    throw new RangeError(`${where}: the input size must be at least ${minSize}x${minSize}. ${received}`);
  }
  if (includeTop && inputShape.includes(null)) {
    throw new RangeError(`${where}: with \`includeTop\`, \`inputShape\` must have no open dimension. ${received}`);
  }
  return inputShape;
}
