import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, it } from "node:test";
import type { Job, JobRun } from "../../src/parallel/job.js";
import { WorkerPool, type WorkerPoolOptions } from "../../src/parallel/pool.js";
import { sharedHeap } from "../../src/tensor/heap.js";
import { dieJob, failEverywhereJob, failInCallerJob, failInWorkerJob, firstJob, meetJob, scaleJob } from "./jobs.js";

const jobsUrl = new URL("./jobs.js", import.meta.url);

function withPool(threads: number, use: (pool: WorkerPool) => void, options: WorkerPoolOptions = {}): void {
  const pool = new WorkerPool(threads, jobsUrl, options);
  try {
    use(pool);
  } finally {
    pool.close();
  }
}

function scale(pool: WorkerPool, count: number, factor: number): number[] {
  const x = Float32Array.from({ length: count }, (_, i) => i);
  const y = new Float32Array(count).fill(-1);
  pool.run({ job: scaleJob, reads: [x], writes: [y], numbers: [factor], tiles: count });
  return Array.from(y);
}

/** Runs a job whose tiles wait for a worker, and returns what it wrote. */
function runTogether(pool: WorkerPool, job: Job): number[] {
  const y = new Float32Array(2);
  pool.run({ job, reads: [new Float32Array(1)], writes: [y], numbers: [], tiles: 2 });
  return Array.from(y);
}

