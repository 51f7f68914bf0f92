import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import fc from "fast-check";
import { graphs } from "../../src/arbitraries/graphs.js";
import { residualNetworks } from "../../src/arbitraries/residual-networks.js";
import { createExecution, type Execution, runTiles, serial } from "../../src/kernels/execution.js";
import { RELU, rectify, rectifyJob } from "../../src/kernels/rectify.js";
import { Activation } from "../../src/layers/activation.js";
import { Add } from "../../src/layers/add.js";
import { BatchNormalization } from "../../src/layers/batch-normalization.js";
import { Concatenate } from "../../src/layers/concatenate.js";
import { Conv2D } from "../../src/layers/conv2d.js";
import { Dense } from "../../src/layers/dense.js";
import { Flatten } from "../../src/layers/flatten.js";
import { GlobalAveragePooling2D } from "../../src/layers/global-average-pooling2d.js";
import { GlobalMaxPooling2D } from "../../src/layers/global-max-pooling2d.js";
import { input } from "../../src/layers/input-layer.js";
import type { Layer } from "../../src/layers/layer.js";
import { ReLU } from "../../src/layers/relu.js";
import { Rescaling } from "../../src/layers/rescaling.js";
import { Reshape } from "../../src/layers/reshape.js";
import { Softmax } from "../../src/layers/softmax.js";
import { ResNet50 } from "../../src/models/applications/resnet.js";
import { inferWithLogits } from "../../src/models/infer.js";
import { Model } from "../../src/models/model.js";
import { imagesOfPart, PartedPass, partSizeFor } from "../../src/models/parted-pass.js";
import { createPredictor, predict } from "../../src/models/predict.js";
import { resnetV1 } from "../../src/models/resnet-v1.js";
import { resnetV2 } from "../../src/models/resnet-v2.js";
import type { Job } from "../../src/parallel/job.js";
import type { FloatArray } from "../../src/tensor/dtype.js";
import { sharedHeap } from "../../src/tensor/heap.js";
import { detach, empty, type Tensor } from "../../src/tensor/tensor.js";
import { assertGivesBits, Custom, inputsOf } from "../support/kept-passes.js";
import { assertSameBits } from "../support/tensors.js";

const executions = (["float64", "float32"] as const).flatMap((accumulate) =>
  [2, 3].map((threads) => createExecution({ accumulate, threads })),
);
after(() => executions.forEach((execution) => execution.close()));

/** Two convolutions, of which one sees borders, and what follows them in a residual network. */
function block(...last: readonly Layer[]): Model {
  const x = input({ shape: [9, 7, 4], name: "image" });
  const convolved = new Conv2D({ filters: 12, kernelSize: 3, padding: "same" }).apply(x);
  const branch = new BatchNormalization().apply(convolved);
  const sum = new Add().apply([branch, new Conv2D({ filters: 12, kernelSize: 1 }).apply(x)]);
  const y = new Activation({ activation: "relu" }).apply(sum);
  return new Model({ inputs: x, outputs: last.reduce((each, layer) => layer.apply(each), y), seed: 3 });
}

const any = { fewest: 1, most: 16 };

