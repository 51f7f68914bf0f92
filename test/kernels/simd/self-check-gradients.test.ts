import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { simdModule } from "../../../src/kernels/simd/module.js";
import { findGradientDifference } from "../../../src/kernels/simd/self-check-gradients.js";
import { runKernel } from "../../../src/kernels/simd/thread.js";
import { sharedHeap } from "../../../src/tensor/heap.js";

describe("findGradientDifference", () => {
  it("finds none, and gives its memory back", () => {
    assert.ok(simdModule() !== undefined);
    const before = sharedHeap().used;
    assert.equal(findGradientDifference(runKernel), undefined);
    assert.equal(sharedHeap().used, before);
  });

  for (const [name, message] of [
    ["tapProducts_float32_2", /^a product of taps with float32 sums and 2 vectors gives 0, not /],
    ["outerProducts_float64_2", /^an outer product with float64 sums and 2 vectors gives 0, not /],
    ["fewFilters3_float64_4", /^one of 3 filters with float64 sums and 4 vectors gives NaN, not /],
    ["packPlanes_float32", /^one of 3 filters with float32 sums and 4 vectors gives /],
    ["weightedPixels_float32_1", /^a weighted pixel with float32 sums and 1 vectors gives NaN, not /],
  ] as const) {
    it(`notices when ${name} computes nothing`, () => {
      const run: typeof runKernel = (kernel, values) => {
        if (kernel.name !== name) runKernel(kernel, values);
      };
      assert.match(findGradientDifference(run) ?? "", message);
    });
  }
});
