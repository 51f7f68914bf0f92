/**
 * ResNet v2 for CIFAR-10 (He et al. 2016, https://arxiv.org/abs/1603.05027), as the Keras example `cifar10_resnet` builds
 * it: `resnet_v2`.
 *
 * Normalization and ReLU come before each convolution, so that the identity runs through the whole network untouched; a
 * block is a bottleneck of 1x1, 3x3 and 1x1 convolutions:
 *
 *     x ─┬─ BN ─ ReLU ─ conv 1x1 ─ BN ─ ReLU ─ conv 3x3 ─ BN ─ ReLU ─ conv 1x1 ─┬─ (+) ─ y
 *        └────────────────────────────── identity ──────────────────────────────┘
 *
 * Depth 9n + 2, three stacks of n blocks. The first block of a stack projects its identity by a 1x1 convolution; the very
 * first has neither normalization nor ReLU before its first convolution, since they stand before the stack already.
 *
 *     stage      output    inside   out    layers
 *     conv2d     32x32              16     1
 *     stack 0    32x32     16       64     3n
 *     stack 1    16x16     64       128    3n
 *     stack 2    8x8       128      256    3n
 *     BN, ReLU, pool 8x8, flatten, dense 10 with softmax
 *
 * Parameters: ResNet20 574,090; ResNet29 849,002; ResNet56 1,673,738; ResNet110 (n = 12) 3,323,210 (all weights, moving
 * statistics included).
 *
 * @module
 */
import { Activation } from "../layers/activation.js";
import { Add } from "../layers/add.js";
import { BatchNormalization } from "../layers/batch-normalization.js";
import { input } from "../layers/input-layer.js";
import type { SymbolicTensor } from "../layers/layer.js";
import { describe } from "../serialization/config.js";
import type { DType } from "../tensor/dtype.js";
import { Model } from "./model.js";
import { type CifarResNetOptions, checkCifarOptions, cifarTop, resnetLayer } from "./resnet-v1.js";

interface Bottleneck {
  /** Filters of the first two convolutions. */
  readonly inside: number;
  /** Filters of the last one. */
  readonly out: number;
  /** Strides of the first one. */
  readonly strides: number;
  /** Whether it opens the network: no normalization before its first convolution. */
  readonly opens: boolean;
  /** Whether the identity is projected to the new shape. */
  readonly projects: boolean;
}

function block(
  x: SymbolicTensor,
  { inside, out, strides, opens, projects }: Bottleneck,
  dtype?: DType,
): SymbolicTensor {
  let y = resnetLayer(x, {
    filters: inside,
    kernelSize: 1,
    strides,
    activation: !opens,
    batchNormalization: !opens,
    convFirst: false,
    dtype,
  });
  y = resnetLayer(y, { filters: inside, convFirst: false, dtype });
  y = resnetLayer(y, { filters: out, kernelSize: 1, convFirst: false, dtype });
  const identity = projects
    ? resnetLayer(x, { filters: out, kernelSize: 1, strides, activation: false, batchNormalization: false, dtype })
    : x;
  return new Add({ dtype }).apply([identity, y]);
}

/**
 * ResNet v2 of depth 9n + 2 (20, 29, 56, 110): the example's `resnet_v2`.
 *
 * @throws RangeError when the depth is not 9n + 2, or images are smaller than 29 by 29.
 * @throws TypeError when there is an option that is none of {@link CifarResNetOptions}.
 */
export function resnetV2(depth: number, options: CifarResNetOptions = {}): Model {
  if (!Number.isSafeInteger(depth) || depth < 11 || (depth - 2) % 9 !== 0) {
    throw new RangeError(
      `resnetV2: \`depth\` must be 9n + 2, n at least 1: 11, 20, 29, ... Received depth=${describe(depth)}.`,
    );
  }
  checkCifarOptions("resnetV2", options);
  const { inputShape = [32, 32, 3], classes = 10, seed = 0, dtype } = options;
  const blocks = (depth - 2) / 9;
  const image = input({ shape: inputShape, dtype });
  let x = resnetLayer(image, { filters: 16, dtype });
  let inside = 16;
  for (let stack = 0; stack < 3; stack++) {
    const out = stack === 0 ? inside * 4 : inside * 2;
    for (let i = 0; i < blocks; i++) {
      const projects = i === 0;
      const strides = stack > 0 && projects ? 2 : 1;
      x = block(x, { inside, out, strides, opens: stack === 0 && projects, projects }, dtype);
    }
    inside = out;
  }
  x = new BatchNormalization({ dtype }).apply(x);
  x = new Activation({ activation: "relu", dtype }).apply(x);
  return new Model({ inputs: image, outputs: cifarTop(x, classes, dtype), seed });
}
