/**
 * jax-js on its WebAssembly backend. Gradients are those of `vjp`.
 *
 * Arrays are moved into every function that takes them; `.ref` keeps one for another use. `lax.reduceWindow` has no padding,
 * and the mean that it takes could not leave a border out.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { defaultDevice, init, lax, nn, numpy as np, vjp } from "@jax-js/jax";
import {
  convolutionArguments,
  fromGroupedKernel,
  listOf,
  NotOffered,
  poolingArguments,
  toGroupedKernel,
  toHWIO,
  toNCHW,
  toNHWC,
  toOIHW,
  zerosOf,
} from "./peer.mjs";

const NOT_OFFERED = {
  "batch-normalization": "no such function",
  "batch-normalization-training": "no such function",
  "batch-normalization-backward": "no such function",
  "batch-normalization-training-backward": "no such function",
};

const put = ({ data, shape }) => np.array(data, { shape: [...shape] });
const read = async (array) => {
  const shape = [...array.shape];
  return { data: Float32Array.from(await array.data()), shape };
};

function convolve(x, kernel, { shape, window, strides, padding, dilationRate }, groups) {
  const zeros = zerosOf(shape, window, { strides, padding, dilationRate });
  return lax.convGeneralDilated(x, kernel, strides, zeros, { rhsDilation: dilationRate, featureGroupCount: groups });
}

async function convolution(operands, kernel, args, groups) {
  const { x, bias } = operands;
  const complete = { ...convolutionArguments(args), shape: x.shape, window: kernel.shape.slice(2) };
  const y = convolve(put(toNCHW(x)), put(kernel), complete, groups);
  if (bias === undefined) return { y: toNHWC(await read(y)) };
  return { y: toNHWC(await read(y.add(put(bias).reshape([1, bias.shape[0], 1, 1])))) };
}

async function convolutionGradients(operands, kernel, args, groups, toKernel) {
  const { x, dy } = operands;
  const complete = { ...convolutionArguments(args), shape: x.shape, window: kernel.shape.slice(2) };
  const [y, pull] = vjp(
    (images, filters) => convolve(images, filters, complete, groups),
    [put(toNCHW(x)), put(kernel)],
  );
  y.dispose();
  const cotangent = put(toNCHW(dy));
  const dBias = await read(np.sum(cotangent.ref, [0, 2, 3]));
  const [dx, dKernel] = pull(cotangent);
  return { dx: toNHWC(await read(dx)), dKernel: toKernel(await read(dKernel)), dBias };
}

/** The forward operation of one input and its backward pass. */
function both(name, compute) {
  return {
    [name]: async ({ x }, args) => ({ y: await read(compute(put(x), args)) }),
    [`${name}-backward`]: async ({ x, dy }, args) => {
      const [y, pull] = vjp((value) => compute(value, args), [put(x)]);
      y.dispose();
      const [dx] = pull(put(dy));
      return { dx: await read(dx) };
    },
  };
}

/** Pools by `reduce`, NHWC to NHWC. */
function pool(reduce) {
  return (x, args) => {
    const { poolSize, strides, padding } = poolingArguments(args);
    const zeros = zerosOf(x.shape, poolSize, { strides, padding }).flat();
    if (zeros.some((count) => count > 0)) throw new NotOffered("lax.reduceWindow has no padding");
    const y = lax.reduceWindow(np.transpose(x, [0, 3, 1, 2]), reduce, poolSize, strides);
    return np.transpose(y, [0, 2, 3, 1]);
  };
}

function rectify(x, { maxValue, negativeSlope = 0, threshold = 0 }) {
  const clipped = maxValue !== undefined && maxValue !== null;
  if (clipped || negativeSlope !== 0 || threshold !== 0) throw new NotOffered("nn.relu has no arguments");
  return nn.relu(x);
}

const operations = {
  conv2d: (operands, args) => convolution(operands, toOIHW(operands.kernel), args, convolutionArguments(args).groups),
  "conv2d-backward": (operands, args) =>
    convolutionGradients(operands, toOIHW(operands.kernel), args, convolutionArguments(args).groups, toHWIO),
  "depthwise-conv2d": (operands, args) =>
    convolution(operands, toGroupedKernel(operands.kernel), args, operands.x.shape[3]),
  "depthwise-conv2d-backward": (operands, args) => {
    const { shape } = operands.kernel;
    const kernel = toGroupedKernel(operands.kernel);
    return convolutionGradients(operands, kernel, args, shape[2], (dKernel) => fromGroupedKernel(dKernel, shape));
  },
  dense: async ({ x, kernel, bias }) => {
    const product = np.matmul(put(x), put(kernel));
    return { y: await read(bias === undefined ? product : product.add(put(bias))) };
  },
  "dense-backward": async ({ x, kernel, dy }) => {
    const [y, pull] = vjp((rows, weights) => np.matmul(rows, weights), [put(x), put(kernel)]);
    y.dispose();
    const [dx, dKernel] = pull(put(dy));
    const axes = dy.shape.map((_, axis) => axis).slice(0, -1);
    return { dx: await read(dx), dKernel: await read(dKernel), dBias: await read(np.sum(put(dy), axes)) };
  },
  ...both(
    "max-pooling2d",
    pool((window) => np.max(window)),
  ),
  ...both(
    "average-pooling2d",
    pool((window) => np.mean(window)),
  ),
  ...both("global-average-pooling2d", (x, { keepdims = false }) => np.mean(x, [1, 2], { keepdims })),
  ...both("global-max-pooling2d", (x, { keepdims = false }) => np.max(x, [1, 2], { keepdims })),
  ...both("relu", rectify),
  ...both("relu6", (x) => nn.relu6(x)),
  ...both("leaky-relu", (x, { negativeSlope = 0.3 }) => nn.leakyRelu(x, negativeSlope)),
  ...both("sigmoid", (x) => nn.sigmoid(x)),
  ...both("tanh", (x) => np.tanh(x)),
  ...both("softmax", (x, { axis = -1 }) => nn.softmax(x, axis)),
  ...both("rescaling", (x, { scale, offset = 0 }) => x.mul(scale).add(offset)),
  "zero-padding2d": async ({ x }, { padding }) => {
    return { y: await read(np.pad(put(x), [[0, 0], ...padding, [0, 0]])) };
  },
  add: async (operands) => ({
    y: await read(
      listOf(operands)
        .map(put)
        .reduce((sum, x) => sum.add(x)),
    ),
  }),
  concatenate: async (operands, { axis = -1 }) => {
    return { y: await read(np.concatenate(listOf(operands).map(put), axis)) };
  },
};

/** Opens the peer. */
export async function open() {
  await init("wasm");
  defaultDevice("wasm");
  const { version } = JSON.parse(
    readFileSync(new URL("node_modules/@jax-js/jax/package.json", import.meta.url), "utf8"),
  );
  return { name: "jax-js", version, runsOn: "WebAssembly backend", operations, notOffered: NOT_OFFERED };
}
