import assert from "node:assert/strict";
import { describe, it } from "node:test";
import ndarray from "ndarray";
import {
  Adam,
  AdamW,
  adamStep,
  adamState,
  type Batch,
  type BatchSource,
  batchSource,
  categoricalCrossentropyForward,
  checkpointFile,
  cosineSchedule,
  createPredictor,
  createTrainer,
  CSVLog,
  type Dataset,
  dataset,
  decodePredictions,
  Dense,
  EarlyStopping,
  evaluate,
  fit,
  inference,
  initializers,
  input,
  loadData,
  loadWeights,
  MaxPooling2D,
  meanSquaredErrorForward,
  Model,
  modelFromConfig,
  oneCycleSchedule,
  plotModel,
  predict,
  preprocessingFor,
  preprocessingLike,
  preprocessInput,
  readCheckpoint,
  readLoss,
  readModel,
  readNpy,
  readNpz,
  readTraining,
  ResNet50,
  ResNet101V2,
  resnetLayer,
  resnetV1,
  resnetV2,
  Sequential,
  SGD,
  serializeOptimizer,
  splitForValidation,
  subset,
  summary,
  tensorOf,
  trace,
  trainStep,
  weightsSha256,
  writeCheckpoint,
  writeModel,
  writeNpy,
  writeNpz,
} from "../src/index.js";
import {
  checkBackend,
  checkGradients,
  checkModelGradients,
  conforms,
  diagnose,
  FLOAT32,
  formatReport,
  judgeTensor,
  judgeTrace,
  mergeReports,
  minimalReproduction,
  operationNamed,
  withFlush,
} from "../src/oracle/main.js";

// What JavaScript lets one pass and TypeScript would not: names of options and kinds of arguments.

type Callable = (...given: never[]) => unknown;
type Newable = abstract new (...given: never[]) => unknown;

/** What `target` does with arguments that its types rule out. */
async function use(target: Callable | Newable, given: readonly unknown[]): Promise<unknown> {
  const isClass = /^class /.test(Function.prototype.toString.call(target));
  return isClass ? Reflect.construct(target, given) : Reflect.apply(target, undefined, given);
}

/** Holds that each use is refused with this message, by a TypeError if no other error is named. */
function refuse(
  title: string,
  uses: readonly (readonly [Callable | Newable, readonly unknown[], string, string?])[],
): void {
  it(title, async () => {
    for (const [target, given, message, name = "TypeError"] of uses) {
      await assert.rejects(use(target, given), { name, message });
    }
  });
}

const x = tensorOf([1, 2, 3, 4], [1, 4]);
const target = tensorOf([0, 1], [1, 2]);
const layers = [new Dense({ units: 2, activation: "softmax" })];
const model = new Sequential({ batchShape: [null, 4], layers });
const optimizer = new SGD({ learningRate: 0.5 });
const batch: Batch = { x, yTrue: target, labels: Int32Array.of(1) };
const source: BatchSource = {
  ...{ batchesPerEpoch: 1, samples: 1, classes: 2, batchSize: 1 },
  ...{ batch: () => batch, close: () => undefined },
};
const images: Dataset = {
  ...{ name: "two", images: Uint8Array.of(1, 2), shape: [2, 1, 1, 1], labels: Int32Array.of(0, 1) },
  classNames: ["a", "b"],
};
const split = { training: images, test: undefined };
const plain = { scale: 1, mean: undefined };
const conv2d = operationNamed("conv2d");
const operands = { x: tensorOf([1, 2, 3, 4], [1, 2, 2, 1]), kernel: tensorOf([2], [1, 1, 1, 1]) };
const backend = { name: "none", operations: { add: () => ({}) } };
const symbolic = input({ shape: [4] });

