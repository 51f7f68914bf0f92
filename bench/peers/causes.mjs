/**
 * Why peers differ: for every finding that was looked into, its cause, and who said the same. A finding without an entry is
 * published as "not yet explained".
 *
 * kind: "bug" where the peer contradicts its own documentation or its own forward pass, "refused" where it documents the
 * arguments and throws, "accuracy" where the numbers are worse than the arithmetic needs and no document promises more,
 * "subnormal" where only numbers below 2^-126 are affected.
 *
 * @module
 */

const XNNPACK_PADDING = {
  kind: "bug",
  cause:
    "With SAME padding and a stride larger than the kernel along one axis, XNNPACK's total padding " +
    "(output - 1) stride + kernel - input can be negative, and wraps around in an unsigned integer: windows read only " +
    "padding, and the result is 0 everywhere. 1x1 kernels take another path and are right.",
  seen: [
    "https://github.com/google/XNNPACK/pull/10655",
    "https://github.com/tensorflow/tfjs/issues/6629",
    "https://github.com/tensorflow/tfjs/issues/8405",
  ],
};

const AVERAGE_GRADIENT = {
  kind: "bug",
  cause:
    "The gradient divides by the whole window (`1 / (filterHeight * filterWidth)`), the forward pass by the pixels under it: " +
    "with SAME padding the gradient at the border is not that of the function.",
  seen: [],
};

const NEGATIVE_PADS = {
  kind: "refused",
  cause:
    "For `auto_pad = SAME_UPPER` with a stride larger than the kernel the computed padding is negative (-1 is split into 0 and " +
    "-1) where it should be 0, and MLAS, which since August 2026 checks it, throws.",
  seen: [
    "https://github.com/microsoft/onnxruntime/issues/10086",
    "https://github.com/microsoft/onnxruntime/pull/32076",
  ],
};

const MLAS_TANH = {
  kind: "subnormal",
  cause:
    "tanh is x P(x^2) / Q(x^2) with P and Q near 0.005: for subnormal x the product x P loses 8 of its bits before it is " +
    "divided.",
  seen: [],
};

const FLUSHED_EXP = {
  kind: "subnormal",
  cause:
    "exp(x) is 0 below x = -87.3, where it would be subnormal: XNNPACK has a cutoff there, MLAS's softmax (not its exp, and not its " +
    "kernels for AVX-512) and jax-js make 2^n by shifting n + 127 into the exponent. The gradient is made of the same softmax.",
  seen: [],
};

const SINGLE_VALUE = {
  kind: "refused",
  cause:
    "A channel of which training sees a single value (one image of one pixel) is refused, since its normalized value is 0 whatever " +
    "it is. Keras computes it.",
  seen: ["https://github.com/pytorch/pytorch/issues/1381", "https://github.com/pytorch/pytorch/pull/2961"],
};

/** By peer and operation. */
export const CAUSES = {
  pytorch: {
    "batch-normalization-training": SINGLE_VALUE,
    "batch-normalization-training-backward": SINGLE_VALUE,
  },
  "tfjs-backend-wasm": {
    conv2d: XNNPACK_PADDING,
    "depthwise-conv2d": XNNPACK_PADDING,
    "average-pooling2d-backward": AVERAGE_GRADIENT,
    "max-pooling2d-backward": {
      kind: "bug",
      cause:
        "The search for the maximum begins with `std::numeric_limits<float>::min()`, the least positive normal number, and " +
        "position 0: a window without a larger number (all zero or negative, as after a ReLU) sends its gradient to the first " +
        "element of the tensor.",
      seen: ["https://github.com/tensorflow/tfjs/pull/7672"],
    },
    softmax: FLUSHED_EXP,
    "softmax-backward": FLUSHED_EXP,
  },
  "tfjs-backend-cpu": { "average-pooling2d-backward": AVERAGE_GRADIENT },
  "onnxruntime-node": {
    "average-pooling2d": NEGATIVE_PADS,
    "max-pooling2d": NEGATIVE_PADS,
    tanh: MLAS_TANH,
    softmax: FLUSHED_EXP,
  },
  "onnxruntime-web": {
    "average-pooling2d": NEGATIVE_PADS,
    "max-pooling2d": NEGATIVE_PADS,
    tanh: MLAS_TANH,
    softmax: FLUSHED_EXP,
  },
  "jax-js": {
    "sigmoid-backward": {
      kind: "bug",
      cause:
        "sigmoid is differentiated through 1 / (1 + exp(-x)): for x below -88.4, where this exp is infinite, the gradient is infinity " +
        "times 0, NaN, instead of 0 (x = -89 and dy = 1 will do).",
      seen: [],
    },
    tanh: {
      kind: "accuracy",
      cause:
        "tanh is (exp(-2|x|) - 1) / (exp(-2|x|) + 1): near 0 the difference cancels, and the relative error grows like u / |x| (13 " +
        "bits are left in 6400 standard normal numbers).",
      seen: [],
    },
    softmax: FLUSHED_EXP,
    "softmax-backward": FLUSHED_EXP,
  },
};

/** Known bugs of others, and what of the kit would have caught them. */
export const KNOWN_BUGS = [
  {
    bug: "[onnxruntime #26734](https://github.com/microsoft/onnxruntime/issues/26734): stride-2 SAME convolution wrong on WebGPU and WebGL",
    caughtBy:
      "`conv2d` draws SAME for half of its cases, strides of 1 to 3 and even and odd sizes: with the odd zero before the image instead of " +
      "after it, for strides above 1, 16 of 120 cases fail.",
  },
  {
    bug:
      "[tfjs #6629](https://github.com/tensorflow/tfjs/issues/6629) and [#8405](https://github.com/tensorflow/tfjs/issues/8405): " +
      "convolutions on WebAssembly give zeros",
    caughtBy: "`conv2d` and `depthwise-conv2d`, whose kernels and strides differ between the axes; found again above.",
  },
  {
    bug:
      "[pytorch #198119](https://github.com/pytorch/pytorch/issues/198119): the compiled gradient of average pooling divides by the " +
      "whole window",
    caughtBy:
      "`average-pooling2d-backward` counts the pixels under every window, for SAME (Keras has no ceil mode); TensorFlow.js has the same " +
      "mistake, above.",
  },
  {
    bug:
      "[candle #1722](https://github.com/huggingface/candle/pull/1722) and [burn #1139](https://github.com/tracel-ai/burn/issues/1139): " +
      "the gradient of sigmoid is NaN below -88",
    caughtBy:
      "`sigmoid-backward` on the data sets with large numbers, by the test of special values; jax-js has it, above.",
  },
];
