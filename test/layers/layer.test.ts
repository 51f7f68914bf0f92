import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Activation } from "../../src/layers/activation.js";
import { Add } from "../../src/layers/add.js";
import { axisFromLast, axisToLast, resolveAxis } from "../../src/layers/axis.js";
import { BatchNormalization } from "../../src/layers/batch-normalization.js";
import { Concatenate } from "../../src/layers/concatenate.js";
import { Conv2D } from "../../src/layers/conv2d.js";
import { Dense, type DenseOptions } from "../../src/layers/dense.js";
import { DepthwiseConv2D } from "../../src/layers/depthwise-conv2d.js";
import { Dropout } from "../../src/layers/dropout.js";
import { Flatten } from "../../src/layers/flatten.js";
import { GlobalMaxPooling2D } from "../../src/layers/global-max-pooling2d.js";
import { InputLayer, input } from "../../src/layers/input-layer.js";
import { inference, type SymbolicTensor } from "../../src/layers/layer.js";
import { LeakyReLU } from "../../src/layers/leaky-relu.js";
import { MaxPooling2D } from "../../src/layers/max-pooling2d.js";
import { layerFromConfig } from "../../src/layers/registry.js";
import { Rescaling } from "../../src/layers/rescaling.js";
import { Reshape } from "../../src/layers/reshape.js";
import { ReLU } from "../../src/layers/relu.js";
import { Softmax } from "../../src/layers/softmax.js";
import { Variable } from "../../src/layers/variable.js";
import { windowOutput } from "../../src/layers/window-shape.js";
import { ZeroPadding2D } from "../../src/layers/zero-padding2d.js";
import { ones } from "../../src/initializers/initializers.js";
import { initializerFromConfig } from "../../src/initializers/initializer.js";
import { l1, l1l2, l2, type Regularizer } from "../../src/regularizers/regularizer.js";
import { tensorOf } from "../../src/tensor/tensor.js";
import { assertGradients, assertRoundTrip } from "../support/layers.js";
import { assertSameBits, generate, stridedView } from "../support/tensors.js";

describe("Layer", () => {
  it("is called by its class until it has a name, and keeps the first name that it gets", () => {
    const layer = new ReLU();
    assert.deepEqual([layer.name, layer.givenName], ["ReLU", undefined]);
    layer.name = "re_lu";
    layer.name = "another";
    assert.deepEqual([layer.name, layer.givenName], ["re_lu", "re_lu"]);
  });

  it("makes its weights when it is first applied, and shares them between applications", () => {
    const layer = new Dense({ units: 2 });
    assert.deepEqual(layer.weights, []);
    const first = layer.apply(input({ shape: [3] }));
    const { weights } = layer;
    const second = layer.apply(input({ shape: [5, 3] }));
    assert.equal(layer.weights, weights);
    assert.deepEqual([first.node.index, second.node.index, layer.nodes.length], [0, 1, 2]);
    assert.deepEqual(
      [first.shape, second.shape],
      [
        [null, 2],
        [null, 5, 2],
      ],
    );
    assert.equal(second.node.output, second);
  });

  it("knows what it is applied to", () => {
    const [a, b] = [input({ shape: [3] }), input({ shape: [3] })];
    const sum = new Add().apply([a, b]);
    assert.deepEqual(sum.node.inputs, [a, b]);
    assert.ok(a.node.layer instanceof InputLayer);
  });

  it("has trainable weights only while it is trainable, and never its moving statistics", () => {
    const layer = new BatchNormalization();
    layer.apply(input({ shape: [3] }));
    assert.deepEqual(
      layer.trainableWeights.map(({ name }) => name),
      ["gamma", "beta"],
    );
    layer.trainable = false;
    assert.deepEqual(layer.trainableWeights, []);
    assert.equal(layer.getConfig()["trainable"], false);
  });

  it("writes what all layers share as Keras does, and reads it as Keras 3 and Keras 2 write it", () => {
    const config = assertRoundTrip(new ReLU({ name: "a", trainable: false, dtype: "float64" }));
    assert.deepEqual([config["name"], config["trainable"]], ["a", false]);
    assert.deepEqual(config["dtype"], {
      module: "keras",
      class_name: "DTypePolicy",
      config: { name: "float64" },
      registered_name: null,
    });
    assert.equal(layerFromConfig("ReLU", { dtype: "float64" }).dtype, "float64");
    assert.equal(layerFromConfig("ReLU", {}).dtype, "float32");
    assert.throws(() => layerFromConfig("ReLU", { dtype: "float16" }), {
      name: "TypeError",
      message: 'ReLU: `dtype` must be float32 or float64. Received "float16".',
    });
    assert.throws(() => layerFromConfig("ReLU", { name: 3 }), {
      name: "TypeError",
      message: "ReLU: `name` must be a string. Received 3.",
    });
    assert.throws(() => layerFromConfig("ReLU", { trainable: "yes" }), {
      name: "TypeError",
      message: 'ReLU: `trainable` must be true or false. Received "yes".',
    });
  });
});

