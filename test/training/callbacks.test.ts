import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Dense } from "../../src/layers/dense.js";
import { input } from "../../src/layers/input-layer.js";
import { Model } from "../../src/models/model.js";
import { SGD } from "../../src/optimizers/sgd.js";
import { tensorOf } from "../../src/tensor/tensor.js";
import type { Callback, EpochRecord, TrainingRun } from "../../src/training/callback.js";
import { EarlyStopping, type EarlyStoppingOptions } from "../../src/training/callbacks/early-stopping.js";
import { LearningRateScheduler } from "../../src/training/callbacks/learning-rate-scheduler.js";
import { CSVLog, JsonLinesLog, type LogFile } from "../../src/training/callbacks/logs.js";
import { ModelCheckpoint, type ModelCheckpointOptions } from "../../src/training/callbacks/model-checkpoint.js";
import type { Monitored } from "../../src/training/callbacks/monitor.js";
import {
  ReduceLROnPlateau,
  type ReduceLROnPlateauOptions,
  ROOT_OF_A_TENTH,
} from "../../src/training/callbacks/reduce-lr-on-plateau.js";
import { fit } from "../../src/training/fit.js";
import { originalSchedule } from "../../src/training/schedules.js";
import { inOrder, pattern } from "../support/training.js";

/** A run whose model has one weight, and which remembers whether it was stopped. */
function fakeRun(learningRate: number, hasValidation = true): TrainingRun & { isStopped: boolean } {
  const x = input({ shape: [1] });
  const layer = new Dense({ units: 1, useBias: false, name: "w" });
  const model = new Model({ inputs: x, outputs: layer.apply(x) });
  return {
    model,
    optimizer: new SGD({ learningRate }),
    epochs: 20,
    stepsPerEpoch: 4,
    hasValidation,
    isStopped: false,
    stop() {
      this.isStopped = true;
    },
  };
}

function recordOf(epoch: number, monitor: Monitored, value: number): EpochRecord {
  return { epoch, loss: 9, accuracy: 0, valLoss: 9, valAccuracy: 0, learningRate: 0, seconds: 1, [monitor]: value };
}

/** The learning rate after every epoch. */
function rates(values: readonly number[], { rate = 0.5, ...options }: ReduceLROnPlateauOptions & { rate?: number }) {
  const run = fakeRun(rate);
  let callback = new ReduceLROnPlateau(options);
  callback.onTrainBegin(run);
  return values.map((value, i) => {
    callback.onEpochEnd(recordOf(i + 1, options.monitor ?? "valLoss", value), run);
    // a resumed run has a new callback
    const { best, wait, cooldownCounter } = callback.saveState();
    callback = new ReduceLROnPlateau(options);
    callback.onTrainBegin(run);
    callback.restoreState({ best, wait, cooldownCounter });
    return run.optimizer.learningRate;
  });
}

const NINES = [1, 0.9, 0.9, 0.9, 0.9, 0.9, 0.8, 0.8, 0.8, 0.8];
const f = Math.fround;

