import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Variable } from "../../src/layers/variable.js";
import { Adam, adamState, adamStep } from "../../src/optimizers/adam.js";
import { AdamW } from "../../src/optimizers/adamw.js";
import { optimizerFromConfig, serializeOptimizer } from "../../src/optimizers/from-config.js";
import type { Optimizer } from "../../src/optimizers/optimizer.js";
import { SGD, sgdStep } from "../../src/optimizers/sgd.js";
import type { DType } from "../../src/tensor/dtype.js";
import { Arena } from "../../src/tensor/arena.js";
import { sharedHeap } from "../../src/tensor/heap.js";
import { cast, tensorOf, zeros } from "../../src/tensor/tensor.js";
import { assertClose, GRADIENTS, START } from "../support/steps.js";

/** The weight [0.5, -1.25, 2] of a layer `dense`. */
function weightOf(dtype: DType): Variable {
  const weight = new Variable({ name: "kernel", shape: [3], initializer: { className: "Zeros", config: {} } }, dtype);
  weight.owner = "dense";
  weight.assign(START);
  return weight;
}

/** The weight after three steps. */
function trained(optimizer: Optimizer, dtype: DType): Variable {
  const weight = weightOf(dtype);
  for (const gradient of GRADIENTS) optimizer.applyGradients([weight], [cast(gradient, dtype)]);
  return weight;
}

/** Three steps of Keras 3.15.1 with TensorFlow, `optimizer.apply`, in float64. */
const RUNS: readonly (readonly [string, () => Optimizer, readonly number[]])[] = [
  ["Adam", () => new Adam({ learningRate: 0.01 }), [0.47824372606564564, -1.2367228502739689, 1.993609560919919]],
  [
    "Adam with amsgrad",
    () => new Adam({ learningRate: 0.01, beta2: 0.5, amsgrad: true }),
    [0.47945222367374946, -1.2368846334481653, 1.9950732811629217],
  ],
  [
    "Adam with weight decay",
    () => new Adam({ learningRate: 0.01, weightDecay: 0.1 }),
    [0.47677439246865155, -1.2329992522350137, 1.9876155613169406],
  ],
  ["AdamW", () => new AdamW({ learningRate: 0.01 }), [0.47818489552380244, -1.2365737627814701, 1.9933695706078527]],
  ["SGD", () => new SGD({ learningRate: 0.1 }), [0.4799999997019768, -1.199999999254942, 1.6999999954296516]],
  [
    "SGD with momentum",
    () => new SGD({ learningRate: 0.1, momentum: 0.9 }),
    [0.43590000042766336, -0.948000006467104, 1.6999999953396516],
  ],
  [
    "SGD with Nesterov momentum",
    () => new SGD({ learningRate: 0.1, momentum: 0.9, nesterov: true }),
    [0.4223100016151369, -0.9282000122755765, 1.4299999983878955],
  ],
  [
    "SGD with weight decay",
    () => new SGD({ learningRate: 0.1, momentum: 0.5, weightDecay: 0.02 }),
    [0.4546159553897827, -1.0933141878264423, 1.6880239794689014],
  ],
];

/** Twenty roundings of float32 in three steps, of numbers of about 2. */
const FLOAT32_STEPS = 20 * 2 ** -24;

/** float32 of 1 - beta2^t: off by 2^-25 / 0.001 of itself, its root by half of that, in three steps of at most 0.01. */
const BETA_IN_FLOAT32 = (3 * 0.01 * 2 ** -26) / 0.001;

