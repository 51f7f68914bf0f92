import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  cosineSchedule,
  type OneCycleOptions,
  oneCycleSchedule,
  originalSchedule,
} from "../../src/training/schedules.js";

describe("originalSchedule", () => {
  it("is lr_schedule of the Keras example, which falls after epochs 80, 120, 160 and 180 counted from 0", () => {
    const schedule = originalSchedule();
    assert.deepEqual(
      [0, 80, 81, 120, 121, 160, 161, 180, 181, 199].map((epoch) => schedule(epoch, 0)),
      [1e-3, 1e-3, 1e-4, 1e-4, 1e-5, 1e-5, 1e-6, 1e-6, 5e-7, 5e-7],
    );
    assert.equal(schedule(80.99, 0), 1e-3);
    assert.equal(originalSchedule(1)(130, 0), 1e-2);
  });

  it("refuses a rate that is none, before a run that would use it begins", () => {
    assert.throws(() => originalSchedule(Number.NaN), {
      name: "RangeError",
      message: "originalSchedule: `rate` must be a finite number of at least 0. Received rate=NaN.",
    });
  });
});

describe("The length of a run", () => {
  for (const schedule of [cosineSchedule, oneCycleSchedule]) {
    for (const epochs of [0, -2, Number.NaN, Number.POSITIVE_INFINITY, undefined]) {
      it(`cannot be ${epochs} for ${schedule.name}`, () => {
        assert.throws(() => schedule({ peak: 1, epochs } as OneCycleOptions), {
          name: "RangeError",
          message: `${schedule.name}: \`epochs\` must be a finite number above 0. Received epochs=${epochs}.`,
        });
      });
    }
  }
});

describe("cosineSchedule", () => {
  it("rises in a straight line, then follows half a cosine down to the end", () => {
    const schedule = cosineSchedule({ peak: 0.5, epochs: 10, warmupEpochs: 2, initial: 0.25, final: 0.125 });
    assert.deepEqual(
      [0, 1, 2].map((t) => schedule(t, 0)),
      [0.25, 0.375, 0.5],
    );
    assert.equal(schedule(10, 0), 0.125);
    assert.equal(schedule(12, 0), 0.125);
    // cos(pi / 2) of the nearest double to pi / 2 is 6e-17, not 0
    assert.ok(Math.abs(schedule(6, 0) - (0.5 + 0.125) / 2) < 1e-16);
    // cos(pi / 3) = 1 / 2 at a third of the way
    assert.ok(Math.abs(schedule(2 + 8 / 3, 0) - (0.125 + 0.375 * 0.75)) < 1e-15);
    const plain = cosineSchedule({ peak: 1, epochs: 4 });
    assert.deepEqual([plain(0, 0), plain(4, 0)], [1, 0]);
    const byDefault = cosineSchedule({ peak: 1, epochs: 4, warmupEpochs: 1 });
    assert.equal(byDefault(0, 0), 0.1);
  });

  it("refuses arguments that mean nothing, and says what it received", () => {
    assert.throws(() => cosineSchedule({ peak: 1, epochs: 4, warmupEpochs: 4 }), {
      name: "RangeError",
      message: "cosineSchedule: `warmupEpochs` must be at least 0 and below epochs=4. Received 4.",
    });
    assert.throws(() => cosineSchedule({ peak: null as unknown as number, epochs: 4 }), {
      message: "cosineSchedule: `peak` must be a finite number of at least 0. Received peak=null.",
    });
    assert.throws(() => cosineSchedule({ peak: -1, epochs: 4 }), {
      name: "RangeError",
      message: "cosineSchedule: `peak` must be a finite number of at least 0. Received peak=-1.",
    });
  });
});

describe("oneCycleSchedule", () => {
  it("follows half a cosine up to the peak and half a cosine down", () => {
    const schedule = oneCycleSchedule({ peak: 1, epochs: 8, rise: 0.25, initial: 0.5, final: 0 });
    assert.deepEqual([schedule(0, 0), schedule(2, 0), schedule(8, 0)], [0.5, 1, 0]);
    for (const [position, rate] of [
      [1, 0.75],
      [5, 0.5],
      [4, 0.75],
    ]) {
      assert.ok(Math.abs(schedule(position, 0) - rate) < 1e-15, `${position}`);
    }
    const byDefault = oneCycleSchedule({ peak: 0.25, epochs: 10 });
    assert.ok(Math.abs(byDefault(0, 0) - 0.01) < 1e-16);
    assert.deepEqual([byDefault(3, 0), byDefault(10, 0)], [0.25, 1e-6]);
  });

  it("refuses arguments that mean nothing, and says what it received", () => {
    for (const rise of [0, 1]) {
      assert.throws(() => oneCycleSchedule({ peak: 1, epochs: 4, rise }), {
        name: "RangeError",
        message: `oneCycleSchedule: \`rise\` must be above 0 and below 1. Received rise=${rise}.`,
      });
    }
    assert.throws(() => oneCycleSchedule({ peak: 1, epochs: 4, final: Number.NaN }), {
      name: "RangeError",
      message: "oneCycleSchedule: `final` must be a finite number of at least 0. Received final=NaN.",
    });
  });
});
