import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { withArraysInHeap } from "../../src/parallel/borrow.js";
import type { JobRun } from "../../src/parallel/job.js";
import { runAlone } from "../../src/parallel/pool.js";
import {
  computeHere,
  countRecordedJobs,
  decideHere,
  makeOnce,
  DepartedError,
  Recording,
  runAgain,
  runJobs,
} from "../../src/parallel/recording.js";
import type { FloatArray } from "../../src/tensor/dtype.js";
import { sharedHeap } from "../../src/tensor/heap.js";
import { scaleJob } from "./jobs.js";

/** y = factor x, as whoever runs jobs does it. */
function scale(x: FloatArray, y: FloatArray, factor: number): void {
  const run = (...runs: readonly JobRun[]): void => runs.forEach(runAlone);
  runJobs([{ job: scaleJob, reads: [x], writes: [y], numbers: [factor], tiles: x.length }], run);
}

describe("Recording", () => {
  it("runs jobs again in their order, with what is in their arrays by then", () => {
    const [x, half, y] = [1, 2, 3].map(() => new Float32Array(2));
    const recording = new Recording(new Set([x]), (data) => data);
    x.set([2, 4]);
    recording.during(() => {
      scale(x, half, 0.5);
      scale(half, y, 3);
    });
    assert.deepEqual(Array.from(y), [3, 6]);
    x.set([8, 10]);
    runAgain(recording.steps);
    assert.deepEqual(Array.from(y), [12, 15]);
    assert.equal(recording.isWhole, true);
  });

  it("asks what to read in place of arrays that are neither known nor written by a job before, and of no others", () => {
    const [x, weights, half, y] = [1, 2, 3, 4].map((first) => Float32Array.of(first));
    const known = new Set<FloatArray>([x]);
    const asked: FloatArray[] = [];
    const recording = new Recording(known, (data) => {
      asked.push(data);
      return data.slice();
    });
    recording.during(() => {
      scale(x, half, 0.5);
      scale(half, y, 1);
      scale(weights, y, 10);
    });
    assert.deepEqual(asked, [weights]);
    assert.deepEqual([...known], [x, half, y]);
    weights[0] = 7; // as if another job had been given its memory
    runAgain(recording.steps);
    assert.equal(y[0], 20);
  });

  it("copies again what was copied to the heap for a job, and back", () => {
    const heap = sharedHeap();
    const [x, y] = [Float32Array.of(2), new Float32Array(1)]; // outside
    const recording = new Recording(new Set([x]));
    recording.during(() => withArraysInHeap([x], [y], ([from], [to]) => scale(from, to, 3)));
    assert.equal(y[0], 6);
    assert.equal(recording.isWhole, true);
    x[0] = 5;
    const other = heap.allocate(64); // what was borrowed has been given back
    runAgain(recording.steps);
    heap.free(other);
    assert.equal(y[0], 15);
  });

  it("does not put down what it takes to run a job, or to decide something", () => {
    const [x, y] = [Float32Array.of(2), new Float32Array(1)];
    const recording = new Recording(new Set([x]));
    recording.during(() => {
      runJobs([{ job: scaleJob, reads: [x], writes: [y], numbers: [3], tiles: 1 }], (...runs) => {
        computeHere([y], [y], () => y.fill(0));
        runs.forEach(runAlone);
      });
      const isGreat = decideHere(y, () => {
        scale(x, x, 10);
        return y[0] > 5;
      });
      assert.equal(isGreat, true);
    });
    assert.equal(recording.steps.length, 2);
  });

  it("computes again on the calling thread what was computed there, between the same jobs", () => {
    const [x, half, square, y] = [1, 2, 3, 4].map(() => new Float32Array(1));
    const recording = new Recording(new Set([x]));
    x[0] = 6;
    recording.during(() => {
      scale(x, half, 0.5);
      computeHere([half], [square], () => (square[0] = half[0] * half[0]));
      scale(square, y, 2);
    });
    assert.equal(y[0], 18);
    x[0] = 8;
    runAgain(recording.steps);
    assert.equal(y[0], 32);
    assert.equal(recording.isWhole, true);
    assert.equal(countRecordedJobs(recording.steps), 2);
  });

  it("leaves out what is computed of nothing but what stays as it is, and is not whole where it is made of both", () => {
    const [x, weights, packed, y] = [1, 2, 3, 4].map((first) => Float32Array.of(first));
    const recordingOf = (reads: readonly FloatArray[]): Recording => {
      const recording = new Recording(new Set([x]), (data) => data);
      recording.during(() => computeHere(reads, [packed], () => packed.fill(0)));
      return recording;
    };
    assert.deepEqual([recordingOf([weights]).steps.length, recordingOf([weights]).isWhole], [0, true]);
    assert.deepEqual([recordingOf([x]).steps.length, recordingOf([x]).isWhole], [1, true]);
    assert.equal(recordingOf([x, new Float32Array(0)]).isWhole, true);
    assert.equal(recordingOf([x, weights]).isWhole, false);
    assert.equal(y[0], 4);
  });

  it("makes once what stays as it is, and again where nothing does", () => {
    const [weights, packed] = [Float32Array.of(2), new Float32Array(1)];
    for (const keep of [(data: FloatArray) => data, undefined]) {
      const recording = new Recording(new Set([weights]), keep);
      packed[0] = 0;
      recording.during(() => makeOnce(() => scale(weights, packed, 3)));
      assert.equal(packed[0], 6);
      assert.equal(recording.steps.length, keep === undefined ? 1 : 0);
    }
    makeOnce(() => scale(weights, packed, 5));
    assert.equal(packed[0], 10);
  });

  it("is not whole, where nothing stays as it is, if anything is read that it does not know", () => {
    const [x, other, y] = [1, 2, 3].map((first) => Float32Array.of(first));
    const isWhole = (use: () => unknown): boolean => {
      const recording = new Recording(new Set([x]));
      recording.during(use);
      return recording.isWhole;
    };
    assert.deepEqual(
      [x, other].map((read) => isWhole(() => scale(read, y, 2))),
      [true, false],
    );
    assert.deepEqual(
      [x, other].map((read) => isWhole(() => computeHere([read], [y], () => undefined))),
      [true, false],
    );
    assert.deepEqual(
      [x, other].map((read) => isWhole(() => decideHere(read, () => true))),
      [true, false],
    );
    assert.equal(
      isWhole(() => computeHere([], [y], () => y.fill(0))),
      true,
    );
  });

  it("does not run again where something is decided otherwise", () => {
    const [x, constant, y] = [Float32Array.of(2), Float32Array.of(2), new Float32Array(1)];
    const recording = new Recording(new Set([x]), (data) => data);
    recording.during(() => {
      decideHere(x, () => x[0] > 1);
      decideHere(constant, () => constant[0] > 1);
      scale(x, y, 1);
    });
    [x[0], constant[0]] = [5, 0]; // what stays as it is was decided once for all
    runAgain(recording.steps);
    assert.equal(y[0], 5);
    x[0] = 0;
    assert.throws(() => runAgain(recording.steps), DepartedError);
    assert.equal(y[0], 5);
  });

  it("is made only as long as it is asked for, even where that ends by an error", () => {
    const [x, y] = [1, 2].map((first) => Float32Array.of(first));
    const [outer, inner] = [1, 2].map(() => new Recording(new Set([x])));
    outer.during(() => {
      const fails = (): void =>
        inner.during(() => {
          scale(x, y, 2);
          throw new Error("over");
        });
      assert.throws(fails, { message: "over" });
      scale(x, y, 3);
    });
    scale(x, y, 4);
    assert.deepEqual([outer.steps.length, inner.steps.length], [1, 1]);
    runAgain(outer.steps);
    assert.equal(y[0], 3);
  });
});
