/**
 * Inference of batches, of which most are alike.
 *
 * @module
 */
import { type Execution, runsSimd, serial } from "../kernels/execution.js";
import { PackedConstants } from "../kernels/simd/constants.js";
import { countJobs, simdModule } from "../kernels/simd/module.js";
import { Arena } from "../tensor/arena.js";
import type { FloatArray } from "../tensor/dtype.js";
import { type Shape, shapesAgree } from "../tensor/shape.js";
import { contiguous, type Tensor } from "../tensor/tensor.js";
import { type Infer, inferOutputs } from "./infer.js";
import { KeptPass } from "./kept-pass.js";
import type { Model } from "./model.js";
import { PartedPass } from "./parted-pass.js";

/** Room for what is made of the kernels of `model`, as long as these stay as they are. */
export function packedConstants(model: Model): PackedConstants {
  const kernels = model.weights.filter(({ shape }) => shape.length > 1);
  return new PackedConstants(kernels.map(({ value }) => contiguous(value).data));
}

/** Runs batches, with weights that stay as they are if `constants` are given. */
export class BatchInference {
  readonly #model: Model;
  readonly #execution: Execution;
  readonly #constants: PackedConstants | undefined;
  readonly #infer: Infer;
  readonly #arena = new Arena();
  #kept: KeptPass | PartedPass | undefined;
  /** The shapes of the batch before. */
  #before: readonly Shape[] = [];

  /** Runs batches for `model`, of which `infer` gives what is wanted. */
  constructor(model: Model, execution: Execution = serial, constants?: PackedConstants, infer: Infer = inferOutputs) {
    this.#model = model;
    this.#infer = infer;
    this.#execution = constants === undefined ? execution : { ...execution, constants };
    this.#constants = constants;
  }

  /** Lets `use` have what is wanted for `inputs`, until it returns. */
  run(inputs: readonly Tensor[], use: (outputs: readonly Tensor[]) => void): void {
    const isSame = this.#before.length > 0 && inputs.every((x, i) => shapesAgree(x.shape, this.#before[i]));
    this.#before = inputs.map((x) => x.shape);
    if (this.#kept?.takes(inputs) === true) {
      countJobs(this.#kept.jobCount); // compares the kernels, as each job of an ordinary pass would
      if (simdModule() !== undefined) return use(this.#kept.run(inputs));
    }
    if (isSame && this.#constants?.isOpen === true && KeptPass.suits(this.#model, this.#execution)) {
      this.#forget(); // the next one might not be made
      this.#kept = this.#keep(inputs);
      return use(this.#kept.outputs);
    }
    if (inputs.some((x) => runsSimd(this.#execution, x))) this.#execution.constants?.makeRoom();
    const context = { training: false, execution: this.#execution, seed: 0, step: 0 };
    try {
      const release = (data: FloatArray): void => this.#arena.release(data);
      use(this.#arena.run(() => this.#infer(this.#model, inputs, context, release)));
    } finally {
      this.#arena.reset();
    }
  }

  /** A pass for `inputs` that is kept, with the outputs for these. */
  #keep(inputs: readonly Tensor[]): KeptPass | PartedPass {
    return (
      PartedPass.of(this.#model, inputs, this.#execution, this.#infer) ??
      new KeptPass(this.#model, inputs, this.#execution, this.#infer)
    );
  }

  #forget(): void {
    this.#kept?.close();
    this.#kept = undefined;
  }

  /** Gives all memory back. Batches that are run afterwards see the weights as they are then. */
  close(): void {
    this.#forget();
    this.#constants?.close();
  }
}