describe("the constructor of a layer", () => {
  const options = (wrong: object): DenseOptions => ({ units: 2, ...wrong });

  it("refuses options of another type than it says, as a configuration is refused", () => {
    for (const [wrong, message] of [
      [{ dtype: "float16" }, 'Dense: `dtype` must be float32 or float64. Received "float16".'],
      [{ name: 5 }, "Dense: `name` must be a string. Received 5."],
      [{ trainable: "no" }, 'Dense: `trainable` must be true or false. Received "no".'],
      [{ useBias: "no" }, 'Dense: `useBias` must be true or false. Received "no".'],
    ] as const) {
      assert.throws(() => new Dense(options(wrong)), { name: "TypeError", message });
    }
    assert.throws(() => new GlobalMaxPooling2D({ keepdims: 1 } as object), {
      name: "TypeError",
      message: "GlobalMaxPooling2D: `keepdims` must be true or false. Received 1.",
    });
    assert.throws(() => new Dropout({ rate: 0.5, seed: "a" as unknown as number }), {
      name: "TypeError",
      message: 'Dropout: `seed` must be a finite number. Received "a".',
    });
  });

  it("takes a regularizer by Keras's name, with Keras's factor", () => {
    const layer = new Dense(options({ kernelRegularizer: "l2", biasRegularizer: "L1" }));
    layer.apply(input({ shape: [3] }));
    assert.deepEqual(
      layer.weights.map(({ regularizer }) => regularizer),
      [l2(0.01), l1(0.01)],
    );
    assertRoundTrip(layer);
    const norm = new BatchNormalization({ gammaRegularizer: "l1_l2", betaRegularizer: l2(0.5) });
    norm.apply(input({ shape: [3] }));
    assert.deepEqual(
      norm.weights.map(({ regularizer }) => regularizer),
      [l1l2(0.01, 0.01), l2(0.5), undefined, undefined],
    );
  });

  it("refuses what is no regularizer", () => {
    const noClass = { l2: 0.1 } as Regularizer;
    assert.throws(() => new Dense(options({ kernelRegularizer: noClass })), {
      name: "TypeError",
      message: 'Dense: `kernelRegularizer` must be made by l1, l2 or l1l2, or be named. Received {"l2":0.1}.',
    });
    assert.throws(() => new BatchNormalization({ betaRegularizer: noClass }), {
      message: /^BatchNormalization: `betaRegularizer` must be made by/,
    });
    assert.throws(() => new BatchNormalization({ gammaRegularizer: "l3" }), {
      name: "TypeError",
      message: 'BatchNormalization: `gammaRegularizer` must be one of L1, L2, L1L2. Received "l3".',
    });
    const half = { className: "L2", l2: 0.1 } as Regularizer;
    assert.throws(() => new DepthwiseConv2D({ kernelSize: 2, depthwiseRegularizer: half }), {
      name: "RangeError",
      message:
        "DepthwiseConv2D: `depthwiseRegularizer`: `l1` must be a finite number of at least 0. Received undefined.",
    });
    assert.throws(() => new Dense(options({ biasRegularizer: { className: "L2", l1: 0, l2: Number.NaN } })), {
      name: "RangeError",
      message: "Dense: `biasRegularizer`: `l2` must be a finite number of at least 0. Received NaN.",
    });
  });

  it("takes options that are undefined for those that are not there", () => {
    const layer = new Dense(options({ name: undefined, trainable: undefined, dtype: undefined, useBias: undefined }));
    assert.deepEqual([layer.givenName, layer.trainable, layer.dtype], [undefined, true, "float32"]);
    assert.equal(layer.getConfig()["use_bias"], true);
  });
});

