/**
 * ResNet v1 for CIFAR-10 (He et al. 2015, https://arxiv.org/abs/1512.03385, table 6), as the Keras example
 * `cifar10_resnet` builds it: `resnet_layer`, `resnet_v1`.
 *
 * A block adds its input to what two convolutions make of it, and rectifies the sum:
 *
 *     x ─┬─ conv 3x3 ─ BN ─ ReLU ─ conv 3x3 ─ BN ─┬─ (+) ─ ReLU ─ y
 *        └─────────────── identity ───────────────┘
 *
 * Depth 6n + 2, three stacks of n blocks. The first block of stacks 1 and 2 halves the image and doubles the filters;
 * its identity is a 1x1 convolution with stride 2.
 *
 *     stage      output    filters   layers
 *     conv2d     32x32     16        1
 *     stack 0    32x32     16        2n
 *     stack 1    16x16     32        2n
 *     stack 2    8x8       64        2n
 *     pool 8x8, flatten, dense 10 with softmax
 *
 * Parameters: ResNet20 274,442; ResNet32 470,218; ResNet44 665,994; ResNet56 861,770; ResNet110 1,742,762 (all weights,
 * moving statistics included).
 *
 * @module
 */
import { Activation } from "../layers/activation.js";
import { Add } from "../layers/add.js";
import { AveragePooling2D } from "../layers/average-pooling2d.js";
import { BatchNormalization } from "../layers/batch-normalization.js";
import { Conv2D } from "../layers/conv2d.js";
import { Dense } from "../layers/dense.js";
import { Flatten } from "../layers/flatten.js";
import { input } from "../layers/input-layer.js";
import type { SymbolicTensor } from "../layers/layer.js";
import { l2 } from "../regularizers/regularizer.js";
import { describe } from "../serialization/config.js";
import { expectOptions } from "../serialization/options.js";
import type { DType } from "../tensor/dtype.js";
import type { SymbolicShape } from "../tensor/shape.js";
import { Model } from "./model.js";

/** Options of the CIFAR-10 ResNets. */
export interface CifarResNetOptions {
  /** [H, W, C]. @defaultValue [32, 32, 3] */
  readonly inputShape?: SymbolicShape;
  /** How many classes the classifier knows. @defaultValue 10 */
  readonly classes?: number;
  /** Seed of the initial weights. @defaultValue 0 */
  readonly seed?: number;
  /** Element type of weights and outputs. @defaultValue "float32" */
  readonly dtype?: DType;
}

/** Arguments of {@link resnetLayer}, with the defaults of the Keras example. */
export interface ResNetLayerOptions {
  /** Filters of the convolution. @defaultValue 16 */
  readonly filters?: number;
  /** Height and width of its window. @defaultValue 3 */
  readonly kernelSize?: number;
  /** Its steps, down and to the right. @defaultValue 1 */
  readonly strides?: number;
  /** Whether a ReLU ends (or, with `convFirst` false, begins) the layer. @defaultValue true */
  readonly activation?: boolean;
  /** Whether the layer normalizes. @defaultValue true */
  readonly batchNormalization?: boolean;
  /** Convolution, normalization, ReLU; or, if false, normalization, ReLU, convolution. @defaultValue true */
  readonly convFirst?: boolean;
  /** Element type of weights and outputs. @defaultValue "float32" */
  readonly dtype?: DType | undefined;
}

const LAYER_OPTIONS = ["filters", "kernelSize", "strides", "activation", "batchNormalization", "convFirst", "dtype"];

/**
 * The example's `resnet_layer`: a convolution with batch normalization and ReLU behind or before it.
 *
 * @throws TypeError when an option is of another type, or none of {@link ResNetLayerOptions}; RangeError when `x` is not an
 *   image.
 */
