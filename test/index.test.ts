import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  Arena,
  type BackwardOptions,
  type BatchMetrics,
  type CallContext,
  type Callback,
  type CallbackState,
  Conv2D,
  type ConvolutionMoveOptions,
  Dense,
  fit,
  type FitOptions,
  type GlobalPooling2DOptions,
  GlobalMaxPooling2D,
  input,
  type KerasConfig,
  type KernelOptions,
  Layer,
  type LayerGradients,
  type LayerPass,
  MaxPooling2D,
  Model,
  type Pooling2DOptions,
  serial,
  SGD,
  type StepRecord,
  type SymbolicShape,
  type Tensor,
  tensorOf,
  trace,
  type TrainingState,
  trainStep,
  type TrainStepOptions,
} from "../src/index.js";
import { inOrder } from "./support/training.js";

/** -x: what a user who knows the public names alone can write. */
class Negative extends Layer {
  readonly className = "Negative";

  computeOutputShape([shape]: readonly SymbolicShape[]): SymbolicShape {
    return shape;
  }

  call([x]: readonly Tensor[], _context: CallContext): LayerPass {
    const negative = (of: Tensor): Tensor =>
      tensorOf(
        Array.from(of.data, (value) => -value),
        of.shape,
        this.dtype,
      );
    const backward = (dy: Tensor, _options?: BackwardOptions): LayerGradients => ({
      dInputs: [negative(dy)],
      dWeights: {},
    });
    return { y: negative(x), keeps: [], backward };
  }

  protected arguments(): KerasConfig {
    return {};
  }
}

describe("The names that the package exports", () => {
  it("suffice for a layer of one's own, which a model runs forward and backward", () => {
    const x = input({ shape: [2], name: "x" });
    const model = new Model({ inputs: x, outputs: new Negative({ name: "negative" }).apply(x) });
    const entries = trace(model, [tensorOf([1, -2], [1, 2])], { cotangents: [tensorOf([3, 5], [1, 2])] });
    assert.deepEqual(entries.get("output/negative")?.data, Float32Array.of(-1, 2));
    assert.deepEqual(entries.get("gradOutput/x")?.data, Float32Array.of(-3, -5));
  });

  it("suffice for options that are kept before the layers are made", () => {
    const moves: ConvolutionMoveOptions = { kernelSize: 3, padding: "same" };
    const kernels: KernelOptions = { useBias: false };
    const pooling: Pooling2DOptions = { poolSize: [2, 3] };
    const globally: GlobalPooling2DOptions = { keepdims: true };
    const image = new Conv2D({ filters: 4, ...moves, ...kernels }).apply(input({ shape: [6, 6, 3] }));
    const pooled = new MaxPooling2D(pooling).apply(image);
    assert.deepEqual(pooled.shape, [null, 3, 2, 4]);
    assert.deepEqual(new GlobalMaxPooling2D(globally).apply(pooled).shape, [null, 1, 1, 4]);
  });

  it("suffice for a loop of one's own around single steps", () => {
    const x = input({ shape: [2] });
    const model = new Model({ inputs: x, outputs: new Dense({ units: 2, activation: "softmax" }).apply(x) });
    const optimizer = new SGD();
    const batches = inOrder(tensorOf([1, -1, 2, 0.5], [2, 2]), [0, 1], 2, 2);
    const options: Omit<TrainStepOptions, "step"> = {
      loss: "categorical_crossentropy",
      optimizer,
      execution: serial,
      seed: 0,
      arena: new Arena(),
    };
    const losses = [0, 1, 2].map((step): number => {
      const { loss, samples }: BatchMetrics = trainStep(model, batches.batch(step, 0), { ...options, step });
      assert.equal(samples, 2);
      return loss;
    });
    assert.equal(optimizer.iterations, 3);
    assert.ok(losses[2] < losses[0], `the loss must fall, and goes from ${losses[0]} to ${losses[2]}`);
  });

  it("suffice for a callback that remembers something", async () => {
    class GreatestLoss implements Callback {
      readonly name = "greatest loss";
      #loss = 0;

      onStepEnd({ loss }: StepRecord): void {
        this.#loss = Math.max(this.#loss, loss);
      }

      saveState(): CallbackState {
        return { loss: this.#loss };
      }
    }
    const callback = new GreatestLoss();
    const batches = inOrder(tensorOf([1, -1, 2, 0.5], [2, 2]), [0, 1], 2, 1);
    const options: FitOptions = { epochs: 1, optimizer: new SGD(), callbacks: [callback] };
    const x = input({ shape: [2] });
    const model = new Model({ inputs: x, outputs: new Dense({ units: 2, activation: "softmax" }).apply(x) });
    const { state }: { readonly state: TrainingState } = await fit(model, batches, options);
    assert.deepEqual(state.callbacks["greatest loss"], callback.saveState());
  });
});
