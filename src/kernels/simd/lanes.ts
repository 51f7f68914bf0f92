/**
 * The two ways to sum in vectors, one for each accumulation of the arithmetic contract.
 *
 *     "float32": four sums a vector; products and sums are rounded to float32, each by an instruction of its own
 *     "float64": two sums a vector; operands are widened when they are copied or packed, sums are rounded when stored
 *
 * An instruction that multiplies and adds in one does not round the product. That would give float32 sums other bits; but
 * the product of two widened floats is exact as a double, so that to round it or not is the same.
 *
 * A right operand is packed in panels of columns; each panel of columns has its own kernel. Panels are as wide as the sums
 * of one tile of four rows that registers hold: two vectors, or, where V8 makes one register of 256 bits out
 * of two vectors (`wide.ts`), four. What is left of the columns at the end goes to narrower panels.
 *
 * @module
 */
import type { Operand, Statement, Value } from "../../assembly/code.js";
import { hasRelaxedMadd } from "../../assembly/features.js";
import { f32x4, f64x2, v128 } from "../../assembly/instructions.js";
import type { FloatArray } from "../../tensor/dtype.js";
import type { Accumulate } from "../rounding.js";

/** Rows of a tile of sums in wide panels. */
export const TILE_ROWS = 4;

/** Rows of a tile in panels of one vector: enough sums that one is added to while others are still being added. */
export const NARROW_TILE_ROWS = 8;

/** Rows of a tile in panels of `vectors` vectors. */
export function tileRows(vectors: number): number {
  return vectors === 1 ? NARROW_TILE_ROWS : TILE_ROWS;
}

/** Vectors across a panel, the widest first: the kernels that there are. */
export const PANEL_VECTORS: readonly number[] = [4, 2, 1];

/** Those across panels that are not the narrowest. */
export const WIDE_PANEL_VECTORS: readonly number[] = [4, 2];

/** How sums lie in vectors. */
export interface Lanes {
  readonly name: Accumulate;
  /** Bytes of an operand in packed memory, and of a sum. */
  readonly bytes: 4 | 8;
  /** Sums in a vector. */
  readonly perVector: 4 | 2;
  readonly splat: (address: Operand<"i32">, offset?: number) => Value<"v128">;
  /** Vector `i` of the float32 values from `address` on, widened where sums are doubles. */
  readonly load: (address: Operand<"i32">, i: number) => Value<"v128">;
  /** Stores sums as vector `i` of the float32 values from `address` on, rounded where they are doubles. */
  readonly store: (address: Operand<"i32">, i: number, sums: Value<"v128">) => Statement;
  readonly add: (a: Value<"v128">, b: Value<"v128">) => Value<"v128">;
  /** `sum + a * b`, where a and b are float32 values. */
  readonly addProduct: (sum: Value<"v128">, a: Value<"v128">, b: Value<"v128">) => Value<"v128">;
}

/** Float32 sums. */
export const singles: Lanes = {
  name: "float32",
  bytes: 4,
  perVector: 4,
  splat: v128.load32_splat,
  load: (address, i) => v128.load(address, 16 * i),
  store: (address, i, sums) => v128.store(address, sums, 16 * i),
  add: f32x4.add,
  addProduct: (sum, a, b) => f32x4.add(sum, f32x4.mul(a, b)),
};

/** Float64 sums. */
export const doubles: Lanes = {
  name: "float64",
  bytes: 8,
  perVector: 2,
  splat: v128.load64_splat,
  load: (address, i) => f64x2.promote_low_f32x4(v128.load64_zero(address, 8 * i)),
  store: (address, i, sums) => v128.store64_lane(address, f32x4.demote_f64x2_zero(sums), 0, 8 * i),
  add: f64x2.add,
  addProduct: hasRelaxedMadd()
    ? (sum, a, b) => f64x2.relaxed_madd(a, b, sum)
    : (sum, a, b) => f64x2.add(sum, f64x2.mul(a, b)),
};

/** The lanes of an accumulation over float32 tensors. */
export function lanesOf(accumulate: Accumulate): Lanes {
  return accumulate === "float32" ? singles : doubles;
}

/** `count` numbers of the type of the sums at `address`. */
export function sumsAt(lanes: Lanes, memory: ArrayBufferLike, address: number, count: number): FloatArray {
  return lanes === doubles ? new Float64Array(memory, address, count) : new Float32Array(memory, address, count);
}
