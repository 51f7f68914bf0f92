import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { duration, epochLine, shortRate, TrainingProgress } from "../../src/cli/training-progress.js";
import { input } from "../../src/layers/input-layer.js";
import { Model } from "../../src/models/model.js";
import { Adam } from "../../src/optimizers/adam.js";
import type { EpochRecord, StepRecord, TrainingRun } from "../../src/training/callback.js";

const x = input({ shape: [3] });
const RUN: TrainingRun = {
  model: new Model({ inputs: x, outputs: x }),
  optimizer: new Adam(),
  epochs: 10,
  stepsPerEpoch: 4,
  hasValidation: true,
  stop: () => {},
};

const step = (number: number): StepRecord => ({
  step: number,
  epoch: Math.ceil(number / RUN.stepsPerEpoch),
  loss: 4 / number,
  accuracy: 0.5,
  learningRate: 1e-3,
});

const EPOCH: EpochRecord = {
  epoch: 1,
  loss: 2.0833,
  accuracy: 0.5,
  valLoss: 1.25,
  valAccuracy: 0.625,
  learningRate: 1e-3,
  seconds: 9,
};

/** The first steps of a run, one every two seconds; after the fourth, a second of validation. What was written. */
function shown(stream: { isTTY: boolean; columns?: number }, steps: number): readonly string[] {
  const written: string[] = [];
  let now = 1000;
  const progress = new TrainingProgress({
    samples: 400,
    stream: { ...stream, write: (text) => written.push(text) },
    clock: () => now,
  });
  progress.onTrainBegin();
  for (let i = 1; i <= steps; i++) {
    now += 2000;
    progress.onStepEnd(step(i), RUN);
    if (i % RUN.stepsPerEpoch !== 0) continue;
    now += 1000;
    progress.onEpochEnd(EPOCH, RUN);
    progress.onEpochBegin();
  }
  progress.onTrainEnd();
  return written;
}

describe("TrainingProgress on a terminal", () => {
  it("moves one line, and takes it away in the end", () => {
    assert.deepEqual(shown({ isTTY: true, columns: 200 }, 2), [
      "\repoch 1/10 [#####...............] 1/4  loss 4.0000  accuracy 50.00 %  rate 1e-3  50 images/s  1:18 left  ▁\u001b[K",
      "\repoch 1/10 [##########..........] 2/4  loss 3.0000  accuracy 50.00 %  rate 1e-3  50 images/s  1:16 left  █▁\u001b[K",
      "\r\u001b[K",
    ]);
  });

  it("leaves a line for every epoch, and counts validation into the time that is left", () => {
    const written = shown({ isTTY: true, columns: 200 }, 5);
    assert.deepEqual(written.slice(4, 6), [
      "\r\u001b[K",
      "epoch  1/10  loss 2.0833  accuracy 50.00 %  validation loss 1.2500  accuracy 62.50 %  rate 1e-3  9.0 s\n",
    ]);
    // 8 epochs of 9 s, and 7 s of this one
    assert.match(written[6], /^\repoch 2\/10 .* 1\/4 {2}loss 0\.8000 .* 1:19 left/);
  });

  it("leaves out what a narrow terminal has no room for, and never fills the last column", () => {
    for (const columns of [10, 40, 60, 80, 120]) {
      const [line] = shown({ isTTY: true, columns }, 1);
      const text = line.slice(1, -"\u001b[K".length);
      assert.ok(text.length < columns, `${columns}: ${text}`);
      assert.ok("epoch 1/10 [#####...............] 1/4  loss".startsWith(text) || text.includes("1/4"));
    }
  });
});

describe("TrainingProgress elsewhere", () => {
  it("writes the lines of epochs, and a plain line within one no more often than every ten seconds", () => {
    const written: string[] = [];
    let now = 0;
    const stream = { isTTY: false, write: (text: string) => written.push(text) };
    const progress = new TrainingProgress({ samples: 400, stream, clock: () => now });
    progress.onTrainBegin();
    for (let i = 1; i <= 4; i++) {
      now += 6000;
      progress.onStepEnd(step(i), RUN);
    }
    progress.onEpochEnd(EPOCH, RUN);
    assert.deepEqual(written, [
      "epoch 1/10, step 2/4  loss 3.0000  accuracy 50.00 %  rate 1e-3  17 images/s  3:48 left\n",
      "epoch 1/10, step 4/4  loss 2.0833  accuracy 50.00 %  rate 1e-3  17 images/s  3:36 left\n",
      `${epochLine(EPOCH, 10)}\n`,
    ]);
  });
});

describe("lines of training", () => {
  it("say nothing of validation where there is none", () => {
    assert.equal(
      epochLine({ ...EPOCH, valLoss: undefined, valAccuracy: undefined }, 200),
      "epoch   1/200  loss 2.0833  accuracy 50.00 %  rate 1e-3  9.0 s",
    );
  });

  it("give times in the units that suit", () => {
    assert.deepEqual([400, 59_400, 60_000, 65_000, 7_400_000].map(duration), [
      "0 s",
      "59 s",
      "1:00",
      "1:05",
      "2:03:20",
    ]);
  });

  it("give rates in three digits", () => {
    assert.deepEqual([0.001, 0.001 * Math.sqrt(0.1), 5e-7, 0].map(shortRate), ["1e-3", "3.16e-4", "5e-7", "0e+0"]);
  });
});