describe("options that there are not", () => {
  const cases: readonly (readonly [Callable | Newable, readonly unknown[], string])[] = [
    [resnetV1, [8], "num_classes"],
    [resnetV2, [11], "input_shape"],
    [resnetLayer, [symbolic], "num_filters"],
    [ResNet50, [], "weights"],
    [ResNet101V2, [], "include_top"],
    [Model, [], "dtype"],
    [Sequential, [], "batch_shape"],
    [modelFromConfig, [{}], "custom_objects"],
    [readModel, [new Uint8Array(0), "m.keras"], "compile"],
    [predict, [model, [x]], "batch_size"],
    [createPredictor, [model], "threads"],
    [trace, [model, [x]], "target"],
    [summary, [model], "line_length"],
    [writeModel, [model, "m.keras"], "overwrite"],
    [fit, [model, source], "validation_data"],
    [evaluate, [model, source], "batch_size"],
    [trainStep, [model, batch], "learningRate"],
    [createTrainer, [model], "step"],
    [batchSource, [images, plain], "batch_size"],
    [loadData, ["digits"], "validation_split"],
    [preprocessingFor, [images], "mean"],
    [checkpointFile, ["file"], "path"],
    [writeCheckpoint, [], "path"],
    [readCheckpoint, [new Uint8Array(0), "c.keras"], "path"],
    [cosineSchedule, [], "warmup"],
    [oneCycleSchedule, [], "max_lr"],
    [initializers.varianceScaling, [], "fan"],
    [AdamW, [], "learning_rate"],
    [judgeTrace, [model, [x], new Map()], "tolerance"],
    [checkBackend, [backend], "shards"],
    [checkGradients, [], "epsilon"],
    [checkModelGradients, [model, [x], target], "epsilon"],
  ];
  for (const [called, before, option] of cases) {
    it(`are refused by ${called.name}, and so are those that are no object`, async () => {
      const { name } = called;
      await assert.rejects(use(called, [...before, { [option]: 1 }]), {
        name: "TypeError",
        message: new RegExp(`^${name}: its options must be among \\w+(, \\w+)*\\. Received \`${option}\`\\.$`),
      });
      await assert.rejects(use(called, [...before, 3]), {
        name: "TypeError",
        message: new RegExp(`^${name}: its options must be an object of \\w+(, \\w+)*\\. Received 3\\.$`),
      });
    });
  }

  refuse("are refused where Keras takes a number or a name by its place", [
    [
      Adam,
      [1e-3],
      `Adam: its options must be an object of learningRate, beta1, beta2, epsilon, amsgrad, weightDecay, name. Received 0.001.`,
    ],
    [
      MaxPooling2D,
      [3],
      "MaxPooling2D: its options must be an object of poolSize, strides, padding, name, trainable, dtype. Received 3.",
    ],
    [input, [[4]], "InputLayer: its options must be an object of shape, batchSize, name, dtype. Received [4]."],
  ]);

  it("are refused of an application", () => {
    assert.throws(() => layers[0].apply(symbolic, JSON.parse('{ "trainable": false }')), {
      name: "TypeError",
      message: "Dense: `apply`: its options must be among training. Received `trainable`.",
    });
  });

  it("are refused of an augmentation", () => {
    assert.throws(() => batchSource(images, plain, { augmentation: JSON.parse('{ "horizontal_flip": true }') }), {
      name: "TypeError",
      message: /^augmentation: its options must be among rotationRange, .*\. Received `horizontal_flip`\.$/,
    });
  });
});

describe("models, where they are asked for", () => {
  const cases: readonly (readonly [Callable, readonly unknown[]])[] = [
    ...[summary, plotModel, weightsSha256, createPredictor, createTrainer].map((called) => [called, []] as const),
    ...[predict, trace].map((called) => [called, [[x]]] as const),
    ...[fit, evaluate].map((called) => [called, [source]] as const),
    [trainStep, [batch]],
    [writeModel, ["m.keras"]],
    [loadWeights, [new Uint8Array(0), "m.keras"]],
    [readTraining, [new Uint8Array(0), "m.keras"]],
    [judgeTrace, [[x], new Map()]],
    [checkModelGradients, [[x], target]],
  ];
  refuse(
    "are named where something else comes",
    cases.map(([called, after]) => {
      const message = `${called.name}: \`model\` must be a Model or a Sequential. Received "m.keras".`;
      return [called, ["m.keras", ...after], message];
    }),
  );
  refuse("are named where nothing, or what comes after them, is given", [
    [summary, [], "summary: `model` must be a Model or a Sequential. Received nothing."],
    [predict, [[x], model], "predict: `model` must be a Model or a Sequential. Received an array."],
  ]);
});

