import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { simdModule } from "../../../src/kernels/simd/module.js";
import { findDifference } from "../../../src/kernels/simd/self-check.js";
import { runKernel } from "../../../src/kernels/simd/thread.js";
import { sharedHeap } from "../../../src/tensor/heap.js";

describe("findDifference", () => {
  it("finds none on this machine, and takes no memory when it is asked again", () => {
    assert.ok(simdModule() !== undefined);
    const before = sharedHeap().used;
    assert.equal(findDifference(), undefined);
    assert.equal(sharedHeap().used, before);
  });

  // what the right results of the check before left must not hide it
  for (const [name, message] of [
    ["pack_float32_2", /^a product with float32 sums, 2 vectors and 8 columns gives /],
    ["writeTable", /^a product with float32 sums, 4 vectors and 16 columns gives \S+, not /],
    ["product_ahead_float64_4", /^a product with float64 sums, 4 vectors and 8 columns gives NaN, not /],
    ["tapProducts_float32_2", /^a product of taps with float32 sums and 2 vectors gives 0, not /],
    ["outerProducts_float64_2", /^an outer product with float64 sums and 2 vectors gives 0, not /],
    ["fewFilters3_float64_4", /^one of 3 filters with float64 sums and 4 vectors gives NaN, not /],
    ["packPlanes_float32", /^one of 3 filters with float32 sums and 4 vectors gives NaN, not /],
    ["weightedPixels_float32_1", /^a weighted pixel with float32 sums and 1 vectors gives NaN, not /],
    [
      "weightedInPlace2_float64_2",
      /^a weighted pixel in place with float64 sums, 2 vectors and stride 2 gives NaN, not /,
    ],
    ["productsInPlace1_float64_2", /^a product in place with float64 sums, 2 vectors and stride 1 gives 0, not /],
    ["storeTapSums_float64_1", /^a product in place with float64 sums, 1 vectors and stride 1 gives NaN, not /],
    ["sum2Masked", /^a masked sum gives NaN, not /],
    ["rectify", /^a ReLU gives NaN, not /],
    ["rectifyBounded", /^a bounded ReLU gives NaN, not /],
    ["rectifySloped", /^a sloped ReLU gives NaN, not /],
    ["rectifyBoundedGradient", /^the gradient of a bounded ReLU gives NaN, not /],
    ["rectifySlopedGradient", /^the gradient of a sloped ReLU gives NaN, not /],
    ["finishAddRectify", /^a sum with a ReLU gives .*, not /],
    ["normalizeAddRectifySingle", /^a normalization with a sum and a ReLU gives NaN, not /],
    ["normalizationGradientMaskedSumSingle", /^the gradient of a normalization with a ReLU, in a sum gives NaN, not /],
    ["packPanels_float32_2", /^packing with 2 vectors gives NaN, not /],
    ["poolGreatest", /^a pool gives NaN, not /],
    ["poolGreatestPlaces", /^a pool with places gives NaN, not /],
    ["imageGreatest", /^the greatest of an image gives NaN, not /],
    ["imageGreatestGradient", /^the gradient of the greatest of an image gives NaN, not /],
    ["copyRows", /^a copy of rows gives 0.5, not /],
  ] as const) {
    it(`notices when ${name} computes nothing`, () => {
      const run: typeof runKernel = (kernel, values) => {
        if (kernel.name !== name) runKernel(kernel, values);
      };
      assert.match(findDifference(run) ?? "", message);
      assert.equal(findDifference(), undefined);
    });
  }

  for (const [what, change] of [
    ["forgets the last row, which is of another kind", { kindCount: 1 }],
    ["takes the next segment of the panel too early", { segmentRows: 8 }],
  ] as const) {
    it(`says which kernel ${what}`, () => {
      const changed: typeof runKernel = (kernel, values) =>
        runKernel(kernel, kernel.name === "products_float64_2" ? { ...values, ...change } : values);
      const difference = findDifference(changed) ?? "";
      assert.match(difference, /^a product with float64 sums, 2 vectors and 4 columns gives \S+, not \S+$/);
    });
  }

  it("says which kernel drops a term", () => {
    const short: typeof runKernel = (kernel, values) =>
      runKernel(kernel, kernel.name === "writeRowKind" ? { ...values, segmentCount: 1 } : values);
    const difference = findDifference(short) ?? "";
    assert.match(difference, /^a product with float32 sums, 4 vectors and 16 columns gives \S+, not \S+$/);
  });
});