describe("WorkerPool", () => {
  it("can be used at once, and computes every tile once for any number of threads", () => {
    for (const threads of [1, 2, 3]) {
      withPool(threads, (pool) => {
        for (const count of [0, 1, 2, 97]) {
          assert.deepEqual(
            scale(pool, count, 3),
            Array.from({ length: count }, (_, i) => 3 * i),
          );
        }
      });
    }
  });

  it("lets workers take part, with arrays from outside copied in and out of the heap", () => {
    withPool(2, (pool) => assert.ok(runTogether(pool, meetJob).includes(1)));
  });

  it("lets a thread begin with the tiles of its own share, so that it finds in its cache what it wrote", () => {
    withPool(2, (pool) => {
      runTogether(pool, meetJob);
      for (const tiles of [2, 7, 20]) {
        const y = new Float32Array(tiles);
        pool.run({ job: firstJob, reads: [new Float32Array(1)], writes: [y], numbers: [], tiles });
        assert.equal(y.indexOf(1), Math.floor(tiles / 2));
      }
    });
  });

  it("takes memory for an array from outside, but none for an empty one", (test) => {
    withPool(2, (pool) => {
      const { mock } = test.mock.method(sharedHeap(), "allocate");
      const arrays = { reads: [new Float32Array(0)], writes: [new Float32Array(97)] };
      pool.run({ job: scaleJob, ...arrays, numbers: [2], tiles: 97 });
      assert.equal(mock.callCount(), 1);
    });
  });

  it("shows workers memory by which the heap grew after they started", () => {
    withPool(2, (pool) => {
      runTogether(pool, meetJob);
      const heap = sharedHeap();
      const length = 3 + heap.peak / 4; // more than any memory that exists yet
      const offset = heap.allocate(4 * length);
      const y = heap.view("float32", offset, length).subarray(length - 2);
      pool.run({ job: meetJob, reads: [new Float32Array(1)], writes: [y], numbers: [], tiles: 2 });
      assert.ok(y.includes(1));
      heap.free(offset);
    });
  });

  it("runs thousands of small jobs one after the other without mixing them up", () => {
    withPool(3, (pool) => {
      runTogether(pool, meetJob);
      for (let i = 0; i < 5000; i++) {
        assert.deepEqual(scale(pool, 5, i), [0, i, 2 * i, 3 * i, 4 * i]);
      }
    });
  });

  it("runs up to 64 jobs together, each tile of each once, and no more", () => {
    const x = Float32Array.from({ length: 97 }, (_, i) => i);
    const runOf = (tiles: number, factor: number): JobRun & { readonly writes: readonly Float32Array[] } => ({
      ...{ job: scaleJob, reads: [x], writes: [new Float32Array(tiles).fill(-1)], numbers: [factor], tiles },
    });
    for (const threads of [1, 2, 3]) {
      withPool(threads, (pool) => {
        if (threads > 1) runTogether(pool, meetJob);
        for (const counts of [[97, 5, 11], [1, 1], [0, 61, 2], [43, 0], Array.from({ length: 64 }, (_, i) => i % 5)]) {
          const runs = counts.map((tiles, i) => runOf(tiles, i + 3));
          pool.run(...runs);
          for (const [i, { writes, tiles }] of runs.entries()) {
            assert.deepEqual(
              Array.from(writes[0]),
              Array.from({ length: tiles }, (_, t) => (i + 3) * t),
            );
          }
        }
      });
    }
    withPool(2, (pool) => {
      const more = Array.from({ length: 65 }, (_, factor) => runOf(1, factor));
      assert.throws(() => pool.run(...more), {
        message: "internal: worker pool: at most 64 jobs run together. Received 65.",
      });
    });
  });

  it("wakes workers that have fallen asleep between jobs", () => {
    withPool(2, (pool) => {
      runTogether(pool, meetJob);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300); // far longer than a worker looks before it sleeps
      assert.ok(runTogether(pool, meetJob).includes(1));
    });
  });

  it("throws on the caller what went wrong in a worker, with its message, and works on", () => {
    withPool(2, (pool) => {
      assert.throws(() => runTogether(pool, failInWorkerJob), { name: "Error", message: "the tile went wrong" });
      assert.ok(runTogether(pool, meetJob).includes(1));
    });
  });

  it("throws what went wrong on the caller itself, and works on", () => {
    withPool(2, (pool) => {
      const run = (): void => pool.run({ job: failInCallerJob, reads: [], writes: [], numbers: [], tiles: 100_000 });
      assert.throws(run, { name: "TypeError", message: "the caller's tile went wrong" });
      assert.deepEqual(scale(pool, 3, 2), [0, 2, 4]);
    });
  });

  it("throws what went wrong on the caller where a worker failed as well, and nothing in the next run", () => {
    withPool(2, (pool) => {
      assert.throws(() => runTogether(pool, failEverywhereJob), { message: "the caller's tile went wrong" });
      assert.deepEqual(scale(pool, 3, 2), [0, 2, 4]);
    });
  });

  it("gives up a worker that died in a tile, says so, and goes on with the calling thread", () => {
    withPool(
      2,
      (pool) => {
        assert.throws(() => runTogether(pool, dieJob), {
          message:
            "internal: worker pool: 1 of 1 workers did not finish a tile within 1 seconds. " +
            "The pool now computes on the calling thread.",
        });
        assert.deepEqual(scale(pool, 3, 2), [0, 2, 4]);
      },
      { patience: 1 },
    );
  });

  it("reports a job table that cannot be loaded or lacks the job", async () => {
    const missing = new WorkerPool(2, new URL("./no-such-module.js", import.meta.url));
    await assert.rejects(async () => {
      for (let i = 0; i < 2000; i++) {
        scale(missing, 2, 1);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }, /no-such-module/);
    missing.close();
    // a worker that looks up the job finds none; the calling thread waits in its tile until one has looked
    withPool(2, (pool) => {
      runTogether(pool, meetJob);
      const slow: Job = {
        name: "unknown",
        prepare: () => () => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200),
      };
      assert.throws(() => pool.run({ job: slow, reads: [], writes: [], numbers: [], tiles: 20 }), {
        message: 'internal: worker pool: the job table has no job "unknown".',
      });
    });
  });

  it("rejects a job that its description has no room for", () => {
    withPool(2, (pool) => {
      const numbers = new Array<number>(65).fill(0);
      assert.throws(() => pool.run({ job: scaleJob, reads: [], writes: [], numbers, tiles: 2 }), {
        message:
          "internal: worker pool: a job has at most 64 letters, 12 arrays and 64 numbers. " +
          'Received "scale" with 0 arrays and 65 numbers.',
      });
    });
  });

  it("gives borrowed blocks of the heap back", () => {
    withPool(2, (pool) => {
      const before = sharedHeap().used;
      scale(pool, 50, 2);
      assert.throws(() => runTogether(pool, failInWorkerJob));
      assert.equal(sharedHeap().used, before);
    });
  });

  it("computes on the calling thread after it was closed", () => {
    const pool = new WorkerPool(3, jobsUrl);
    pool.close();
    assert.deepEqual(scale(pool, 3, 2), [0, 2, 4]);
  });

  it("does not keep the process alive, with workers asleep or still starting", () => {
    const pool = JSON.stringify(new URL("../../src/parallel/pool.js", import.meta.url).href);
    const table = JSON.stringify(jobsUrl.href);
    const program = `import { WorkerPool } from ${pool}; import { meetJob } from ${table};
      const pool = new WorkerPool(2, new URL(${table}));
      pool.run({ job: meetJob, reads: [new Float32Array(1)], writes: [new Float32Array(2)], numbers: [], tiles: 2 });
      new WorkerPool(3, new URL(${table}));`;
    const { status, signal, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", program], {
      timeout: 30_000,
      encoding: "utf8",
    });
    assert.deepEqual({ status, signal, stderr }, { status: 0, signal: null, stderr: "" });
  });
});
