/**
 * What happens to the pixels of an image, 0 to 255, before a model sees them.
 *
 * @module
 */
import { preprocessInput } from "../models/applications/imagenet-utils.js";
import type { Model } from "../models/model.js";
import { empty, type Tensor } from "../tensor/tensor.js";
import {
  checkPreprocessing,
  preprocessImage,
  type Preprocessing as TrainedPreprocessing,
} from "../training/preprocessing.js";
import { UsageError } from "./errors.js";

/**
 * `caffe`, `tf`, `torch` as `keras.applications` names them; `scale` divides by 255; `trained` is what the file of a model
 * says; `none` leaves them.
 */
export const PREPROCESSINGS = ["caffe", "tf", "torch", "scale", "trained", "none"] as const;

/** One of {@link PREPROCESSINGS}. */
export type Preprocessing = (typeof PREPROCESSINGS)[number];

/**
 * How the model was trained: as its file says; the applications by their names; a model that begins with Rescaling takes
 * pixels as they are; all others, as the CIFAR-10 program does, pixels / 255.
 */
export function preprocessingOf(model: Model, spec: string, trained: TrainedPreprocessing | undefined): Preprocessing {
  if (trained !== undefined) return "trained";
  const name = `${model.name} ${spec}`.toLowerCase();
  if (/resnet(50|101|152)v2/.test(name)) return "tf";
  if (/resnet(50|101|152)(?!v)/.test(name)) return "caffe";
  const rescales = model.layers.some((layer) => layer.className === "Rescaling");
  return rescales ? "none" : "scale";
}

/**
 * `images` [N, H, W, 3] after `mode`.
 *
 * @throws UsageError when `mode` is `trained` and no file says how. @throws RangeError when the mean image that it holds is of
 * another size.
 */
export function preprocess(images: Tensor, mode: Preprocessing, trained: TrainedPreprocessing | undefined): Tensor {
  if (mode === "none") return images;
  if (mode === "trained") {
    if (trained !== undefined) return preprocessAsTrained(images, trained);
    throw new UsageError("--preprocess trained must go with a .keras file that says how.", "one that does not");
  }
  if (mode !== "scale") return preprocessInput(images, mode);
  const scaled = empty(images.shape, images);
  for (let i = 0; i < images.size; i++) scaled.data[i] = images.data[i] / 255;
  return scaled;
}

/** `images` of bytes / 255, less the mean image of the training set that the file of a model holds. */
function preprocessAsTrained(images: Tensor, { mean }: TrainedPreprocessing): Tensor {
  const [samples, height, width, channels] = images.shape;
  const preprocessing = { scale: 1 / 255, mean };
  checkPreprocessing(preprocessing, [height, width, channels]);
  const size = height * width * channels;
  const y = empty(images.shape, images);
  for (let n = 0; n < samples; n++) preprocessImage(y.data, n * size, images.data, n * size, size, preprocessing);
  return y;
}