describe("tensors, where they are asked for", () => {
  const bytes = ndarray(new Uint8Array(4), [1, 4]);
  const inArrays = "must be an array of tensors. Received";
  const alone = "must be a tensor, as `tensorOf` gives. Received";
  const float32 = "an object of class Float32Array";
  refuse("are named where other arrays come", [
    [predict, [model, [[1, 2, 3, 4]]], `predict: \`inputs\` ${inArrays} an array that holds an array.`],
    [predict, [model, [x.data]], `predict: \`inputs\` ${inArrays} an array that holds ${float32}.`],
    [
      predict,
      [model, [bytes]],
      `predict: \`inputs\` ${inArrays} an array that holds an ndarray of an object of class Uint8Array.`,
    ],
    [trace, [model, [x], { targets: target }], `trace: \`targets\` ${inArrays} one tensor.`],
    [
      trainStep,
      [model, { ...batch, x: x.data }, { optimizer }],
      `trainStep: \`[batch.x, batch.yTrue]\` ${inArrays} an array that holds ${float32}.`,
    ],
    [judgeTrace, [model, x, new Map()], `judgeTrace: \`inputs\` ${inArrays} one tensor.`],
    [
      judgeTrace,
      [model, [x], new Map([["output/dense", x.data]])],
      `judgeTrace: \`output/dense\` ${alone} ${float32}.`,
    ],
    [(given: never) => model.weights[0].assign(given), [x.data], `dense/kernel: \`x\` ${alone} ${float32}.`],
    [
      (given: never) => model.forward(given, inference),
      [x],
      `Model \`sequential\`: \`inputs\` ${inArrays} one tensor.`,
    ],
    [judgeTensor, [[1]], `judgeTensor: \`candidate\` ${alone} an array.`],
    [decodePredictions, [[x]], `decodePredictions: \`predictions\` ${alone} an array.`],
    [
      preprocessInput,
      [new Uint8Array(3)],
      "preprocessInput: `x` must be a tensor. Received an object of class Uint8Array.",
    ],
    [categoricalCrossentropyForward, [[0, 1], target], `CategoricalCrossentropy: \`yTrue\` ${alone} an array.`],
    [meanSquaredErrorForward, [target, [0, 1]], `MeanSquaredError: \`yPred\` ${alone} an array.`],
    [adamStep, [x, x.data, adamState(x)], `Adam: \`gradient\` ${alone} ${float32}.`],
    [checkModelGradients, [model, [x], [target]], `checkModelGradients: \`targets\` ${alone} an array.`],
    [
      checkGradients,
      [{ inputs: x, forward: () => x, backward: () => ({}) }],
      `checkGradients: \`inputs.data\` ${alone} ${float32}.`,
    ],
  ]);
});

describe("files, where their bytes are asked for", () => {
  const readers: readonly (readonly [Callable, readonly unknown[]])[] = [
    ...[readModel, readLoss, readNpy, readNpz].map((read) => [read, []] as const),
    ...[loadWeights, readTraining].map((read) => [read, [model]] as const),
    [readCheckpoint, []],
  ];
  refuse(
    "are named where a path comes, or memory itself",
    readers.flatMap(([read, before]) => [
      [
        read,
        [...before, "m.keras"],
        `${read.name}: \`bytes\` must be a Uint8Array, the content of a file. Received "m.keras".`,
      ],
      [
        read,
        [...before, new ArrayBuffer(4)],
        `${read.name}: \`bytes\` must be a Uint8Array, the content of a file. Received an object of class ArrayBuffer.`,
      ],
    ]),
  );
  refuse("are not written of what would be written wrong, or not at all", [
    [
      writeNpy,
      [x.transpose(1, 0)],
      "writeNpy: `array` must be row-major, as `fromTensor` makes it. Received a tensor.",
    ],
    [serializeOptimizer, ["adam"], 'serializeOptimizer: `optimizer` must be one, as `new Adam()` is. Received "adam".'],
    [writeNpz, [{ x }], "writeNpz: `arrays` must be a Map of arrays by name. Received another object."],
    [
      writeModel,
      [model, "m.keras", { training: { optimizer: "adam" } }],
      'writeModel: `training`: `optimizer` must be one, as `new Adam()` is. Received "adam".',
    ],
  ]);
});

