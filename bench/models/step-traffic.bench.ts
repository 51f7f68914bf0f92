/**
 * What a training step of a CIFAR-10 ResNet, ResNet20v1 unless another one is named, moves through memory, pass by pass: how
 * often a job runs, the bytes of the arrays that it reads and writes (each time it goes through them, whatever the caches do), the
 * time that it takes on one thread, and into how many tiles it is cut for 64 threads; and how long the calling thread takes
 * between jobs, while others wait.
 *
 *     node build/bench/models/step-traffic.bench.js resnet110v2
 */
import { cpus } from "node:os";
import { createExecution } from "../../src/kernels/execution.js";
import type { JobRun } from "../../src/parallel/job.js";
import { WorkerPool } from "../../src/parallel/pool.js";
import { createTrainer } from "../../src/training/trainer.js";
import { batchOf, namedModel, stepOptions } from "./batch.js";

interface Count {
  runs: number;
  bytes: number;
  milliseconds: number;
  leastTiles: number;
  tiles: number;
}

/** A pool that computes everything on the calling thread, as if there were `threads`, and counts. */
class CountingPool extends WorkerPool {
  override readonly threads: number;
  readonly counts = new Map<string, Count>();

  constructor(threads: number) {
    super(1, new URL("../../src/kernels/jobs.js", import.meta.url));
    this.threads = threads;
  }

  /** Counts jobs that would run beside each other one by one. */
  override run(...runs: readonly JobRun[]): void {
    for (const run of runs) this.#runOne(run);
  }

  #runOne(run: JobRun): void {
    const start = performance.now();
    super.run(run);
    const taken = performance.now() - start;
    const reads = run.job.name === "moments" ? [...run.reads, ...run.reads] : run.reads; // it goes down the rows twice
    const arrays = [...reads, ...run.writes].filter((array) => array.length > 0);
    const count = this.counts.get(run.job.name) ?? {
      runs: 0,
      bytes: 0,
      milliseconds: 0,
      leastTiles: Number.POSITIVE_INFINITY,
      tiles: 0,
    };
    count.runs++;
    count.bytes += arrays.reduce((sum, array) => sum + array.byteLength, 0);
    count.milliseconds += taken;
    count.leastTiles = Math.min(count.leastTiles, run.tiles);
    count.tiles += run.tiles;
    this.counts.set(run.job.name, count);
  }
}

/** Until all is compiled. */
const WARM_UP = 50;
const STEPS = 10;
const { name, model } = namedModel("step-traffic");
const batch = batchOf(32);
for (const threads of [1, 64]) {
  const pool = new CountingPool(threads);
  const trainer = createTrainer(model, stepOptions({ ...createExecution({ accumulate: "float32" }), pool }));
  for (let step = 0; step < WARM_UP; step++) trainer.step(batch);
  pool.counts.clear();
  const begin = performance.now();
  for (let step = 0; step < STEPS; step++) trainer.step(batch);
  const whole = performance.now() - begin;
  trainer.close();
  console.log(
    `${cpus()[0].model}, Node ${process.versions.node}: one step of ${name}, 32 images, cut for ${threads} threads`,
  );
  const rows = [...pool.counts].sort(([, a], [, b]) => b.milliseconds - a.milliseconds);
  console.table(
    rows.map(([job, { runs, bytes, milliseconds, leastTiles, tiles }]) => ({
      job,
      runs: runs / STEPS,
      MB: (bytes / STEPS / 1e6).toFixed(1),
      ms: (milliseconds / STEPS).toFixed(2),
      "GB/s": (bytes / milliseconds / 1e6).toFixed(1),
      "tiles, least": leastTiles,
      "tiles, mean": (tiles / runs).toFixed(0),
    })),
  );
  const total = (of: (count: Count) => number): number => rows.reduce((sum, [, count]) => sum + of(count), 0);
  const megabytes = total((count) => count.bytes) / STEPS / 1e6;
  const [inJobs, all] = [total((count) => count.milliseconds), whole].map((milliseconds) => milliseconds / STEPS);
  console.log(
    `in all ${megabytes.toFixed(0)} MB, ${inJobs.toFixed(1)} ms in jobs; ${(all - inJobs).toFixed(1)} ms on the calling thread alone`,
  );
}
