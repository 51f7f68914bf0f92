/**
 * A pass that is kept in parts: each thread runs inference for some images of a batch by itself.
 *
 * One part is kept as a {@link KeptPass} that runs on one thread; the others are the same jobs, on other threads over memory of
 * their own. See `kernels/pass-job.ts`. Parts are small, if they can be, for what a layer writes should still be in the second
 * cache when the next one reads it. But each part reads all weights again.
 *
 * @module
 */
import { type Execution, runTiles, threadsOf } from "../kernels/execution.js";
import { kernelJobs, passJob } from "../kernels/jobs.js";
import { passNumbers } from "../kernels/pass-job.js";
import { MAX_ARRAYS } from "../parallel/control.js";
import type { JobRun } from "../parallel/job.js";
import type { DType, FloatArray } from "../tensor/dtype.js";
import { Region, sharedHeap, type Twin } from "../tensor/heap.js";
import { shapesAgree, sizeOf } from "../tensor/shape.js";
import { copyInto, dtypeOf, type Tensor, tensor } from "../tensor/tensor.js";
import type { Infer } from "./infer.js";
import { KeptPass } from "./kept-pass.js";
import type { Model } from "./model.js";

/** The most images of a part, and values of these: the pool waits only so long for a thread that has begun with one. */
const MOST_IMAGES = 16;
const MOST_VALUES = 2 ** 22;

/** The values of the largest tensor of a part, 2 MB, that the second cache is taken to hold. */
const CACHED_VALUES = 2 ** 19;

/** How many images a part should have. */
export interface PartSize {
  /** So many that what layers write is as much as the weights that they read. */
  readonly fewest: number;
  /** So few that what a layer writes stays in the cache. */
  readonly most: number;
}

/** How many images of a batch for `model` a part should have. Of images of any size nothing is known. */
export function partSizeFor({ graphNodes, weights }: Model): PartSize {
  const outputs = graphNodes.map(({ layer, output: { shape } }) => {
    const isProduct = layer.weights.some(({ shape }) => shape.length > 1);
    return { isProduct, values: shape.slice(1).reduce<number>((size, axis) => size * (axis ?? Number.NaN), 1) };
  });
  const most = Math.floor(CACHED_VALUES / Math.max(...outputs.map(({ values }) => values)));
  const written = outputs.reduce((sum, { isProduct, values }) => (isProduct ? sum + values : sum), 0);
  const read = weights.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  const isKnown = Number.isFinite(most) && written > 0;
  return isKnown ? { fewest: Math.ceil(read / written), most: Math.max(1, most) } : { fewest: 1, most: MOST_IMAGES };
}

/**
 * How many of `images` are a part, so that `threads` threads have equally many parts, as many as there should be or else rather
 * more; undefined where there is no such number. One thread has some parts of at least the fewest images, or none.
 */
export function imagesOfPart(images: number, threads: number, { fewest, most }: PartSize): number | undefined {
  const even: number[] = [];
  for (let part = 1; part <= MOST_IMAGES; part++) if (images > 0 && images % (part * threads) === 0) even.push(part);
  const enough = even.filter((part) => part >= fewest);
  const best = enough.findLast((part) => part <= most) ?? enough.at(0);
  if (threads === 1) return best === images ? undefined : best;
  return best ?? even.at(-1);
}

/** Arrays of the job beside inputs and outputs. */
const OWN_ARRAYS = 2;

/** The first `count` images of a contiguous `x`. */
function firstImages(x: Tensor, count: number): Tensor {
  const shape = [count, ...x.shape.slice(1)];
  return tensor(x.data.subarray(0, sizeOf(shape)), shape);
}

/**
 * Whether batches for `model` may be parted: any number of images is one, images do not depend on each other, and no tensor is
 * without an axis beside that of the batch.
 */
function takesAnyBatch({ graphNodes, inputs }: Model): boolean {
  const isByImages = graphNodes.every(({ layer, output }) => !layer.mixesImages && output.shape.length > 1);
  return isByImages && inputs.every(({ shape }) => shape[0] === null);
}

/** Whether other threads can do all of `part`, which is for so many images, over memory of their own. */
function isSelfContained({ jobs, inputs, outputs, region }: KeptPass, images: number): boolean {
  if (inputs.length + outputs.length + OWN_ARRAYS > MAX_ARRAYS) return false;
  const isShared = (data: FloatArray): boolean => data.length === 0 || sharedHeap().owns(data);
  const isOwn = (data: FloatArray): boolean => data.length === 0 || region.holds(data);
  if (jobs === undefined || !outputs.every((y) => y.shape[0] === images && region.holds(y.data))) return false;
  return jobs.every(
    ({ job, reads, writes }) => kernelJobs.includes(job) && reads.every(isShared) && writes.every(isOwn),
  );
}

