/**
 * Small random functional models: chains, branches, sums and concatenations of every layer class, with weights and inputs.
 *
 * A graph is written in whole numbers, a kind and two references a layer, and every such list is a graph: a layer that
 * cannot take what it is referred to is left out. So it shrinks by making numbers smaller: fewer layers; a layer of kind 0,
 * which is none; references to the tensor just before; a smaller image; then values.
 *
 * @module
 */
import fc from "fast-check";
import { Activation } from "../layers/activation.js";
import { Add } from "../layers/add.js";
import { AveragePooling2D } from "../layers/average-pooling2d.js";
import { BatchNormalization } from "../layers/batch-normalization.js";
import { Concatenate } from "../layers/concatenate.js";
import { Conv2D } from "../layers/conv2d.js";
import { Dense } from "../layers/dense.js";
import { DepthwiseConv2D } from "../layers/depthwise-conv2d.js";
import { Dropout } from "../layers/dropout.js";
import { Flatten } from "../layers/flatten.js";
import { GlobalAveragePooling2D } from "../layers/global-average-pooling2d.js";
import { GlobalMaxPooling2D } from "../layers/global-max-pooling2d.js";
import { input } from "../layers/input-layer.js";
import type { Layer, LayerOptions, SymbolicTensor } from "../layers/layer.js";
import { LeakyReLU } from "../layers/leaky-relu.js";
import { MaxPooling2D } from "../layers/max-pooling2d.js";
import { ReLU } from "../layers/relu.js";
import { Rescaling } from "../layers/rescaling.js";
import { Reshape } from "../layers/reshape.js";
import { Softmax } from "../layers/softmax.js";
import { ZeroPadding2D } from "../layers/zero-padding2d.js";
import { Model } from "../models/model.js";
import type { DType } from "../tensor/dtype.js";
import { type SymbolicShape, shapesAgree } from "../tensor/shape.js";
import { anySizes, casesOf, distinctSizes, type Sizes } from "./cases.js";
import { type ModelCase, modelPlan } from "./model-cases.js";
import { checkOptions, OF_MODELS, regimeOf, wholeNumber } from "./options.js";
import type { Regime, RegimeName } from "./regimes.js";

/** Options of {@link graphs}. */
export interface GraphOptions {
  /** The greatest number of layers. @defaultValue 6 */
  readonly maxLayers?: number;
  /** The greatest batch, height, width and channels of the input. @defaultValue 6 */
  readonly maxDim?: number;
  /** @defaultValue "float32" */
  readonly dtype?: DType;
  /** The regime of inputs, weights and targets; moving variances are positive. @defaultValue "normal" */
  readonly regime?: RegimeName | Regime;
}

type Make = (options: LayerOptions, shape: SymbolicShape) => Layer;

/** Layers that take any tensor. */
const ANYWHERE: readonly Make[] = [
  (options) => new Activation({ ...options, activation: "relu" }),
  (options) => new Activation({ ...options, activation: "sigmoid" }),
  (options) => new Activation({ ...options, activation: "tanh" }),
  (options) => new ReLU({ ...options, maxValue: 6 }),
  (options) => new LeakyReLU(options),
  (options) => new Softmax(options),
  (options) => new Rescaling({ ...options, scale: 0.5, offset: 1 }),
  (options) => new Dropout({ ...options, rate: 0.25 }),
  (options) => new BatchNormalization(options),
  (options) => new Dense({ ...options, units: 2 }),
  (options) => new Flatten(options),
  (options, shape) => new Reshape({ ...options, targetShape: shape.slice(1).toReversed().map(Number) }),
];

/** Layers that take images. */
const OVER_IMAGES: readonly Make[] = [
  (options) => new Conv2D({ ...options, filters: 2, kernelSize: 1 }),
  (options) => new Conv2D({ ...options, filters: 3, kernelSize: [3, 2], padding: "same", activation: "relu" }),
  (options) => new Conv2D({ ...options, filters: 1, kernelSize: 3, strides: 2, padding: "same", useBias: false }),
  (options) => new DepthwiseConv2D({ ...options, kernelSize: 2, depthMultiplier: 2, padding: "same" }),
  (options) => new MaxPooling2D({ ...options, poolSize: 2, padding: "same" }),
  (options) => new AveragePooling2D({ ...options, poolSize: [3, 2], strides: 1, padding: "same" }),
  (options) =>
    new ZeroPadding2D({
      ...options,
      padding: [
        [1, 0],
        [0, 2],
      ],
    }),
  (options) => new GlobalAveragePooling2D(options),
  (options) => new GlobalMaxPooling2D(options),
];

