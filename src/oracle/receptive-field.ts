/**
 * Receptive fields: the part of a layer's input that one element of its output is made of, written as NumPy writes it.
 *
 * @module
 */
import { window2D } from "../kernels/window.js";
import { resolveAxis } from "../layers/axis.js";
import type { Layer } from "../layers/layer.js";
import { ZeroPadding2D } from "../layers/zero-padding2d.js";
import { type ConfigReader, readConfig } from "../serialization/config.js";
import { type Shape, shapesAgree, sizeOf } from "../tensor/shape.js";
import { positionOf } from "./judgement.js";

/** An element of a layer's output. */
interface Element {
  readonly layer: Layer;
  /** The shape of every input. */
  readonly inputs: readonly Shape[];
  readonly input: Shape;
  readonly index: readonly number[];
  /** Whether the layer ran in training. */
  readonly training: boolean;
}

/** Along every axis an index, or a slice. */
type Region = readonly (number | string)[];

/** What of the first input an element is made of; undefined where no region says it. */
type Reads = (element: Element) => Region | undefined;

const sameElement: Reads = ({ inputs, input, index }) =>
  inputs.every((shape) => shapesAgree(shape, input)) ? index : undefined;

/** The element at the same place in row-major order. */
const reshaped: Reads = ({ layer, input, index, inputs }) => {
  const output = layer.computeOutputShape(inputs).map(Number);
  const at = index.reduce((offset, position, axis) => offset + position * sizeOf(output.slice(axis + 1)), 0);
  return positionOf(at, input);
};

const alongAxis: Reads = ({ layer, input, index }) => {
  const axis = resolveAxis(layer.className, argumentsOf(layer).integer("axis", -input.length, -1), input);
  return index.map((position, at) => (at === axis ? ":" : position));
};

const wholeRow: Reads = ({ index }) => [...index.slice(0, -1), ":"];

const wholeImage: Reads = ({ index }) => [index[0], ":", ":", index[index.length - 1]];

/** In training the statistics are those of everything else in the channel. */
const normalized: Reads = (element) => {
  const { layer, input, index, training } = element;
  if (!(training && layer.trainable)) return sameElement(element);
  const axis = resolveAxis(layer.className, argumentsOf(layer).integer("axis", -input.length, -1), input);
  return index.map((position, at) => (at === axis ? position : ":"));
};

const unpadded: Reads = ({ layer, input, index }) => {
  if (!(layer instanceof ZeroPadding2D)) return undefined;
  const [[top], [left]] = layer.padding;
  const position = [index[0], index[1] - top, index[2] - left, index[3]];
  // zeros of the border are made of nothing
  return position.every((at, axis) => at >= 0 && at < input[axis]) ? position : undefined;
};

const pooled: Reads = (element) => underWindow(element, "pool_size", element.index[3]);

/** The channels of the filter's group. */
const convolved: Reads = (element) => {
  const { layer, input, index, inputs } = element;
  const groups = argumentsOf(layer).integer("groups", 1, 1);
  const [channels, filters] = [input[3], Number(layer.computeOutputShape(inputs)[3])];
  const first = Math.floor(index[3] / (filters / groups)) * (channels / groups);
  const ofGroup = groups === 1 ? ":" : `${first}:${first + channels / groups}`;
  return underWindow(element, "kernel_size", endsInSoftmax(layer) ? ":" : ofGroup);
};

const convolvedByChannel: Reads = (element) => {
  const multiplier = argumentsOf(element.layer).integer("depth_multiplier", 1, 1);
  const channel = Math.floor(element.index[3] / multiplier);
  return underWindow(element, "kernel_size", endsInSoftmax(element.layer) ? ":" : channel);
};

const argumentsOf = (layer: Layer): ConfigReader => readConfig(layer.className, layer.getConfig());

function endsInSoftmax(layer: Layer): boolean {
  return argumentsOf(layer).raw("activation") === "softmax";
}

/** The pixels that the window at `index` sees, in `channels`. */
function underWindow(
  { layer, input, index }: Element,
  sizeKey: "kernel_size" | "pool_size",
  channels: number | string,
): Region | undefined {
  const read = argumentsOf(layer);
  const dilation = sizeKey === "kernel_size" ? read.pair("dilation_rate", [1, 1]) : ([1, 1] as const);
  const padding = read.oneOf("padding", ["same", "valid"], "valid");
  const strides = read.pair("strides", [1, 1]);
  const window = window2D([input[1], input[2]], read.pair(sizeKey), strides, padding, dilation);
  const { strideHeight, strideWidth, padTop, padLeft, kernelHeight, kernelWidth } = window;
  const rows = seen(index[1] * strideHeight - padTop, kernelHeight, dilation[0], input[1]);
  const columns = seen(index[2] * strideWidth - padLeft, kernelWidth, dilation[1], input[2]);
  return rows === undefined || columns === undefined ? undefined : [index[0], rows, columns, channels];
}

/** Those of `taps` inputs along one axis, the first at `start`, that lie within it; undefined where none does. */
function seen(start: number, taps: number, dilation: number, input: number): string | undefined {
  const outside = Math.max(0, Math.ceil(-start / dilation));
  const first = start + outside * dilation;
  const last = Math.min(start + (taps - 1) * dilation, first + Math.floor((input - 1 - first) / dilation) * dilation);
  if (last < first) return undefined;
  return `${first}:${last + 1}${dilation > 1 ? `:${dilation}` : ""}`;
}

/** By Keras class. Others have several inputs, each with a region of its own. */
const READS: Readonly<Record<string, Reads>> = {
  Activation: (element) => (endsInSoftmax(element.layer) ? wholeRow(element) : sameElement(element)),
  Add: sameElement,
  AveragePooling2D: pooled,
  BatchNormalization: normalized,
  Conv2D: convolved,
  Dense: wholeRow,
  DepthwiseConv2D: convolvedByChannel,
  Dropout: sameElement,
  Flatten: reshaped,
  GlobalAveragePooling2D: wholeImage,
  GlobalMaxPooling2D: wholeImage,
  InputLayer: sameElement,
  LeakyReLU: sameElement,
  MaxPooling2D: pooled,
  ReLU: sameElement,
  Rescaling: sameElement,
  Reshape: reshaped,
  Softmax: alongAxis,
  ZeroPadding2D: unpadded,
};

/**
 * What of the inputs of shapes `inputs` the element at `index` of the output of `layer` is made of, in training or not:
 * `[0, 3:6, 0:2, :]`. Undefined where no region says it, or it is made of no input.
 */
export function regionRead(
  layer: Layer,
  inputs: readonly Shape[],
  index: readonly number[],
  training: boolean,
): string | undefined {
  const [input] = inputs;
  if (input === undefined || !Object.hasOwn(READS, layer.className)) return undefined;
  const region = READS[layer.className]({ layer, inputs, input, index, training });
  return region && `[${region.join(", ")}]`;
}