/** What Keras 3.15.1's own `ReduceLROnPlateau` does with the same values. */
const PLATEAUS: readonly (readonly [
  string,
  readonly number[],
  ReduceLROnPlateauOptions & { rate?: number },
  number[],
])[] = [
  [
    "halves the rate after two epochs without improvement, and again",
    NINES,
    { factor: 0.5, patience: 2 },
    [0.5, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125, 0.125, 0.0625, 0.0625],
  ],
  [
    "does not count during the cooldown",
    Array.from({ length: 10 }, () => 1),
    { factor: 0.5, patience: 2, cooldown: 2 },
    [0.5, 0.5, 0.25, 0.25, 0.25, 0.125, 0.125, 0.125, 0.0625, 0.0625],
  ],
  [
    "asks for more than minDelta, which adds up",
    [1, 0.95, 0.9, 0.85, 0.8, 0.7],
    { factor: 0.5, patience: 2, minDelta: 0.1 },
    [0.5, 0.5, 0.25, 0.25, 0.25, 0.25],
  ],
  ["asks for more than 1e-4 by itself", [1, 0.9999, 0.99989], { factor: 0.5, patience: 1 }, [0.5, 0.25, 0.25]],
  [
    "never goes below minLr",
    Array.from({ length: 8 }, () => 1),
    { rate: 1e-3, factor: ROOT_OF_A_TENTH, patience: 1, minLr: 1e-4 },
    [0.0010000000474974513, 0.0003162277862429619, 0.00010000000474974513, ...Array.from({ length: 5 }, () => f(1e-4))],
  ],
  [
    "takes an accuracy that grows as an improvement",
    [0.1, 0.1, 0.3, 0.3, 0.2, 0.3, 0.3001, 0.31],
    { factor: 0.5, patience: 2, monitor: "valAccuracy" },
    [0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125],
  ],
  [
    "reduces as the example's does: root of a tenth, patience 5, no cooldown",
    [1, 0.9, ...Array.from({ length: 14 }, () => 0.95)],
    { rate: 1e-3, factor: ROOT_OF_A_TENTH, patience: 5, cooldown: 0, minLr: 0.5e-6 },
    [
      ...Array.from({ length: 6 }, () => 0.0010000000474974513),
      ...Array.from({ length: 5 }, () => 0.0003162277862429619),
      ...Array.from({ length: 5 }, () => 0.00010000000474974513),
    ],
  ],
  [
    "divides the rate by ten after ten epochs without improvement by itself, and begins to count again",
    Array.from({ length: 21 }, () => 1),
    {},
    [...Array.from({ length: 10 }, () => 0.5), ...Array.from({ length: 10 }, () => f(0.05)), 0.004999999888241291],
  ],
  ["takes the rate away with a factor of 0", [1, 1, 1], { factor: 0, patience: 1 }, [0.5, 0, 0]],
  [
    "reduces at every epoch without improvement with patience 0",
    [1, 1, 1],
    { factor: 0.5, patience: 0 },
    [0.5, 0.25, 0.125],
  ],
];

describe("ReduceLROnPlateau", () => {
  for (const [title, values, options, expected] of PLATEAUS) {
    it(`${title}, as Keras's, also when it is resumed after every epoch`, () => {
      assert.deepEqual(rates(values, options), expected);
    });
  }

  it("takes NaN, where it comes first, for the best value that there will ever be, as Keras does", () => {
    const run = fakeRun(0.5);
    const callback = new ReduceLROnPlateau({ factor: 0.5, patience: 1 });
    callback.onTrainBegin(run);
    const after = [Number.NaN, 1, 1].map((value, i) => {
      callback.onEpochEnd(recordOf(i + 1, "valLoss", value), run);
      return run.optimizer.learningRate;
    });
    assert.deepEqual(after, [0.5, 0.25, 0.125]);
  });

  it("begins anew in a second run, as Keras's", () => {
    const [run, callback] = [fakeRun(0.5), new ReduceLROnPlateau({ patience: 2, cooldown: 3 })];
    const fresh = { best: null, wait: 0, cooldownCounter: 0 };
    assert.deepEqual(callback.saveState(), fresh);
    callback.onTrainBegin(run);
    for (const epoch of [1, 2, 3]) callback.onEpochEnd(recordOf(epoch, "valLoss", 1), run);
    assert.deepEqual(callback.saveState(), { best: 1, wait: 0, cooldownCounter: 3 });
    callback.onTrainBegin(run);
    assert.deepEqual(callback.saveState(), fresh);
  });

  it("is undone by a schedule at the beginning of the next epoch, as in the Keras example", () => {
    const run = fakeRun(1e-3);
    const schedule = new LearningRateScheduler({ schedule: originalSchedule() });
    const reducer = new ReduceLROnPlateau({ factor: 0.5, patience: 1 });
    reducer.onTrainBegin(run);
    reducer.onEpochEnd(recordOf(1, "valLoss", 1), run);
    reducer.onEpochEnd(recordOf(2, "valLoss", 1), run);
    assert.equal(run.optimizer.learningRate, f(0.5e-3));
    schedule.onEpochBegin(2, run);
    assert.equal(run.optimizer.learningRate, f(1e-3));
  });

  it("refuses arguments that mean nothing, and says what it received", () => {
    const refusals: readonly (readonly [ReduceLROnPlateauOptions, string])[] = [
      [{ factor: 1 }, "`factor` must be at least 0 and below 1. Received factor=1."],
      [{ minLr: -1 }, "`minLr` must be a finite number of at least 0. Received minLr=-1."],
      [{ minLr: Number.POSITIVE_INFINITY }, "`minLr` must be a finite number of at least 0. Received minLr=Infinity."],
      [{ patience: 0.5 }, "`patience` must be a whole number of at least 0. Received patience=0.5."],
      [{ cooldown: -1 }, "`cooldown` must be a whole number of at least 0. Received cooldown=-1."],
      [{ minDelta: Number.NaN }, "`minDelta` must be a finite number. Received minDelta=NaN."],
    ];
    for (const [options, message] of refusals) {
      assert.throws(() => new ReduceLROnPlateau(options), {
        name: "RangeError",
        message: `ReduceLROnPlateau: ${message}`,
      });
    }
    assert.throws(() => new ReduceLROnPlateau().onTrainBegin(fakeRun(1, false)), {
      name: "RangeError",
      message:
        "ReduceLROnPlateau: `monitor` must be loss or accuracy in a run without validation. Received monitor=valLoss.",
    });
  });
});