describe("Optimizer", () => {
  for (const [name, make, expected] of RUNS) {
    it(`takes the steps of Keras 3.15.1 as ${name}, with arguments rounded where Keras rounds them`, () => {
      assertClose(trained(make(), "float64").value, expected);
      assertClose(trained(make(), "float32").value, expected, FLOAT32_STEPS + BETA_IN_FLOAT32);
    });
  }

  it("keeps a learning rate of float32, which can be set between steps", () => {
    const optimizer = new SGD({ learningRate: 0.1 });
    assert.equal(optimizer.learningRate, Math.fround(0.1));
    optimizer.learningRate = 0.2;
    assert.equal(optimizer.learningRate, Math.fround(0.2));
    optimizer.learningRate = 0.5;
    const weight = weightOf("float64");
    optimizer.applyGradients([weight], [tensorOf([1, 2, 4], [3], "float64")]);
    assert.deepEqual([...weight.value.data], [0, -2.25, 0]);
    assert.equal(optimizer.iterations, 1);
  });

  it("lists its state in Keras's order and under its names, the greatest velocities last", () => {
    const optimizer = new Adam({ amsgrad: true });
    const bias = new Variable({ name: "bias", shape: [2], initializer: { className: "Zeros", config: {} } }, "float32");
    bias.owner = "dense";
    optimizer.build([weightOf("float32"), bias]);
    assert.deepEqual(
      optimizer.variables().map(({ name, dtype, shape }) => [name, dtype, shape]),
      [
        ["iteration", "int64", []],
        ["learning_rate", "float32", []],
        ["dense_kernel_momentum", "float32", [3]],
        ["dense_kernel_velocity", "float32", [3]],
        ["dense_bias_momentum", "float32", [2]],
        ["dense_bias_velocity", "float32", [2]],
        ["dense_kernel_velocity_hat", "float32", [3]],
        ["dense_bias_velocity_hat", "float32", [2]],
      ],
    );
  });

  for (const [name, make] of RUNS) {
    it(`continues to the same bits as ${name} after its state has moved to a new optimizer`, () => {
      const whole = trained(make(), "float32");
      const [first, second, third] = GRADIENTS.map((gradient) => cast(gradient, "float32"));
      const before = make();
      const weight = weightOf("float32");
      before.applyGradients([weight], [first]);
      before.applyGradients([weight], [second]);
      const after = make();
      after.build([weight]);
      const state = before.variables();
      for (const [i, variable] of after.variables().entries()) variable.assign(state[i].read());
      after.applyGradients([weight], [third]);
      assert.equal(after.iterations, 3);
      assert.deepEqual(weight.value.data, whole.value.data);
    });
  }

  it("is what Keras's configuration says, and writes it", () => {
    for (const [, make] of RUNS) {
      const serialized = serializeOptimizer(make());
      assert.deepEqual(serializeOptimizer(optimizerFromConfig(serialized)), serialized);
    }
    assert.deepEqual(serializeOptimizer(new Adam()), {
      module: "keras.optimizers",
      class_name: "Adam",
      config: {
        name: "adam",
        learning_rate: 0.0010000000474974513,
        weight_decay: null,
        clipnorm: null,
        global_clipnorm: null,
        clipvalue: null,
        use_ema: false,
        ema_momentum: 0.99,
        ema_overwrite_frequency: null,
        loss_scale_factor: null,
        gradient_accumulation_steps: null,
        beta_1: 0.9,
        beta_2: 0.999,
        epsilon: 1e-7,
        amsgrad: false,
      },
      registered_name: null,
    });
  });

  it("has Keras's name and arguments where none is given", () => {
    const [sgd, adamW] = [new SGD().getConfig(), new AdamW().getConfig()];
    assert.deepEqual(
      [sgd["name"], sgd["learning_rate"], sgd["weight_decay"], sgd["momentum"], sgd["nesterov"]],
      ["sgd", Math.fround(0.01), null, 0, false],
    );
    assert.deepEqual(
      [adamW["name"], adamW["learning_rate"], adamW["weight_decay"], adamW["epsilon"], adamW["amsgrad"]],
      ["adam_w", Math.fround(0.001), 0.004, 1e-7, false],
    );
    assert.equal(new SGD({ name: "mine" }).getConfig()["name"], "mine");
  });

  it("takes Keras's argument where a configuration leaves one out", () => {
    for (const optimizer of [new SGD(), new Adam(), new AdamW()]) {
      const read = optimizerFromConfig({ class_name: optimizer.className, config: {} });
      assert.deepEqual(read.getConfig(), optimizer.getConfig());
    }
  });

  it("refuses what is not implemented by its name", () => {
    const adam = (config: object) => () => optimizerFromConfig({ class_name: "Adam", config });
    const refusals: readonly (readonly [object, RegExp])[] = [
      [{ clipnorm: 1 }, /^Adam: `clipnorm` .* Received 1\.$/],
      [{ global_clipnorm: 1 }, /^Adam: `global_clipnorm` .* Received 1\.$/],
      [{ clipvalue: 0.5 }, /^Adam: `clipvalue` .* Received 0\.5\.$/],
      [{ use_ema: true }, /^Adam: `use_ema` .* Received true\.$/],
      [{ decay: 0.01 }, /^Adam: `decay` must be 0\. Received 0\.01\.$/],
      [{ loss_scale_factor: 2 }, /^Adam: `loss_scale_factor` .* Received 2\.$/],
      [{ gradient_accumulation_steps: 4 }, /^Adam: `gradient_accumulation_steps` .* Received 4\.$/],
      [
        { learning_rate: { class_name: "CosineDecay" } },
        /^Adam: `learning_rate` must be a number; schedules are callbacks here\. Received \{"class_name":"CosineDecay"\}\.$/,
      ],
    ];
    for (const [config, message] of refusals) assert.throws(adam(config), { name: "TypeError", message });
    assert.equal(adam({ decay: 0, jit_compile: true, is_legacy_optimizer: false })().className, "Adam"); // Keras 2's
    assert.throws(() => optimizerFromConfig({ class_name: "Lion", config: {} }), {
      name: "RangeError",
      message:
        'optimizer: must be one of Adam, AdamW, SGD with its config. Received {"class_name":"Lion","config":{}}.',
    });
  });

  it("changes no weight where there is no memory for all of its state", (test) => {
    const heap = sharedHeap();
    const allocate = heap.allocate.bind(heap);
    const arena = new Arena(); // where the gradients of a step are
    const gradients = arena.run(() => [zeros([9000], "float32"), zeros([9000], "float32")]);
    for (const gradient of gradients) gradient.data.fill(1);
    const failsAt = (allocation: number): boolean => {
      const weights = ["a", "b"].map(
        (name) => new Variable({ name, shape: [9000], initializer: { className: "Ones", config: {} } }, "float32"),
      );
      const areChanged = (): boolean => weights.some(({ value }) => value.data.some((number) => number !== 1));
      assert.equal(areChanged(), false);
      const optimizer = new Adam();
      let count = 0;
      const { mock } = test.mock.method(heap, "allocate", (bytes: number): number => {
        if (++count === allocation) throw new RangeError("heap: full");
        return allocate(bytes);
      });
      try {
        optimizer.applyGradients(weights, gradients);
      } catch {
        assert.equal(areChanged(), false, `${allocation}`);
        return true;
      } finally {
        mock.restore();
      }
      assert.equal(areChanged(), true);
      return false;
    };
    assert.equal(failsAt(Number.POSITIVE_INFINITY), false); // the kernels have been started then
    let failed = 0;
    while (failsAt(failed + 1)) failed++;
    assert.equal(failed, 4, "two slots of two weights");
    arena.reset();
  });

  it("refuses gradients, weights and state that do not fit, and has changed nothing then", () => {
    const weight = weightOf("float64");
    const optimizer = new SGD({ momentum: 0.5 });
    const one = tensorOf([1, 1, 1], [3], "float64");
    assert.throws(() => optimizer.applyGradients([weight], []), {
      name: "RangeError",
      message: "SGD: `gradients` must be one for each of 1 weights. Received 0.",
    });
    assert.throws(() => optimizer.applyGradients([weight], [tensorOf([1], [1])]), {
      name: "RangeError",
      message: "SGD: `gradient` must have the shape [3] of the weight. Received gradient.shape=[1].",
    });
    assert.equal(optimizer.iterations, 0);
    assert.deepEqual(weight.value.data, START.data);
    optimizer.applyGradients([weight], [one]);
    assert.throws(() => optimizer.applyGradients([weightOf("float64")], [one]), {
      name: "RangeError",
      message: "SGD: `weights` must be those that the optimizer was built for. Received 1 weights, not the same 1.",
    });
    const [iteration] = optimizer.variables();
    iteration.assign(tensorOf([0], []));
    assert.equal(optimizer.iterations, 0);
    assert.throws(() => iteration.assign(tensorOf([1.5], [])), {
      name: "RangeError",
      message: "SGD: `iteration` must be a whole number of at least 0. Received 1.5.",
    });
    assert.throws(() => iteration.assign(one), {
      name: "RangeError",
      message: "SGD: `iteration` must be one number. Received a tensor of shape [3].",
    });
    assert.throws(() => void (optimizer.learningRate = Number.NaN), {
      name: "RangeError",
      message: "SGD: `learningRate` must be a finite number of at least 0. Received learningRate=NaN.",
    });
  });
});

