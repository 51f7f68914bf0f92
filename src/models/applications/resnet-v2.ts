/**
 * ResNet50V2, ResNet101V2 and ResNet152V2 (He et al. 2016, https://arxiv.org/abs/1603.05027), as
 * `keras.applications.resnet_v2` builds and names them.
 *
 * Normalization and ReLU come before the convolutions, so that nothing stands between the sums:
 *
 *     x ─┬─ BN ─ ReLU ─┬─ conv 1x1 ─ BN ─ ReLU ─ conv 3x3 ─ BN ─ ReLU ─ conv 1x1 ─┬─ (+) ─ y
 *        │             └──────────── conv 1x1, in block 1 ────────────────────────┤
 *        └─ identity, or in the last block the image's every second pixel ────────┘
 *
 * The last block of a stack halves the image (not so that of conv5), by strides 2 of its 3x3 convolution. The first two
 * convolutions of a block have no bias.
 *
 *     stage   output     filters         ResNet50V2   ResNet101V2   ResNet152V2
 *     conv1   112x112    7x7, 64, strides 2
 *     pool1   56x56      3x3 maximum, strides 2
 *     conv2   28x28      64, 64, 256     3 blocks     3             3
 *     conv3   14x14      128, 128, 512   4            4             8
 *     conv4   7x7        256, 256, 1024  6            23            36
 *     conv5   7x7        512, 512, 2048  3            3             3
 *     BN, ReLU, average over the image, dense 1000 with softmax
 *     parameters                         25,613,800   44,675,560    60,380,648
 *
 * @module
 */
import type { SymbolicTensor } from "../../layers/layer.js";
import type { Model } from "../model.js";
import { type BlockLayers, buildResNet, type ResNetBlock, type ResNetOptions } from "./resnet.js";

/** Keras's `residual_block_v2`. */
function block(
  x: SymbolicTensor,
  { name, filters, strides, convShortcut }: ResNetBlock,
  layers: BlockLayers,
): SymbolicTensor {
  const preact = layers.normalizeAndRectify(x, `${name}_preact`);
  let shortcut = x;
  if (convShortcut) shortcut = layers.conv(preact, `${name}_0_conv`, { filters: 4 * filters, kernelSize: 1, strides });
  else if (strides > 1) shortcut = layers.maxPool(x, undefined, 1, strides);

  let y = layers.conv(preact, `${name}_1_conv`, { filters, kernelSize: 1, useBias: false });
  y = layers.normalizeAndRectify(y, `${name}_1`);
  y = layers.pad(y, `${name}_2_pad`, 1);
  y = layers.conv(y, `${name}_2_conv`, { filters, kernelSize: 3, strides, useBias: false });
  y = layers.normalizeAndRectify(y, `${name}_2`);
  y = layers.conv(y, `${name}_3_conv`, { filters: 4 * filters, kernelSize: 1 });
  return layers.add(shortcut, y, `${name}_out`);
}

/** Keras's `stack_residual_blocks_v2`: the first block projects its shortcut, the last shrinks the image. */
function stack(
  x: SymbolicTensor,
  [name, filters, blocks, lastStrides]: readonly [string, number, number, number],
  layers: BlockLayers,
): SymbolicTensor {
  for (let i = 1; i <= blocks; i++) {
    const strides = i === blocks ? lastStrides : 1;
    x = block(x, { name: `${name}_block${i}`, filters, strides, convShortcut: i === 1 }, layers);
  }
  return x;
}

function resnetV2(title: string, blocks: readonly number[], options: ResNetOptions): Model {
  const last = blocks.length - 1;
  return buildResNet(
    {
      title,
      preact: true,
      stacks: (x, layers) =>
        blocks.reduce((y, count, i) => stack(y, [`conv${i + 2}`, 64 * 2 ** i, count, i === last ? 1 : 2], layers), x),
    },
    options,
  );
}

/**
 * ResNet50V2 as in `keras.applications`; its input is preprocessed in mode "tf".
 *
 * @throws RangeError, TypeError when an option is not as {@link ResNetOptions} describes it.
 */
export function ResNet50V2(options: ResNetOptions = {}): Model {
  return resnetV2("ResNet50V2", [3, 4, 6, 3], options);
}

/** ResNet101V2: {@link ResNet50V2} with more blocks in conv4. */
export function ResNet101V2(options: ResNetOptions = {}): Model {
  return resnetV2("ResNet101V2", [3, 4, 23, 3], options);
}

/** ResNet152V2: {@link ResNet50V2} with more blocks in conv3 and conv4. */
export function ResNet152V2(options: ResNetOptions = {}): Model {
  return resnetV2("ResNet152V2", [3, 8, 36, 3], options);
}
