/**
 * The operations of ONNX (opset 17) as ONNX Runtime runs them: one model for every case, the parameters as initializers.
 *
 * Semantics, by the operators' own specification:
 * - `auto_pad = SAME_UPPER` is TensorFlow's SAME: the odd zero is at the end. ONNX Runtime takes it only without dilation,
 *   so that dilated convolutions get the same zeros as `pads`.
 * - AveragePool with `count_include_pad = 0` divides by the pixels under the window, as Keras does.
 * - BatchNormalization normalizes with the population variance, in both modes.
 *
 * @module
 */
import { onnxModel } from "./onnx-model.mjs";
import {
  channelsSecond,
  convolutionArguments,
  listOf,
  NotOffered,
  poolingArguments,
  reshaped,
  toGroupedKernel,
  toNCHW,
  toNHWC,
  toOIHW,
  zerosOf,
} from "./peer.mjs";

/** What ONNX Runtime does not offer. */
export const NOT_OFFERED = { "*-backward": "inference only: no backward pass" };

/** The operations, run by `ort` (onnxruntime-node or -web) with the options of a session. */
export function onnxOperations(ort, options) {
  /** Runs `nodes`; gives the results by name. */
  async function run(nodes, inputs, constants = {}, outputs = ["y"]) {
    const shapes = Object.fromEntries(Object.entries(inputs).map(([name, { shape }]) => [name, shape]));
    const session = await ort.InferenceSession.create(
      onnxModel({ nodes, inputs: shapes, constants, outputs }),
      options,
    );
    const feeds = Object.entries(inputs).map(([name, { data, shape }]) => {
      return [name, new ort.Tensor("float32", data, shape)];
    });
    const results = await session.run(Object.fromEntries(feeds));
    const copies = outputs.map((name) => [name, { data: results[name].data.slice(), shape: [...results[name].dims] }]);
    await session.release();
    return Object.fromEntries(copies);
  }

  const one = async (type, x, attributes = {}) =>
    (await run([{ type, inputs: ["x"], outputs: ["y"], attributes }], { x })).y;

  async function convolution(x, kernel, bias, args, groups) {
    const { strides, padding, dilationRate } = args;
    const window = kernel.shape.slice(2);
    const dilated = dilationRate.some((rate) => rate > 1);
    const [[top, bottom], [left, right]] = zerosOf(x.shape, window, args);
    const placing = dilated
      ? { pads: [top, left, bottom, right] }
      : { auto_pad: padding === "same" ? "SAME_UPPER" : "VALID" };
    const attributes = { kernel_shape: window, strides, dilations: dilationRate, group: groups, ...placing };
    const constants = bias === undefined ? { kernel } : { kernel, bias };
    const inputs = ["x", ...Object.keys(constants)];
    const { y } = await run([{ type: "Conv", inputs, outputs: ["y"], attributes }], { x: toNCHW(x) }, constants);
    return { y: toNHWC(y) };
  }

  async function pool(type, x, args, attributes = {}) {
    const { poolSize, strides, padding } = poolingArguments(args);
    const placing = { kernel_shape: poolSize, strides, auto_pad: padding === "same" ? "SAME_UPPER" : "VALID" };
    return { y: toNHWC(await one(type, toNCHW(x), { ...placing, ...attributes })) };
  }

  async function globalPool(type, x, { keepdims }) {
    const [batch, , , channels] = x.shape;
    const y = await one(type, toNCHW(x));
    return { y: reshaped(y, keepdims ? [batch, 1, 1, channels] : [batch, channels]) };
  }

  async function normalize(operands, { axis = -1, epsilon = 1e-3, momentum = 0.99 }, inTraining) {
    const { moved, back } = channelsSecond(operands.x, axis);
    const shape = [moved.shape[1]];
    const filled = (value) => ({ data: new Float32Array(shape[0]).fill(value), shape });
    const { gamma = filled(1), beta = filled(0), movingMean, movingVariance } = operands;
    const node = {
      type: "BatchNormalization",
      inputs: ["x", "gamma", "beta", "mean", "variance"],
      outputs: inTraining ? ["y", "movingMean", "movingVariance"] : ["y"],
      attributes: {
        epsilon: { float: epsilon },
        momentum: { float: momentum },
        ...(inTraining && { training_mode: 1 }),
      },
    };
    const constants = { gamma, beta, mean: movingMean ?? filled(0), variance: movingVariance ?? filled(1) };
    const { y, ...moving } = await run([node], { x: moved }, constants, node.outputs);
    return { y: back(y), ...(movingMean && moving) };
  }

  const scalar = (value) => ({ data: Float32Array.of(value), shape: [] });

  return {
    conv2d: ({ x, kernel, bias }, args) => {
      const read = convolutionArguments(args);
      return convolution(x, toOIHW(kernel), bias, read, read.groups);
    },
    "depthwise-conv2d": ({ x, kernel, bias }, args) => {
      return convolution(x, toGroupedKernel(kernel), bias, convolutionArguments(args), x.shape[3]);
    },
    dense: async ({ x, kernel, bias }) => {
      if (x.shape.length === 2) {
        const constants = bias === undefined ? { kernel } : { kernel, bias };
        const inputs = ["x", ...Object.keys(constants)];
        return run([{ type: "Gemm", inputs, outputs: ["y"] }], { x }, constants);
      }
      const product = { type: "MatMul", inputs: ["x", "kernel"], outputs: [bias === undefined ? "y" : "product"] };
      if (bias === undefined) return run([product], { x }, { kernel });
      return run([product, { type: "Add", inputs: ["product", "bias"], outputs: ["y"] }], { x }, { kernel, bias });
    },
    "average-pooling2d": ({ x }, args) => pool("AveragePool", x, args, { count_include_pad: 0 }),
    "max-pooling2d": ({ x }, args) => pool("MaxPool", x, args),
    "global-average-pooling2d": ({ x }, args) => globalPool("GlobalAveragePool", x, args),
    "global-max-pooling2d": ({ x }, args) => globalPool("GlobalMaxPool", x, args),
    relu: async ({ x }, { maxValue, negativeSlope = 0, threshold = 0 }) => {
      if (maxValue !== undefined && maxValue !== null) throw new NotOffered("Relu has no greatest value");
      if (negativeSlope !== 0 || threshold !== 0) throw new NotOffered("Relu has no slope and no threshold");
      return { y: await one("Relu", x) };
    },
    relu6: ({ x }) => {
      const clip = { type: "Clip", inputs: ["x", "least", "greatest"], outputs: ["y"] };
      return run([clip], { x }, { least: scalar(0), greatest: scalar(6) });
    },
    "leaky-relu": async ({ x }, { negativeSlope = 0.3 }) => {
      return { y: await one("LeakyRelu", x, { alpha: { float: negativeSlope } }) };
    },
    sigmoid: async ({ x }) => ({ y: await one("Sigmoid", x) }),
    tanh: async ({ x }) => ({ y: await one("Tanh", x) }),
    softmax: async ({ x }, { axis = -1 }) => ({ y: await one("Softmax", x, { axis }) }),
    "batch-normalization": (operands, args) => normalize(operands, args, false),
    "batch-normalization-training": (operands, args) => normalize(operands, args, true),
    "zero-padding2d": ({ x }, { padding: [[top, bottom], [left, right]] }) => {
      const pads = { data: BigInt64Array.from([0, top, left, 0, 0, bottom, right, 0], BigInt), shape: [8] };
      return run([{ type: "Pad", inputs: ["x", "pads"], outputs: ["y"] }], { x }, { pads });
    },
    add: (operands) => {
      const list = listOf(operands);
      const inputs = Object.fromEntries(list.map((x, i) => [`x${i}`, x]));
      return run([{ type: "Sum", inputs: Object.keys(inputs), outputs: ["y"] }], inputs);
    },
    concatenate: (operands, { axis = -1 }) => {
      const list = listOf(operands);
      const inputs = Object.fromEntries(list.map((x, i) => [`x${i}`, x]));
      return run([{ type: "Concat", inputs: Object.keys(inputs), outputs: ["y"], attributes: { axis } }], inputs);
    },
    rescaling: ({ x }, { scale, offset = 0 }) => {
      const nodes = [
        { type: "Mul", inputs: ["x", "scale"], outputs: ["product"] },
        { type: "Add", inputs: ["product", "offset"], outputs: ["y"] },
      ];
      return run(nodes, { x }, { scale: scalar(scale), offset: scalar(offset) });
    },
  };
}
