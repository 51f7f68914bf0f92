/**
 * What the tests of passes that are kept share: other inputs, memory that others write to meanwhile, and custom layers.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { Execution } from "../../src/kernels/execution.js";
import { type CallContext, inference, Layer, type LayerGradients, type LayerPass } from "../../src/layers/layer.js";
import { softmaxForward } from "../../src/layers/softmax.js";
import { type Infer, inferOutputs } from "../../src/models/infer.js";
import { packedConstants } from "../../src/models/batch-inference.js";
import type { Model } from "../../src/models/model.js";
import { sharedHeap } from "../../src/tensor/heap.js";
import type { SymbolicShape } from "../../src/tensor/shape.js";
import { detach, empty, type Tensor, tensor } from "../../src/tensor/tensor.js";
import { assertSameBits, generate } from "./tensors.js";

/** What `infer` gives in an ordinary pass. */
function outputsOf(model: Model, inputs: readonly Tensor[], execution: Execution, infer: Infer): readonly Tensor[] {
  return infer(model, inputs, { ...inference, execution }, () => undefined).map(detach);
}

/** Values of another run, in the shapes of `inputs`. */
export function otherInputs(inputs: readonly Tensor[], turn: number): readonly Tensor[] {
  let i = turn;
  return inputs.map((x) => generate(x.shape, "float32", () => ((++i * 37 * (turn + 1)) % 101) / 64 - 0.5));
}

/** Writes NaN to all memory of the heap that is free, and more. */
export function poisonFreeMemory(): void {
  const heap = sharedHeap();
  const blocks = [2 ** 20, 2 ** 16, 2 ** 12, 64].flatMap((bytes) =>
    Array.from({ length: 24 }, () => {
      const offset = heap.allocate(bytes);
      heap.view("float32", offset, bytes / 4).fill(Number.NaN);
      return offset;
    }),
  );
  for (const offset of blocks) heap.free(offset);
}

/** A pass that was kept. */
interface Kept {
  readonly outputs: readonly Tensor[];
  run(inputs: readonly Tensor[]): readonly Tensor[];
  close(): void;
}

/** Asserts that what `keep` keeps of what `infer` gives of `model` has the bits of ordinary passes, for inputs of several runs. */
export function assertGivesBits(
  model: Model,
  inputs: readonly Tensor[],
  execution: Execution,
  keep: (execution: Execution) => Kept,
  infer: Infer = inferOutputs,
): void {
  const constants = packedConstants(model);
  outputsOf(model, inputs, execution, infer); // makes the weights
  const used = sharedHeap().used;
  const packing = { ...execution, constants };
  outputsOf(model, inputs, packing, infer);
  const kept = keep(packing);
  try {
    const expected = outputsOf(model, inputs, execution, infer);
    assert.equal(kept.outputs.length, expected.length);
    for (const [i, y] of kept.outputs.entries()) assertSameBits(y, expected[i], `output ${i} when it was made`);
    for (let turn = 0; turn < 3; turn++) {
      const others = otherInputs(inputs, turn);
      poisonFreeMemory();
      const outputs = kept.run(others);
      const wanted = outputsOf(model, others, execution, infer);
      for (const [i, y] of outputs.entries()) assertSameBits(y, wanted[i], `output ${i} of run ${turn}`);
    }
  } finally {
    kept.close();
    constants.close();
  }
  assert.equal(sharedHeap().used, used);
}

/** Inputs for `model`, of so many samples. */
export function inputsOf(model: Model, samples: number): readonly Tensor[] {
  return otherInputs(
    model.inputs.map(({ shape }) => generate([samples, ...shape.slice(1).map(Number)], "float32", () => 0)),
    9,
  );
}

/** A layer that gives what `compute` makes of its input, of the same shape, and says whether that is in jobs. */
export class Custom extends Layer {
  readonly className = "Custom";
  readonly #isInJobs: boolean;
  readonly #compute: (x: Tensor, execution: Execution) => Tensor;

  constructor(compute: (x: Tensor, execution: Execution) => Tensor, computesInJobs = false) {
    super({});
    this.#compute = compute;
    this.#isInJobs = computesInJobs;
  }

  override get computesInJobs(): boolean {
    return this.#isInJobs;
  }

  computeOutputShape([shape]: readonly SymbolicShape[]): SymbolicShape {
    return shape;
  }

  call([x]: readonly Tensor[], { execution }: CallContext): LayerPass {
    return { y: this.#compute(x, execution), backward: () => ({ dInputs: [], dWeights: {} }) };
  }

  protected arguments(): Record<string, never> {
    return {};
  }
}

/** x + 1 outside any job, in memory of the step. */
export function plusOne(x: Tensor): Tensor {
  const y = empty(x.shape, x);
  for (const [i, value] of x.data.entries()) y.data[i] = value + 1;
  return y;
}

/** A softmax outside any job, of what it makes of its input outside the heap: an output, and the logits that it was taken of. */
export class OwnSoftmax extends Custom {
  constructor() {
    super((x) => x);
  }

  override call([x]: readonly Tensor[]): LayerPass {
    const logits = tensor(
      Float32Array.from(x.data, (value) => value + 1),
      x.shape,
    );
    const { y } = softmaxForward(logits);
    const backward = (): LayerGradients => ({ dInputs: [], dWeights: {} });
    return { y, logits: { x: logits, backward }, backward };
  }
}

/** A layer whose way back is outside any job. */
export class Outside extends Custom {
  override call(inputs: readonly Tensor[], context: CallContext): LayerPass {
    return { ...super.call(inputs, context), backward: (dy) => ({ dInputs: [plusOne(dy)], dWeights: {} }) };
  }
}
