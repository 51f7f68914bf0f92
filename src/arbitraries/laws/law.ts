/**
 * Laws: equations that every right implementation satisfies, as properties for plain functions.
 *
 * A law needs no reference to compare with, so it holds for a backend in any precision, sync or async:
 *
 *     for (const law of convolutionLaws) it(law.name, () => law.check(mine));
 *
 * Where a law is exact in real numbers and the sums are exact too, nothing is allowed: most laws draw whole numbers from -8
 * to 8, of which float32 (and bfloat16 with float32 sums) adds up thousands of products without rounding, in any order,
 * blocked or fused. (Transforms whose constants are not binary fractions, such as Winograd's larger ones, round even then;
 * they need the bounds of the oracle.) Elsewhere a law derives in its comment what rounding may do.
 *
 * @module
 */
import fc from "fast-check";
import { kindOf } from "../../serialization/config.js";

/** A value, or a promise of one: implementations may be asynchronous. */
export type Awaitable<T> = T | Promise<T>;

/** How often and from where a law is tried; see fast-check. */
export type LawParameters = Pick<fc.Parameters<unknown>, "numRuns" | "seed" | "path" | "verbose" | "endOnFailure">;

/** One law for implementations of one kind. */
export interface Law<Implementation> {
  /** What it says, in one sentence. */
  readonly name: string;
  /**
   * Tries the law on an implementation.
   *
   * @throws TypeError when the implementation is no object with a function `forward`, as a function alone is not.
   * @throws Error, by way of fast-check with the smallest case found and its seed, where the law does not hold.
   */
  check(implementation: Implementation, parameters?: LawParameters): Promise<void>;
}

/** The law that `holds`, which throws where it does not, for all `cases`. */
export function lawOf<Case, Implementation extends { readonly forward: unknown }>(
  name: string,
  cases: fc.Arbitrary<Case>,
  holds: (implementation: Implementation, example: Case) => Awaitable<void>,
): Law<Implementation> {
  return {
    name,
    async check(implementation, parameters = {}) {
      if (typeof implementation?.forward !== "function") {
        throw new TypeError(
          `law "${name}": \`implementation\` must be an object with a function forward. Received ${kindOf(implementation)}.`,
        );
      }
      await fc.assert(
        fc.asyncProperty(cases, async (example) => holds(implementation, example)),
        parameters,
      );
    },
  };
}