describe("a layer", () => {
  const x = input({ shape: [3] });

  it("refuses to be applied to anything but symbolic tensors", () => {
    for (const [given, received] of [
      [tensorOf([1, 2], [1, 2]), "a tensor with numbers"],
      [[x, tensorOf([1, 2], [1, 2])], "a tensor with numbers"],
      [undefined, "nothing"],
      [[null], "null"],
      [new Add(), "another object"],
    ] as const) {
      assert.throws(() => new Add().apply(given as unknown as SymbolicTensor), {
        name: "TypeError",
        message:
          "Add: must be applied to one symbolic tensor or an array of them, as `input()` gives. " +
          `Received ${received}.`,
      });
    }
  });

  it("refuses to be applied again to inputs that its weights do not fit", () => {
    const image = (channels: number): SymbolicTensor => input({ shape: [5, 6, channels] });
    for (const [layer, weight] of [
      [new Dense({ units: 2 }), "`kernel` has the shape [3, 2]"],
      [new Conv2D({ filters: 4, kernelSize: 2 }), "`kernel` has the shape [2, 2, 3, 4]"],
      [new DepthwiseConv2D({ kernelSize: 2 }), "`kernel` has the shape [2, 2, 3, 1]"],
      [new BatchNormalization(), "`gamma` has the shape [3]"],
    ] as const) {
      layer.apply(image(3));
      layer.apply(input({ shape: [9, 7, 3] }));
      assert.throws(() => layer.apply(image(8)), {
        name: "RangeError",
        message:
          `${layer.className}: must be applied to inputs for which its ${weight} that it had at first. ` +
          "Received [null, 5, 6, 8].",
      });
      assert.equal(layer.nodes.length, 2);
    }
  });

  it("refuses to be called before it has weights", () => {
    for (const layer of [new Dense({ units: 2 }), new BatchNormalization()]) {
      assert.throws(() => layer.call([tensorOf([1, 2], [1, 2])], inference), {
        name: "RangeError",
        message:
          `${layer.className}: must be applied to a symbolic tensor, which makes its weights, before it is called. ` +
          "Received a call before that.",
      });
    }
  });

  it("says which option it misses when it is given none", () => {
    const construct = (layer: unknown): unknown => new (layer as new () => unknown)();
    for (const [layer, message] of [
      [Dense, "Dense: `units` must be a whole number of at least 1. Received nothing."],
      [Conv2D, "Conv2D: `filters` must be a whole number of at least 1. Received nothing."],
      [
        DepthwiseConv2D,
        "DepthwiseConv2D: `kernelSize` must be one or two whole numbers of at least 1. Received nothing.",
      ],
      [Dropout, "Dropout: `rate` must be a finite number. Received nothing."],
      [
        Activation,
        'Activation: `activation` must be one of "linear", "relu", "relu6", "leaky_relu", "sigmoid", "tanh", "softmax". ' +
          "Received nothing.",
      ],
      [Rescaling, "Rescaling: `scale` must be a finite number. Received nothing."],
      [Reshape, "Reshape: `targetShape` must be a list of whole numbers. Received nothing."],
    ] as const) {
      assert.throws(() => construct(layer), { name: "TypeError", message });
    }
  });

  it("refuses an option that is none of its class, such as one under its name in Python", () => {
    type Constructor = new (options: object) => unknown;
    for (const [layer, options, received, own] of [
      [Dense, { units: 2, use_bias: false }, "use_bias", "units, activation"],
      [Conv2D, { filters: 2, kernelSize: 3, stride: 2 }, "stride", "filters, kernelSize"],
      [DepthwiseConv2D, { kernelSize: 3, kernelInitializer: "ones" }, "kernelInitializer", "kernelSize, strides"],
      [MaxPooling2D, { pool_size: 3 }, "pool_size", "poolSize, strides"],
      [GlobalMaxPooling2D, { keepDims: true }, "keepDims", "keepdims, name"],
      [BatchNormalization, { epsilo: 1e-5 }, "epsilo", "axis, momentum"],
      [ReLU, { max: 6 }, "max", "maxValue, negativeSlope"],
      [LeakyReLU, { alpha: 0.1 }, "alpha", "negativeSlope, name"],
      [Dropout, { rate: 0.5, noiseShape: [1] }, "noiseShape", "rate, seed"],
      [Softmax, { axes: 1 }, "axes", "axis, name"],
      [Concatenate, { dim: 1 }, "dim", "axis, name"],
      [Rescaling, { scale: 1, offsets: 2 }, "offsets", "scale, offset"],
      [Reshape, { targetShape: [1], shape: [1] }, "shape", "targetShape, name"],
      [ZeroPadding2D, { pad: 1 }, "pad", "padding, name"],
      [Activation, { activation: "relu", slope: 1 }, "slope", "activation, name"],
      [Add, { axis: 1 }, "axis", "name, trainable"],
      [Flatten, { data_format: "channels_last" }, "data_format", "name, trainable"],
      [InputLayer, { shape: [1], batch: 2 }, "batch", "shape, batchSize, name"],
    ] as const) {
      assert.throws(() => new (layer as Constructor)(options), {
        name: "TypeError",
        message: new RegExp(`^${layer.name}: its options must be among ${own}.*\\. Received \`${received}\`\\.$`),
      });
    }
  });

  it("refuses an input whose shape is no array", () => {
    for (const [shape, received] of [
      [undefined, "nothing"],
      [32, "32"],
    ] as const) {
      assert.throws(() => input({ shape: shape as unknown as number[] }), {
        name: "TypeError",
        message:
          "InputLayer: `shape` must be an array of dimensions without the batch, such as [32, 32, 3]. " +
          `Received shape=${received}.`,
      });
    }
  });
});

