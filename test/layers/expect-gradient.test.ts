import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { addBackward, addForward } from "../../src/layers/add.js";
import { averagePooling2DBackward, averagePooling2DForward } from "../../src/layers/average-pooling2d.js";
import { batchNormalizationBackward, batchNormalizationForward } from "../../src/layers/batch-normalization.js";
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

/** One forward call, and its way back. */
interface Call {
  readonly y: Tensor;
  readonly backward: (dy: Tensor) => unknown;
}

function call<Cache>({ y, cache }: Forward<Cache>, backward: (dy: Tensor, cache: Cache) => unknown): Call {
  return { y, backward: (dy) => backward(dy, cache) };
}

const calls: readonly (readonly [className: string, call: Call])[] = [
  ["Add", call(addForward([images, images]), addBackward)],
  ["Add", call(addForward([images, ones([2, 1, 1, 3])]), addBackward)],
  ["AveragePooling2D", call(averagePooling2DForward(images, pool), averagePooling2DBackward)],
  [
    "BatchNormalization",
    call(batchNormalizationForward(images, {}, statistics, { epsilon: 1, ofBatch: true }), batchNormalizationBackward),
  ],
  ["Concatenate", call(concatenateForward([images, ones([2, 6, 5, 4])]), concatenateBackward)],
  ["Conv2D", call(conv2DForward(images, { kernel: ones([3, 2, 3, 7]) }), conv2DBackward)],
  ["Dense", call(denseForward(images, { kernel: ones([3, 4]) }), denseBackward)],
  ["DepthwiseConv2D", call(depthwiseConv2DForward(images, { kernel: ones([3, 2, 3, 4]) }), depthwiseConv2DBackward)],
  [
    "Dropout",
    call(
      dropoutForward(images, 0.5, (i) => (i % 2) / 2),
      dropoutBackward,
    ),
  ],
  ["Flatten", call(flattenForward(images), flattenBackward)],
  ["GlobalAveragePooling2D", call(globalAveragePooling2DForward(images), globalAveragePooling2DBackward)],
  ["GlobalAveragePooling2D", call(globalAveragePooling2DForward(images, true), globalAveragePooling2DBackward)],
  ["GlobalMaxPooling2D", call(globalMaxPooling2DForward(images), globalMaxPooling2DBackward)],
  ["GlobalMaxPooling2D", call(globalMaxPooling2DForward(images, true), globalMaxPooling2DBackward)],
  ["MaxPooling2D", call(maxPooling2DForward(images, pool), maxPooling2DBackward)],
  ["ReLU", call(reluForward(images), reluBackward)],
  ["ReLU", call(reluForward(images, { ...RELU, negativeSlope: 0.5 }), reluBackward)],
  ["Rescaling", call(rescalingForward(images, { scale: 2 }), rescalingBackward)],
  ["Reshape", call(reshapeForward(images, [9, 10]), reshapeBackward)],
  ["sigmoid", call(sigmoidForward(images), sigmoidBackward)],
  ["Softmax", call(softmaxForward(images), softmaxBackward)],
  ["Softmax", call(softmaxForward(images, 1), softmaxBackward)],
  ["tanh", call(tanhForward(images), tanhBackward)],
  [
    "ZeroPadding2D",
    call(
      zeroPadding2DForward(images, [
        [1, 0],
        [2, 1],
      ]),
      zeroPadding2DBackward,
    ),
  ],
];

describe("a backward function", () => {
  for (const [className, { y, backward }] of calls) {
    it(`of ${className} takes dy of the shape ${formatShape(y.shape)} of its output, and no other`, () => {
      backward(ones(y.shape));
      const others = [
        [...y.shape].reverse(), // as many elements
        [...y.shape, 1],
        [y.size],
        [],
        y.shape.with(0, y.shape[0] - 1),
        y.shape.with(-1, y.shape[y.dimension - 1] + 1),
      ];
      for (const shape of others) {
        assert.throws(() => backward(ones(shape)), {
          name: "RangeError",
          message:
            `${className}: \`dy\` must have the shape ${formatShape(y.shape)} of the output. ` +
            `Received dy.shape=${formatShape(shape)}.`,
        });
      }
    });
  }
});
