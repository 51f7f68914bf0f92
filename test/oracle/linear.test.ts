/**
 * The expectations of sums: honest float32 is never alarmed about, whatever the order and the data; what is not honest is.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { FLOAT32 } from "../../src/oracle/arithmetic-model.js";
import { judgeTensor } from "../../src/oracle/judgement.js";
import { operationNamed } from "../../src/oracle/operations/table.js";
import { candidateOf, honestOrders } from "./support/candidates.js";
import { CASE_OPERATIONS, linearCase } from "./support/cases.js";

describe("Honest float32", () => {
  for (const name of CASE_OPERATIONS) {
    it(`${name}: no order of summation is alarmed about, on any data`, () => {
      fc.assert(
        fc.property(fc.nat(), (seed) => {
          const { args, operands, results, dataSets } = linearCase(name, seed);
          const expected = operationNamed(name).expect(operands, args, FLOAT32);
          for (const [result, summed] of Object.entries(results)) {
            for (const [order, sum] of Object.entries(honestOrders(seed))) {
              const judgement = judgeTensor(candidateOf(summed, sum, seed % 2 === 0), expected[result]);
              const { broken, worstRatio, worst, variance, bias } = judgement;
              assert.ok(
                judgement.holds,
                `${result}, ${order}, data ${dataSets.join(" and ")}: ${broken.join(" ")}, ratio ${worstRatio}, ` +
                  `variance ${variance}, bias ${bias}, worst ${JSON.stringify(worst)}`,
              );
            }
          }
        }),
        { numRuns: 20 },
      );
    });
  }
});
