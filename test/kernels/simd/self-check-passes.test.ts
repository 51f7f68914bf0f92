import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { simdModule } from "../../../src/kernels/simd/module.js";
import { findPassDifference } from "../../../src/kernels/simd/self-check-passes.js";
import { runKernel } from "../../../src/kernels/simd/thread.js";
import { sharedHeap } from "../../../src/tensor/heap.js";

describe("findPassDifference", () => {
  it("finds none, and gives its memory back", () => {
    assert.ok(simdModule() !== undefined);
    const before = sharedHeap().used;
    assert.equal(findPassDifference(runKernel), undefined);
    assert.equal(sharedHeap().used, before);
  });

  for (const [name, message] of [
    ["sum2Masked", /^a masked sum gives NaN, not /],
    ["rectify", /^a ReLU gives NaN, not /],
    ["finishAddRectify", /^a sum with a ReLU gives .*, not /],
    ["packPanels_float32_2", /^packing with 2 vectors gives NaN, not /],
  ] as const) {
    it(`notices when ${name} computes nothing`, () => {
      const run: typeof runKernel = (kernel, values) => {
        if (kernel.name !== name) runKernel(kernel, values);
      };
      assert.match(findPassDifference(run) ?? "", message);
    });
  }
});
