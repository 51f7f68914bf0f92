/**
 * The passes of a training step, forward and backward, that are kept: what one step ran, to be run again with the next batch.
 *
 * As in inference (`kept-pass.ts`), to work out which layers follow each other, what memory their outputs take and how the work is
 * cut takes the calling thread the same time for every batch, while all others wait: with many threads, longer than to compute.
 * For batches of one shape it comes to the same. So it is put down: the jobs, and what is computed between them
 * ({@link Recording}), over memory that nobody else is given meanwhile ({@link Region}).
 *
 * Other than in inference weights change. They stay where they are, and what is made of them, packed kernels too, is made again.
 * So does the number of the step, by which dropout draws others each time: it stands in memory, and jobs read it there.
 * The record holds where all that anybody read was there before, batch, weights and that number, or written by what is in the
 * record. Where it was not, {@link KeptGradients.canRunAgain} is false.
 *
 * @module
 */
import type { Execution } from "../kernels/execution.js";
import { ranges } from "../kernels/simd/axes.js";
import { PackedConstants } from "../kernels/simd/constants.js";
import { PACKED_ALONE } from "../kernels/simd/right-arrays.js";
import type { CallContext } from "../layers/layer.js";
import type { Variable } from "../layers/variable.js";
import { MAX_JOBS } from "../parallel/control.js";
import type { JobRun } from "../parallel/job.js";
import {
  countRecordedJobs,
  type Dispatch,
  isDispatch,
  type RecordedStep,
  Recording,
  runAgain,
} from "../parallel/recording.js";
import { Arena, doublesInScope } from "../tensor/arena.js";
import type { FloatArray } from "../tensor/dtype.js";
import { Region, sharedHeap } from "../tensor/heap.js";
import { shapesAgree } from "../tensor/shape.js";
import { copyInto, empty, type Tensor } from "../tensor/tensor.js";
import { KeptPass } from "./kept-pass.js";
import type { Model } from "./model.js";
import { backwardPass, type ModelPass, type OutputGradient, weightGradients } from "./passes.js";
import type { Release } from "./readers.js";

/** The passes of a step over a model of one input and one output. */
export interface GradientPasses {
  /** In training mode, for a batch. */
  forward(x: Tensor): ModelPass;
  /** The gradients of loss and penalties for the trained weights, where `pass` is what forward gave last. */
  backward(pass: ModelPass, gradient: OutputGradient): ReadonlyMap<Variable, Tensor>;
}

/** Passes that are worked out each time; `release` is handed memory that nobody will read any more. */
export function ordinaryPasses(model: Model, context: CallContext, release: Release): GradientPasses {
  return {
    forward: (x) => model.forward([x], context, { want: "weightGradients", release }),
    backward(pass, gradient) {
      const { dWeights } = backwardPass(model, pass, [gradient]);
      return weightGradients(model, dWeights, model.trainableWeights, context.execution);
    },
  };
}

/** Passes that are worked out for the first batch, and run again for all others. */
export class KeptGradients implements GradientPasses {
  readonly #region = new Region(sharedHeap());
  readonly #arena = new Arena();
  readonly #ordinary: GradientPasses;
  /** Packed copies of kernels, each in memory of its own, since all are made again before the first is read. */
  readonly #copies: PackedConstants;
  readonly #weights: ReadonlySet<FloatArray>;
  /** What was there before, or is written again. */
  readonly #known: Set<FloatArray>;
  /** Where batches are read. */
  readonly #x: Tensor;
  /** Where the number of the step is. */
  readonly #step: FloatArray;
  #isWhole = true;
  /** Counted once, since every step asks. */
  #jobCount = 0;
  #forward: { readonly pass: ModelPass; readonly steps: readonly RecordedStep[] } | undefined;
  #backward: Backward | undefined;

