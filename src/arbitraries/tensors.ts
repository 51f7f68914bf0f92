/**
 * Tensors by shape and value regime.
 *
 * They shrink shape before values: every dimension towards the least, then every value towards 0, 1, small whole numbers
 * and powers of two, within the regime.
 *
 * @module
 */
import fc from "fast-check";
import type { DType } from "../tensor/dtype.js";
import type { Shape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { casesOf, type Sizes } from "./cases.js";
import { checkOptions, OF_LAYERS, regimeOf, SHAPE, wholeNumber } from "./options.js";
import type { Regime, RegimeName } from "./regimes.js";

/** Options of {@link tensors}. */
export interface TensorOptions {
  /** The shape, where it is fixed, without rank, minDim and maxDim: then only values shrink. @defaultValue drawn */
  readonly shape?: Shape;
  /** How many dimensions. @defaultValue 4 */
  readonly rank?: number;
  /** The least size of a dimension. @defaultValue 1 */
  readonly minDim?: number;
  /** The greatest size of a dimension. @defaultValue minDim + rank + 1 */
  readonly maxDim?: number;
  /**
   * Whether dimensions are drawn pairwise distinct, so that none can be mixed up unseen. Shrinking gives that up: what
   * still fails with equal dimensions is simpler.
   *
   * @defaultValue true
   */
  readonly distinct?: boolean;
  /** @defaultValue "float32" */
  readonly dtype?: DType;
  /** How values are drawn: the name of a regime, or one of your own. @defaultValue "normal" */
  readonly regime?: RegimeName | Regime;
}

/**
 * Tensors of one shape, or of one rank.
 *
 * @throws TypeError, RangeError when an option has no meaning, or there are not enough sizes for distinct dimensions.
 */
export function tensors(options: TensorOptions = {}): fc.Arbitrary<Tensor> {
  checkOptions("tensors", options, {
    ...OF_LAYERS,
    shape: SHAPE,
    rank: wholeNumber(0),
    minDim: wholeNumber(0),
    maxDim: wholeNumber(0),
  });
  const { shape, rank = shape?.length ?? 4, minDim = 1, distinct = true, dtype = "float32" } = options;
  const [drawn] = (["rank", "minDim", "maxDim"] as const).filter((name) => options[name] !== undefined);
  if (shape !== undefined && drawn !== undefined) {
    throw new TypeError(`tensors: \`${drawn}\` must go without \`shape\`. Received ${drawn}=${options[drawn]}.`);
  }
  const maxDim = options.maxDim ?? minDim + rank + 1;
  const regime = regimeOf(options.regime ?? "normal");
  if (shape === undefined && (maxDim < minDim || (distinct && maxDim - minDim + 1 < rank))) {
    throw new RangeError(
      `tensors: \`maxDim\` must leave room for ${distinct ? `${rank} distinct dimensions` : "a dimension"} from ` +
        `minDim=${minDim}. Received maxDim=${maxDim}.`,
    );
  }
  const dimension = fc.integer({ min: minDim, max: maxDim });
  const length = { minLength: rank, maxLength: rank };
  const dimensions = distinct ? fc.uniqueArray(dimension, length) : fc.array(dimension, length);
  return casesOf<Sizes, Tensor>({
    // keys that are whole numbers keep their order
    sizes: (shape === undefined ? dimensions : fc.constant(shape)).map((numbers) =>
      Object.fromEntries(numbers.entries()),
    ),
    fits: () => true,
    least: (axis) => (shape === undefined ? minDim : shape[Number(axis)]),
    plan: (sizes) => ({
      tensors: { x: { shape: Object.values(sizes), dtype, regime } },
      build: ({ x }) => x,
    }),
  });
}
