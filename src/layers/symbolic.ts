/**
 * What layers are applied to, checked: JavaScript lets one pass anything, and a tensor with numbers is an easy mistake.
 *
 * @module
 */
import { kindOf } from "../serialization/config.js";
import type { SymbolicTensor } from "./layer.js";

/**
 * One symbolic tensor, or several, as a list.
 *
 * @throws TypeError when `given` is anything else; the message begins with `rule`, which says what must be symbolic tensors.
 */
export function symbolicTensors(
  rule: string,
  given: SymbolicTensor | readonly SymbolicTensor[],
): readonly SymbolicTensor[] {
  const list: readonly unknown[] = Array.isArray(given) ? given : [given];
  const wrong = list.find((x) => !isSymbolic(x));
  if (wrong === undefined && list.every(isSymbolic)) return list;
  throw new TypeError(
    `${rule} one symbolic tensor or an array of them, as \`input()\` gives. Received ${kindOf(wrong)}.`,
  );
}

function isSymbolic(x: unknown): x is SymbolicTensor {
  return typeof x === "object" && x !== null && "node" in x && "shape" in x;
}
