import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import ndarray from "ndarray";
import { createExecution } from "../../src/kernels/execution.js";
import { Concatenate } from "../../src/layers/concatenate.js";
import { Conv2D } from "../../src/layers/conv2d.js";
import { Dense } from "../../src/layers/dense.js";
import { GlobalAveragePooling2D } from "../../src/layers/global-average-pooling2d.js";
import { input } from "../../src/layers/input-layer.js";
import { Model } from "../../src/models/model.js";
import { createPredictor, predict } from "../../src/models/predict.js";
import { resnetV1 } from "../../src/models/resnet-v1.js";
import { trace } from "../../src/models/trace.js";
import { sharedHeap } from "../../src/tensor/heap.js";
import type { Tensor } from "../../src/tensor/tensor.js";
import { LOSE_A_KERNEL, LOSING_MODULES, runProgram } from "../support/program.js";
import { assertReadsViews, assertSameBits, floatTensors, generate } from "../support/tensors.js";

/** Two inputs, two outputs. */
function pair(): Model {
  const [a, b] = [input({ shape: [3], name: "a" }), input({ shape: [3], name: "b" })];
  const shared = new Dense({ units: 4, name: "shared", activation: "tanh" });
  const outputs = [shared.apply(a), new Dense({ units: 2, name: "head" }).apply(shared.apply(b))];
  return new Model({ inputs: [a, b], outputs, seed: 5 });
}

const some = (shape: readonly number[], dtype: "float32" | "float64" = "float32"): Tensor => {
  let i = 0;
  return generate(shape, dtype, () => ((++i * 37) % 101) / 64);
};

