import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { parseHistory, stepPoints } from "../../../src/training/report/history.js";

const step = (number: number, epoch: number, loss = 1) =>
  JSON.stringify({ step: number, epoch, loss, accuracy: 0.5, learningRate: 1e-3 });
const epoch = (number: number) =>
  JSON.stringify({
    epoch: number,
    loss: 2,
    accuracy: 0.25,
    valLoss: 3,
    valAccuracy: 0.125,
    learningRate: 1e-3,
    seconds: 4,
  });
const log = (...lines: readonly string[]): string => lines.map((line) => `${line}\n`).join("");

describe("parseHistory", () => {
  it("tells steps from epochs by the key `step`", () => {
    assert.deepEqual(parseHistory(log(step(1, 1), step(2, 1), epoch(1))), {
      steps: [1, 2].map((number) => ({ step: number, epoch: 1, loss: 1, accuracy: 0.5, learningRate: 1e-3 })),
      epochs: [{ epoch: 1, loss: 2, accuracy: 0.25, valLoss: 3, valAccuracy: 0.125, learningRate: 1e-3, seconds: 4 }],
    });
  });

  it("takes the later line where a step is there twice, as after a kill and a resume", () => {
    const { steps } = parseHistory(log(step(1, 1, 7), step(2, 1, 7), step(3, 1, 7), step(2, 1, 5), step(3, 1, 5)));
    assert.deepEqual(
      steps.map(({ step, loss }) => [step, loss]),
      [
        [1, 7],
        [2, 5],
        [3, 5],
      ],
    );
  });

  it("leaves out a last line that breaks off, at whatever letter", () => {
    const [first, second] = [log(step(1, 1)), step(2, 1)];
    fc.assert(
      fc.property(fc.nat(second.length - 1), (length) => {
        assert.equal(parseHistory(first + second.slice(0, length)).steps.length, 1);
      }),
    );
  });

  it("reads NaN and infinities, which JSON has not, and a run without validation", () => {
    const history = parseHistory(
      '{"step":1,"epoch":1,"loss":null,"accuracy":0,"learningRate":"Infinity"}\n' +
        '{"epoch":1,"loss":"NaN","accuracy":0,"learningRate":1,"seconds":1}\n',
    );
    assert.deepEqual([history.steps[0].loss, history.steps[0].learningRate], [Number.NaN, Number.POSITIVE_INFINITY]);
    assert.deepEqual([history.epochs[0].loss, history.epochs[0].valLoss], [Number.NaN, undefined]);
    const [epoch] = parseHistory(
      '{"epoch":1,"loss":1,"accuracy":0,"valLoss":null,"valAccuracy":null,"learningRate":1,"seconds":1}\n',
    ).epochs;
    assert.deepEqual([epoch.valLoss, epoch.valAccuracy], [undefined, undefined]);
  });

  it("refuses what is no log, and says in which line", () => {
    assert.throws(() => parseHistory(`${step(1, 1)}\nloss 0.5\n`), {
      name: "RangeError",
      message: 'training log: every line must be a JSON object. Received "loss 0.5" in line 2.',
    });
    assert.throws(() => parseHistory("[1]\n"), /every line must be a JSON object\. Received "\[1\]" in line 1\.$/);
    assert.throws(() => parseHistory('{"step":1,"epoch":"one"}\n'), {
      name: "RangeError",
      message: 'training log: `epoch` must be a number. Received "one" in line 1.',
    });
    assert.throws(() => parseHistory('{"epoch":1}\n'), /`loss` must be a number\. Received nothing in line 1\.$/);
  });
});

describe("stepPoints", () => {
  it("ends step i of the n of epoch e at e - 1 + i / n", () => {
    const { steps, epochs } = parseHistory(log(step(1, 1), step(2, 1), step(3, 2), step(4, 2), step(5, 3)));
    assert.deepEqual(
      stepPoints({ steps, epochs }, 10).map((point) => point.epoch),
      [0.5, 1, 1.5, 2, 2.5],
    );
  });

  it("gives means of neighbouring steps where there are more than points", () => {
    const history = parseHistory(log(step(1, 1, 4), step(2, 1, 2), step(3, 1, 8), step(4, 1, 6), step(5, 1, 1)));
    assert.deepEqual(
      stepPoints(history, 3).map(({ epoch, loss }) => [epoch, loss]),
      [
        [0.4, 3],
        [0.8, 7],
        [1, 1],
      ],
    );
  });

  it("gives nothing for a run that has not begun", () => {
    assert.deepEqual(stepPoints(parseHistory(""), 3), []);
  });
});
