/**
 * Dense layers: operands that fit, and a derivative to send back.
 *
 * They shrink rows, inputs, units and bias, then values.
 *
 * @module
 */
import fc from "fast-check";
import type { DType } from "../tensor/dtype.js";
import type { Tensor } from "../tensor/tensor.js";
import { anySizes, casesOf, type DistinctOptions, distinctOrSquare, distinctSizes, type Sizes } from "./cases.js";
import { checkOptions, OF_LAYERS, regimeOf } from "./options.js";
import type { Regime, RegimeName } from "./regimes.js";

/** The operands of a dense layer. */
export interface DenseCase {
  /** [N, K]. */
  readonly x: Tensor;
  /** [K, U]. */
  readonly kernel: Tensor;
  /** [U], or none. */
  readonly bias?: Tensor;
  /** [N, U]. */
  readonly dy: Tensor;
}

/** Options of {@link denses}. */
export interface DenseArbitraryOptions extends DistinctOptions {
  /** The greatest number of rows, inputs and units. @defaultValue 9 */
  readonly maxDim?: number;
  /** @defaultValue "float32" */
  readonly dtype?: DType;
  /** The regime of every tensor. @defaultValue "normal" */
  readonly regime?: RegimeName | Regime;
}

/**
 * Dense layers whose rows, inputs and units are pairwise distinct, or with as many units as inputs.
 *
 * @throws TypeError, RangeError when an option has no meaning.
 */
export function denses(options: DenseArbitraryOptions = {}): fc.Arbitrary<DenseCase> {
  checkOptions("denses", options, OF_LAYERS);
  const { maxDim = 9, dtype = "float32" } = options;
  const regime = regimeOf(options.regime ?? "normal");
  return casesOf<Sizes<"batch" | "inputs" | "units" | "bias">, DenseCase>({
    sizes: fc
      .tuple(
        distinctOrSquare<Sizes<"batch" | "inputs" | "units">>(
          options,
          () => distinctSizes(["batch", "inputs", "units"], maxDim),
          () => anySizes(["batch", "inputs"], 1, maxDim).map((sizes) => ({ ...sizes, units: sizes.inputs })),
        ),
        anySizes(["bias"], 0, 1),
      )
      .map(([dims, bias]) => ({ ...dims, ...bias })),
    fits: () => true,
    least: (name) => (name === "bias" ? 0 : 1),
    plan({ batch, inputs, units, bias }) {
      const of = (...shape: number[]) => ({ shape, dtype, regime });
      const tensors = {
        x: of(batch, inputs),
        kernel: of(inputs, units),
        dy: of(batch, units),
        ...(bias === 1 ? { bias: of(units) } : {}),
      };
      return {
        tensors,
        build: ({ x, kernel, dy, bias }) => ({ x, kernel, dy, ...(bias === undefined ? {} : { bias }) }),
      };
    },
  });
}