/** How many epochs ran, whose weight the run ends with, and which was the best. */
function stopping(values: readonly number[], options: EarlyStoppingOptions): readonly [number, number, number] {
  const run = fakeRun(1);
  const weight = run.model.weights[0];
  let callback = new EarlyStopping(options);
  callback.onTrainBegin(run);
  let epoch = 0;
  for (const value of values) {
    epoch += 1;
    weight.assign(tensorOf([epoch], [1, 1]));
    callback.onEpochEnd(recordOf(epoch, options.monitor ?? "valLoss", value), run);
    if (run.isStopped) break;
    const state = callback.saveState();
    callback = new EarlyStopping(options);
    callback.onTrainBegin(run);
    callback.restoreState(state);
  }
  callback.onTrainEnd(run);
  return [epoch, weight.value.data[0], callback.bestEpoch];
}

/** What Keras 3.15.1's own `EarlyStopping` does with the same values. */
const STOPS: readonly (readonly [string, readonly number[], EarlyStoppingOptions, readonly number[]])[] = [
  ["stops after two epochs without improvement", [1, 0.9, 0.95, 0.96, 0.8], { patience: 2 }, [4, 4, 2]],
  [
    "restores the weights of the best epoch",
    [1, 0.9, 0.95, 0.96, 0.8],
    { patience: 2, restoreBestWeights: true },
    [4, 2, 2],
  ],
  ["stops at the first epoch that is worse with patience 0", [1, 0.9, 0.91, 0.8], {}, [3, 3, 2]],
  ["never stops after the first epoch", [1, 1, 1], {}, [2, 2, 1]],
  [
    "does not take an improvement above the baseline for one, but keeps its weights",
    [1, 0.9, 0.85, 0.8, 0.7],
    { patience: 3, baseline: 0.5, restoreBestWeights: true },
    [5, 5, 5],
  ],
  [
    "starts to count again below the baseline",
    [0.6, 0.4, 0.45, 0.44, 0.43, 0.3],
    { patience: 3, baseline: 0.5 },
    [5, 5, 2],
  ],
  ["counts an improvement above the baseline", [0.6, 0.58, 0.59, 0.3], { patience: 3, baseline: 0.5 }, [3, 3, 2]],
  [
    "takes a loss that grows as an improvement where it is told to",
    [1, 0.9, 0.95, 0.96, 0.8],
    { patience: 2, mode: "max", restoreBestWeights: true },
    [3, 1, 1],
  ],
  ["watches the loss of training", [1, 0.9, 0.95, 0.96, 0.8], { patience: 2, monitor: "loss" }, [4, 4, 2]],
  [
    "does not look at the first epochs",
    [1, 2, 3, 4, 5],
    { patience: 1, startFromEpoch: 2, restoreBestWeights: true },
    [4, 3, 3],
  ],
  [
    "takes an accuracy that grows as an improvement",
    [0.1, 0.3, 0.2, 0.3, 0.1],
    { patience: 2, monitor: "valAccuracy", restoreBestWeights: true },
    [4, 2, 2],
  ],
  ["takes minDelta by its size", [1, 0.95, 0.91, 0.5], { patience: 2, minDelta: -0.1 }, [3, 3, 1]],
  [
    "ends with the last weights where they are the best",
    [1, 0.9, 0.8],
    { patience: 5, restoreBestWeights: true },
    [3, 3, 3],
  ],
];