/** All of the heap so far. */
function allMemory(): FloatArray {
  return sharedHeap().view("float32", 0, Math.floor(sharedHeap().peak / 4));
}

/** The number of the next pass. */
let nextId = 1;

/** A pass over a model whose weights stay as they are, and whose images threads share. */
export class PartedPass {
  /** The outputs of the last run, until the next. */
  readonly outputs: readonly Tensor[];
  readonly #execution: Execution;
  readonly #inputs: readonly Tensor[];
  readonly #part: KeptPass;
  /** Of the other threads' parts, in the order of the threads. */
  readonly #twins: readonly Twin[];
  /** What outlives a run: inputs, outputs, and what there is to do. */
  readonly #lasting = new Region(sharedHeap());
  readonly #run: JobRun;

  /**
   * A pass over `model` that is kept in parts, after a run for `inputs`; undefined where threads cannot share them evenly, or
   * not all that there is to do is jobs.
   *
   * @throws RangeError when the inputs do not fit the model.
   */
  static of(model: Model, inputs: readonly Tensor[], execution: Execution, infer?: Infer): PartedPass | undefined {
    const [images, ...shape] = inputs[0].shape;
    const size = imagesOfPart(images, threadsOf(execution), partSizeFor(model));
    if (size === undefined || size * sizeOf(shape) > MOST_VALUES || !takesAnyBatch(model)) return undefined;
    const firsts = inputs.map((x) => firstImages(x, size));
    const part = new KeptPass(model, firsts, { ...execution, pool: undefined }, infer);
    if (isSelfContained(part, size)) return new PartedPass(part, inputs, images / size, execution);
    part.close();
    return undefined;
  }

  private constructor(part: KeptPass, inputs: readonly Tensor[], parts: number, execution: Execution) {
    this.#part = part;
    this.#execution = execution;
    this.#twins = Array.from({ length: threadsOf(execution) - 1 }, () => part.region.twin());
    this.#inputs = part.inputs.map((x) => this.#whole(x, parts));
    this.outputs = part.outputs.map((y) => this.#whole(y, parts));
    const passes = this.#passes();
    this.#run = {
      job: passJob,
      reads: [allMemory(), passes, ...this.#inputs.map((x) => x.data)],
      writes: this.outputs.map((y) => y.data),
      numbers: [passes.length / threadsOf(execution), nextId++],
      tiles: parts,
      inHeap: true,
    };
    this.run(inputs);
  }

  /** A tensor for the images of so many parts like `x`. */
  #whole(x: Tensor, parts: number): Tensor {
    const [images, ...rest] = x.shape;
    return tensor(this.#allocate(dtypeOf(x), parts * x.size), [parts * images, ...rest]);
  }

  #allocate(dtype: DType, length: number): FloatArray {
    return sharedHeap().view(dtype, this.#lasting.allocate(length * (dtype === "float64" ? 8 : 4)), length);
  }

  /** The numbers of the passes of all threads. */
  #passes(): FloatArray {
    const { inputs, outputs, jobs = [] } = this.#part;
    const pass = { inputs: inputs.map((x) => x.data), outputs: outputs.map((y) => y.data), runs: jobs };
    const places = [(offset: number) => offset, ...this.#twins.map(({ placeOf }) => placeOf)];
    const numbers = places.flatMap((placeOf) => passNumbers(pass, kernelJobs, placeOf));
    const passes = this.#allocate("float64", numbers.length);
    passes.set(numbers);
    return passes;
  }

  /** How many jobs a run is, those of all parts. */
  get jobCount(): number {
    return this.#run.tiles * this.#part.jobCount;
  }

  /** Whether it is a pass over inputs of the shapes of these. */
  takes(inputs: readonly Tensor[]): boolean {
    return inputs.every((x, i) => shapesAgree(x.shape, this.#inputs[i].shape));
  }

  /** The outputs for `inputs` that it {@link takes}. */
  run(inputs: readonly Tensor[]): readonly Tensor[] {
    for (const [i, x] of inputs.entries()) copyInto(this.#inputs[i], x);
    runTiles(this.#execution, this.#run);
    return this.outputs;
  }

  /** Gives its memory back. */
  close(): void {
    this.#part.close();
    for (const { region } of this.#twins) region.close();
    this.#lasting.close();
  }
}
