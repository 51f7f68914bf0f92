/**
 * Whole residual networks, tiny: ResNet v1 and v2 as `src/models` builds them, with a few filters over a few pixels.
 *
 *     image ─ conv 3x3 ─ BN ─ ReLU ─ stacks of blocks ─ (v2: BN ─ ReLU) ─ mean over the image ─ dense with softmax
 *
 * The first block of every stack but the first halves the image and doubles the filters. They shrink from v2 to v1, to one
 * stack of one block with one filter over one pixel; then values.
 *
 * @module
 */
import type fc from "fast-check";
import { Activation } from "../layers/activation.js";
import { Add } from "../layers/add.js";
import { AveragePooling2D } from "../layers/average-pooling2d.js";
import { BatchNormalization } from "../layers/batch-normalization.js";
import { Dense } from "../layers/dense.js";
import { Flatten } from "../layers/flatten.js";
import { input } from "../layers/input-layer.js";
import type { SymbolicTensor } from "../layers/layer.js";
import { Model } from "../models/model.js";
import { type ResNetLayerOptions, resnetLayer } from "../models/resnet-v1.js";
import type { DType } from "../tensor/dtype.js";
import { casesOf, sizesBetween, type Sizes } from "./cases.js";
import { type ModelCase, modelPlan } from "./model-cases.js";
import { checkOptions, OF_MODELS, oneOf, regimeOf, wholeNumber } from "./options.js";
import { REGIMES, type Regime, type RegimeName } from "./regimes.js";

/** Options of {@link residualNetworks}. */
export interface ResidualNetworkOptions {
  /** 1 or 2. @defaultValue drawn */
  readonly version?: 1 | 2;
  /** The greatest number of stacks. @defaultValue 2 */
  readonly maxStacks?: number;
  /** The greatest number of blocks in a stack. @defaultValue 2 */
  readonly maxBlocks?: number;
  /** @defaultValue "float32" */
  readonly dtype?: DType;
  /** The regime of images and weights; moving variances are positive. @defaultValue "normal" */
  readonly regime?: RegimeName | Regime;
}

type NetworkSizes = Sizes<
  "version" | "stacks" | "blocks" | "filters" | "batch" | "height" | "width" | "channels" | "classes"
>;

type LayerOf = (x: SymbolicTensor, options: ResNetLayerOptions) => SymbolicTensor;

/** Where a block stands. */
interface Place {
  readonly filters: number;
  readonly strides: number;
  /** Whether the identity must be projected to a new shape. */
  readonly projects: boolean;
  /** Whether it opens the network. */
  readonly opens: boolean;
}

function blockV1(x: SymbolicTensor, { filters, strides, projects }: Place, layer: LayerOf): SymbolicTensor {
  const y = layer(layer(x, { filters, strides }), { filters, activation: false });
  return projects
    ? add(layer(x, { filters, strides, kernelSize: 1, activation: false, batchNormalization: false }), y)
    : add(x, y);
}

function blockV2(x: SymbolicTensor, { filters, strides, projects, opens }: Place, layer: LayerOf): SymbolicTensor {
  const bare = { activation: !opens, batchNormalization: !opens };
  let y = layer(x, { filters, strides, kernelSize: 1, convFirst: false, ...bare });
  y = layer(y, { filters, convFirst: false });
  y = layer(y, { filters: 2 * filters, kernelSize: 1, convFirst: false });
  return projects
    ? add(layer(x, { filters: 2 * filters, strides, kernelSize: 1, activation: false, batchNormalization: false }), y)
    : add(x, y);
}

function add(a: SymbolicTensor, b: SymbolicTensor): SymbolicTensor {
  return new Add({ dtype: a.node.layer.dtype }).apply([a, b]);
}

function networkOf(sizes: NetworkSizes, dtype: DType): Model {
  const { version, stacks, blocks, height, width, channels, classes } = sizes;
  const layer: LayerOf = (x, options) => resnetLayer(x, { ...options, dtype });
  const relu = (x: SymbolicTensor): SymbolicTensor => new Activation({ activation: "relu", dtype }).apply(x);
  const image = input({ shape: [height, width, channels], dtype });
  let x = layer(image, { filters: sizes.filters });
  let filters = sizes.filters;
  for (let stack = 0; stack < stacks; stack++) {
    for (let i = 0; i < blocks; i++) {
      const strides = stack > 0 && i === 0 ? 2 : 1;
      const opens = stack === 0 && i === 0;
      x =
        version === 1
          ? relu(blockV1(x, { filters, strides, projects: strides > 1, opens }, layer))
          : blockV2(x, { filters, strides, projects: i === 0, opens }, layer);
    }
    filters *= 2;
  }
  if (version === 2) x = relu(new BatchNormalization({ dtype }).apply(x));
  const pooled = new AveragePooling2D({ poolSize: [Number(x.shape[1]), Number(x.shape[2])], dtype }).apply(x);
  const logits = new Dense({ units: classes, activation: "softmax", dtype });
  return new Model({ inputs: image, outputs: logits.apply(new Flatten({ dtype }).apply(pooled)) });
}

/**
 * Residual networks with images and one-hot labels: filters from 1 to 4, images of 4 to 9 pixels.
 *
 * @throws TypeError, RangeError when an option has no meaning.
 */
export function residualNetworks(options: ResidualNetworkOptions = {}): fc.Arbitrary<ModelCase> {
  checkOptions("residualNetworks", options, {
    ...OF_MODELS,
    version: oneOf(1, 2),
    maxStacks: wholeNumber(1),
    maxBlocks: wholeNumber(1),
  });
  const { version, maxStacks = 2, maxBlocks = 2, dtype = "float32" } = options;
  const values = regimeOf(options.regime ?? "normal");
  return casesOf<NetworkSizes, ModelCase>({
    sizes: sizesBetween({
      version: version === undefined ? [1, 2] : [version, version],
      stacks: [1, maxStacks],
      blocks: [1, maxBlocks],
      filters: [1, 4],
      batch: [1, 3],
      height: [4, 9],
      width: [4, 9],
      channels: [1, 3],
      classes: [2, 4],
    }),
    fits: () => true,
    least: (name) => (name === "version" ? (version ?? 1) : name === "classes" ? 2 : 1),
    plan: (sizes) => modelPlan(() => networkOf(sizes, dtype), sizes.batch, { values, targets: REGIMES.oneHot, dtype }),
  });
}
