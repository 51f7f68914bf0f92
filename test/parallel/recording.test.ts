import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { withArraysInHeap } from "../../src/parallel/borrow.js";
import type { JobRun } from "../../src/parallel/job.js";
import { runAlone } from "../../src/parallel/pool.js";
import { currentRecording, Recording } from "../../src/parallel/recording.js";
import type { FloatArray } from "../../src/tensor/dtype.js";
import { sharedHeap } from "../../src/tensor/heap.js";
import { scaleJob } from "./jobs.js";

/** y = factor x, as whoever runs jobs does it. */
function scale(x: FloatArray, y: FloatArray, factor: number): void {
  const run = (...runs: readonly JobRun[]): void => runs.forEach(runAlone);
  const job = { job: scaleJob, reads: [x], writes: [y], numbers: [factor], tiles: x.length };
  currentRecording()?.add([job], run);
  run(job);
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
    for (const { run, runs } of recording.dispatches) run(...runs);
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
    for (const { run, runs } of recording.dispatches) run(...runs);
    assert.equal(y[0], 20);
  });

  it("is whole unless what a job wrote had to be copied to where it belongs", () => {
    const heap = sharedHeap();
    const offset = heap.allocate(4);
    const [inside, outside] = [heap.view("float32", offset, 1), new Float32Array(1)];
    const recordingOf = (read: FloatArray, written: FloatArray): Recording => {
      const recording = new Recording(new Set(), (other) => other);
      recording.during(() => withArraysInHeap([read], [written], () => undefined));
      return recording;
    };
    assert.equal(recordingOf(inside, inside).isWhole, true);
    assert.equal(recordingOf(outside, inside).isWhole, true); // a copy of what nobody changes serves again
    assert.equal(recordingOf(inside, outside).isWhole, false);
    heap.free(offset);
  });

  it("is made only as long as it is asked for, even where that ends by an error", () => {
    const [outer, inner] = [1, 2].map(() => new Recording(new Set(), (data) => data));
    outer.during(() => {
      assert.throws(
        () =>
          inner.during(() => {
            assert.equal(currentRecording(), inner);
            throw new Error("over");
          }),
        { message: "over" },
      );
      assert.equal(currentRecording(), outer);
    });
    assert.equal(currentRecording(), undefined);
  });
});
