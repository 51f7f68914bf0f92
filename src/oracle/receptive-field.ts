/**
 * Receptive fields: the part of a layer's input that one element of its output is made of, written as NumPy writes it.
 *
 * @module
 */
import { window2D } from "../kernels/window.js";
import type { Layer } from "../layers/layer.js";
import { readConfig } from "../serialization/config.js";
import { type Shape, shapesAgree } from "../tensor/shape.js";

/**
 * What of the inputs of shapes `inputs` the element at `index` of the output of `layer` is made of: `[0, 3:6, 0:2, :]`.
 * Undefined where no region says it.
 */
export function regionRead(layer: Layer, inputs: readonly Shape[], index: readonly number[]): string | undefined {
  const [input] = inputs;
  if (input === undefined) return undefined;
  const { className } = layer;
  if (className === "Dense") return slices([...index.slice(0, -1), ":"]);
  if (className.startsWith("Global")) return slices([index[0], ":", ":", index[index.length - 1]]);
  const read = readConfig(className, layer.getConfig());
  const isPooling = className.endsWith("Pooling2D");
  if (isPooling || className.endsWith("Conv2D")) {
    const size = read.pair(isPooling ? "pool_size" : "kernel_size");
    const strides = read.pair("strides", [1, 1]);
    const padding = read.oneOf("padding", ["same", "valid"], "valid");
    const dilation = isPooling ? ([1, 1] as const) : read.pair("dilation_rate", [1, 1]);
    const window = window2D([input[1], input[2]], size, strides, padding, dilation);
    const rows = seen(index[1], window.strideHeight, window.padTop, size[0], window.dilationHeight, input[1]);
    const columns = seen(index[2], window.strideWidth, window.padLeft, size[1], window.dilationWidth, input[2]);
    return slices([index[0], rows, columns, isPooling ? index[3] : ":"]);
  }
  return inputs.every((shape) => shapesAgree(shape, input)) &&
    index.length === input.length &&
    className !== "Concatenate"
    ? slices(index)
    : undefined;
}

/** The inputs along one axis from the first to the last that a window sees. */
function seen(at: number, stride: number, before: number, size: number, dilation: number, input: number): string {
  const first = at * stride - before;
  const last = first + (size - 1) * dilation;
  return `${Math.max(first, 0)}:${Math.min(last, input - 1) + 1}`;
}

function slices(parts: readonly (number | string)[]): string {
  return `[${parts.join(", ")}]`;
}