describe("EarlyStopping", () => {
  for (const [title, values, options, expected] of STOPS) {
    it(`${title}, as Keras's, also when it is resumed after every epoch`, () => {
      assert.deepEqual(stopping(values, options), expected);
    });
  }

  it("begins anew in a second run, as Keras's", () => {
    const [run, callback] = [fakeRun(1), new EarlyStopping({ patience: 2, restoreBestWeights: true })];
    assert.equal(callback.bestEpoch, 0);
    const ends = [
      [0.5, 0.4, 0.45, 0.46],
      [0.9, 0.8, 0.85],
    ].map((values) => {
      callback.onTrainBegin(run);
      values.forEach((value, i) => {
        run.model.weights[0].assign(tensorOf([i + 1], [1, 1]));
        callback.onEpochEnd(recordOf(i + 1, "valLoss", value), run);
      });
      callback.onTrainEnd(run);
      return [run.model.weights[0].value.data[0], callback.bestEpoch];
    });
    assert.deepEqual(ends, [
      [2, 2],
      [2, 2],
    ]);
    callback.onTrainBegin(run);
    assert.deepEqual(callback.saveState(), { best: null, bestEpoch: 0, wait: 0 });
  });

  it("refuses arguments that mean nothing, and says what it received", () => {
    assert.throws(() => new EarlyStopping({ patience: -1 }), {
      message: "EarlyStopping: `patience` must be a whole number of at least 0. Received patience=-1.",
    });
    assert.throws(() => new EarlyStopping().onTrainBegin(fakeRun(1, false)), {
      message:
        "EarlyStopping: `monitor` must be loss or accuracy in a run without validation. Received monitor=valLoss.",
    });
    assert.throws(() => new EarlyStopping({ baseline: Number.NaN }), {
      name: "RangeError",
      message: "EarlyStopping: `baseline` must be a finite number. Received baseline=NaN.",
    });
    assert.throws(() => new EarlyStopping({ startFromEpoch: 0.5 }), {
      name: "RangeError",
      message: "EarlyStopping: `startFromEpoch` must be a whole number of at least 0. Received startFromEpoch=0.5.",
    });
  });
});

describe("ModelCheckpoint", () => {
  /** The epochs that were kept. */
  const kept = (values: readonly number[], options: Omit<ModelCheckpointOptions, "save">): number[] => {
    const epochs: number[] = [];
    const make = (): ModelCheckpoint =>
      new ModelCheckpoint({ ...options, save: (_, { epoch }) => void epochs.push(epoch) });
    const run = fakeRun(1);
    let callback = make();
    for (const [i, value] of values.entries()) {
      callback.onEpochEnd(recordOf(i + 1, "valAccuracy", value), run);
      const state = callback.saveState();
      callback = make();
      callback.onTrainBegin(run);
      callback.restoreState(state);
    }
    return epochs;
  };

  it("keeps the model when the accuracy is better than ever, as Keras's, also when it is resumed", () => {
    assert.deepEqual(kept([0.1, 0.3, 0.3, 0.2, 0.4], {}), [1, 2, 5]);
    assert.deepEqual(kept([0.1, 0.3, 0.3, 0.2, 0.4], { initialValueThreshold: 0.3 }), [5]);
    assert.deepEqual(kept([0.1, 0.3, 0.2], { saveBestOnly: false }), [1, 2, 3]);
    assert.deepEqual(kept([0.1, 0.3, 0.05], { mode: "min" }), [1, 3]);
  });

  it("tells the best value and its epoch, and has none before the first", () => {
    const [run, callback] = [fakeRun(1), new ModelCheckpoint({ save: () => {} })];
    assert.deepEqual([callback.best, callback.bestEpoch], [undefined, 0]);
    [0.1, 0.3, 0.2].forEach((value, i) => callback.onEpochEnd(recordOf(i + 1, "valAccuracy", value), run));
    assert.deepEqual([callback.best, callback.bestEpoch], [0.3, 2]);
    const resumed = new ModelCheckpoint({ save: () => {}, name: "second" });
    assert.deepEqual([callback.name, resumed.name], ["ModelCheckpoint", "second"]);
    resumed.restoreState(callback.saveState());
    assert.deepEqual([resumed.best, resumed.bestEpoch], [0.3, 2]);
  });

  it("compares numbers as float32, as Keras does", () => {
    assert.deepEqual(kept([0.7, 0.7, 0.7 - 1e-10, 0.3, 0.2], { mode: "min" }), [1, 4, 5]);
    assert.deepEqual(kept([0.1, 0.1, 0.1 + 1e-10, 0.3, 0.2], { mode: "max" }), [1, 4]);
  });

  it("watches the validation accuracy also where the option is there without a value", () => {
    assert.deepEqual(kept([0.1, 0.3, 0.2], { monitor: undefined } as object), [1, 2]);
  });

  it("refuses what it cannot watch, and says what it received", () => {
    const save = (): void => {};
    assert.throws(() => new ModelCheckpoint({ save, initialValueThreshold: Number.NaN }), {
      name: "RangeError",
      message: "ModelCheckpoint: `initialValueThreshold` must be a finite number. Received initialValueThreshold=NaN.",
    });
    const options = { save, monitor: "val_loss" } satisfies Record<string, unknown>;
    assert.throws(() => Reflect.construct(ModelCheckpoint, [options]), {
      name: "RangeError",
      message:
        "ModelCheckpoint: `monitor` must be one of loss, accuracy, valLoss, valAccuracy. Received monitor=val_loss.",
    });
    assert.throws(() => Reflect.construct(ModelCheckpoint, [{ save, mode: "least" }]), {
      name: "RangeError",
      message: "ModelCheckpoint: `mode` must be auto, min or max. Received mode=least.",
    });
    assert.throws(() => new ModelCheckpoint({ save }).onTrainBegin(fakeRun(1, false)), {
      name: "RangeError",
      message:
        "ModelCheckpoint: `monitor` must be loss or accuracy in a run without validation. Received monitor=valAccuracy.",
    });
  });
});

