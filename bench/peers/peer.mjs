/**
 * What a peer is: another implementation of the same operations.
 *
 * A peer's file exports `open()`, which gives
 *
 *     { name, version, runsOn, operations, notOffered, flushes?, close? }
 *
 * `operations[name](operands, args)` takes tensors `{ data: Float32Array, shape }` by name, NHWC and HWIO, and Keras's
 * arguments in camelCase, and gives tensors by name. `notOffered` says why an operation is missing. `flushes` is true where
 * the peer takes subnormal numbers for zeros on purpose.
 *
 * An adapter moves numbers (transposes, pads with zeros, splits groups) and never computes with them.
 *
 * @module
 */

/** Thrown where the peer has the operation but not with these arguments: the case is skipped, not counted against it. */
export class NotOffered extends Error {
  name = "NotOffered";
}

/** Pairs of arguments, which may be missing or one number. */
export function pair(value, otherwise = [1, 1]) {
  if (value === undefined || value === null) return otherwise;
  return typeof value === "number" ? [value, value] : [...value];
}

/** The arguments of a convolution, complete. */
export function convolutionArguments({ strides, padding, dilationRate, groups }) {
  return { strides: pair(strides), padding: padding ?? "valid", dilationRate: pair(dilationRate), groups: groups ?? 1 };
}

/** The arguments of a pool, complete. */
export function poolingArguments({ poolSize, strides, padding }) {
  const size = pair(poolSize, [2, 2]);
  return { poolSize: size, strides: pair(strides, size), padding: padding ?? "valid" };
}

/** Zeros on both sides of one axis: TensorFlow's SAME puts the odd one after. */
function zerosAround(size, window, stride, dilation) {
  const span = (window - 1) * dilation + 1;
  const total = Math.max(0, (Math.ceil(size / stride) - 1) * stride + span - size);
  const before = Math.floor(total / 2);
  return [before, total - before];
}

/** `[[top, bottom], [left, right]]` for images of `shape` [N, H, W, C]; all 0 for "valid". */
export function zerosOf(shape, window, { strides, padding, dilationRate = [1, 1] }) {
  return [0, 1].map((axis) => {
    if (padding !== "same") return [0, 0];
    return zerosAround(shape[1 + axis], window[axis], strides[axis], dilationRate[axis]);
  });
}

/** `tensor` with its axes in the order `axes`. */
export function transpose({ data, shape }, axes) {
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, n) => product * n, 1));
  const moved = { data: new data.constructor(data.length), shape: axes.map((axis) => shape[axis]) };
  const index = axes.map(() => 0);
  for (let i = 0; i < data.length; i++) {
    moved.data[i] = data[axes.reduce((at, axis, place) => at + index[place] * strides[axis], 0)];
    for (let place = axes.length - 1; place >= 0; place--) {
      if (++index[place] < moved.shape[place]) break;
      index[place] = 0;
    }
  }
  return moved;
}

/** Images and kernels in the order of ONNX, PyTorch and JAX, and back. */
export const toNCHW = (x) => transpose(x, [0, 3, 1, 2]);
export const toNHWC = (x) => transpose(x, [0, 2, 3, 1]);
export const toOIHW = (kernel) => transpose(kernel, [3, 2, 0, 1]);
export const toHWIO = (kernel) => transpose(kernel, [2, 3, 1, 0]);

/** A depthwise kernel [KH, KW, C, D] as the kernel of a convolution in C groups [C D, 1, KH, KW], and back. */
export function toGroupedKernel({ data, shape: [height, width, channels, multiplier] }) {
  return toOIHW({ data, shape: [height, width, 1, channels * multiplier] });
}
export function fromGroupedKernel(kernel, shape) {
  return { data: toHWIO(kernel).data, shape };
}

/** The same numbers in another shape. */
export const reshaped = ({ data }, shape) => ({ data, shape });

/** The channels axis first or last: `[axis moved to place 1]` for batch normalization in the order of ONNX and PyTorch. */
export function channelsSecond(x, axis) {
  const rank = x.shape.length;
  const at = axis < 0 ? axis + rank : axis;
  const others = x.shape.map((_, i) => i).filter((i) => i !== at);
  const order = [others[0], at, ...others.slice(1)];
  const back = order.map((_, i) => order.indexOf(i));
  return { moved: transpose(x, order), back: (y) => transpose(y, back) };
}

/** The operands `x0`, `x1`, ..., in order. */
export function listOf(operands, prefix = "x") {
  const list = [];
  while (operands[`${prefix}${list.length}`] !== undefined) list.push(operands[`${prefix}${list.length}`]);
  return list;
}
