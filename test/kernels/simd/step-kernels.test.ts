import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import fc from "fast-check";
import { conv2D, conv2DNaive } from "../../../src/kernels/conv2d.js";
import { conv2DInputGradient, conv2DInputGradientNaive } from "../../../src/kernels/conv2d-gradients.js";
import { createExecution, type OwnedExecution } from "../../../src/kernels/execution.js";
import { singles } from "../../../src/kernels/simd/lanes.js";
import { rightLayout } from "../../../src/kernels/simd/panels.js";
import { StepKernels } from "../../../src/kernels/simd/step-kernels.js";
import { window2D } from "../../../src/kernels/window.js";
import { Arena } from "../../../src/tensor/arena.js";
import type { FloatArray } from "../../../src/tensor/dtype.js";
import { assertSameBits, fill, nameOf, seedValues } from "../support.js";

/** What `use` returns within a step of its own. */
function inStep<Result>(
  kernels: readonly FloatArray[],
  execution: OwnedExecution,
  use: (k: StepKernels) => Result,
): Result {
  const arena = new Arena();
  try {
    return arena.run(() => use(new StepKernels(kernels, execution)));
  } finally {
    arena.reset();
  }
}

describe("StepKernels", () => {
  const threads = createExecution({ threads: 3, kernel: "simd" });
  const alone = createExecution({ threads: 1, kernel: "simd" });
  const single = createExecution({ threads: 2, accumulate: "float32", kernel: "simd" });
  const executions = [threads, alone, single];
  after(() => executions.forEach((execution) => execution.close()));

  it("changes no bit of a step, whatever the weights have become since the step before", () => {
    const window = window2D([6, 7], [3, 2], [1, 2], "same", [1, 1]);
    fc.assert(
      fc.property(fc.array(seedValues, { minLength: 2, maxLength: 4 }), seedValues, (weights, seeds) => {
        const x = fill(seeds, [8, 6, 7, 5], "float32");
        const dy = fill(seeds, [8, window.outputHeight, window.outputWidth, 9], "float32");
        for (const execution of executions) {
          const kernel = fill([0], [3, 2, 5, 9], "float32");
          for (const [step, values] of weights.entries()) {
            kernel.data.set(fill(values, kernel.shape, "float32").data);
            inStep([kernel.data], execution, (stepKernels) => {
              const now = { ...execution, stepKernels };
              const what = `step ${step}, ${nameOf(execution)}`;
              const y = conv2D(x, kernel, undefined, window, 1, now);
              assertSameBits(y, conv2DNaive(x, kernel, undefined, window, 1, now.accumulate), `y, ${what}`);
              const dx = conv2DInputGradient(dy, kernel, window, 1, now);
              assertSameBits(dx, conv2DInputGradientNaive(dy, kernel, window, 1, now.accumulate), `dx, ${what}`);
            });
          }
        }
      }),
      { numRuns: 30 },
    );
  });

  /** A matrix [5, 8] that lies transposed, as one panel: packed, its rows follow each other. */
  const layout = rightLayout(singles, 2, {
    ...{ offset: 0, groups: 1, groupStride: 0, outer: 1, outerStride: 0, inner: 1, innerStride: 0 },
    ...{ depth: 5, depthStride: 1, columns: 8, columnStride: 5 },
  });
  const transposed = (data: FloatArray): number[] =>
    Array.from({ length: 40 }, (_, i) => data[(i % 8) * 5 + Math.floor(i / 8)]);

  it("has packed, as it is now, what the step before has asked for, and nothing else", () => {
    const data = Float32Array.from({ length: 40 }, (_, i) => i * i);
    const askIn = (kernels: readonly FloatArray[]): number[] | undefined =>
      inStep(kernels, threads, (k) => {
        const packed = k.find(data, layout, threads);
        return packed && Array.from(packed);
      });
    assert.equal(askIn([data]), undefined);
    assert.deepEqual(askIn([data]), transposed(data));
    data[7] = -3;
    assert.deepEqual(askIn([data]), transposed(data));
    inStep([data], threads, () => {}); // nobody asks
    assert.equal(askIn([data]), undefined);
    assert.deepEqual(askIn([data]), transposed(data));
    assert.equal(askIn([]), undefined); // it may change
  });

  it("packs nothing ahead for one thread, and tells an operand from one that is cut otherwise", () => {
    const data = Float32Array.from({ length: 40 }, (_, i) => i);
    const other = rightLayout(singles, 1, layout);
    for (let step = 0; step < 2; step++) {
      inStep([data], alone, (k) => assert.equal(k.find(data, layout, alone), undefined));
    }
    inStep([data], threads, (k) => k.find(data, layout, threads));
    inStep([data], threads, (k) => assert.equal(k.find(data, other, threads), undefined));
  });

  it("knows of its kernels, and of no other array, whether they are finite", () => {
    const [finite, infinite, other] = [1, Number.NEGATIVE_INFINITY, 1].map((value) =>
      new Float32Array(70_000).fill(1).with(69_999, value),
    );
    inStep([finite, infinite], threads, (k) => {
      assert.deepEqual(
        [finite, infinite, other].map((data) => k.isFinite(data)),
        [true, false, undefined],
      );
    });
  });
});
