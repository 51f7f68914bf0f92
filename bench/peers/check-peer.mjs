/**
 * Checks one peer with the conformance kit and writes what was found as JSON.
 *
 *     node bench/peers/check-peer.mjs PEER --output FILE [--cases 120] [--seed 0] [--operation conv2d ...]
 *
 * A case that the peer does not offer is neither held nor failed: it is answered with the truth, so that the kit goes on, and
 * taken out of the counts.
 *
 * @module
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { FLOAT32, withFlush } from "../../build/src/oracle/arithmetic-model.js";
import { checkBackend } from "../../build/src/oracle/conformance/check-backend.js";
import { OPERATIONS, operationNamed } from "../../build/src/oracle/operations/table.js";
import { judgeTensor } from "../../build/src/oracle/judgement.js";
import { tensor } from "../../build/src/tensor/tensor.js";
import { checkLarge } from "./large-cases.mjs";

/** What the reference gives in float64. */
function truthOf(operation, operands, args) {
  const wide = Object.entries(operands).map(([name, { data, shape }]) => [
    name,
    tensor(Float64Array.from(data), shape),
  ]);
  return operationNamed(operation).run(Object.fromEntries(wide), args);
}

/** `run`, with cases that are not offered counted by their reason. The kit asks the cases in order, and only then shrinks. */
function skipping(operation, run, cases, skipped) {
  let asked = 0;
  return async (operands, args) => {
    const counts = ++asked <= cases;
    const copies = structuredClone(operands);
    try {
      return await run(operands, args);
    } catch (error) {
      if (error.name !== "NotOffered") throw error;
      if (counts) skipped.set(error.message, (skipped.get(error.message) ?? 0) + 1);
      return truthOf(operation, copies, args);
    }
  };
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    output: { type: "string" },
    cases: { type: "string", default: "120" },
    seed: { type: "string", default: "0" },
    operation: { type: "string", multiple: true },
  },
});
const cases = Number(values.cases);
const { open } = await import(`./${positionals[0]}.mjs`);
const peer = await open();
const { name, version, runsOn, notOffered, flushes = false, assume = {} } = peer;
const skips = Object.fromEntries(Object.keys(peer.operations).map((operation) => [operation, new Map()]));
const operations = Object.fromEntries(
  Object.entries(peer.operations).map(([operation, run]) => {
    return [operation, skipping(operation, run, cases, skips[operation])];
  }),
);
const names = (values.operation ?? [...OPERATIONS.keys()]).filter((operation) => operation in operations);
const model = flushes ? withFlush(FLOAT32) : FLOAT32;
const options = { cases, seed: Number(values.seed), assume };
const report = await checkBackend({ name, version, operations }, { ...options, operations: names, arithmetic: model });
const skipped = Object.fromEntries(names.map((operation) => [operation, Object.fromEntries(skips[operation])]));

// what fails is asked again with subnormal numbers flushed: many kernels do so and no document forbids it
const failing = report.operations.filter(({ finding }) => finding !== undefined).map(({ operation }) => operation);
const lenient =
  flushes || failing.length === 0
    ? undefined
    : await checkBackend(
        { name, version, operations },
        { ...options, operations: failing, arithmetic: withFlush(FLOAT32) },
      );
const large = await checkLarge(peer.operations, { judgeTensor, model, seed: options.seed });
writeFileSync(values.output, JSON.stringify({ report, lenient, large, runsOn, notOffered, skipped }, null, 1));
peer.close?.();
