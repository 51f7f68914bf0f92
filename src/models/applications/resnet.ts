/**
 * ResNet50, ResNet101 and ResNet152 (He et al. 2015, https://arxiv.org/abs/1512.03385, table 1), as
 * `keras.applications.resnet` builds and names them.
 *
 * A block squeezes the channels by a 1x1 convolution, convolves 3x3, and expands them fourfold by another 1x1:
 *
 *     x ─┬─ conv 1x1 ─ BN ─ ReLU ─ conv 3x3 ─ BN ─ ReLU ─ conv 1x1 ─ BN ─┬─ (+) ─ ReLU ─ y
 *        └─────────── identity, or conv 1x1 ─ BN in block 1 ─────────────┘
 *
 * The first block of a stack halves the image (not so that of conv2); here, unlike in the paper's PyTorch successors, the
 * stride of 2 is in the first 1x1 convolution. All convolutions have a bias.
 *
 *     stage   output     filters         ResNet50   ResNet101   ResNet152
 *     conv1   112x112    7x7, 64, strides 2, BN, ReLU
 *     pool1   56x56      3x3 maximum, strides 2
 *     conv2   56x56      64, 64, 256     3 blocks   3           3
 *     conv3   28x28      128, 128, 512   4          4           8
 *     conv4   14x14      256, 256, 1024  6          23          36
 *     conv5   7x7        512, 512, 2048  3          3           3
 *     average over the image, dense 1000 with softmax
 *     parameters                         25,636,712 44,707,176  60,419,944
 *
 * @module
 */
import { Activation, type ActivationName } from "../../layers/activation.js";
import { Add } from "../../layers/add.js";
import { BatchNormalization } from "../../layers/batch-normalization.js";
import { Conv2D } from "../../layers/conv2d.js";
import { Dense } from "../../layers/dense.js";
import { GlobalAveragePooling2D } from "../../layers/global-average-pooling2d.js";
import { GlobalMaxPooling2D } from "../../layers/global-max-pooling2d.js";
import { input } from "../../layers/input-layer.js";
import type { SymbolicTensor } from "../../layers/layer.js";
import { MaxPooling2D } from "../../layers/max-pooling2d.js";
import { ZeroPadding2D } from "../../layers/zero-padding2d.js";
import { describe } from "../../serialization/config.js";
import { expectOptions } from "../../serialization/options.js";
import type { DType } from "../../tensor/dtype.js";
import type { SymbolicShape } from "../../tensor/shape.js";
import { Model } from "../model.js";
import { obtainInputShape } from "./imagenet-utils.js";

/** Options of the ResNets of `keras.applications`. Their weights are random until they are loaded. */
export interface ResNetOptions {
  /** Whether the classifier is there. @defaultValue true */
  readonly includeTop?: boolean;
  /** [H, W, C], at least 32x32. @defaultValue [224, 224, 3]; without the classifier [null, null, 3] */
  readonly inputShape?: SymbolicShape;
  /** Without the classifier: how the last images become vectors; null leaves them. @defaultValue null */
  readonly pooling?: "avg" | "max" | null;
  /** How many classes the classifier knows. @defaultValue 1000 */
  readonly classes?: number;
  /** What the classifier ends in; null gives the logits. @defaultValue "softmax" */
  readonly classifierActivation?: ActivationName | null;
  /** Name of the model. @defaultValue the function's name in lower case */
  readonly name?: string;
  /** Seed of the initial weights. @defaultValue 0 */
  readonly seed?: number;
  /** Element type of weights and outputs. @defaultValue "float32" */
  readonly dtype?: DType;
}

const OPTIONS = ["includeTop", "inputShape", "pooling", "classes", "classifierActivation", "name", "seed", "dtype"];