export function resnetLayer(x: SymbolicTensor, options: ResNetLayerOptions = {}): SymbolicTensor {
  expectOptions("resnetLayer", options, LAYER_OPTIONS);
  const { filters = 16, kernelSize = 3, strides = 1, activation = true, batchNormalization = true, dtype } = options;
  const conv = new Conv2D({
    filters,
    kernelSize,
    strides,
    padding: "same",
    kernelInitializer: "he_normal",
    kernelRegularizer: l2(1e-4),
    dtype,
  });
  const normalize = (y: SymbolicTensor): SymbolicTensor => {
    const normalized = batchNormalization ? new BatchNormalization({ dtype }).apply(y) : y;
    return activation ? new Activation({ activation: "relu", dtype }).apply(normalized) : normalized;
  };
  return (options.convFirst ?? true) ? normalize(conv.apply(x)) : conv.apply(normalize(x));
}

/** A block of two 3x3 convolutions; where it changes the shape, the identity is projected by a 1x1 convolution. */
function block(x: SymbolicTensor, filters: number, strides: number, dtype: DType | undefined): SymbolicTensor {
  let y = resnetLayer(x, { filters, strides, dtype });
  y = resnetLayer(y, { filters, activation: false, dtype });
  const identity =
    strides === 1
      ? x
      : resnetLayer(x, { filters, kernelSize: 1, strides, activation: false, batchNormalization: false, dtype });
  const sum = new Add({ dtype }).apply([identity, y]);
  return new Activation({ activation: "relu", dtype }).apply(sum);
}

/** Two of three stacks halve an image, rounded up, and then it is pooled over 8x8. */
const SMALLEST_SIDE = 4 * 7 + 1;

/**
 * @throws TypeError when there is an option that is none of {@link CifarResNetOptions}.
 * @throws RangeError when images are too small for {@link cifarTop}.
 */
export function checkCifarOptions(builder: string, options: CifarResNetOptions): void {
  expectOptions(builder, options, ["inputShape", "classes", "seed", "dtype"]);
  const { inputShape: shape = [] } = options;
  const [height, width] = [shape[0] ?? SMALLEST_SIDE, shape[1] ?? SMALLEST_SIDE];
  if (height >= SMALLEST_SIDE && width >= SMALLEST_SIDE) return;
  const rule = `\`inputShape\` must be of images of at least ${SMALLEST_SIDE} by ${SMALLEST_SIDE} pixels`;
  throw new RangeError(`${builder}: ${rule}. Received ${describe(height)} by ${describe(width)}.`);
}

/** The classifier on top of both versions: pooling over 8x8, then a dense layer with softmax. */
export function cifarTop(x: SymbolicTensor, classes: number, dtype: DType | undefined): SymbolicTensor {
  const pooled = new AveragePooling2D({ poolSize: 8, dtype }).apply(x);
  const flat = new Flatten({ dtype }).apply(pooled);
  return new Dense({ units: classes, activation: "softmax", kernelInitializer: "he_normal", dtype }).apply(flat);
}

/**
 * ResNet v1 of depth 6n + 2 (20, 32, 44, 56, 110): the example's `resnet_v1`.
 *
 * @throws RangeError when the depth is not 6n + 2, or images are smaller than 29 by 29.
 * @throws TypeError when there is an option that is none of {@link CifarResNetOptions}.
 */
export function resnetV1(depth: number, options: CifarResNetOptions = {}): Model {
  if (!Number.isSafeInteger(depth) || depth < 8 || (depth - 2) % 6 !== 0) {
    throw new RangeError(
      `resnetV1: \`depth\` must be 6n + 2, n at least 1: 8, 14, 20, ... Received depth=${describe(depth)}.`,
    );
  }
  checkCifarOptions("resnetV1", options);
  const { inputShape = [32, 32, 3], classes = 10, seed = 0, dtype } = options;
  const blocks = (depth - 2) / 6;
  const image = input({ shape: inputShape, dtype });
  let x = resnetLayer(image, { dtype });
  for (let stack = 0; stack < 3; stack++) {
    for (let i = 0; i < blocks; i++) {
      x = block(x, 16 * 2 ** stack, stack > 0 && i === 0 ? 2 : 1, dtype);
    }
  }
  return new Model({ inputs: image, outputs: cifarTop(x, classes, dtype), seed });
}
