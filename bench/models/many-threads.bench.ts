/**
 * How long a training step of a CIFAR-10 ResNet, ResNet20v1 unless another one is named, would take on up to 64 threads: it is cut
 * for 64, every tile is timed on the calling thread, and the tiles of each dispatch are dealt out to so many threads, each to the
 * one that has the least to do. To that come the calling thread's own time and 2 microseconds for each dispatch.
 *
 *     node build/bench/models/many-threads.bench.js resnet110v2
 *
 * That is no measurement of such a machine: its threads would share memory and caches, where here each tile but the first finds what
 * the one before has read. It shows what the order of sums leaves to threads at most, and in which passes.
 */
import { cpus } from "node:os";
import { createExecution } from "../../src/kernels/execution.js";
import type { JobRun } from "../../src/parallel/job.js";
import { WorkerPool } from "../../src/parallel/pool.js";
import { createTrainer } from "../../src/training/trainer.js";
import { batchOf, namedModel, stepOptions } from "./batch.js";

const MOST_THREADS = 64;
const DISPATCH_MILLISECONDS = 0.002;
/** Until all is compiled. */
const WARM_UP = 50;
const STEPS = 15;

/** Jobs that ran together. */
interface Timed {
  readonly jobs: string;
  /** Of making the jobs ready, which each thread does for itself. */
  readonly preparing: number;
  /** Of every tile, those of all jobs one after the other. */
  readonly tiles: readonly number[];
}

/** A pool that computes everything on the calling thread, as if there were {@link MOST_THREADS}, and times every tile. */
class TimingPool extends WorkerPool {
  override readonly threads = MOST_THREADS;
  readonly dispatches: Timed[] = [];

  constructor() {
    super(1, new URL("../../src/kernels/jobs.js", import.meta.url));
  }

  override run(...runs: readonly JobRun[]): void {
    const tiles: number[] = [];
    let preparing = 0;
    for (const { job, reads, writes, numbers, tiles: count } of runs) {
      let before = performance.now();
      const lap = (): number => {
        const start = before;
        before = performance.now();
        return before - start;
      };
      const compute = job.prepare([...reads, ...writes], numbers);
      preparing += lap();
      for (let tile = 0; tile < count; tile++) {
        compute(tile);
        tiles.push(lap());
      }
    }
    this.dispatches.push({ jobs: [...new Set(runs.map(({ job }) => job.name))].join(" + "), preparing, tiles });
  }
}

const { name, model } = namedModel("many-threads");
const batch = batchOf(32);
const pool = new TimingPool();
const trainer = createTrainer(model, stepOptions({ ...createExecution({ accumulate: "float32" }), pool }));
for (let step = 0; step < WARM_UP; step++) trainer.step(batch);

const steps: Timed[][] = [];
const wholes: number[] = [];
for (let step = 0; step < STEPS; step++) {
  pool.dispatches.length = 0;
  const begin = performance.now();
  trainer.step(batch);
  wholes.push(performance.now() - begin);
  steps.push([...pool.dispatches]);
}
trainer.close();

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1];
const dispatches = steps[0].map(({ jobs, tiles }, i) => ({
  jobs,
  preparing: median(steps.map((step) => step[i].preparing)),
  tiles: tiles.map((_, tile) => median(steps.map((step) => step[i].tiles[tile]))),
}));
const inJobs = (step: readonly Timed[]): number => sum(step.map(({ preparing, tiles }) => preparing + sum(tiles)));
const alone = median(wholes.map((whole, i) => whole - inJobs(steps[i])));

/** How long `threads` threads take for the tiles of a dispatch. */
function span({ preparing, tiles }: Timed, threads: number): number {
  const busy = new Array<number>(threads).fill(0);
  for (const tile of tiles) {
    let least = 0;
    for (let i = 1; i < threads; i++) if (busy[i] < busy[least]) least = i;
    busy[least] += tile;
  }
  return preparing + Math.max(...busy) + (threads > 1 ? DISPATCH_MILLISECONDS : 0);
}

const stepWith = (threads: number): number => alone + sum(dispatches.map((each) => span(each, threads)));
console.log(
  `${cpus()[0].model}, Node ${process.versions.node}: one step of ${name}, 32 images, float32 sums, cut for ${MOST_THREADS} threads; ` +
    `${dispatches.length} dispatches, ${alone.toFixed(2)} ms on the calling thread alone`,
);
console.table(
  [1, 2, 4, 8, 16, 32, 64].map((threads) => ({
    threads,
    ms: stepWith(threads).toFixed(2),
    times: (stepWith(1) / stepWith(threads)).toFixed(1),
  })),
);
const names = [...new Set(dispatches.map(({ jobs }) => jobs))];
const rows = names.map((jobs) => {
  const all = dispatches.filter((each) => each.jobs === jobs);
  const counts = all.map(({ tiles }) => tiles.length);
  return {
    jobs,
    dispatches: all.length,
    "tiles, least": Math.min(...counts),
    "ms, 1 thread": sum(all.map((each) => span(each, 1))),
    "ms, 64 threads": sum(all.map((each) => span(each, MOST_THREADS))),
  };
});
rows.sort((a, b) => b["ms, 64 threads"] - a["ms, 64 threads"]);
console.table(
  rows.map((row) => ({
    ...row,
    "ms, 1 thread": row["ms, 1 thread"].toFixed(2),
    "ms, 64 threads": row["ms, 64 threads"].toFixed(2),
  })),
);