describe("data, where they are asked for", () => {
  const data = (called: Callable, received: string): string =>
    `${called.name}: \`data\` must be a data set, as \`training\` of what \`loadData\` gives. Received ${received}.`;
  refuse("are named where a split, a promise or nothing comes", [
    [batchSource, [split, plain], data(batchSource, "another object")],
    [batchSource, [loadData("digits"), plain], data(batchSource, "an object of class Promise")],
    [preprocessingFor, [split], data(preprocessingFor, "another object")],
    [preprocessingLike, [images, plain], data(preprocessingLike, "another object")],
    [subset, [split, [0]], data(subset, "another object")],
    [splitForValidation, [split, 0.1, 0], data(splitForValidation, "another object")],
    [dataset, [], data(dataset, "nothing")],
  ]);
  refuse("are refused with pixels, labels or indices in other arrays", [
    [
      dataset,
      [{ ...images, images: [1, 2] }],
      "dataset: `images` of two must be a Uint8Array, or a Float32Array of scaled ones. Received an array.",
    ],
    [dataset, [{ ...images, labels: [0, 1] }], "dataset: `labels` of two must be an Int32Array. Received an array."],
    [subset, [images, 1], "subset: `indices` must be an array. Received 1."],
  ]);
  refuse("are refused with options in the place of the preprocessing, a size that is one number, and no name", [
    [
      batchSource,
      [images, { batchSize: 2 }],
      "preprocessing: it must be { scale, mean }, as `preprocessingFor` gives. Received another object.",
    ],
    [
      loadData,
      ["digits", { imageSize: 32 }],
      "imageSize must be two whole numbers from 1 to 4096. Received 32.",
      "RangeError",
    ],
    [loadData, [], 'loadData: `spec` must be "digits" or a path. Received nothing.'],
  ]);
});

