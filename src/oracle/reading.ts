/**
 * Readings: what an operation reads in a trace. A tensor that the candidate wrote down is exact: it is the candidate's own
 * number. One that it did not (a backend that fuses layers keeps no value between them) is known up to its expectation.
 *
 * For an operation f of x = v + d, |d| <= D, the candidate's result is off by
 *
 *     what f makes of d        |J| D, see `sensitivity.ts`
 *     its own roundings at x   those at v moved away from 0 by D, and gamma_64 |J| D for where that is not the worst place:
 *                              no result of those operations has more than 64 roundings beside those of its sums
 *
 * @module
 */
import type { KerasConfig } from "../serialization/config.js";
import { type Tensor, tensor } from "../tensor/tensor.js";
import type { ArithmeticModel } from "./arithmetic-model.js";
import { type Expectation, gamma } from "./expectation.js";
import { float64Of, mapElements, wide } from "./operands.js";
import type { Operands, Operation } from "./operation.js";
import { atKinks, sensitivityOf } from "./sensitivity.js";
import type { Unseen } from "./unseen.js";

/** How far a candidate's tensor may be from the value, and is likely to be. */
interface Doubt {
  readonly bound: Float64Array;
  readonly spread: Float64Array;
}

/** A tensor that an operation reads. */
export interface Reading {
  readonly value: Tensor;
  /** None where the value is the candidate's own. */
  readonly doubt?: Doubt | undefined;
  /** Where the trace does not have it: how it was made. */
  readonly unseen?: Unseen | undefined;
}

/** Expectations by name. */
export type Expectations = Readonly<Record<string, Expectation>>;

/** Why something cannot be judged. */
export class NotJudged {
  /** In words, without a full stop. */
  readonly reason: string;

  constructor(reason: string) {
    this.reason = reason;
  }
}

/** A tensor that was not written down, known from what is expected of it. */
export function missing({ shape, truth, bound, spread, ties }: Expectation, unseen?: Unseen): Reading {
  const reach = bound.map((b, i) =>
    ties === undefined ? b : b + Math.max(ties.greatest[i] - truth[i], truth[i] - ties.least[i]),
  );
  return { value: tensor(truth, shape), doubt: { bound: reach, spread: likely(reach, spread) }, unseen };
}

/** A spread for every element: one that has none, being left to its bound, is likely to be anywhere within. */
function likely(bound: Float64Array, spread: Float64Array): Float64Array {
  return spread.map((s, i) => (s > 0 ? s : bound[i]));
}

/** What is expected of `operation` on `readings`. */
export function expectOf(
  operation: Operation,
  readings: Readonly<Record<string, Reading>>,
  args: KerasConfig,
  model: ArithmeticModel,
): Expectations | NotJudged {
  const values = mapRecord(readings, ({ value }) => value);
  const doubtful = Object.keys(readings).filter((name) => readings[name].doubt !== undefined);
  if (doubtful.length === 0) return operation.expect(values, args, model);
  const sensitivity = sensitivityOf(operation, doubtful);
  if (sensitivity === undefined) {
    return new NotJudged(`${operation.name} reads \`${doubtful.join("`, `")}\`, which the trace does not have`);
  }
  const errors = (part: keyof Doubt): Operands =>
    mapRecord(readings, ({ value, doubt }) =>
      tensor(doubt === undefined ? new Float64Array(value.size) : doubt[part], value.shape),
    );
  const widest = errors("bound");
  const placed = atKinks(operation, values, widest);
  const truths = operation.run(mapRecord(placed, wide), args);
  const ownExpectations = operation.expect(
    mapRecord(placed, (x, name) => away(x, widest[name])),
    args,
    model,
  );
  const atOnce = operation.expect(placed, args, model);
  const bounds = sensitivity(placed, widest, args);
  const spreads = sensitivity(placed, errors("spread"), args);
  const more = 1 + gamma(64, model.sums.roundoff);
  return mapRecord(atOnce, (here, name): Expectation => {
    const own = ownExpectations[name];
    const ownSpread = likely(own.bound, own.spread);
    const truth = float64Of(truths[name]);
    return {
      shape: here.shape,
      truth,
      bound: here.bound.map((b, i) => Math.max(b, own.bound[i]) + more * bounds[name].data[i]),
      spread: ownSpread.map((s, i) => s + spreads[name].data[i]),
      ...(here.ties && { ties: here.ties }),
    };
  });
}

/** `x` with every element moved away from 0 by its `error`. */
function away(x: Tensor, error: Tensor): Tensor {
  const errors = error.data;
  return mapElements(x, (v, i) => (v < 0 ? v - errors[i] : v + errors[i]));
}

/**
 * The sum of several results, as gradients meet where a tensor forks: each with its own error, and n - 1 additions.
 * gamma_(n-1) (sum |t| + sum B), and the rounding of a narrower store.
 */
export function sumOf(terms: readonly Expectation[], { sums, results }: ArithmeticModel): Expectation {
  if (terms.length === 1) return terms[0];
  const [{ shape, truth: first }] = terms;
  const growth = gamma(terms.length - 1, sums.roundoff);
  const narrower = results.roundoff > sums.roundoff ? results : { roundoff: 0, underflow: sums.underflow };
  const add = (parts: readonly Float64Array[]): Float64Array =>
    first.map((_, i) => parts.reduce((sum, part) => sum + part[i], 0));
  const truth = add(terms.map((term) => term.truth));
  const sizes = add(terms.map((term) => term.truth.map(Math.abs)));
  const errors = add(terms.map((term) => term.bound));
  const bound = errors.map((error, i) => {
    if (sizes[i] === 0 && error === 0) return 0;
    const total = error + growth * (sizes[i] + error);
    const underflow = narrower.roundoff > 0 || sums.underflow >= 2 ** -126 ? narrower.underflow : 0;
    return total + narrower.roundoff * (Math.abs(truth[i]) + total) + underflow;
  });
  const likelySpreads = add(terms.map((term) => likely(term.bound, term.spread)));
  const spread = likelySpreads.map((s, i) => (s > 0 ? s + growth * sizes[i] + narrower.roundoff * sizes[i] : 0));
  const ties = terms.some((term) => term.ties !== undefined)
    ? {
        least: add(terms.map((term) => term.ties?.least ?? term.truth)),
        greatest: add(terms.map((term) => term.ties?.greatest ?? term.truth)),
      }
    : undefined;
  return { shape, truth, bound, spread, ...(ties && { ties }) };
}

/** `record` with every value changed. */
export function mapRecord<Value, Result>(
  record: Readonly<Record<string, Value>>,
  change: (value: Value, name: string) => Result,
): Readonly<Record<string, Result>> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, change(value, name)]));
}