describe("layerFromConfig", () => {
  it("refuses a class that is not implemented, naming class and layer", () => {
    for (const className of ["LSTM", "toString", "__proto__"]) {
      assert.throws(() => layerFromConfig(className, { name: "lstm_1" }), {
        name: "RangeError",
        message: `model: every layer must be of a class that this project implements. Received \`${className}\` (layer \`lstm_1\`).`,
      });
    }
    assert.throws(() => layerFromConfig("LSTM", {}), /Received `LSTM` \(layer `nothing`\)\.$/);
  });
});

describe("InputLayer", () => {
  it("passes on what it is given, and its gradient", () => {
    const x = tensorOf([1, 2], [1, 2]);
    const pass = new InputLayer({ shape: [2] }).call([x], inference);
    assert.equal(pass.y, x);
    assertGradients(pass, x, [x]);
  });

  it("has a shape with an open batch, or a fixed one, and keeps its configuration", () => {
    assert.deepEqual(input({ shape: [null, 3] }).shape, [null, null, 3]);
    assert.deepEqual(input({ shape: [3], batchSize: 4 }).shape, [4, 3]);
    assert.deepEqual(assertRoundTrip(new InputLayer({ shape: [8, 3], name: "image" })), {
      batch_shape: [null, 8, 3],
      dtype: "float32",
      sparse: false,
      ragged: false,
      name: "image",
    });
  });

  it("reads `batch_input_shape` of Keras 2", () => {
    const layer = InputLayer.fromConfig({ batch_input_shape: [2, 8, null], dtype: "float64" });
    assert.deepEqual([layer.batchShape, layer.dtype], [[2, 8, null], "float64"]);
  });

  it("refuses shapes that are none", () => {
    assert.throws(() => input({ shape: [0, 3] }), {
      name: "RangeError",
      message:
        "InputLayer: every dimension of `shape` must be null or a whole number of at least 1. " +
        "Received shape=[0,3], batchSize=null.",
    });
    assert.throws(() => InputLayer.fromConfig({ batch_shape: [] }), {
      name: "TypeError",
      message:
        "InputLayer: `batch_shape` must be a list of dimensions, each null or a whole number of at least 1. Received [].",
    });
    assert.throws(() => InputLayer.fromConfig({ batch_shape: [null, 3], sparse: true }), {
      name: "TypeError",
      message: "InputLayer: `sparse` must be false. Received true.",
    });
  });
});