/** One network of the family: how its middle is built, and whether blocks normalize first. */
export interface ResNetPlan {
  /** Its name, in Keras's spelling. */
  readonly title: string;
  /** Whether normalization and ReLU come before each convolution (version 2), and so once more at the end. */
  readonly preact: boolean;
  /** Builds conv2 to conv5 on the output of pool1. */
  readonly stacks: (x: SymbolicTensor, layers: BlockLayers) => SymbolicTensor;
}

/** Arguments of a convolution in a block. */
interface BlockConvolution {
  readonly filters: number;
  readonly kernelSize: number;
  readonly strides?: number;
  readonly padding?: "same" | "valid";
  readonly useBias?: boolean;
}

/** The layers that blocks are made of, all of one element type. */
export class BlockLayers {
  /** Of weights and outputs. */
  readonly dtype: DType | undefined;

  constructor(dtype: DType | undefined) {
    this.dtype = dtype;
  }

  /** A convolution. */
  conv(x: SymbolicTensor, name: string, convolution: BlockConvolution): SymbolicTensor {
    return new Conv2D({ name, dtype: this.dtype, ...convolution }).apply(x);
  }

  /** Batch normalization with the epsilon of these networks. */
  normalize(x: SymbolicTensor, name: string): SymbolicTensor {
    return new BatchNormalization({ name, dtype: this.dtype, epsilon: 1.001e-5 }).apply(x);
  }

  /** A ReLU. */
  relu(x: SymbolicTensor, name: string): SymbolicTensor {
    return new Activation({ name, dtype: this.dtype, activation: "relu" }).apply(x);
  }

  /** Batch normalization, then ReLU. */
  normalizeAndRectify(x: SymbolicTensor, name: string): SymbolicTensor {
    return this.relu(this.normalize(x, `${name}_bn`), `${name}_relu`);
  }

  /** A border of zeros. */
  pad(x: SymbolicTensor, name: string, padding: number): SymbolicTensor {
    return new ZeroPadding2D({ name, dtype: this.dtype, padding }).apply(x);
  }

  /** The end of a block. */
  add(shortcut: SymbolicTensor, x: SymbolicTensor, name: string): SymbolicTensor {
    return new Add({ name, dtype: this.dtype }).apply([shortcut, x]);
  }

  /** Maximum over windows. */
  maxPool(x: SymbolicTensor, name: string | undefined, poolSize: number, strides: number): SymbolicTensor {
    return new MaxPooling2D({ name, dtype: this.dtype, poolSize, strides }).apply(x);
  }
}

/** What tells one block from another. */
export interface ResNetBlock {
  /** Prefix of its layers' names. */
  readonly name: string;
  /** Channels within; four times as many come out. */
  readonly filters: number;
  /** By which the image shrinks. */
  readonly strides: number;
  /** Whether the shortcut is a convolution. */
  readonly convShortcut: boolean;
}

/** Keras's `residual_block_v1`. */
function block(
  x: SymbolicTensor,
  { name, filters, strides, convShortcut }: ResNetBlock,
  layers: BlockLayers,
): SymbolicTensor {
  let shortcut = x;
  if (convShortcut) {
    shortcut = layers.conv(x, `${name}_0_conv`, { filters: 4 * filters, kernelSize: 1, strides });
    shortcut = layers.normalize(shortcut, `${name}_0_bn`);
  }
  let y = layers.conv(x, `${name}_1_conv`, { filters, kernelSize: 1, strides });
  y = layers.normalizeAndRectify(y, `${name}_1`);
  y = layers.conv(y, `${name}_2_conv`, { filters, kernelSize: 3, padding: "same" });
  y = layers.normalizeAndRectify(y, `${name}_2`);
  y = layers.conv(y, `${name}_3_conv`, { filters: 4 * filters, kernelSize: 1 });
  y = layers.normalize(y, `${name}_3_bn`);
  y = layers.add(shortcut, y, `${name}_add`);
  return layers.relu(y, `${name}_out`);
}

