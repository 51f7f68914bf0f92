/**
 * The operations of TensorFlow.js, on whichever backend is set. Gradients are those of its automatic differentiation.
 *
 * `tf.conv2d` has no groups; groups are convolved one by one. `tf.batchNorm` takes mean and variance: training takes them
 * from `tf.moments`, as the layers of TensorFlow.js do, whose variance is that of the population. Moving statistics are left
 * out: those of the layers follow a corrected variance.
 *
 * @module
 */
import { convolutionArguments, listOf, NotOffered, poolingArguments } from "./peer.mjs";

/** What no backend of TensorFlow.js offers. */
export const NOT_OFFERED = {
  "batch-normalization-training-backward":
    "tf.moments and tf.batchNorm are differentiated apart; no one kernel to judge",
};

const readTensor = (tensor) => ({ data: Float32Array.from(tensor.dataSync()), shape: [...tensor.shape] });

/**
 * The operations, run by `tf` (tfjs-core) on the backend that is set. Without `kernelGradients` those of convolutions are left
 * out.
 */
export function tfjsOperations(tf, { kernelGradients = true } = {}) {
  const put = (operand) => tf.tensor(operand.data, operand.shape, "float32");

  /** Runs `compute` on tensors; gives its results as arrays and frees the rest. */
  function run(operands, compute) {
    return tf.tidy(() => {
      const tensors = Object.fromEntries(Object.entries(operands).map(([name, operand]) => [name, put(operand)]));
      const results = compute(tensors);
      return Object.fromEntries(Object.entries(results).map(([name, result]) => [name, readTensor(result)]));
    });
  }

  /** Gradients of `compute` with respect to `inputs`, for the cotangent `dy`. */
  const gradients = (compute, inputs, dy) => tf.grads(compute)(inputs, dy);

  function convolve(x, kernel, { strides, padding, dilationRate, groups }) {
    if (strides.some((stride) => stride > 1) && dilationRate.some((rate) => rate > 1)) {
      throw new NotOffered("strides and dilation together are refused");
    }
    const conv = (images, filters) => tf.conv2d(images, filters, strides, padding, "NHWC", dilationRate);
    if (groups === 1) return conv(x, kernel);
    const filters = tf.split(kernel, groups, 3);
    return tf.concat(
      tf.split(x, groups, 3).map((images, group) => conv(images, filters[group])),
      3,
    );
  }

  function convolveDepthwise(x, kernel, { strides, padding, dilationRate }) {
    if (strides.some((stride) => stride > 1) && dilationRate.some((rate) => rate > 1)) {
      throw new NotOffered("strides and dilation together are refused");
    }
    return tf.depthwiseConv2d(x, kernel, strides, padding, "NHWC", dilationRate);
  }

  const withBias = (y, bias) => (bias === undefined ? y : tf.add(y, bias));

  function convolutionGradients(operands, convolution, { dilationRate }) {
    if (dilationRate.some((rate) => rate > 1)) throw new NotOffered("gradients of dilated convolutions are refused");
    return run(operands, ({ x, kernel, dy }) => {
      const dBias = tf.sum(dy, [0, 1, 2]);
      if (kernelGradients) {
        const [dx, dKernel] = gradients(convolution, [x, kernel], dy);
        return { dx, dKernel, dBias };
      }
      return { dx: gradients((images) => convolution(images, kernel), [x], dy)[0], dBias };
    });
  }

  const pool = (kind, x, args) => {
    const { poolSize, strides, padding } = poolingArguments(args);
    return kind === "max" ? tf.maxPool(x, poolSize, strides, padding) : tf.avgPool(x, poolSize, strides, padding);
  };
  const reduceImage = (kind, x, { keepdims = false }) => {
    return kind === "max" ? tf.max(x, [1, 2], keepdims) : tf.mean(x, [1, 2], keepdims);
  };

  /** The forward operation of one input and its backward pass. */
  const both = (name, compute) => ({
    [name]: (operands, args) => run(operands, ({ x }) => ({ y: compute(x, args) })),
    [`${name}-backward`]: (operands, args) =>
      run(operands, ({ x, dy }) => ({ dx: gradients((value) => compute(value, args), [x], dy)[0] })),
  });

  function matrix(x, kernel) {
    if (x.shape.length === 2) return tf.matMul(x, kernel);
    const rows = tf.matMul(tf.reshape(x, [-1, kernel.shape[0]]), kernel);
    return tf.reshape(rows, [...x.shape.slice(0, -1), kernel.shape[1]]);
  }

  function rectify(x, { maxValue, negativeSlope = 0, threshold = 0 }) {
    const clipped = maxValue !== undefined && maxValue !== null;
    if (clipped || negativeSlope !== 0 || threshold !== 0) throw new NotOffered("tf.relu has no arguments");
    return tf.relu(x);
  }

  function channelsLast(x, axis) {
    if (axis !== -1 && axis !== x.shape.length - 1) throw new NotOffered("tf.batchNorm has its channels last");
  }

  function normalizeBatch(x, gamma, beta, epsilon) {
    const axes = x.shape.map((_, axis) => axis).slice(0, -1);
    const { mean, variance } = tf.moments(x, axes);
    return tf.batchNorm(x, mean, variance, beta, gamma, epsilon);
  }

  function softmax(x, axis) {
    if (axis !== -1 && axis !== x.shape.length - 1) throw new NotOffered("tf.softmax is over the last axis");
    return tf.softmax(x, axis);
  }

  return {
    conv2d: (operands, args) =>
      run(operands, ({ x, kernel, bias }) => ({ y: withBias(convolve(x, kernel, convolutionArguments(args)), bias) })),
    "conv2d-backward": (operands, args) =>
      convolutionGradients(
        operands,
        (x, kernel) => convolve(x, kernel, convolutionArguments(args)),
        convolutionArguments(args),
      ),
    "depthwise-conv2d": (operands, args) =>
      run(operands, ({ x, kernel, bias }) => {
        return { y: withBias(convolveDepthwise(x, kernel, convolutionArguments(args)), bias) };
      }),
    "depthwise-conv2d-backward": (operands, args) =>
      convolutionGradients(
        operands,
        (x, kernel) => convolveDepthwise(x, kernel, convolutionArguments(args)),
        convolutionArguments(args),
      ),
    dense: (operands) => run(operands, ({ x, kernel, bias }) => ({ y: withBias(matrix(x, kernel), bias) })),
    "dense-backward": (operands) =>
      run(operands, ({ x, kernel, dy }) => {
        const [dx, dKernel] = gradients(matrix, [x, kernel], dy);
        const rows = dy.shape.map((_, axis) => axis).slice(0, -1);
        return { dx, dKernel, dBias: tf.sum(dy, rows) };
      }),
    ...both("average-pooling2d", (x, args) => pool("average", x, args)),
    ...both("max-pooling2d", (x, args) => pool("max", x, args)),
    ...both("global-average-pooling2d", (x, args) => reduceImage("average", x, args)),
    ...both("global-max-pooling2d", (x, args) => reduceImage("max", x, args)),
    ...both("relu", rectify),
    ...both("relu6", (x) => tf.relu6(x)),
    ...both("leaky-relu", (x, { negativeSlope = 0.3 }) => tf.leakyRelu(x, negativeSlope)),
    ...both("sigmoid", (x) => tf.sigmoid(x)),
    ...both("tanh", (x) => tf.tanh(x)),
    ...both("softmax", (x, { axis = -1 }) => softmax(x, axis)),
    ...both("rescaling", (x, { scale, offset = 0 }) => tf.add(tf.mul(x, tf.scalar(scale)), tf.scalar(offset))),
    ...both("zero-padding2d", (x, { padding }) => tf.pad(x, [[0, 0], ...padding, [0, 0]])),
    "batch-normalization": (operands, { axis = -1, epsilon = 1e-3 }) =>
      run(operands, ({ x, movingMean, movingVariance, gamma, beta }) => {
        channelsLast(x, axis);
        return { y: tf.batchNorm(x, movingMean, movingVariance, beta, gamma, epsilon) };
      }),
    "batch-normalization-backward": (operands, { axis = -1, epsilon = 1e-3 }) =>
      run(operands, ({ x, dy, movingMean, movingVariance, gamma = tf.onesLike(movingMean) }) => {
        channelsLast(x, axis);
        const normalize = (images, scale, offset) =>
          tf.batchNorm(images, movingMean, movingVariance, offset, scale, epsilon);
        const [dx, dGamma, dBeta] = gradients(normalize, [x, gamma, tf.zerosLike(movingMean)], dy);
        return { dx, dGamma, dBeta };
      }),
    "batch-normalization-training": (operands, { axis = -1, epsilon = 1e-3 }) =>
      run(operands, ({ x, gamma, beta }) => {
        channelsLast(x, axis);
        return { y: normalizeBatch(x, gamma, beta, epsilon) };
      }),
    "batch-normalization-training-backward": (operands, { axis = -1, epsilon = 1e-3 }) =>
      run(operands, ({ x, dy, gamma = tf.ones([x.shape.at(-1)]) }) => {
        channelsLast(x, axis);
        const normalize = (images, scale, offset) => normalizeBatch(images, scale, offset, epsilon);
        const [dx, dGamma, dBeta] = gradients(normalize, [x, gamma, tf.zerosLike(gamma)], dy);
        return { dx, dGamma, dBeta };
      }),
    add: (operands) => run(operands, (tensors) => ({ y: listOf(tensors).reduce((sum, x) => tf.add(sum, x)) })),
    concatenate: (operands, { axis = -1 }) => run(operands, (tensors) => ({ y: tf.concat(listOf(tensors), axis) })),
  };
}
