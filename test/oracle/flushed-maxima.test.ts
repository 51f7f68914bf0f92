/**
 * Maxima where subnormal numbers are flushed: comparisons find all of them equal, and either may come out.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FLOAT32, withFlush } from "../../src/oracle/arithmetic-model.js";
import { judgeTensor } from "../../src/oracle/judgement.js";
import { operationNamed } from "../../src/oracle/operations/table.js";
import { tensorOf } from "../../src/tensor/tensor.js";

const SMALL = 1.1e-38; // below 2^-126
const LARGE = 1.2e-38; // above

function holds(operation: string, x: readonly number[], given: readonly number[], flushes: boolean): boolean {
  const shape = [1, x.length, 1, 1];
  const backward = operation.endsWith("-backward");
  const shapeOfResult = operation.startsWith("relu") || backward ? shape : [1, 1, 1, 1];
  const args = operation.startsWith("global")
    ? { keepdims: true }
    : { poolSize: [x.length, 1], strides: [1, 1], padding: "valid" };
  const operands = { x: tensorOf(x, shape), ...(backward && { dy: tensorOf([1], [1, 1, 1, 1]) }) };
  const model = flushes ? withFlush(FLOAT32) : FLOAT32;
  const [expectation] = Object.values(
    operationNamed(operation).expect(operands, operation.startsWith("relu") ? {} : args, model),
  );
  return judgeTensor(tensorOf(given, shapeOfResult), expectation).holds;
}

describe("Maxima of subnormal numbers", () => {
  for (const operation of ["max-pooling2d", "global-max-pooling2d"]) {
    it(`${operation}: any of them, where they are flushed`, () => {
      for (const [x, given] of [
        [[-SMALL, 0], -SMALL],
        [[-SMALL, SMALL], -SMALL],
        [[SMALL, 0], 0],
      ] as const) {
        assert.ok(holds(operation, x, [given], true), `${x.join(" ")}: ${given}`);
        assert.ok(!holds(operation, x, [given], false), `${x.join(" ")}: ${given}`);
      }
    });

    it(`${operation}: normal numbers stay as they are`, () => {
      assert.ok(!holds(operation, [-LARGE, LARGE], [0], true));
      assert.ok(!holds(operation, [1, LARGE], [1 + 2 ** -23], true));
    });

    it(`${operation}-backward: the gradient may go to any of them`, () => {
      assert.ok(holds(`${operation}-backward`, [-SMALL, 0], [1, 0], true));
      assert.ok(!holds(`${operation}-backward`, [-SMALL, 0], [1, 0], false));
      assert.ok(!holds(`${operation}-backward`, [-LARGE, 0], [1, 0], true));
    });
  }

  for (const operation of ["relu", "relu6"]) {
    it(`${operation}: a subnormal number or 0, where they are flushed`, () => {
      assert.ok(holds(operation, [-SMALL, SMALL], [-SMALL, 0], true));
      assert.ok(!holds(operation, [-SMALL, SMALL], [-SMALL, 0], false));
      assert.ok(!holds(operation, [-LARGE, LARGE], [-LARGE, LARGE], true));
    });
  }
});