describe("imagesOfPart", () => {
  it("gives every thread equally many parts, as large as can be, but of 16 images at most", () => {
    for (let images = 0; images < 70; images++) {
      for (let threads = 2; threads < 6; threads++) {
        const even = Array.from({ length: 16 }, (_, i) => i + 1).filter((part) => images % (part * threads) === 0);
        assert.equal(imagesOfPart(images, threads, any), images === 0 ? undefined : even.at(-1));
      }
    }
    assert.equal(imagesOfPart(32, 2, any), 16);
    assert.equal(imagesOfPart(64, 2, any), 16);
    assert.equal(imagesOfPart(34, 2, any), 1);
    assert.equal(imagesOfPart(32, 64, any), undefined);
  });

  it("gives parts as many images as there should be at most, but rather more than too few, and rather those than none", () => {
    assert.equal(imagesOfPart(32, 2, { fewest: 2, most: 8 }), 8);
    assert.equal(imagesOfPart(24, 2, { fewest: 2, most: 8 }), 6);
    assert.equal(imagesOfPart(8, 2, { fewest: 3, most: 1 }), 4);
    assert.equal(imagesOfPart(8, 2, { fewest: 2, most: 1 }), 2);
    assert.equal(imagesOfPart(24, 2, { fewest: 5, most: 2 }), 6);
    assert.equal(imagesOfPart(22, 2, { fewest: 2, most: 8 }), 11);
    assert.equal(imagesOfPart(4, 2, { fewest: 3, most: 1 }), 2);
  });

  it("gives one thread some parts that have enough images, or none", () => {
    assert.equal(imagesOfPart(32, 1, any), 16);
    assert.equal(imagesOfPart(16, 1, any), undefined);
    assert.equal(imagesOfPart(32, 1, { fewest: 2, most: 8 }), 8);
    assert.equal(imagesOfPart(31, 1, { fewest: 2, most: 8 }), undefined);
    assert.equal(imagesOfPart(8, 1, { fewest: 3, most: 1 }), 4);
    assert.equal(imagesOfPart(1, 1, any), undefined);
    assert.equal(imagesOfPart(0, 1, any), undefined);
  });
});

describe("partSizeFor", () => {
  it("lets the largest tensor of a part have 2 ** 19 values, and layers write as many as they read weights", () => {
    const x = input({ shape: [32, 16, 8], name: "image" });
    const wide = new Conv2D({ filters: 64, kernelSize: 1 }).apply(x); // 32,768 values of 64 * 9 weights
    const outputs = new Dense({ units: 512, useBias: false }).apply(new Flatten().apply(wide)); // 512 of 512 * 32,768
    const read = 64 * 9 + 512 * 32_768;
    assert.deepEqual(partSizeFor(new Model({ inputs: x, outputs })), {
      fewest: Math.ceil(read / (32_768 + 512)),
      most: 16,
    });
  });

  it("takes the networks of the Keras example and ResNet50 for what they are", () => {
    assert.deepEqual(partSizeFor(resnetV1(20)), { fewest: 2, most: 32 });
    assert.deepEqual(partSizeFor(resnetV2(29)), { fewest: 2, most: 8 });
    assert.deepEqual(partSizeFor(ResNet50({ seed: 1 })), { fewest: 3, most: 1 });
  });

  it("wants nothing of models for images of any size, or without weights", () => {
    const of = (...shape: readonly (number | null)[]): Model => {
      const x = input({ shape, name: "image" });
      return new Model({ inputs: x, outputs: new Conv2D({ filters: 3, kernelSize: 1 }).apply(x) });
    };
    assert.deepEqual(partSizeFor(of(null, 5, 2)), any);
    const image = input({ shape: [null, 7, 3], name: "image" });
    const pooled = new Dense({ units: 2 }).apply(new GlobalAveragePooling2D().apply(image));
    assert.deepEqual(partSizeFor(new Model({ inputs: image, outputs: pooled })), any);
    assert.deepEqual(partSizeFor(of(7, 5, 2)), { fewest: 1, most: 4993 });
    const x = input({ shape: [5], name: "x" });
    assert.deepEqual(partSizeFor(new Model({ inputs: x, outputs: new ReLU().apply(x) })), any);
  });
});