describe("predict", () => {
  it("gives the same bits for every batch size, those of a whole pass", () => {
    const model = pair();
    fc.assert(
      fc.property(floatTensors([7, 3]), floatTensors([7, 3]), fc.integer({ min: 1, max: 9 }), (a, b, batchSize) => {
        const whole = trace(model, [a, b]);
        const [first, second] = predict(model, [a, b], { batchSize });
        assertSameBits(first, whole.get("output/shared") ?? a);
        assertSameBits(second, whole.get("output/head") ?? b);
      }),
    );
  });

  it("gives the same bits for a ResNet by ones and by threes", () => {
    const model = resnetV1(8, { seed: 2 });
    const x = some([4, 32, 32, 3]);
    const [ones] = predict(model, [x], { batchSize: 1 });
    const [threes] = predict(model, [x], { batchSize: 3 });
    assertSameBits(threes, ones);
  });

  it("reads strided views", () => {
    const model = pair();
    assertReadsViews([some([4, 3]), some([4, 3])], (a, b) => predict(model, [a, b], { batchSize: 3 }));
  });

  it("takes float64 inputs for a float32 model, and gives float32", () => {
    const model = pair();
    const [fromFloat64] = predict(model, [some([2, 3], "float64"), some([2, 3], "float64")]);
    const [fromFloat32] = predict(model, [some([2, 3]), some([2, 3])]);
    assertSameBits(fromFloat64, fromFloat32);
  });

  it("gives outputs without samples for inputs without samples", () => {
    const [first, second] = predict(pair(), [some([0, 3]), some([0, 3])]);
    assert.deepEqual(
      [first.shape, second.shape],
      [
        [0, 4],
        [0, 2],
      ],
    );
  });

  it("reports after every batch how far it is", () => {
    const steps: string[] = [];
    predict(pair(), [some([7, 3]), some([7, 3])], {
      batchSize: 3,
      onProgress: (done, total) => steps.push(`${done}/${total}`),
    });
    assert.deepEqual(steps, ["3/7", "6/7", "7/7"]);
  });

  it("gives back the memory that it took", () => {
    const model = pair();
    const inputs = [some([7, 3]), some([7, 3])];
    predict(model, inputs, { batchSize: 2 });
    const used = sharedHeap().used;
    predict(model, inputs, { batchSize: 2 });
    assert.equal(sharedHeap().used, used);
  });

  it("refuses inputs that are no array of tensors, and says what came", () => {
    const refused: readonly (readonly [given: unknown, received: string])[] = [
      [some([2, 3]), "one tensor"],
      [undefined, "nothing"],
      [[some([2, 3]), null], "an array that holds null"],
      [[new Float32Array(6), some([2, 3])], "an array that holds an object of class Float32Array"],
      [
        [some([2, 3]), ndarray(new Uint8Array(6), [2, 3])],
        "an array that holds an ndarray of an object of class Uint8Array",
      ],
    ];
    for (const [given, received] of refused) {
      assert.throws(
        () => predict(pair(), given as readonly Tensor[]),
        (error: Error) => {
          assert.equal(error.name, "TypeError");
          return error.message.startsWith(`predict: \`inputs\` must be an array of tensors. Received ${received}`);
        },
      );
    }
  });

  it("refuses a batch size below 1, inputs of another shape, and uneven numbers of samples", () => {
    const x = some([2, 3]);
    for (const batchSize of [0, 1.5, Number.NaN]) {
      assert.throws(() => predict(pair(), [x, x], { batchSize }), {
        name: "RangeError",
        message: `predict: \`batchSize\` must be a whole number of at least 1. Received ${batchSize}.`,
      });
    }
    assert.throws(() => predict(pair(), [x, some([2, 4])]), {
      name: "RangeError",
      message: "predict: inputs must have the shape [null, 3], [null, 3]. Received [2, 3], [2, 4].",
    });
    assert.throws(() => predict(pair(), []), {
      name: "RangeError",
      message: "predict: inputs must have the shape [null, 3], [null, 3]. Received no input.",
    });
    assert.throws(() => predict(pair(), [x, some([4, 3])]), {
      name: "RangeError",
      message: "predict: all inputs must have the same number of samples. Received 2, 4.",
    });
  });

  it("runs a model whose batch is fixed batch by batch, and refuses one of another size", () => {
    const of = (batchSize?: number): Model => {
      const x = input({ shape: [3], batchSize, name: "x" });
      return new Model({ inputs: x, outputs: new Dense({ units: 2, name: "dense" }).apply(x), seed: 4 });
    };
    const x = some([6, 3]);
    const [expected] = predict(of(), [x]);
    const fixed = of(2);
    assertSameBits(predict(fixed, [x])[0], expected);
    assertSameBits(predict(fixed, [x], { batchSize: 2 })[0], expected);
    const predictor = createPredictor(fixed);
    assertSameBits(predictor.predict([x])[0], expected);
    predictor.close();
    const message = (received: string): object => ({
      name: "RangeError",
      message: `Model \`functional\`: inputs must have the shape [2, 3]. Received [${received}].`,
    });
    assert.throws(() => predict(fixed, [x], { batchSize: 3 }), message("3, 3"));
    assert.throws(() => predict(fixed, [some([5, 3])]), message("1, 3"));
    assert.throws(() => predict(fixed, [some([6, 4])]), {
      name: "RangeError",
      message: "predict: inputs must have the shape [null, 3]. Received [6, 4].",
    });
  });

  it("refuses a model whose outputs are not one row a sample", () => {
    const x = input({ shape: [3], batchSize: 2, name: "x" });
    const model = new Model({ inputs: x, outputs: new Concatenate({ axis: 0, name: "twice" }).apply([x, x]) });
    assert.throws(() => predict(model, [some([2, 3])]), {
      name: "RangeError",
      message: "predict: every output must have one row for each of 2 samples. Received shape [4, 3] of `twice`.",
    });
  });
});