/** Kind 0 is no layer, the last two join tensors. */
const KINDS = 1 + ANYWHERE.length + OVER_IMAGES.length + 2;

/** A layer of `kind` on `x`, or on `x` and one of `others`; undefined where there is none that fits. */
function layerOf(
  kind: number,
  x: SymbolicTensor,
  others: readonly SymbolicTensor[],
  choice: number,
  options: LayerOptions,
): SymbolicTensor | undefined {
  if (kind === 0) return undefined;
  const single = [...ANYWHERE, ...OVER_IMAGES];
  if (kind <= single.length) {
    if (kind > ANYWHERE.length && x.shape.length !== 4) return undefined;
    return single[kind - 1](options, x.shape).apply(x);
  }
  const adds = kind === single.length + 1;
  const rank = x.shape.length;
  const partners = others.filter(({ shape }) =>
    adds ? shapesAgree(shape, x.shape) : shape.length === rank && shapesAgree(shape.slice(0, -1), x.shape.slice(0, -1)),
  );
  if (partners.length === 0) return undefined;
  const join = adds ? new Add(options) : new Concatenate(options);
  return join.apply([x, partners[choice % partners.length]]);
}

/** The model that the numbers in `sizes` write. */
function graphOf(sizes: Sizes, dtype: DType): Model {
  const { height, width, channels, layers } = sizes as Sizes<"height" | "width" | "channels" | "layers">;
  const image = input({ shape: [height, width, channels], dtype, name: "input" });
  const made = [image];
  for (let i = 0; i < layers; i++) {
    const [kind, from, choice] = [sizes[`kind${i}`], sizes[`from${i}`], sizes[`with${i}`]];
    const x = made[Math.max(0, made.length - 1 - from)];
    const y = layerOf(kind, x, made, choice, { name: `layer${i}`, dtype });
    if (y !== undefined) made.push(y);
  }
  const last = made[made.length - 1];
  const output = made.length > 1 ? last : new Activation({ activation: "linear", name: "output", dtype }).apply(last);
  return new Model({ inputs: image, outputs: output });
}

/**
 * Models of up to `maxLayers` layers over an image whose dimensions are drawn pairwise distinct.
 *
 * @throws TypeError, RangeError when an option has no meaning.
 */
export function graphs(options: GraphOptions = {}): fc.Arbitrary<ModelCase> {
  checkOptions("graphs", options, { ...OF_MODELS, maxLayers: wholeNumber(1), maxDim: wholeNumber(1) });
  const { maxLayers = 6, maxDim = 6, dtype = "float32" } = options;
  const values = regimeOf(options.regime ?? "normal");
  const positions = Array.from({ length: maxLayers }, (_, i) => i);
  return casesOf<Sizes, ModelCase>({
    sizes: fc
      .tuple(
        distinctSizes(["batch", "height", "width", "channels"], maxDim),
        anySizes(["layers"], 1, maxLayers),
        anySizes(
          positions.map((i) => `kind${i}`),
          1,
          KINDS - 1,
        ),
        anySizes(
          positions.map((i) => `from${i}`),
          0,
          1,
        ),
        anySizes(
          positions.map((i) => `with${i}`),
          0,
          2,
        ),
      )
      .map(([dims, layers, kinds, from, others]) => ({ ...dims, ...layers, ...kinds, ...from, ...others })),
    fits: () => true,
    least: (name) => (/^(kind|from|with)\d+$/.test(name) ? 0 : 1),
    plan: (sizes) => modelPlan(() => graphOf(sizes, dtype), sizes["batch"], { values, targets: values, dtype }),
  });
}
