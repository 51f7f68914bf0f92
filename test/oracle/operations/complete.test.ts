import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FLOAT32 } from "../../../src/oracle/arithmetic-model.js";
import { caseAt } from "../../../src/oracle/conformance/case.js";
import type { Operation } from "../../../src/oracle/operation.js";
import { OPERATIONS, operationNamed } from "../../../src/oracle/operations/table.js";
import type { KerasConfig } from "../../../src/serialization/config.js";

/** Cases of every operation. */
const CASES = 12;

/** What `operation` reads of the arguments of a case when it says what is expected. */
function readBy(operation: Operation, index: number): ReadonlySet<string> {
  const { operands, args } = caseAt(operation.name, index, 3);
  const read = new Set<string>();
  const watched = new Proxy<KerasConfig>(args, {
    get(target, key) {
      if (typeof key === "string") read.add(key);
      return typeof key === "string" ? target[key] : undefined;
    },
  });
  operation.expect(operands, watched, FLOAT32);
  return read;
}

/** What layers read of themselves, which is no argument of their operations. */
const OF_LAYERS = ["name", "dtype", "trainable", "batch_input_shape", "batch_shape", "data_format"];

describe("all arguments of an operation", () => {
  for (const operation of OPERATIONS.values()) {
    it(`are those that ${operation.name} reads, and give what the given ones give`, () => {
      for (let index = 0; index < CASES; index++) {
        const { operands, args } = caseAt(operation.name, index, 3);
        const complete = operation.complete(args);
        assert.deepEqual(operation.complete(complete), complete);
        assert.deepEqual(operation.run(operands, complete), operation.run(operands, args));
        const read = [...readBy(operation, index)].filter((key) => !OF_LAYERS.includes(key));
        assert.deepEqual(Object.keys(complete).sort(), read.sort());
      }
    });
  }

  it("have Keras's defaults, and pairs for one number", () => {
    const pooling = operationNamed("max-pooling2d");
    assert.deepEqual(pooling.complete({}), { poolSize: [2, 2], strides: [2, 2], padding: "valid" });
    assert.deepEqual(pooling.complete({ poolSize: 3 }), { poolSize: [3, 3], strides: [3, 3], padding: "valid" });
    const padding = [
      [1, 1],
      [2, 2],
    ];
    assert.deepEqual(operationNamed("zero-padding2d").complete({ padding: [1, 2] }), { padding });
    assert.deepEqual(operationNamed("relu").complete({ name: "a layer" }), {
      negativeSlope: 0,
      threshold: 0,
      maxValue: null,
    });
  });

  it("must fit, as for the operation itself", () => {
    assert.throws(() => operationNamed("conv2d-backward").complete({ strides: 0 }), {
      name: "TypeError",
      message: "conv2d-backward: `strides` must be one or two whole numbers of at least 1. Received 0.",
    });
  });
});