  /**
   * Passes over `model` for batches of the shape of `x`. Until they are closed, the model's layers must be the same ones, and
   * trained or not, as now.
   */
  constructor(model: Model, x: Tensor, context: CallContext) {
    const weights = model.weights.map(({ value }) => value.data);
    this.#copies = new PackedConstants(weights.filter((data) => sharedHeap().owns(data) && data.length < PACKED_ALONE));
    const constants = this.#copies;
    this.#step = this.#apart(() => doublesInScope(1));
    this.step = context.step;
    const execution = { ...context.execution, constants };
    const within = { ...context, execution, stepInMemory: this.#step };
    this.#ordinary = ordinaryPasses(model, within, (data) => this.#arena.release(data));
    this.#x = this.#apart(() => empty(x.shape, model.inputs[0].node.layer.dtype));
    this.#weights = new Set(weights);
    this.#known = new Set([this.#x.data, this.#step, ...weights]);
  }

  /** The number of the step that the passes are of from now on; at first that of the context. */
  set step(step: number) {
    this.#step[0] = step;
  }

  /** Whether there may be passes over `model` that can run again: all is computed in jobs of assembled kernels. */
  static suits(model: Model, execution: Execution): boolean {
    return KeptPass.suits(model, execution) && model.graphNodes.every(({ layer }) => layer.computesInJobs);
  }

  /** Whether both passes have run, and can again. */
  get canRunAgain(): boolean {
    return this.#isWhole && this.#backward !== undefined;
  }

  /** Whether `x` has the shape of the batches. */
  takes(x: Tensor): boolean {
    return shapesAgree(x.shape, this.#x.shape);
  }

  /** How many jobs both passes are; 0 until both have run. */
  get jobCount(): number {
    return this.#jobCount;
  }

  /** What `use` returns, whose tensors lie in memory of their own. */
  #apart<Result>(use: () => Result): Result {
    return sharedHeap().within(this.#region, () => this.#arena.run(use));
  }

  /** @throws DepartedError when the passes cannot run again with weights as they are now. */
  forward(x: Tensor): ModelPass {
    copyInto(this.#x, x);
    if (this.#forward !== undefined) {
      runAgain(this.#forward.steps);
      return this.#forward.pass;
    }
    const recording = new Recording(this.#known);
    const pass = this.#apart(() => recording.during(() => this.#ordinary.forward(this.#x)));
    this.#judge(recording, [...pass.outputs, ...pass.updates.values()]);
    this.#forward = { pass, steps: recording.steps };
    return pass;
  }

  /** @throws DepartedError as {@link forward}. */
  backward(pass: ModelPass, gradient: OutputGradient): ReadonlyMap<Variable, Tensor> {
    if (this.#backward !== undefined) {
      copyInto(this.#backward.begin, beginning(gradient));
      runAgain(this.#backward.steps);
      return this.#backward.gradients;
    }
    const recording = new Recording(this.#known);
    this.#backward = this.#apart(() => {
      const dy = beginning(gradient);
      const begin = copyInto(empty(dy.shape, dy), dy);
      this.#known.add(begin.data);
      const from = { dy: begin, dLogits: gradient.dLogits && begin }; // without the trace, nobody reports dy
      const gradients = recording.during(() => this.#ordinary.backward(pass, from));
      return { begin, gradients, steps: recording.steps };
    });
    this.#judge(recording, [...this.#backward.gradients.values()]);
    this.#packFirst();
    return this.#backward.gradients;
  }

  /**
   * Has kernels packed before all else, together: threads wait for each other once or twice, and not for the calling thread to
   * pack each before it is read.
   */
  #packFirst(): void {
    if (this.#forward === undefined || this.#backward === undefined) return;
    const isPacking = (step: RecordedStep): step is Dispatch =>
      isDispatch(step) && step.runs.every((run) => this.#packs(run));
    const [forward, backward] = [this.#forward.steps, this.#backward.steps];
    const packing = [...forward, ...backward].filter(isPacking);
    const all = packing.flatMap(({ runs }) => runs);
    const first = ranges(all.length, MAX_JOBS).map(({ from, to }) => ({ ...packing[0], runs: all.slice(from, to) }));
    this.#forward = { ...this.#forward, steps: [...first, ...forward.filter((step) => !isPacking(step))] };
    this.#backward = { ...this.#backward, steps: backward.filter((step) => !isPacking(step)) };
    this.#jobCount = countRecordedJobs([...this.#forward.steps, ...this.#backward.steps]);
  }

  /** Whether a job makes something of weights alone, where nothing else is ever written. */
  #packs({ reads, writes }: JobRun): boolean {
    const isApart = writes.every((data) => data.length === 0 || !this.#region.holds(data));
    return isApart && reads.length > 0 && reads.every((data) => this.#weights.has(data));
  }

  #judge(recording: Recording, results: readonly Tensor[]): void {
    if (!recording.isWhole || !results.every(({ data }) => this.#known.has(data))) this.#isWhole = false;
  }

  /** Gives its memory back. */
  close(): void {
    this.#region.close();
    this.#copies.close();
  }
}

/** A backward pass that has run. */
interface Backward {
  /** Where it reads the gradient that it begins with. */
  readonly begin: Tensor;
  readonly gradients: ReadonlyMap<Variable, Tensor>;
  readonly steps: readonly RecordedStep[];
}

/** The tensor that backward begins with; the other one is not asked for, and then not computed. */
function beginning(gradient: OutputGradient): Tensor {
  return gradient.dLogits ?? gradient.dy;
}