describe("a run", () => {
  const options = { epochs: 1, optimizer };
  const needsSource = "must be what `batchSource` gives. Received";
  const needsExecution = "`execution` must be what `createExecution` gives. Received";
  const loop: readonly (readonly [Callable, readonly unknown[], object])[] = [
    [predict, [model, [x]], {}],
    [createPredictor, [model], {}],
    [trace, [model, [x]], {}],
    [trainStep, [model, batch], { optimizer }],
    [createTrainer, [model], { optimizer }],
    [evaluate, [model, source], {}],
    [fit, [model, source], options],
  ];
  refuse(
    "is refused with the options of an execution in its place",
    loop.map(([called, before, others]) => {
      const given = [...before, { ...others, execution: { threads: 2 } }];
      return [called, given, `${called.name}: ${needsExecution} {"threads":2}.`];
    }),
  );
  refuse("is refused without a source of batches, or an optimizer", [
    [fit, [model, images.images, images.labels], `fit: \`source\` ${needsSource} an object of class Uint8Array.`],
    [evaluate, [model, images], `evaluate: \`source\` ${needsSource} another object.`],
    [fit, [model, source, { ...options, validation: images }], `fit: \`validation\` ${needsSource} another object.`],
    [
      fit,
      [model, source, { epochs: 1, optimizer: "adam" }],
      'fit: `optimizer` must be one, as `new Adam()` is. Received "adam".',
    ],
    [trainStep, [model, batch, {}], "trainStep: `optimizer` must be one, as `new Adam()` is. Received nothing."],
    [createTrainer, [model, {}], "createTrainer: `optimizer` must be one, as `new Adam()` is. Received nothing."],
    [
      trainStep,
      [model, [x, target], { optimizer }],
      "trainStep: `batch` must have x, yTrue and labels. Received an array.",
    ],
    [
      checkpointFile,
      ["file", { model, optimizer: "sgd" }],
      'checkpointFile: `optimizer` must be one, as `new Adam()` is. Received "sgd".',
    ],
  ]);
  refuse("is refused with other things that it would call later, or never", [
    [
      fit,
      [model, source, { ...options, callbacks: new EarlyStopping() }],
      "fit: `callbacks` must be an array. Received another object.",
    ],
    [
      fit,
      [model, source, { ...options, callbacks: [EarlyStopping] }],
      "fit: `callbacks` must be objects, as `new EarlyStopping()` is. Received function.",
    ],
    [
      fit,
      [model, source, { ...options, checkpoint: "file" }],
      'fit: `checkpoint` must be what `checkpointFile` gives. Received "file".',
    ],
    [
      fit,
      [model, source, { ...options, state: new Uint8Array(1) }],
      "fit: `state` must be what `readCheckpoint` gives. Received an object of class Uint8Array.",
    ],
    [
      fit,
      [model, source, { ...options, signal: new AbortController() }],
      "fit: `signal` must be an AbortSignal. Received an object of class AbortController.",
    ],
    [evaluate, [model, source, { signal: true }], "evaluate: `signal` must be an AbortSignal. Received true."],
    [CSVLog, ["log.csv"], 'CSVLog: `file` must have the methods of LogFile. Received "log.csv".'],
  ]);

  it("of one step needs no more than an optimizer", () => {
    const [ours, theirs] = [0, 1].map(() => {
      const made = new Sequential({ batchShape: [null, 4], layers: [new Dense({ units: 2, activation: "softmax" })] });
      return { made, sgd: new SGD({ learningRate: 0.5 }) };
    });
    const { loss } = trainStep(ours.made, batch, { optimizer: ours.sgd });
    const said = { loss: "categorical_crossentropy", optimizer: theirs.sgd, seed: 0, step: 0 } as const;
    assert.equal(loss, trainStep(theirs.made, batch, said).loss);
    const [[kernel], [same]] = [ours.made.weights, theirs.made.weights];
    assert.deepEqual(kernel.read().data, same.read().data);
    assert.ok(loss > trainStep(ours.made, batch, { optimizer: ours.sgd }).loss);
  });
});