describe("PartedPass", () => {
  it("gives the bits of an ordinary pass for any graph all of whose layers compute in jobs, with any number of threads", () => {
    const anyModel = fc.oneof(graphs({ maxLayers: 8, maxDim: 8 }), residualNetworks({ regime: "normal" }));
    let parted = 0;
    fc.assert(
      fc.property(anyModel, fc.integer({ min: 1, max: 3 }), ({ model }, count) => {
        for (const execution of executions) {
          const inputs = inputsOf(model, count * (execution.pool?.threads ?? 1));
          const probe = PartedPass.of(model, inputs, execution);
          probe?.close();
          if (probe === undefined) continue;
          parted++;
          assertGivesBits(model, inputs, execution, (packing) => {
            const pass = PartedPass.of(model, inputs, packing);
            assert.ok(pass !== undefined);
            return pass;
          });
        }
      }),
      { numRuns: 30 },
    );
    assert.ok(parted > 0);
  });

  it("gives them where threads have several parts, and where models have several inputs and outputs", () => {
    const [a, b] = ["a", "b"].map((name) => input({ shape: [5, 4, 8], name }));
    const sum = new Add().apply([a, new Conv2D({ filters: 8, kernelSize: 1 }).apply(b)]);
    const outputs = [sum, new Dense({ units: 3, activation: "softmax" }).apply(new Flatten().apply(sum)), sum];
    const model = new Model({ inputs: [a, b], outputs, seed: 2 });
    for (const execution of executions) {
      const threads = execution.pool?.threads ?? 1;
      for (const samples of [threads, 17 * threads, 32 * threads]) {
        const inputs = inputsOf(model, samples);
        assertGivesBits(model, inputs, execution, (packing) => {
          const pass = PartedPass.of(model, inputs, packing);
          assert.ok(pass !== undefined);
          return pass;
        });
      }
    }
  });

  it("gives what the output is the softmax of, too", () => {
    for (const head of [new Softmax(), new Dense({ units: 5, activation: "softmax" })]) {
      const model = block(new Flatten(), new Dense({ units: 7 }), head);
      for (const execution of executions) {
        const inputs = inputsOf(model, 6 * (execution.pool?.threads ?? 1));
        const keep = (packing: Execution): PartedPass => {
          const pass = PartedPass.of(model, inputs, packing, inferWithLogits);
          assert.ok(pass !== undefined);
          return pass;
        };
        assertGivesBits(model, inputs, execution, keep, inferWithLogits);
      }
    }
  });

  it("gives them to one thread, part after part", () => {
    const model = block(new Flatten(), new Dense({ units: 5 }));
    const inputs = inputsOf(model, 48);
    for (const { accumulate } of executions) {
      const execution = { ...serial, kernel: serial.kernel, accumulate };
      assertGivesBits(model, inputs, execution, (packing) => {
        const pass = PartedPass.of(model, inputs, packing);
        assert.ok(pass !== undefined);
        return pass;
      });
    }
  });

  it("is what a predictor keeps where threads can share the images, and only there", (test) => {
    const model = block();
    const of = test.mock.method(PartedPass, "of");
    const execution = executions[3];
    const alone = { ...execution, pool: undefined };
    const predictor = createPredictor(model, { execution });
    for (const samples of [3, 3, 3, 4, 4, 4, 6, 6]) {
      const inputs = inputsOf(model, samples);
      assertSameBits(
        predictor.predict(inputs)[0],
        predict(model, inputs, { execution: alone })[0],
        `${samples} samples`,
      );
    }
    assert.deepEqual(
      of.mock.calls.map(({ result }) => result instanceof PartedPass),
      [true, false, true],
    );
    predictor.close();
  });

  it("is not for layers that compute otherwise, outputs that are not of one image each, or images of many values", () => {
    const [execution] = executions;
    const isParted = (model: Model, samples = 4): boolean => {
      const { used } = sharedHeap();
      const pass = PartedPass.of(model, inputsOf(model, samples), execution);
      pass?.close();
      assert.equal(sharedHeap().used, used);
      return pass !== undefined;
    };
    const sized = block();
    inputsOf(sized, 1); // makes the weights
    assert.equal(isParted(sized), true);
    assert.equal(isParted(sized, 5), false);
    const inJobs = [new Activation({ activation: "sigmoid" }), new Rescaling({ scale: 2 }), new Softmax({ axis: 2 })];
    assert.equal(isParted(block(...inJobs, new GlobalMaxPooling2D())), true);
    assert.equal(isParted(block(new Custom((x) => x))), false);
    assert.equal(isParted(block(new Custom((x, own) => rectify(x, RELU, own)))), false);
    assert.equal(isParted(block(new Custom((x, own) => rectify(x, RELU, own), true))), true);
    const large = input({ shape: [2048, 2049, 1], name: "image" });
    const model = new Model({ inputs: large, outputs: new Activation({ activation: "relu" }).apply(large), seed: 1 });
    assert.equal(isParted(model, 2), false);
  });

  it("is not for models whose layers see several images together", () => {
    const [execution] = executions;
    const isParted = (layer: Layer, ...more: readonly Layer[]): boolean => {
      const model = block(layer, ...more);
      const pass = PartedPass.of(model, inputsOf(model, 4), execution);
      pass?.close();
      return pass !== undefined;
    };
    assert.deepEqual(
      [0, 1, -1, -4].map((axis) => isParted(new Softmax({ axis }))),
      [false, true, true, false],
    );
    assert.equal(isParted(new Softmax({ axis: 0 }), new ReLU()), false);
    assert.deepEqual(
      [0, 1, -1, -4].map((axis) => isParted(new Concatenate({ axis }))),
      [false, true, true, false],
    );
  });

  it("is not for models that take batches of one size, or have a tensor of the batch alone, or many outputs", () => {
    const [execution] = executions;
    const isParted = (model: Model): boolean => {
      const pass = PartedPass.of(model, inputsOf(model, 4), execution);
      pass?.close();
      return pass !== undefined;
    };
    const of = (batchSize: number | undefined, ...layers: readonly Layer[]): Model => {
      const x = input({ shape: [1], batchSize, name: "x" });
      return new Model({ inputs: x, outputs: layers.reduce((y, layer) => layer.apply(y), x), seed: 1 });
    };
    assert.equal(isParted(of(undefined, new ReLU())), true);
    assert.equal(isParted(of(4, new ReLU())), false);
    assert.equal(isParted(of(undefined, new Reshape({ targetShape: [] }), new Softmax())), false);
    const x = input({ shape: [3], name: "x" });
    const outputs = Array.from({ length: 10 }, () => new ReLU().apply(x));
    assert.equal(isParted(new Model({ inputs: x, outputs: outputs.slice(1) })), true);
    assert.equal(isParted(new Model({ inputs: x, outputs })), false);
  });

  it("is not for jobs that workers do not know, or whose arrays they do not see", () => {
    const isParted = (
      compute: (x: Tensor, run: (job: Job, from: FloatArray, to: FloatArray) => void) => Tensor,
    ): boolean => {
      const own = (x: Tensor, execution: Execution): Tensor => {
        const numbers = [x.size, Number.POSITIVE_INFINITY, 0, 0, 0];
        return compute(x, (job, from, to) => {
          runTiles(execution, { job, reads: [from], writes: [to], numbers, tiles: 1 });
        });
      };
      const model = block(new Custom(own, true));
      const pass = PartedPass.of(model, inputsOf(model, 4), executions[0]);
      pass?.close();
      return pass !== undefined;
    };
    const through = (job: Job, x: Tensor, run: (job: Job, from: FloatArray, to: FloatArray) => void): Tensor => {
      const y = empty(x.shape, x);
      run(job, x.data, y.data);
      return y;
    };
    assert.equal(
      isParted((x, run) => through(rectifyJob, x, run)),
      true,
    );
    assert.equal(
      isParted((x, run) => through({ ...rectifyJob, name: "myRectify" }, x, run)),
      false,
    );
    assert.equal(
      isParted((x, run) => through(rectifyJob, detach(x), run)),
      false,
    );
    const outside = new Float32Array(9 * 7 * 12 * 2);
    const overOutside = (x: Tensor, run: (job: Job, from: FloatArray, to: FloatArray) => void): Tensor => {
      run(rectifyJob, x.data, outside);
      return through(rectifyJob, x, run);
    };
    assert.equal(isParted(overOutside), false);
  });

  it("runs on the calling thread alone where the workers have been ended", () => {
    const execution = createExecution({ threads: 2 });
    const model = block();
    const inputs = inputsOf(model, 4);
    const [expected] = predict(model, inputs);
    const pass = PartedPass.of(model, inputs, execution);
    execution.close();
    assert.ok(pass !== undefined);
    assertSameBits(pass.outputs[0], expected);
    assertSameBits(pass.run(inputs)[0], expected);
    pass.close();
  });
});
