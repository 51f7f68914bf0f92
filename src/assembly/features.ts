/**
 * What an engine can do beyond what every engine with vectors can.
 *
 * @module
 */
import { wasmFunction } from "./code.js";
import { drop } from "./control.js";
import { f64x2, v128 } from "./instructions.js";
import { assemble } from "./module.js";

/**
 * Whether this engine knows `f64x2.relaxed_madd`. Node does from version 22 on; before that with the flag
 * `--experimental-wasm-relaxed-simd`.
 */
export function hasRelaxedMadd(): boolean {
  if (typeof WebAssembly !== "object") return false;
  const [a, b, c] = [v128.zero(), v128.zero(), v128.zero()];
  const probe = wasmFunction("probe", {}, () => drop(f64x2.relaxed_madd(a, b, c)));
  return WebAssembly.validate(assemble([probe], { minimum: 0, maximum: 0, shared: false }));
}