describe("the oracle", () => {
  const needsArithmetic = "must be an arithmetic, as FLOAT32 is, or one of MODELS. Received";
  const candidate = { y: operands.x };
  const theCase = { operation: conv2d, operands, args: {} };
  refuse("is asked with the name of an arithmetic or of an operation in vain", [
    [
      judgeTrace,
      [model, [x], new Map(), { arithmetic: "float16" }],
      `judgeTrace: \`arithmetic\` ${needsArithmetic} "float16".`,
    ],
    [checkBackend, [backend, { arithmetic: "float16" }], `checkBackend: \`arithmetic\` ${needsArithmetic} "float16".`],
    [diagnose, [conv2d, operands, {}, candidate], `diagnose: \`model\` ${needsArithmetic} nothing.`],
    [minimalReproduction, [theCase, candidate], `minimalReproduction: \`model\` ${needsArithmetic} nothing.`],
    [withFlush, ["float32"], `withFlush: \`model\` ${needsArithmetic} "float32".`],
    [
      diagnose,
      ["conv2d", operands, {}, candidate, FLOAT32],
      'diagnose: `operation` must be one, as `operationNamed` gives. Received "conv2d".',
    ],
    [
      minimalReproduction,
      [{ ...theCase, operation: "conv2d" }, candidate, FLOAT32],
      'minimalReproduction: `operation` must be one, as `operationNamed` gives. Received "conv2d".',
    ],
  ]);
  refuse("does not say that results hold which it has not looked at", [
    [
      diagnose,
      [conv2d, operands, {}, { out: operands.x }, FLOAT32],
      "diagnose: `candidate` must be results of conv2d: y. Received out.",
      "RangeError",
    ],
    [
      diagnose,
      [conv2d, operands, {}, {}, FLOAT32],
      "diagnose: `candidate` must be results of conv2d: y. Received none.",
      "RangeError",
    ],
    [
      minimalReproduction,
      [theCase, { out: operands.x }, FLOAT32],
      "minimalReproduction: `candidate` must be results of conv2d: y. Received out.",
      "RangeError",
    ],
    [
      judgeTensor,
      [x, target],
      "judgeTensor: `expectation` must be what an operation's `expect` gives. Received a tensor with numbers.",
    ],
  ]);
  refuse("judges a trace that is a Map, of inputs and by a loss that there are", [
    [
      judgeTrace,
      [model, [x], { "output/dense": target }],
      "judgeTrace: `candidate` must be a Map of tensors by key, as `trace` gives. Received another object.",
    ],
    [
      judgeTrace,
      [model, [], new Map()],
      "judgeTrace: `inputs` must have the shape [null, 4]. Received no input.",
      "RangeError",
    ],
    [
      judgeTrace,
      [model, [target], new Map()],
      "judgeTrace: `inputs` must have the shape [null, 4]. Received [1, 2].",
      "RangeError",
    ],
    [
      judgeTrace,
      [model, [x], new Map(), { loss: "mse" }],
      'judgeTrace: `loss` must be one of categorical_crossentropy, sparse_categorical_crossentropy, mean_squared_error. Received "mse".',
      "RangeError",
    ],
  ]);
  refuse("checks backends by options and reports that are some", [
    [
      checkBackend,
      [backend, { operations: "add" }],
      'checkBackend: `operations` must be an array of names. Received "add".',
    ],
    [
      checkBackend,
      [backend, { shrinkBudget: "10" }],
      'checkBackend: `shrinkBudget` must be a whole number of at least 0. Received "10".',
      "RangeError",
    ],
    [
      conforms,
      [Promise.resolve()],
      "conforms: `report` must be what `checkBackend` resolves to. Received an object of class Promise.",
    ],
    [
      formatReport,
      [Promise.resolve()],
      "formatReport: `report` must be what `checkBackend` resolves to. Received an object of class Promise.",
    ],
    [mergeReports, [{}], "mergeReports: `reports` must be an array. Received another object."],
    [mergeReports, [["r.json"]], 'mergeReports: `report` must be what `checkBackend` resolves to. Received "r.json".'],
  ]);
  it("assumes nothing of an operation that there is not", async () => {
    await assert.rejects(checkBackend(backend, { assume: { batchNormalizationTraining: {} } }), {
      name: "RangeError",
      message: /^operationNamed: `name` must be one of .*\. Received "batchNormalizationTraining"\.$/,
    });
  });
  const functions = { forward: () => x, backward: () => ({ x }) };
  refuse("checks gradients of functions that give tensors, and objects of them", [
    [
      checkGradients,
      [{ inputs: { x } }],
      "checkGradients: `forward` and `backward` must be functions. Received undefined and undefined.",
    ],
    [
      checkGradients,
      [{ ...functions, inputs: { x }, names: ["z"] }],
      "checkGradients: `names` must be among the inputs x. Received z.",
      "RangeError",
    ],
    [
      checkGradients,
      [{ ...functions, inputs: { x }, forward: () => ({ y: x }) }],
      "checkGradients: `forward(inputs)` must be a tensor, as `tensorOf` gives. Received another object.",
    ],
    [
      checkGradients,
      [{ ...functions, inputs: { x }, backward: () => undefined }],
      "checkGradients: backward must give an object of gradients, by input. Received nothing.",
    ],
    [
      checkGradients,
      [{ ...functions, inputs: { x }, backward: () => ({ x: x.data }) }],
      "checkGradients: `backward(dy, inputs).x` must be a tensor, as `tensorOf` gives. Received an object of class Float32Array.",
    ],
  ]);
});