describe("LearningRateScheduler", () => {
  it("is asked once an epoch, or before every step with a position between epochs", async () => {
    const x = input({ shape: [3] });
    const model = new Model({ inputs: x, outputs: new Dense({ units: 3, activation: "softmax" }).apply(x) });
    const source = inOrder(tensorOf(pattern(12, 17), [4, 3]), [0, 1, 2, 1], 3, 1);
    const taken = async (per: "epoch" | "step"): Promise<number[]> => {
      const seen: number[] = [];
      const schedule = (position: number): number => 1 - position / 4;
      await fit(model, source, {
        epochs: 2,
        optimizer: new SGD(),
        callbacks: [
          new LearningRateScheduler({ schedule, per }),
          { onStepEnd: ({ learningRate }) => void seen.push(learningRate) },
        ],
      });
      return seen;
    };
    assert.deepEqual(await taken("epoch"), [1, 1, 1, 1, 0.75, 0.75, 0.75, 0.75]);
    assert.deepEqual(await taken("step"), [1, 0.9375, 0.875, 0.8125, 0.75, 0.6875, 0.625, 0.5625]);
  });
});

describe("The constructor of a callback", () => {
  const save = (): void => {};
  const schedule = (): number => 1;

  it("refuses the text false where a truth value belongs: it would be taken for true", () => {
    const no = "false" as unknown as boolean;
    assert.throws(() => new EarlyStopping({ restoreBestWeights: no }), {
      name: "TypeError",
      message: 'EarlyStopping: `restoreBestWeights` must be true or false. Received "false".',
    });
    assert.throws(() => new ModelCheckpoint({ save: () => {}, saveBestOnly: no }), {
      name: "TypeError",
      message: 'ModelCheckpoint: `saveBestOnly` must be true or false. Received "false".',
    });
  });

  it("refuses options that it does not have, as Keras's restore_best_weights, and takes undefined for none", () => {
    for (const [Class, own, required] of [
      [EarlyStopping, "monitor, mode, minDelta, patience, baseline, restoreBestWeights, startFromEpoch", {}],
      [ReduceLROnPlateau, "monitor, mode, minDelta, factor, patience, cooldown, minLr", {}],
      [ModelCheckpoint, "monitor, mode, minDelta, save, saveBestOnly, initialValueThreshold, name", { save }],
      [LearningRateScheduler, "schedule, per", { schedule }],
    ] as const) {
      const make = (options: object): unknown => Reflect.construct(Class, [{ ...required, ...options }]);
      assert.throws(() => make({ restore_best_weights: true }), {
        name: "TypeError",
        message: `${Class.name}: its options must be among ${own}. Received \`restore_best_weights\`.`,
      });
      make({ restore_best_weights: undefined });
    }
  });

  it("refuses what it could never call, and a moment that never comes", () => {
    const refusals: readonly (readonly [new (options: never) => Callback, object, string, string])[] = [
      [ModelCheckpoint, {}, "TypeError", "`save` must be a function. Received undefined."],
      [LearningRateScheduler, {}, "TypeError", "`schedule` must be a function. Received undefined."],
      [
        LearningRateScheduler,
        { schedule, per: "batch" },
        "RangeError",
        "`per` must be epoch or step. Received per=batch.",
      ],
    ];
    for (const [Class, options, name, message] of refusals) {
      assert.throws(() => Reflect.construct(Class, [options]), { name, message: `${Class.name}: ${message}` });
    }
  });
});

