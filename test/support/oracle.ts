/**
 * Assertions on judgements of candidates.
 *
 * @module
 */
import assert from "node:assert/strict";
import { type ArithmeticModel, FLOAT32 } from "../../src/oracle/arithmetic-model.js";
import { type Judgement, judgeTensor } from "../../src/oracle/judgement.js";
import type { Operands } from "../../src/oracle/operation.js";
import { nonlinearOperations } from "../../src/oracle/operations/nonlinear.js";
import type { KerasConfig } from "../../src/serialization/config.js";

/** The judgements of all results in `candidate`. */
export function judged(
  name: string,
  operands: Operands,
  args: KerasConfig,
  candidate: Operands,
  model: ArithmeticModel = FLOAT32,
): Readonly<Record<string, Judgement>> {
  const operation = nonlinearOperations.find((known) => known.name === name);
  assert.ok(operation !== undefined, `no operation ${name}`);
  const expected = operation.expect(operands, args, model);
  assert.deepEqual(Object.keys(candidate).sort(), Object.keys(expected).sort());
  return Object.fromEntries(
    Object.entries(expected).map(([key, expectation]) => [key, judgeTensor(candidate[key], expectation)]),
  );
}

/** That no result in `candidate` breaks a bound. */
export function assertHonest(...judgedArguments: Parameters<typeof judged>): void {
  for (const [key, judgement] of Object.entries(judged(...judgedArguments))) {
    if (judgement.holds) continue;
    const { broken, worst, worstRatio, variance, bias } = judgement;
    throw new Error(`${key}: ${broken.join(", ")}: ${JSON.stringify({ worst, worstRatio, variance, bias })}`);
  }
}

/** That the result `key` in `candidate` breaks a bound. */
export function assertCaught(key: string, ...judgedArguments: Parameters<typeof judged>): void {
  const { [key]: judgement } = judged(...judgedArguments);
  assert.ok(!judgement.holds, `${key}: not caught, at ${judgement.worstRatio} of the bound`);
}
