/**
 * Looking for values that are infinite or NaN.
 *
 * @module
 */
import { type NamedFunction, wasmFunction } from "../../assembly/code.js";
import { whileLoop } from "../../assembly/control.js";
import { f32, f32x4, i32, v128 } from "../../assembly/instructions.js";

/**
 * Adds `x - x` for all float32 values x from `from` to `end` and writes the sum to `to`: 0 where all of them are finite,
 * else NaN.
 */
export const sumOfNothing: NamedFunction<Record<"from" | "end" | "to", "i32">> = wasmFunction(
  "sumOfNothing",
  { from: "i32", end: "i32", to: "i32" },
  ({ from, end, to }, local) => {
    const sums = local("v128");
    const sum = local("f32");
    const vector = local("v128");
    const value = local("f32");
    return [
      whileLoop(i32.le_u(i32.add(from, 16), end), [
        vector.set(v128.load(from)),
        sums.set(f32x4.add(sums, f32x4.sub(vector, vector))),
        from.set(i32.add(from, 16)),
      ]),
      whileLoop(i32.lt_u(from, end), [
        value.set(f32.load(from)),
        sum.set(f32.add(sum, f32.sub(value, value))),
        from.set(i32.add(from, 4)),
      ]),
      [0, 1, 2, 3].map((lane) => sum.set(f32.add(sum, f32x4.extract_lane(sums, lane)))),
      f32.store(to, sum),
    ];
  },
);
