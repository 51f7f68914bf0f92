/**
 * Counts false alarms: honest float32 kernels in many orders of summation, judged on data that are hard on sums.
 *
 *     node build/scripts/oracle-false-alarms.js [--cases 10000] [--from 0] [--most 7] [--depth 4608]
 *
 * A case is one operation with drawn shapes, arguments and data (`test/oracle/support/cases.ts`); every result is computed
 * in every order, and each is one judgement. With `--depth` all cases are dense layers with so many inputs: long sums. Tables are written by operation, order and data set: judgements, alarms, the largest
 * |error| / bound, the largest mean square of z (limit 4), and the largest |mean of z| (limit 0.2 to 0.5, and 6 / sqrt(n)) among
 * tensors that are judged as a whole. Exit code 0 where there is no alarm, 1 where there is one.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { FLOAT32 } from "../src/oracle/arithmetic-model.js";
import { type Judgement, judgeTensor, STATISTICAL_MINIMUM } from "../src/oracle/judgement.js";
import { operationNamed } from "../src/oracle/operations/table.js";
import { candidateOf, honestOrders } from "../test/oracle/support/candidates.js";
import { CASE_OPERATIONS, linearCase } from "../test/oracle/support/cases.js";

/** What was seen in one row of a table. */
interface Row {
  judgements: number;
  alarms: number;
  ratio: number;
  variance: number;
  bias: number;
}

function record(rows: Map<string, Row>, name: string, judgement: Judgement): void {
  const row = rows.get(name) ?? { judgements: 0, alarms: 0, ratio: 0, variance: 0, bias: 0 };
  rows.set(name, row);
  row.judgements++;
  row.alarms += Number(!judgement.holds);
  row.ratio = Math.max(row.ratio, judgement.worstRatio);
  if (judgement.elements < STATISTICAL_MINIMUM) return;
  row.variance = Math.max(row.variance, judgement.variance);
  row.bias = Math.max(row.bias, Math.abs(judgement.bias));
}

function print(title: string, rows: Map<string, Row>): void {
  console.log(`\n| ${title} | judgements | alarms | error / bound | mean z^2 | mean z |\n|---|---|---|---|---|---|`);
  for (const [name, { judgements, alarms, ratio, variance, bias }] of rows) {
    const numbers = [ratio, variance, bias].map((value) => value.toFixed(3)).join(" | ");
    console.log(`| ${name} | ${judgements} | ${alarms} | ${numbers} |`);
  }
}

const { values } = parseArgs({
  options: {
    cases: { type: "string", default: "10000" },
    from: { type: "string", default: "0" },
    most: { type: "string", default: "7" },
    depth: { type: "string" },
  },
});
const [cases, from, most] = [values.cases, values.from, values.most].map(Number);
const size = { most, ...(values.depth === undefined ? {} : { depth: Number(values.depth) }) };
const operations = values.depth === undefined ? CASE_OPERATIONS : ["dense"];
const byOrder = new Map<string, Row>();
const byData = new Map<string, Row>();
const byOperation = new Map<string, Row>();
let alarms = 0;
for (let seed = from; seed < from + cases; seed++) {
  const name = operations[seed % operations.length];
  const { operation, args, operands, results, dataSets } = linearCase(name, seed, size);
  const expected = operationNamed(operation).expect(operands, args, FLOAT32);
  for (const [result, summed] of Object.entries(results)) {
    for (const [order, sum] of Object.entries(honestOrders(seed))) {
      const judgement = judgeTensor(candidateOf(summed, sum, seed % 3 === 0), expected[result]);
      record(byOrder, order, judgement);
      record(byOperation, operation, judgement);
      for (const name of new Set(dataSets)) record(byData, name, judgement);
      if (judgement.holds) continue;
      alarms++;
      console.log(
        `alarm: ${operation} seed ${seed} ${result}, ${order}, ${dataSets.join(" and ")}: ${judgement.broken.join(" ")}, ` +
          `${JSON.stringify(judgement)}`,
      );
    }
  }
}
print("operation", byOperation);
print("order", byOrder);
print("data", byData);
process.exitCode = alarms === 0 ? 0 : 1;