/** Keras's `stack_residual_blocks_v1`: `blocks` blocks, of which the first projects its shortcut and shrinks the image. */
function stack(
  x: SymbolicTensor,
  [name, filters, blocks, firstStrides]: readonly [string, number, number, number],
  layers: BlockLayers,
): SymbolicTensor {
  for (let i = 1; i <= blocks; i++) {
    const isFirst = i === 1;
    const strides = isFirst ? firstStrides : 1;
    x = block(x, { name: `${name}_block${i}`, filters, strides, convShortcut: isFirst }, layers);
  }
  return x;
}

/**
 * Keras's `ResNet`: what surrounds the stacks of both versions.
 *
 * @throws RangeError, TypeError when an option is not as {@link ResNetOptions} describes it.
 */
export function buildResNet({ title, preact, stacks }: ResNetPlan, options: ResNetOptions): Model {
  expectOptions(title, options, OPTIONS);
  const { includeTop = true, pooling = null, dtype, seed = 0 } = options;
  if (pooling !== null && pooling !== "avg" && pooling !== "max") {
    throw new TypeError(`${title}: \`pooling\` must be "avg", "max" or null. Received pooling=${describe(pooling)}.`);
  }
  const layers = new BlockLayers(dtype);
  const shape = obtainInputShape(title, options.inputShape, { defaultSize: 224, minSize: 32, includeTop });
  const image = input({ shape, dtype });
  let x = layers.pad(image, "conv1_pad", 3);
  x = layers.conv(x, "conv1_conv", { filters: 64, kernelSize: 7, strides: 2 });
  if (!preact) x = layers.normalizeAndRectify(x, "conv1");
  x = layers.pad(x, "pool1_pad", 1);
  x = layers.maxPool(x, "pool1_pool", 3, 2);
  x = stacks(x, layers);
  if (preact) x = layers.normalizeAndRectify(x, "post");
  const outputs = includeTop ? classifier(x, options) : pooled(x, pooling, dtype);
  return new Model({ name: options.name ?? title.toLowerCase(), inputs: image, outputs, seed });
}

function classifier(x: SymbolicTensor, options: ResNetOptions): SymbolicTensor {
  const { classes = 1000, classifierActivation = "softmax", dtype } = options;
  const y = pooled(x, "avg", dtype);
  const activation = classifierActivation ?? "linear";
  return new Dense({ name: "predictions", units: classes, activation, dtype }).apply(y);
}

function pooled(x: SymbolicTensor, pooling: "avg" | "max" | null, dtype: DType | undefined): SymbolicTensor {
  if (pooling === "avg") return new GlobalAveragePooling2D({ name: "avg_pool", dtype }).apply(x);
  if (pooling === "max") return new GlobalMaxPooling2D({ name: "max_pool", dtype }).apply(x);
  return x;
}

function resnet(title: string, blocks: readonly number[], options: ResNetOptions): Model {
  return buildResNet(
    {
      title,
      preact: false,
      stacks: (x, layers) =>
        blocks.reduce((y, count, i) => stack(y, [`conv${i + 2}`, 64 * 2 ** i, count, i === 0 ? 1 : 2], layers), x),
    },
    options,
  );
}

/**
 * ResNet50 as in `keras.applications`; its input is preprocessed in mode "caffe".
 *
 * @throws RangeError, TypeError when an option is not as {@link ResNetOptions} describes it.
 */
export function ResNet50(options: ResNetOptions = {}): Model {
  return resnet("ResNet50", [3, 4, 6, 3], options);
}

/** ResNet101: {@link ResNet50} with more blocks in conv4. */
export function ResNet101(options: ResNetOptions = {}): Model {
  return resnet("ResNet101", [3, 4, 23, 3], options);
}

/** ResNet152: {@link ResNet50} with more blocks in conv3 and conv4. */
export function ResNet152(options: ResNetOptions = {}): Model {
  return resnet("ResNet152", [3, 8, 36, 3], options);
}
