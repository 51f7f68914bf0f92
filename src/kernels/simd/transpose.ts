/**
 * Blocks of four rows of four floats, transposed in registers.
 *
 * @module
 */
import type { Body, Local, Value } from "../../assembly/code.js";
import { f64x2, i8x16, v128 } from "../../assembly/instructions.js";
import { doubles, type Lanes } from "./lanes.js";

/** The bytes of 32-bit lanes, for `i8x16.shuffle`; lanes 4 to 7 are those of the second vector. */
const bytesOf = (...lanes: number[]): number[] => lanes.flatMap((lane) => [0, 1, 2, 3].map((byte) => 4 * lane + byte));

/**
 * The columns of four vectors of floats. `store` is called for each in turn, with the column in a local variable, after what
 * `rows` computes.
 */
export function transposed(
  rows: readonly Value<"v128">[],
  local: (type: "v128") => Local<"v128">,
  store: (column: Local<"v128">, k: number) => Body,
): Body {
  const values = rows.map(() => local("v128"));
  const pairs = rows.map(() => local("v128"));
  const [column] = values;
  return [
    values.map((value, i) => value.set(rows[i])),
    pairs[0].set(i8x16.shuffle(values[0], values[1], bytesOf(0, 4, 1, 5))),
    pairs[1].set(i8x16.shuffle(values[2], values[3], bytesOf(0, 4, 1, 5))),
    pairs[2].set(i8x16.shuffle(values[0], values[1], bytesOf(2, 6, 3, 7))),
    pairs[3].set(i8x16.shuffle(values[2], values[3], bytesOf(2, 6, 3, 7))),
    [0, 1, 2, 3].map((k) => {
      const [first, second] = k < 2 ? [pairs[0], pairs[1]] : [pairs[2], pairs[3]];
      const lanes = k % 2 === 0 ? bytesOf(0, 1, 4, 5) : bytesOf(2, 3, 6, 7);
      return [column.set(i8x16.shuffle(first, second, lanes)), store(column, k)];
    }),
  ];
}

/** Stores four floats at `to` plus `offset` bytes, widened where sums are doubles. The variable is changed. */
export function storeFour(lanes: Lanes, to: Local<"i32">, floats: Local<"v128">, offset: number): Body {
  if (lanes !== doubles) return v128.store(to, floats, offset);
  return [
    v128.store(to, f64x2.promote_low_f32x4(floats), offset),
    floats.set(i8x16.shuffle(floats, floats, bytesOf(2, 3, 2, 3))),
    v128.store(to, f64x2.promote_low_f32x4(floats), offset + 16),
  ];
}