/** A log in memory. */
function memoryLog(): LogFile & { text: string; synced: string } {
  return {
    name: "run.log",
    text: "left from before\n",
    synced: "",
    size() {
      return this.text.length;
    },
    append(text) {
      this.text += text;
    },
    truncate(size) {
      this.text = this.text.slice(0, size);
    },
    sync() {
      this.synced = this.text;
    },
  };
}

const STEP = { step: 1, epoch: 1, loss: 2.5, accuracy: 0.25, learningRate: 0.5 };
const EPOCH = { epoch: 1, loss: 2.5, accuracy: 0.25, valLoss: 2, valAccuracy: 0.5, learningRate: 0.5, seconds: 3 };

describe("Logs of a run", () => {
  it("have a JSON object a line, with the keys that the command line promises, in a file that was emptied first", () => {
    const file = memoryLog();
    const log = new JsonLinesLog(file);
    log.onStepEnd(STEP);
    log.onEpochEnd(EPOCH);
    log.onEpochEnd({ ...EPOCH, valLoss: undefined, valAccuracy: undefined });
    assert.deepEqual(file.text.split("\n"), [
      '{"step":1,"epoch":1,"loss":2.5,"accuracy":0.25,"learningRate":0.5}',
      '{"epoch":1,"loss":2.5,"accuracy":0.25,"valLoss":2,"valAccuracy":0.5,"learningRate":0.5,"seconds":3}',
      '{"epoch":1,"loss":2.5,"accuracy":0.25,"valLoss":null,"valAccuracy":null,"learningRate":0.5,"seconds":3}',
      "",
    ]);
  });

  it("have a CSV table with one header", () => {
    const file = memoryLog();
    const log = new CSVLog(file);
    log.onEpochEnd(EPOCH);
    log.onEpochEnd({ ...EPOCH, epoch: 2, valLoss: undefined, valAccuracy: undefined });
    assert.equal(
      file.text,
      "epoch,loss,accuracy,valLoss,valAccuracy,learningRate,seconds\n1,2.5,0.25,2,0.5,0.5,3\n2,2.5,0.25,,,0.5,3\n",
    );
  });

  it("are cut off at the checkpoint when a run is resumed, and forced to the disk before it is written", () => {
    const file = memoryLog();
    const before = new JsonLinesLog(file);
    before.onStepEnd(STEP);
    const state = before.saveState();
    const kept = file.text;
    assert.equal(file.synced, kept);
    before.onStepEnd({ ...STEP, step: 2 });
    const after = new JsonLinesLog(file);
    after.onTrainBegin();
    after.restoreState(state);
    assert.equal(file.text, kept);
    after.onStepEnd({ ...STEP, step: 2 });
    assert.equal(file.text.trimEnd().split("\n").length, 2);
    file.truncate(3);
    assert.throws(() => new JsonLinesLog(file).restoreState(state), {
      name: "RangeError",
      message: `log: run.log must have the ${kept.length} bytes that it had at the checkpoint, to be continued. Received 3 bytes.`,
    });
  });

  it("go on where nothing was added after the checkpoint, and are emptied by a second run that resumes nothing", () => {
    const file = memoryLog();
    const log = new JsonLinesLog(file, "steps");
    assert.deepEqual([log.name, new CSVLog(file).name], ["steps", "CSVLog"]);
    log.onStepEnd(STEP);
    const one = file.text;
    log.restoreState(log.saveState());
    log.onStepEnd(STEP);
    assert.equal(file.text, one + one);
    log.onTrainBegin();
    log.onStepEnd(STEP);
    assert.equal(file.text, one);
  });

  it("are empty at a checkpoint before the first line", () => {
    const file = memoryLog();
    const log: Callback = new CSVLog(file);
    assert.deepEqual(log.saveState?.(), { bytes: 0 });
    assert.equal(file.text, "");
  });
});
