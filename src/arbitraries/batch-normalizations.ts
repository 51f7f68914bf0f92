/**
 * Batch normalizations: images, scale, offset, moving statistics, and a derivative to send back.
 *
 * They shrink batch, image, channels, gamma and beta (to none), epsilon and momentum (to Keras's defaults), then values. The
 * batch keeps two elements a channel: one has no variance.
 *
 * @module
 */
import fc from "fast-check";
import type { DType } from "../tensor/dtype.js";
import type { Tensor } from "../tensor/tensor.js";
import {
  anySizes,
  casesOf,
  type DistinctOptions,
  distinctOrSquare,
  distinctSizes,
  type Sizes,
  squareSizes,
} from "./cases.js";
import { checkOptions, OF_LAYERS, regimeOf, wholeNumber } from "./options.js";
import { type Regime, REGIMES, type RegimeName } from "./regimes.js";

/** A batch normalization, its operands, and a derivative to send back through it. */
export interface BatchNormalizationCase {
  /** Keras's arguments. */
  readonly config: { readonly epsilon: number; readonly momentum: number };
  /** [N, H, W, C]. */
  readonly x: Tensor;
  /** [C], or none. */
  readonly gamma?: Tensor;
  /** [C], or none. */
  readonly beta?: Tensor;
  /** [C]. */
  readonly movingMean: Tensor;
  /** [C], above 0. */
  readonly movingVariance: Tensor;
  /** [N, H, W, C]. */
  readonly dy: Tensor;
}

/** Options of {@link batchNormalizations}. */
export interface BatchNormalizationArbitraryOptions extends DistinctOptions {
  /** The greatest batch, height, width and channels. @defaultValue 6 */
  readonly maxDim?: number;
  /** @defaultValue "float32" */
  readonly dtype?: DType;
  /** The regime of all tensors but the moving variance, which is positive. @defaultValue "normal" */
  readonly regime?: RegimeName | Regime;
}

/** What is drawn; the first are Keras's defaults, the second those of the applications. */
const EPSILONS = [1e-3, 1.001e-5, 1e-5, 0.5];
const MOMENTA = [0.99, 0.9, 0, 1];

type NormalizationSizes = Sizes<"batch" | "height" | "width" | "channels" | "gamma" | "beta" | "epsilon" | "momentum">;

/**
 * Batch normalizations over images whose dimensions are pairwise distinct, or which are square.
 *
 * @throws TypeError, RangeError when an option has no meaning.
 */
export function batchNormalizations(
  options: BatchNormalizationArbitraryOptions = {},
): fc.Arbitrary<BatchNormalizationCase> {
  // images of one pixel, one by one, have no two elements a channel
  checkOptions("batchNormalizations", options, { ...OF_LAYERS, maxDim: wholeNumber(2) });
  const { maxDim = 6, dtype = "float32" } = options;
  const regime = regimeOf(options.regime ?? "normal");
  return casesOf<NormalizationSizes, BatchNormalizationCase>({
    sizes: fc
      .tuple(
        distinctOrSquare<Sizes<"batch" | "height" | "width" | "channels">>(
          options,
          () => distinctSizes(["batch", "height", "width", "channels"], maxDim),
          () => squareSizes(["batch", "channels"], maxDim),
        ),
        anySizes(["gamma", "beta"], 0, 1),
        anySizes(["epsilon", "momentum"], 0, EPSILONS.length - 1),
      )
      .map(([dims, weights, config]) => ({ ...dims, ...weights, ...config })),
    fits: ({ batch, height, width }) => batch * height * width >= 2,
    least: (name) => (["batch", "height", "width", "channels"].includes(name) ? 1 : 0),
    plan({ batch, height, width, channels, gamma, beta, epsilon, momentum }) {
      const of = (...shape: number[]) => ({ shape, dtype, regime });
      const tensors = {
        x: of(batch, height, width, channels),
        dy: of(batch, height, width, channels),
        movingMean: of(channels),
        movingVariance: { shape: [channels], dtype, regime: REGIMES.positive },
        ...(gamma === 1 ? { gamma: of(channels) } : {}),
        ...(beta === 1 ? { beta: of(channels) } : {}),
      };
      return {
        tensors,
        build: ({ x, dy, movingMean, movingVariance, gamma, beta }) => ({
          config: { epsilon: EPSILONS[epsilon], momentum: MOMENTA[momentum] },
          x,
          ...(gamma === undefined ? {} : { gamma }),
          ...(beta === undefined ? {} : { beta }),
          movingMean,
          movingVariance,
          dy,
        }),
      };
    },
  });
}
