/**
 * Passes as jobs: a thread runs all jobs of a pass by itself, over memory of its own, for some of the images of a batch.
 *
 * Threads that share the tiles of each job wait for each other after each job, and each reads what another has written. Images
 * do not depend on each other in inference; so where there are enough of them, threads share the images, and meet once.
 *
 *     thread 0    images 0 to 15     conv2d  conv2d  add  ...  dense
 *     thread 1    images 16 to 31    conv2d  conv2d  add  ...  dense
 *
 * A pass is written down as numbers, once for each thread, for its memory is at other addresses:
 *
 *     inputs, outputs, jobs           how many
 *     [address, length]               of each input, then of each output
 *     [job, tiles, arrays, numbers]   of each job: which, and how many; followed by
 *       [type, address, length]         of each array
 *       the numbers
 *
 * @module
 */
import { compact } from "../parallel/integers.js";
import type { Job, JobRun, PrepareTiles } from "../parallel/job.js";
import type { FloatArray } from "../tensor/dtype.js";
import { asOnlyThread, threadNumber } from "./simd/thread.js";

/** A pass over some images, whose tensors are float32. */
export interface JobPass {
  /** Where its inputs are put, and its outputs lie. */
  readonly inputs: readonly FloatArray[];
  readonly outputs: readonly FloatArray[];
  /** What it runs, one after another. */
  readonly runs: readonly JobRun[];
}

/** `pass` as numbers, for jobs of `table`, with arrays where `placeOf` puts what lies at an address. */
export function passNumbers(
  { inputs, outputs, runs }: JobPass,
  table: readonly Job[],
  placeOf: (address: number) => number,
): number[] {
  const numbers = [inputs.length, outputs.length, runs.length];
  for (const data of [...inputs, ...outputs]) numbers.push(placeOf(data.byteOffset), data.length);
  for (const run of runs) {
    const arrays = [...run.reads, ...run.writes];
    numbers.push(table.indexOf(run.job), run.tiles, arrays.length, run.numbers.length);
    for (const data of arrays) {
      numbers.push(Number(data instanceof Float64Array), placeOf(data.byteOffset), data.length);
    }
    numbers.push(...run.numbers);
  }
  return numbers;
}

/** A job of a pass as a thread runs it. */
interface ReadRun {
  readonly prepare: PrepareTiles;
  readonly arrays: readonly FloatArray[];
  readonly tiles: number;
}

/** A pass as a thread runs it. */
type ReadPass = Pick<JobPass, "inputs" | "outputs"> & { readonly runs: readonly ReadRun[] };

/** The pass that {@link passNumbers} wrote, in `memory`. */
function passFrom(numbers: FloatArray, table: readonly Job[], memory: ArrayBufferLike): ReadPass {
  let at = 0;
  const next = (): number => compact(numbers[at++]);
  const times = <Item>(count: number, make: () => Item): Item[] => Array.from({ length: count }, make);
  const singles = (): FloatArray => new Float32Array(memory, next(), next());
  const array = (): FloatArray => (next() === 1 ? new Float64Array(memory, next(), next()) : singles());
  const [inputs, outputs, runs] = times(3, next);
  return {
    inputs: times(inputs, singles),
    outputs: times(outputs, singles),
    runs: times(runs, () => {
      const [index, tiles, count, numberCount] = times(4, next);
      const arrays = times(count, array);
      const told = times(numberCount, next);
      const job = table[index];
      const prepare = job.prepareFor?.(told) ?? ((given: readonly FloatArray[]) => job.prepare(given, told));
      return { prepare, arrays, tiles };
    }),
  };
}

/** Computes all tiles of a job. */
function computeTiles({ prepare, arrays, tiles }: ReadRun): void {
  const compute = prepare(arrays);
  for (let tile = 0; tile < tiles; tile++) compute(tile);
}

/**
 * The job whose tile is a pass of jobs of `table` over some of the images. It is given all memory that passes use, the numbers
 * of the passes of all threads, and the tensors that the images are read from, and those that the results go to; and of the
 * numbers how many a thread has, and one that no other pass has. A thread that is given the pass that it had before does not read
 * it again.
 */
export function passJobOf(table: readonly Job[]): Job {
  let last: { readonly id: number; readonly pass: ReadPass } | undefined;
  return {
    name: "pass",
    prepare([memory, passes, ...wholes], [length, id]) {
      const from = length * threadNumber();
      if (last === undefined || last.id !== id)
        last = { id, pass: passFrom(passes.subarray(from, from + length), table, memory.buffer) };
      const { inputs, outputs, runs } = last.pass;
      const targets = wholes.slice(inputs.length);
      return (part) => {
        for (const [i, x] of inputs.entries()) x.set(wholes[i].subarray(part * x.length, (part + 1) * x.length));
        asOnlyThread(() => runs.forEach(computeTiles));
        for (const [i, y] of outputs.entries()) targets[i].set(y, part * y.length);
      };
    },
  };
}
