import assert from "node:assert/strict";
import { describe, it } from "node:test";
import ndarray from "ndarray";
import { conv2D } from "../../src/kernels/conv2d.js";
import { gemm } from "../../src/kernels/gemm.js";
import { serial } from "../../src/kernels/execution.js";
import { im2col } from "../../src/kernels/im2col.js";
import { window2D } from "../../src/kernels/window.js";
import { addBackward, addForward } from "../../src/layers/add.js";
import { averagePooling2DBackward, averagePooling2DForward } from "../../src/layers/average-pooling2d.js";
import {
  batchNormalizationBackward,
  type BatchNormalizationCache,
  batchNormalizationForward,
  type BatchNormalizationWeights,
  batchStatistics,
} from "../../src/layers/batch-normalization.js";
import { concatenateBackward, concatenateForward } from "../../src/layers/concatenate.js";
import { conv2DBackward, conv2DForward } from "../../src/layers/conv2d.js";
import { denseBackward, denseForward } from "../../src/layers/dense.js";
import { depthwiseConv2DBackward, depthwiseConv2DForward } from "../../src/layers/depthwise-conv2d.js";
import { dropoutBackward, dropoutForward } from "../../src/layers/dropout.js";
import { flattenBackward, flattenForward } from "../../src/layers/flatten.js";
import {
  globalAveragePooling2DBackward,
  globalAveragePooling2DForward,
} from "../../src/layers/global-average-pooling2d.js";
import { globalMaxPooling2DBackward, globalMaxPooling2DForward } from "../../src/layers/global-max-pooling2d.js";
import type { Forward } from "../../src/layers/layer.js";
import { maxPooling2DBackward, maxPooling2DForward } from "../../src/layers/max-pooling2d.js";
import { RELU, reluBackward, reluForward } from "../../src/layers/relu.js";
import { rescalingBackward, rescalingForward } from "../../src/layers/rescaling.js";
import { reshapeBackward, reshapeForward } from "../../src/layers/reshape.js";
import { sigmoidBackward, sigmoidForward } from "../../src/layers/sigmoid.js";
import { softmaxBackward, softmaxForward } from "../../src/layers/softmax.js";
import { tanhBackward, tanhForward } from "../../src/layers/tanh.js";
import { zeroPadding2DBackward, zeroPadding2DForward } from "../../src/layers/zero-padding2d.js";
import { formatShape, type Shape } from "../../src/tensor/shape.js";
import { type Tensor, zeros } from "../../src/tensor/tensor.js";

const ones = (shape: Shape): Tensor => {
  const x = zeros(shape, "float32");
  x.data.fill(1);
  return x;
};
const images = ones([2, 6, 5, 3]);
const statistics = { mean: new Float64Array(3), variance: new Float64Array(3).fill(1) };
const pool = { poolSize: [2, 2] } as const;
const borders = [
  [1, 0],
  [2, 1],
] as const;
const everySecond = (i: number): number => (i % 2) / 2;
const normalized = (x: Tensor, weights: BatchNormalizationWeights): Forward<BatchNormalizationCache> =>
  batchNormalizationForward(x, weights, statistics, { epsilon: 1, ofBatch: true });

/** One forward call, and its way back. */
interface Call {
  readonly y: Tensor;
  readonly backward: (dy: Tensor) => unknown;
}

function call<Cache>({ y, cache }: Forward<Cache>, backward: (dy: Tensor, cache: Cache) => unknown): Call {
  return { y, backward: (dy) => backward(dy, cache) };
}

/** For each pair of functions: forward for any `x`, and how to go back. */
const pairs: readonly (readonly [className: string, forward: (x: Tensor) => Call])[] = [
  ["Add", (x) => call(addForward([images, x]), addBackward)],
  ["Add", (x) => call(addForward([x, ones([2, 1, 1, 3])]), addBackward)],
  ["AveragePooling2D", (x) => call(averagePooling2DForward(x, pool), averagePooling2DBackward)],
  ["BatchNormalization", (x) => call(normalized(x, {}), batchNormalizationBackward)],
  ["Concatenate", (x) => call(concatenateForward([x, ones([2, 6, 5, 4])]), concatenateBackward)],
  ["Conv2D", (x) => call(conv2DForward(x, { kernel: ones([3, 2, 3, 7]) }), conv2DBackward)],
  ["Dense", (x) => call(denseForward(x, { kernel: ones([3, 4]) }), denseBackward)],
  ["DepthwiseConv2D", (x) => call(depthwiseConv2DForward(x, { kernel: ones([3, 2, 3, 4]) }), depthwiseConv2DBackward)],
  ["Dropout", (x) => call(dropoutForward(x, 0.5, everySecond), dropoutBackward)],
  ["Flatten", (x) => call(flattenForward(x), flattenBackward)],
  ["GlobalAveragePooling2D", (x) => call(globalAveragePooling2DForward(x), globalAveragePooling2DBackward)],
  ["GlobalAveragePooling2D", (x) => call(globalAveragePooling2DForward(x, true), globalAveragePooling2DBackward)],
  ["GlobalMaxPooling2D", (x) => call(globalMaxPooling2DForward(x), globalMaxPooling2DBackward)],
  ["GlobalMaxPooling2D", (x) => call(globalMaxPooling2DForward(x, true), globalMaxPooling2DBackward)],
  ["MaxPooling2D", (x) => call(maxPooling2DForward(x, pool), maxPooling2DBackward)],
  ["ReLU", (x) => call(reluForward(x), reluBackward)],
  ["ReLU", (x) => call(reluForward(x, { ...RELU, negativeSlope: 0.5 }), reluBackward)],
  ["Rescaling", (x) => call(rescalingForward(x, { scale: 2 }), rescalingBackward)],
  ["Reshape", (x) => call(reshapeForward(x, [9, 10]), reshapeBackward)],
  ["sigmoid", (x) => call(sigmoidForward(x), sigmoidBackward)],
  ["Softmax", (x) => call(softmaxForward(x), softmaxBackward)],
  ["Softmax", (x) => call(softmaxForward(x, 1), softmaxBackward)],
  ["tanh", (x) => call(tanhForward(x), tanhBackward)],
  ["ZeroPadding2D", (x) => call(zeroPadding2DForward(x, borders), zeroPadding2DBackward)],
];

