import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { serial } from "../../src/kernels/execution.js";
import { conv2D } from "../../src/kernels/conv2d.js";
import { kernelJobs, passJob } from "../../src/kernels/jobs.js";
import { type JobPass, passNumbers } from "../../src/kernels/pass-job.js";
import { RELU, rectify } from "../../src/kernels/rectify.js";
import { asOnlyThread, threadNumber } from "../../src/kernels/simd/thread.js";
import { window2D } from "../../src/kernels/window.js";
import { isDispatch, Recording } from "../../src/parallel/recording.js";
import { Arena } from "../../src/tensor/arena.js";
import type { FloatArray } from "../../src/tensor/dtype.js";
import { Region, sharedHeap } from "../../src/tensor/heap.js";
import { type Tensor, tensor } from "../../src/tensor/tensor.js";
import { generate } from "../support/tensors.js";
import { assertSameBits } from "./support.js";

const heap = sharedHeap();
const SHAPE = [2, 5, 4, 8];
const window = window2D([5, 4], [3, 3], [1, 1], "same", [1, 1]);
const kernel = generate([3, 3, 8, 8], "float32", (kh, kw, c, f) => ((kh * 5 + kw * 3 + c * 7 + f) % 11) / 8 - 0.6);

/** A rectified convolution. */
function compute(x: Tensor): Tensor {
  return rectify(conv2D(x, kernel, undefined, window, 1, { ...serial, accumulate: "float32" }), RELU, serial);
}

/** Images, different for each `number`. */
function imagesOf(number: number): Tensor {
  return generate(SHAPE, "float32", (n, h, w, c) => ((n * 17 + h * 7 + w * 5 + c * 3 + number * 29) % 23) / 16 - 0.7);
}

/** A pass of {@link compute} in `region`. Nobody else may be given what it has freed. */
function passIn(region: Region): JobPass {
  return heap.within(region, () =>
    new Arena().run(() => {
      const x = tensor(heap.view("float32", heap.allocate(4 * 320), 320), SHAPE);
      x.data.set(imagesOf(0).data);
      const recording = new Recording(new Set<FloatArray>([x.data]), (data) => {
        if (!region.holds(data)) return data;
        const kept = heap.view("float32", heap.allocateOutside(data.byteLength), data.length);
        kept.set(data);
        return kept;
      });
      const y = recording.during(() => compute(x));
      return {
        inputs: [x.data],
        outputs: [y.data],
        runs: recording.steps.flatMap((step) => (isDispatch(step) ? step.runs : [])),
      };
    }),
  );
}

describe("passJob", () => {
  it("runs a pass in memory of its own, as often as it is asked to, and leaves that of other threads alone", () => {
    const region = new Region(heap);
    const pass = passIn(region);
    const twin = region.twin();
    const own = passNumbers(pass, kernelJobs, (address) => address);
    const others = passNumbers(pass, kernelJobs, twin.placeOf);
    assert.equal(others.length, own.length);
    const whole = generate([6, 5, 4, 8], "float32", (n, h, w, c) => imagesOf(Math.floor(n / 2)).get(n % 2, h, w, c));
    for (const [id, numbers] of [own, others].entries()) {
      const y = tensor(new Float32Array(whole.size), whole.shape);
      const before = [...pass.inputs, ...pass.outputs].map((data) => data.slice());
      const memory = heap.view("float32", 0, heap.peak / 4);
      const run = passJob.prepare([memory, Float64Array.from(numbers), whole.data, y.data], [numbers.length, id]);
      for (const part of [2, 0, 1]) run(part);
      for (const part of [0, 1, 2]) {
        const result = tensor(y.data.slice(part * 320, (part + 1) * 320), SHAPE);
        assertSameBits(result, compute(imagesOf(part)), `part ${part}`);
      }
      if (numbers === others) assert.deepEqual([...pass.inputs, ...pass.outputs], before);
      // the pass that it had before is not read again, whatever it is given; another one is
      const nothing = Float64Array.from({ length: numbers.length }, () => Number.NaN);
      y.data.fill(0);
      passJob.prepare([memory, nothing, whole.data, y.data], [numbers.length, id])(1);
      assertSameBits(tensor(y.data.slice(320, 640), SHAPE), compute(imagesOf(1)), "again");
    }
    for (const each of [region, twin.region]) each.close();
  });
});

describe("asOnlyThread", () => {
  it("makes a thread the only one until its use is over, even by an error", () => {
    const number = threadNumber();
    assert.equal(asOnlyThread(threadNumber), 0);
    assert.throws(
      () =>
        asOnlyThread(() => {
          throw new Error("over");
        }),
      { message: "over" },
    );
    assert.equal(threadNumber(), number);
  });
});
