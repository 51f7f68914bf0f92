/**
 * Gradients that meet: what the readers of a tensor, or the applications of a weight, each contribute.
 *
 * @module
 */
import type { Shape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import type { ArithmeticModel } from "./arithmetic-model.js";
import type { Expectation } from "./expectation.js";
import { judgeTensor } from "./judgement.js";
import { NotJudged, type Reading, sumOf } from "./reading.js";
import type { Inquiry } from "./inquiry.js";

/** A gradient, and the layer that computed it; the loss has no name. */
export interface Term {
  readonly from: string | undefined;
  readonly expectation: Expectation | NotJudged;
  /** What may have gone wrong with it. */
  readonly inquiry?: Inquiry | undefined;
}

/** Adds a term. Nodes come in the opposite order, so that a sum runs in the order of its readers. */
export function leave<Key>(terms: Map<Key, Term[]>, key: Key, term: Term): void {
  terms.set(key, [term, ...(terms.get(key) ?? [])]);
}

/** All expectations, or why one of them is not there. */
export function knownTerms(terms: readonly Term[]): readonly Expectation[] | NotJudged {
  const expectations: Expectation[] = [];
  for (const { expectation } of terms) {
    if (expectation instanceof NotJudged) return expectation;
    expectations.push(expectation);
  }
  return expectations;
}

/** All readings, or why one of them is not there. */
export function allKnown(readings: readonly (Reading | NotJudged)[]): readonly Reading[] | NotJudged {
  const known: Reading[] = [];
  for (const reading of readings) {
    if (reading instanceof NotJudged) return reading;
    known.push(reading);
  }
  return known;
}

/** The shapes of what is known. */
export function shapesOf(readings: readonly (Reading | NotJudged)[]): readonly Shape[] {
  return readings.flatMap((reading) => (reading instanceof NotJudged ? [] : [reading.value.shape]));
}

/** Whether a tensor that is not in the trace is known so badly that nothing follows from it. */
export function saysNothing({ truth, bound }: Expectation): boolean {
  let [sizes, errors] = [0, 0];
  for (let i = 0; i < truth.length; i++) {
    sizes += Math.abs(truth[i]);
    errors += bound[i];
  }
  return !(errors <= sizes);
}

/** Which reader's gradient `x`, a wrong sum of `terms`, leaves out, in words. */
export function missingBranch(x: Tensor, terms: readonly Term[], model: ArithmeticModel): string | undefined {
  if (terms.length < 2) return undefined;
  for (const left of terms) {
    const rest = knownTerms(terms.filter((term) => term !== left));
    if (rest instanceof NotJudged || !judgeTensor(x, sumOf(rest, model)).holds) continue;
    const name = left.from === undefined ? "the loss" : `\`${left.from}\``;
    return `it is right without the gradient of ${name}: that branch is missing`;
  }
  return undefined;
}
