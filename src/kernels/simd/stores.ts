/**
 * Stores of neighbouring vectors, in the order in which V8 makes the most of them.
 *
 * Where it fuses two vectors of 128 bits, it fuses the stores of neighbours, and what leads there. It fuses no two loads that
 * have a store between them: so all loads must come before all stores. And of two stores, it leaves the first one in its
 * place if that is the lower one, beside the fused one: so the highest must come first.
 *
 * @module
 */
import type { Body, Operand, Value } from "../../assembly/code.js";
import { v128 } from "../../assembly/instructions.js";
import type { Lanes } from "./lanes.js";

/** Stores `vectors` side by side from `address` plus `offset` bytes on. They must have been computed, and be locals. */
export function storeSideBySide(address: Operand<"i32">, vectors: readonly Value<"v128">[], offset = 0): Body {
  return vectors.map((vector, i) => v128.store(address, vector, offset + 16 * i)).toReversed();
}

/** Stores `sums` side by side as float32 values. They must have been computed, and be locals. */
export function storeRounded(lanes: Lanes, address: Operand<"i32">, sums: readonly Value<"v128">[]): Body {
  return sums.map((vector, i) => lanes.store(address, i, vector)).toReversed();
}
