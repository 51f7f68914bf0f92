import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { wasmFunction } from "../../../src/assembly/code.js";
import { simdModule } from "../../../src/kernels/simd/module.js";
import { runSimd } from "../../../src/kernels/simd/run.js";
import { runKernel } from "../../../src/kernels/simd/thread.js";
import { WorkerPool } from "../../../src/parallel/pool.js";
import { sharedHeap } from "../../../src/tensor/heap.js";
import { copyRowJob } from "./jobs.js";

/** Copies rows [tiles, 16] through scratch memory; returns them and where in it each tile had its share. */
function copyRows(pool: WorkerPool | undefined, tiles: number): { rows: number[]; shares: number[] } {
  const x = Float32Array.from({ length: 16 * tiles }, (_, i) => i);
  const y = new Float32Array(17 * tiles);
  const flags = new Float32Array(1);
  if (pool === undefined) flags[0] = 1;
  runSimd(
    { accumulate: "float32", kernel: "simd", pool },
    { job: copyRowJob, reads: [x, flags], writes: [y], numbers: [], tiles, scratch: 65 },
  );
  const rows = Array.from(y).filter((_, i) => i % 17 < 16);
  return { rows, shares: Array.from(y).filter((_, i) => i % 17 === 16) };
}

describe("runSimd", () => {
  it("runs kernels on arrays from outside the heap, with a share of scratch memory, and gives all blocks back", () => {
    assert.ok(simdModule() !== undefined);
    const before = sharedHeap().used;
    const { rows, shares } = copyRows(undefined, 3);
    assert.deepEqual(
      rows,
      Array.from({ length: 48 }, (_, i) => i),
    );
    assert.deepEqual(shares, [0, 0, 0]);
    assert.equal(sharedHeap().used, before);
  });

  it("runs them on workers too, each with a share of its own that begins a cache line", () => {
    const pool = new WorkerPool(3, new URL("./jobs.js", import.meta.url), { payload: simdModule() });
    try {
      const { rows, shares } = copyRows(pool, 50);
      assert.deepEqual(
        rows,
        Array.from({ length: 800 }, (_, i) => i),
      );
      assert.ok(shares.every((at) => [0, 128, 256].includes(at)) && new Set(shares).size > 1, shares.join());
    } finally {
      pool.close();
    }
  });

  it("says so when the module lacks a kernel", () => {
    simdModule();
    assert.throws(
      () =>
        runKernel(
          wasmFunction("unknown", {}, () => []),
          {},
        ),
      {
        message: 'internal: simd: the module has no kernel "unknown".',
      },
    );
  });
});