describe("Variable", () => {
  const spec = { name: "kernel", shape: [2, 3], initializer: initializerFromConfig("he_normal") };

  it("is first filled by its initializer, from its seed, its owner and its name", () => {
    const values = (change: { seed?: number; owner?: string; name?: string }): string => {
      const variable = new Variable({ ...spec, name: change.name ?? spec.name }, "float32");
      variable.seed = change.seed ?? 1;
      variable.owner = change.owner ?? "conv2d";
      return variable.value.data.join();
    };
    assert.equal(values({}), values({}));
    assert.equal(
      new Set([values({}), values({ seed: 2 }), values({ owner: "dense" }), values({ name: "bias" })]).size,
      4,
    );
    assertSameBits(
      new Variable({ ...spec, initializer: ones() }, "float64").value,
      generate([2, 3], "float64", () => 1),
    );
  });

  it("takes new values in place, rounded to its element type, from any strides", () => {
    const variable = new Variable(spec, "float32");
    const { value } = variable;
    const copy = variable.read();
    const x = generate([2, 3], "float64", (i, j) => i + j / 10);
    variable.assign(stridedView(x));
    assertSameBits(
      value,
      generate([2, 3], "float32", (i, j) => i + j / 10),
    );
    assert.notDeepEqual(copy.data, value.data);
    assert.equal(variable.size, 6);
  });

  it("refuses values of another shape, naming itself", () => {
    const variable = new Variable(spec, "float32");
    variable.owner = "conv2d_1";
    assert.throws(() => variable.assign(tensorOf([1, 2, 3, 4, 5, 6], [3, 2])), {
      name: "RangeError",
      message: "conv2d_1/kernel: a new value must have shape [2, 3]. Received shape [3, 2].",
    });
  });
});

describe("axes", () => {
  it("count from the front, or from the back where negative", () => {
    assert.deepEqual(
      [-3, -1, 0, 2].map((axis) => resolveAxis("Softmax", axis, [4, 5, 6])),
      [0, 2, 0, 2],
    );
    for (const axis of [3, -4, 0.5, -1.5, Number.NaN]) {
      assert.throws(() => resolveAxis("Softmax", axis, [4, 5, 6]), {
        name: "RangeError",
        message: `Softmax: \`axis\` must be a whole number between -3 and 2 for an input of shape [4, 5, 6]. Received axis=${axis}.`,
      });
    }
  });

  it("move to the last place and back", () => {
    const x = generate([2, 3, 4, 5], "float32", (a, b, c, d) => 1000 * a + 100 * b + 10 * c + d);
    for (const axis of [0, 1, 2, 3]) {
      const moved = axisToLast(x, axis);
      assert.equal(moved.shape[3], x.shape[axis]);
      assertSameBits(axisFromLast(moved, axis), x);
    }
    assertSameBits(
      axisToLast(x, 1),
      generate([2, 4, 5, 3], "float32", (a, c, d, b) => 1000 * a + 100 * b + 10 * c + d),
    );
  });
});

describe("windowOutput", () => {
  it("keeps an open height or width open, and infers the other", () => {
    const sliding = { windowSize: [3, 2], strides: [1, 2], padding: "valid" } as const;
    assert.deepEqual(windowOutput([null, 7, 8, 1], sliding), [5, 4]);
    assert.deepEqual(windowOutput([null, null, 8, 1], sliding), [null, 4]);
    assert.deepEqual(windowOutput([null, 7, null, 1], { ...sliding, dilationRate: [3, 1] }), [1, null]);
    assert.deepEqual(windowOutput([null, 7, 9, 1], { ...sliding, padding: "same" }), [7, 5]);
  });
});
