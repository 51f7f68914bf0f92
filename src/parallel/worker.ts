/**
 * The worker: waits until a job opens, computes tiles until none is left, and waits again.
 *
 * It knows no kernel itself. The pool sends it the address of the module that holds the job table.
 *
 * @module
 */
import type { FloatArray } from "../tensor/dtype.js";
import { ACTIVE, type ArrayPlace, CLOSED, Control, GENERATION } from "./control.js";
import { type ComputeTile, type Job, type JobModule, tilesOf } from "./job.js";
import { onSetup, type WorkerSetup } from "./start-worker.js";

/** The memory of the heap, at least `bytes` long: a WebAssembly memory may have grown on the calling thread. */
function bufferOf(heap: WorkerSetup["heap"], bytes: number): ArrayBufferLike {
  if (!("buffer" in heap)) return heap;
  if (heap.buffer.byteLength < bytes) heap.grow(0); // grows nothing, but shows this thread the present size
  return heap.buffer;
}

function viewOf(heap: WorkerSetup["heap"], { wide, byteOffset, length }: ArrayPlace): FloatArray {
  const buffer = bufferOf(heap, byteOffset + length * (wide ? 8 : 4));
  return wide ? new Float64Array(buffer, byteOffset, length) : new Float32Array(buffer, byteOffset, length);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Takes part in the jobs that are described in the control block. */
function takePart(control: Control, { heap, thread }: WorkerSetup, jobs: ReadonlyMap<string, Job>): void {
  try {
    const described = Array.from({ length: control.jobCount }, (_, i) => ({
      tiles: control.tilesOf(i),
      prepare: (): ComputeTile => {
        const { name, arrays, numbers } = control.description(i);
        const job = jobs.get(name);
        if (job === undefined) throw new Error(`internal: worker pool: the job table has no job "${name}".`);
        return job.prepare(
          arrays.map((place) => viewOf(heap, place)),
          numbers,
        );
      },
    }));
    control.claimTiles(thread, tilesOf(described));
  } catch (error) {
    control.fail(messageOf(error));
    control.cancelTiles();
  }
}

function serve(control: Control, setup: WorkerSetup, jobs: ReadonlyMap<string, Job>): void {
  let seen = 0; // an even generation: no job is open
  while (Atomics.load(control.words, CLOSED) === 0) {
    const generation = control.waitWhile(GENERATION, seen);
    seen = generation;
    if (generation % 2 === 0) continue;
    Atomics.add(control.words, ACTIVE, 1);
    if (Atomics.load(control.words, GENERATION) === generation) takePart(control, setup, jobs);
    control.addAndNotify(ACTIVE, -1);
  }
}

async function start(setup: WorkerSetup): Promise<void> {
  const control = new Control(setup.threads, setup.control);
  try {
    const { jobs, prepareWorker }: JobModule = await import(setup.jobsUrl);
    prepareWorker?.(setup);
    serve(control, setup, new Map(jobs.map((job) => [job.name, job])));
  } catch (error) {
    control.fail(messageOf(error));
  }
}

onSetup<WorkerSetup>((setup) => void start(setup));
