/**
 * A pass that is kept: what inference ran, to be run again with other inputs.
 *
 * Before a kernel runs, somebody works out what there is to do: which layers follow each other, what memory their outputs
 * take, how the work is cut. For inputs of the same shape all of that is the same again. So it is done once, and put down:
 * the jobs that ran ({@link Recording}), over memory that nobody else is given meanwhile ({@link Region}). To run the pass
 * again is to copy the inputs to where they were, and to run the jobs.
 *
 * A layer that does not compute in jobs ({@link Layer.computesInJobs}), such as one of a program's own, or one whose jobs do not tell the
 * whole story, is called again, and what it gives copied to where it was.
 *
 * @module
 */
import type { Execution } from "../kernels/execution.js";
import { simdModule } from "../kernels/simd/module.js";
import type { LayerPass } from "../layers/layer.js";
import type { JobRun } from "../parallel/job.js";
import { countRecordedJobs, isDispatch, type RecordedStep, Recording, runAgain } from "../parallel/recording.js";
import { Arena } from "../tensor/arena.js";
import type { FloatArray } from "../tensor/dtype.js";
import { Region, sharedHeap } from "../tensor/heap.js";
import { shapesAgree } from "../tensor/shape.js";
import { copyInto, empty, isContiguous, type Tensor } from "../tensor/tensor.js";
import { type Infer, inferOutputs } from "./infer.js";
import type { Model } from "./model.js";

/** What a layer gives that an output may be: where y is a softmax, also what it was taken of. */
function givenBy({ y, logits }: LayerPass): readonly Tensor[] {
  return logits === undefined ? [y] : [y, logits.x];
}

/** A pass over a model whose weights stay as they are. */
export class KeptPass {
  /** The outputs of the last run, until the next. */
  readonly outputs: readonly Tensor[];
  /** What the pass takes, and gives back, and takes again. */
  readonly region: Region = new Region(sharedHeap());
  /** What jobs read and none of them writes: numbers made of the weights. */
  readonly #numbers = new Region(sharedHeap());
  /** Where it reads its inputs. */
  readonly inputs: readonly Tensor[];
  /** How many jobs a run is, without those of the layers that are called again. */
  readonly jobCount: number;
  readonly #steps: RecordedStep[] = [];
  /** Of the layers that are called again. */
  #arena = new Arena();

  /**
   * Runs inference of `model` on `inputs`, of which `infer` gives what is wanted, and keeps it.
   *
   * @throws RangeError when the inputs do not fit the model.
   */
  constructor(model: Model, inputs: readonly Tensor[], execution: Execution, infer: Infer = inferOutputs) {
    try {
      const record = (): readonly Tensor[][] => this.#record(model, inputs, execution, infer);
      [this.inputs, this.outputs] = sharedHeap().within(this.region, () => this.#arena.run(record));
    } catch (error) {
      this.close();
      throw error;
    }
    this.#arena = new Arena(); // what the first one holds stays
    this.jobCount = countRecordedJobs(this.#steps);
  }

  /**
   * Whether passes over `model` can be kept: where all runs on assembled kernels, and nothing is cast between layers. Elsewhere
   * to work out what there is to do takes next to no time beside the rest.
   */
  static suits(model: Model, execution: Execution): boolean {
    const isSimd = execution.kernel === "simd" && simdModule() !== undefined;
    return isSimd && model.graphNodes.every(({ layer }) => layer.dtype === "float32");
  }

  #record(model: Model, inputs: readonly Tensor[], execution: Execution, infer: Infer): Tensor[][] {
    const places = inputs.map((x, i) => copyInto(empty(x.shape, model.inputs[i].node.layer.dtype), x));
    const known = new Set<FloatArray>(places.map((x) => x.data));
    const context = { training: false, execution, seed: 0, step: 0 };
    const release = (data: FloatArray): void => this.#arena.release(data);
    const outputs = infer(model, places, context, release, ({ head }, run) => {
      const recording = new Recording(known, (data) => this.#keep(data));
      const pass = recording.during(run);
      const isToldByJobs = head.layer.computesInJobs && recording.isWhole && known.has(pass.y.data);
      if (isToldByJobs) {
        this.#steps.push(...recording.steps);
        return pass;
      }
      const kept = givenBy(pass).map((x) => this.#staying(x));
      for (const { data } of kept) known.add(data);
      this.#steps.push(() => this.#callAgain(run, kept));
      const [y, x] = kept;
      return { ...pass, y, ...(pass.logits !== undefined && { logits: { ...pass.logits, x } }) };
    });
    return [places, [...outputs]];
  }

  /** The numbers in `data`, where nothing else is ever written. */
  #keep(data: FloatArray): FloatArray {
    if (!this.region.holds(data)) return data;
    const dtype = data instanceof Float64Array ? "float64" : "float32";
    const kept = sharedHeap().view(dtype, this.#numbers.allocate(data.byteLength), data.length);
    kept.set(data);
    return kept;
  }

  /** `x` where it is, if it can be written there again, or else a copy. */
  #staying(x: Tensor): Tensor {
    return isContiguous(x) && this.region.holds(x.data) ? x : copyInto(empty(x.shape, x), x);
  }

  #callAgain(run: () => LayerPass, kept: readonly Tensor[]): void {
    try {
      for (const [i, x] of givenBy(this.#arena.run(run)).entries()) copyInto(kept[i], x);
    } finally {
      this.#arena.reset();
    }
  }

  /** All jobs, in their order, if they are all that there is to do. */
  get jobs(): readonly JobRun[] | undefined {
    const jobs: JobRun[] = [];
    for (const step of this.#steps) {
      if (!isDispatch(step)) return undefined;
      jobs.push(...step.runs);
    }
    return jobs;
  }

  /** Whether it is a pass over inputs of the shapes of these. */
  takes(inputs: readonly Tensor[]): boolean {
    return inputs.every((x, i) => shapesAgree(x.shape, this.inputs[i].shape));
  }

  /** The outputs for `inputs` that it {@link takes}. */
  run(inputs: readonly Tensor[]): readonly Tensor[] {
    for (const [i, x] of inputs.entries()) copyInto(this.inputs[i], x);
    runAgain(this.#steps);
    return this.outputs;
  }

  /** Gives its memory back. */
  close(): void {
    this.region.close();
    this.#numbers.close();
  }
}