describe("createPredictor", () => {
  const model = resnetV1(8, { seed: 2 });
  const x = some([4, 32, 32, 3]);

  it("gives the bits of predict, call after call, with any number of threads and both ways to sum", () => {
    for (const accumulate of ["float64", "float32"] as const) {
      for (const threads of [1, 2]) {
        const execution = createExecution({ accumulate, threads });
        const predictor = createPredictor(model, { execution, batchSize: 3 });
        try {
          const [expected] = predict(model, [x], { execution: { ...execution, kernel: "scalar" } });
          for (let call = 0; call < 2; call++) assertSameBits(predictor.predict([x])[0], expected);
        } finally {
          predictor.close();
          execution.close();
        }
      }
    }
  });

  it("keeps packed kernels, and the memory of a batch that came twice, until it is closed, and gives them back then", () => {
    const used = sharedHeap().used;
    const predictor = createPredictor(model);
    predictor.predict([x]);
    const packed = sharedHeap().used - used;
    predictor.predict([x]);
    const kept = sharedHeap().used - used;
    predictor.predict([x]);
    assert.equal(sharedHeap().used - used, kept);
    assert.ok(0 < packed && packed < kept, `${packed} and ${kept} bytes`);
    predictor.close();
    assert.equal(sharedHeap().used, used);
  });

  it("works out once what there is to do for batches of a size that comes again, and gives the bits of predict for any", (test) => {
    const infer = test.mock.method(model, "infer");
    const { used } = sharedHeap();
    const predictor = createPredictor(model, { batchSize: 3 });
    const sizes: readonly (readonly [samples: number, passes: number])[] = [
      [3, 1],
      [3, 2], // kept
      [3, 2],
      [1, 3],
      [3, 3],
      [4, 4], // of three, and of one
      [4, 5],
      [2, 6],
      [2, 7], // kept instead
      [2, 7],
      [3, 8],
      [6, 9], // kept again
      [6, 9],
    ];
    for (const [i, [samples, passes]] of sizes.entries()) {
      const images = generate(
        [samples, 32, 32, 3],
        "float32",
        (n, h, w, c) => (((n + i) * 31 + h * 7 + w * c) % 64) / 64,
      );
      const before = infer.mock.callCount();
      const [y] = predictor.predict([images]);
      const count = infer.mock.callCount();
      assertSameBits(y, predict(model, [images], { batchSize: 7 })[0]);
      assert.ok(count - before <= 2);
      assert.equal(count - i, passes, `${samples} samples`); // each comparison was a pass as well
    }
    predictor.close();
    assert.equal(sharedHeap().used, used);
  });

  it("takes images of any sizes in turn where a model leaves them open, and batches of none", () => {
    const image = input({ shape: [null, null, 4], name: "image" });
    const y = new Conv2D({ filters: 8, kernelSize: 3, padding: "same", activation: "relu" }).apply(image);
    const open = new Model({ inputs: image, outputs: new GlobalAveragePooling2D().apply(y), seed: 6 });
    const predictor = createPredictor(open);
    const shapes = [...[5, 5, 5, 6].map((height) => [2, height, 7, 4]), [2, 7, 6, 4], [0, 5, 7, 4], [0, 5, 7, 4]];
    for (const shape of [...shapes, ...shapes]) {
      assertSameBits(predictor.predict([some(shape)])[0], predict(open, [some(shape)])[0], String(shape));
    }
    predictor.close();
  });

  it("predicts with the weights as they are then, once it is closed, as does the next one", () => {
    const changed = resnetV1(8, { seed: 3 });
    const predictor = createPredictor(changed);
    const [before] = predictor.predict([x]);
    predictor.close();
    for (let call = 0; call < 3; call++) predictor.predict([x]);
    const next = createPredictor(changed);
    for (const weight of changed.weights) if (weight.name === "moving_variance") weight.value.data.fill(4);
    const [expected] = predict(changed, [x]);
    assert.notDeepEqual(expected.data, before.data);
    assertSameBits(predictor.predict([x])[0], expected);
    assertSameBits(next.predict([x])[0], expected);
    next.close();
  });

  it("compares the kernels again while it runs the same jobs again, and takes the scalar path where they are given up", () => {
    const modules = {
      ...LOSING_MODULES,
      "index.js": ["createPredictor", "resnetV1", "tensor"],
      "models/kept-pass.js": ["KeptPass"],
    };
    const program = `
      const model = resnetV1(8, { seed: 2 });
      let passes = 0;
      const infer = model.infer.bind(model);
      model.infer = (...args) => (passes++, infer(...args));
      const x = tensor(Float32Array.from({ length: 2 * 3072 }, (_, i) => (i % 251) / 251), [2, 32, 32, 3]);
      const predictor = createPredictor(model);
      const outputs = new Set();
      const predict = (times) => {
        for (let i = 0; i < times; i++) outputs.add(Buffer.from(predictor.predict([x])[0].data.buffer).toString("hex"));
        console.log(passes, outputs.size, simdModule() !== undefined);
      };
      predict(5);
      ${LOSE_A_KERNEL} // no inference uses it
      predict(30);
      predict(1);
      console.log(KeptPass.suits(model, { accumulate: "float64", kernel: "simd", pool: undefined }));`;
    const { stdout, stderr } = runProgram(modules, program);
    const [kept, givenUp, scalar, suits] = stdout.split("\n");
    assert.equal(kept, "2 1 true", stderr);
    const passes = Number(givenUp.split(" ")[0]);
    assert.ok(passes > 2 && passes < 32, givenUp);
    assert.equal(givenUp, `${passes} 1 false`);
    assert.equal(scalar, `${passes + 1} 1 false`);
    assert.equal(suits, "false");
    assert.match(stderr, /the bits that they must: .*The scalar path is taken from now on/);
  });

  it("refuses what predict refuses", () => {
    assert.throws(() => createPredictor(model, { batchSize: 0 }).predict([x]), {
      name: "RangeError",
      message: "predict: `batchSize` must be a whole number of at least 1. Received 0.",
    });
  });
});
