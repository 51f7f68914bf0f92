import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { createExecution, serial, tileRows } from "../../src/kernels/execution.js";
import { blockOf, splitEvenly } from "../../src/kernels/split.js";
import { ROWS } from "../../src/kernels/tile.js";

describe("createExecution", () => {
  it("defaults to one thread, assembled kernels and float64 accumulation, as `serial` is", () => {
    const { accumulate, kernel, pool } = createExecution();
    assert.deepEqual({ accumulate, kernel, pool }, { ...serial });
    assert.equal(kernel, "simd");
  });

  it("counts the calling thread", () => {
    const execution = createExecution({ threads: 3 });
    assert.equal(execution.pool?.threads, 3);
    execution.close();
  });

  for (const threads of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    it(`rejects ${threads} threads`, () => {
      assert.throws(() => createExecution({ threads }), {
        name: "RangeError",
        message: `createExecution: \`threads\` must be an integer of at least 1. Received threads=${threads}.`,
      });
    });
  }

  it("rejects an accumulation and a kernel path that do not exist", () => {
    const options: object = { accumulate: "float16" };
    assert.throws(() => createExecution(options), {
      name: "RangeError",
      message: 'createExecution: `accumulate` must be "float64" or "float32". Received accumulate=float16.',
    });
    const other: object = { kernel: "gpu" };
    assert.throws(() => createExecution(other), {
      name: "RangeError",
      message: 'createExecution: `kernel` must be "naive", "scalar" or "simd". Received kernel=gpu.',
    });
  });

  it("rejects an option that it does not have", () => {
    const options: object = { thread: 2 };
    assert.throws(() => createExecution(options), {
      name: "TypeError",
      message: "createExecution: its options must be among threads, accumulate, kernel. Received `thread`.",
    });
  });

  it("cuts rows finely enough that every thread has several tiles, where there are rows enough", () => {
    assert.equal(tileRows(10_000, 1, serial), ROWS);
    const execution = createExecution({ threads: 2 });
    assert.ok(Math.ceil(400 / tileRows(400, 1, execution)) >= 4);
    assert.equal(tileRows(3, 1, execution), 24);
    execution.close();
  });
});

describe("splitEvenly", () => {
  it("covers the whole range with blocks of a multiple of the unit, none larger than allowed", () => {
    fc.assert(
      fc.property(
        fc.nat({ max: 999 }),
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 5 }),
        (total, n, unit) => {
          const split = splitEvenly(total, n * unit, unit);
          let next = 0;
          for (let i = 0; i < split.count; i++) {
            const { from, to } = blockOf(split, i);
            assert.equal(from, next);
            assert.ok(to > from && to - from <= n * unit);
            assert.equal(from % unit, 0);
            next = to;
          }
          assert.equal(next, total);
        },
      ),
    );
  });
});