/** What JavaScript lets one pass for a tensor, and what a message says of it. */
const others: readonly (readonly [value: unknown, received: string])[] = [
  [[1, 2, 3], "an array"],
  [new Float32Array(180), "an object of class Float32Array"],
  [ndarray(new Int32Array(180), [2, 6, 5, 3]), "an ndarray of an object of class Int32Array"],
  [undefined, "nothing"],
  [null, "null"],
];

/** As if the compiler had not seen that `value` is no tensor. */
const passed = (value: unknown): Tensor => value as Tensor;

describe("a backward function", () => {
  for (const [className, forward] of pairs) {
    const { y, backward } = forward(images);
    it(`of ${className} takes dy of the shape ${formatShape(y.shape)} of its output, and no other`, () => {
      backward(ones(y.shape));
      const shapes = [
        [...y.shape].reverse(), // as many elements
        [...y.shape, 1],
        [y.size],
        [],
        y.shape.with(0, y.shape[0] - 1),
        y.shape.with(-1, y.shape[y.dimension - 1] + 1),
      ];
      for (const shape of shapes) {
        assert.throws(() => backward(ones(shape)), {
          name: "RangeError",
          message:
            `${className}: \`dy\` must have the shape ${formatShape(y.shape)} of the output. ` +
            `Received dy.shape=${formatShape(shape)}.`,
        });
      }
    });
  }

  it("says so where dy is no tensor", () => {
    for (const [className, forward] of pairs) {
      for (const [value, received] of others) {
        assert.throws(() => forward(images).backward(passed(value)), {
          name: "TypeError",
          message: `${className}: \`dy\` must be a tensor, as \`tensorOf\` gives. Received ${received}.`,
        });
      }
    }
  });
});

describe("a forward function", () => {
  it("says so where x is no tensor", () => {
    for (const [className, forward] of pairs) {
      const takesSome = className === "Add" || className === "Concatenate";
      for (const [value, received] of others) {
        const message = takesSome
          ? `${className}: \`inputs\` must be an array of tensors. Received an array that holds ${received}.`
          : `${className}: \`x\` must be a tensor, as \`tensorOf\` gives. Received ${received}.`;
        assert.throws(() => forward(passed(value)), { name: "TypeError", message });
      }
    }
  });

  it("says which weight is no tensor", () => {
    const calls: Record<string, (weight: Tensor) => unknown> = {
      "Conv2D: `kernel`": (kernel) => conv2DForward(images, { kernel }),
      "Conv2D: `bias`": (bias) => conv2DForward(images, { kernel: ones([3, 2, 3, 7]), bias }),
      "Dense: `kernel`": (kernel) => denseForward(images, { kernel }),
      "Dense: `bias`": (bias) => denseForward(images, { kernel: ones([3, 4]), bias }),
      "DepthwiseConv2D: `kernel`": (kernel) => depthwiseConv2DForward(images, { kernel }),
      "DepthwiseConv2D: `bias`": (bias) => depthwiseConv2DForward(images, { kernel: ones([3, 2, 3, 4]), bias }),
      "BatchNormalization: `gamma`": (gamma) => normalized(images, { gamma }),
      "BatchNormalization: `beta`": (beta) => normalized(images, { beta }),
    };
    for (const [weight, run] of Object.entries(calls)) {
      for (const [value, received] of others) {
        if (value === undefined && !weight.includes("kernel")) continue; // there need be none
        const message = `${weight} must be a tensor, as \`tensorOf\` gives. Received ${received}.`;
        assert.throws(() => run(passed(value)), { name: "TypeError", message });
      }
    }
  });
});

describe("a kernel", () => {
  it("says which argument is no tensor", () => {
    const window = window2D([6, 5], [3, 2], [1, 1], "valid", [1, 1]);
    const calls: Record<string, (x: Tensor) => unknown> = {
      "batchStatistics: `x`": (x) => batchStatistics(x),
      "gemm: `a`": (a) => gemm(a, ones([3, 4]), undefined, serial),
      "gemm: `bias`": (bias) => gemm(ones([2, 3]), ones([3, 4]), bias, serial),
      "conv2D: `x`": (x) => conv2D(x, ones([3, 2, 3, 7]), undefined, window, 1, serial),
      "im2col: `x`": (x) => im2col(x, window),
    };
    for (const [argument, run] of Object.entries(calls)) {
      for (const [value, received] of others) {
        if (value === undefined && argument.includes("bias")) continue; // there need be none
        const message = `${argument} must be a tensor, as \`tensorOf\` gives. Received ${received}.`;
        assert.throws(() => run(passed(value)), { name: "TypeError", message });
      }
    }
  });
});