describe("The constructor of an optimizer", () => {
  it("refuses options that it does not have, as Keras's clipnorm, and takes undefined for none", () => {
    const adam = "learningRate, beta1, beta2, epsilon, amsgrad, weightDecay, name";
    const classes = [
      ["Adam", Adam, adam],
      ["AdamW", AdamW, adam],
      ["SGD", SGD, "learningRate, momentum, nesterov, weightDecay, name"],
    ] as const;
    for (const [name, Class, known] of classes) {
      const make = (options: object): unknown => new Class(options);
      for (const option of ["clipnorm", "learning_rate"]) {
        assert.throws(() => make({ [option]: 1 }), {
          name: "TypeError",
          message: `${name}: its options must be among ${known}. Received \`${option}\`.`,
        });
      }
      make({ learningRate: 0.5, clipnorm: undefined });
    }
  });

  it("refuses null and text where a number belongs: null would be a learning rate of 0", () => {
    const refusals: readonly (readonly [new (options: never) => Optimizer, object, string])[] = [
      [
        SGD,
        { learningRate: null },
        "`learningRate` must be a finite number of at least 0. Received learningRate=null.",
      ],
      [SGD, { weightDecay: "0.1" }, "`weightDecay` must be a finite number of at least 0. Received weightDecay=0.1."],
      [SGD, { momentum: null }, "`momentum` must be between 0 and 1. Received momentum=null."],
      [Adam, { epsilon: null }, "`epsilon` must be a finite number of at least 0. Received epsilon=null."],
      [Adam, { beta1: "0.9" }, "`beta1` must be at least 0 and below 1. Received beta1=0.9."],
    ];
    for (const [Class, options, message] of refusals) {
      assert.throws(() => Reflect.construct(Class, [options]), {
        name: "RangeError",
        message: `${Class.name}: ${message}`,
      });
    }
  });

  it("refuses the text false where a truth value belongs: it would be taken for true, and written to files as it is", () => {
    for (const [make, name] of [
      [(no: boolean) => new SGD({ momentum: 0.9, nesterov: no }), "SGD: `nesterov`"],
      [(no: boolean) => new Adam({ amsgrad: no }), "Adam: `amsgrad`"],
      [(no: boolean) => new AdamW({ amsgrad: no }), "AdamW: `amsgrad`"],
      [
        (no: boolean) =>
          sgdStep(zeros([1], "float32"), zeros([1], "float32"), { momentum: undefined }, { nesterov: no }),
        "SGD: `nesterov`",
      ],
      [
        (no: boolean) =>
          adamStep(zeros([1], "float32"), zeros([1], "float32"), adamState(zeros([1], "float32")), { amsgrad: no }),
        "Adam: `amsgrad`",
      ],
    ] as const) {
      make(false);
      assert.throws(() => make("false" as unknown as boolean), {
        name: "TypeError",
        message: `${name} must be true or false. Received "false".`,
      });
    }
  });

  it("refuses a beta that is 1 as the float32 with which steps correct the bias: nothing would be learned", () => {
    assert.throws(() => new Adam({ beta2: 1 - 2 ** -26 }), {
      name: "RangeError",
      message: "Adam: `beta2` must be at least 0 and below 1. Received beta2=1.",
    });
    assert.equal(new Adam({ beta2: 1 - 2 ** -24 }).getConfig()["beta_2"], 1 - 2 ** -24);
  });
});
