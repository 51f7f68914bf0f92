import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Flatten, flattenBackward, flattenForward } from "../../src/layers/flatten.js";
import { input } from "../../src/layers/input-layer.js";
import { layerFromConfig } from "../../src/layers/registry.js";
import { Reshape, reshapeBackward, reshapeForward } from "../../src/layers/reshape.js";
import { sizeOf } from "../../src/tensor/shape.js";
import { tensor, tensorOf } from "../../src/tensor/tensor.js";
import { assertGradients, assertRoundTrip, callLayer } from "../support/layers.js";
import { anyTensors, assertReadsViews, assertSameBits, distinctShapes, generate } from "../support/tensors.js";

const tensors = fc
  .integer({ min: 1, max: 4 })
  .chain((rank) => distinctShapes(rank).chain((shape) => anyTensors(shape)));

describe("Flatten", () => {
  it("makes a row of every example, and the gradient an image again", () => {
    const x = generate([2, 3, 4, 1], "float32", (n, h, w) => 12 * n + 4 * h + w);
    const { y, cache } = flattenForward(x);
    assertSameBits(
      y,
      generate([2, 12], "float32", (n, k) => 12 * n + k),
    );
    assertSameBits(flattenBackward(y, cache), x);
  });

  it("keeps every number and their order, for any rank, whatever the strides", () => {
    fc.assert(
      fc.property(tensors, (x) => {
        assertSameBits(flattenForward(x).y, tensor(x.data, [x.shape[0], sizeOf(x.shape.slice(1))]));
        assertReadsViews([x], (x) => {
          const { y, cache } = flattenForward(x);
          return [y, flattenBackward(y, cache)];
        });
      }),
    );
  });

  it("is a layer that leaves open what is open, and keeps its configuration", () => {
    const x = tensorOf([1, 2, 3, 4], [1, 2, 2]);
    const pass = callLayer(new Flatten(), [x]);
    assertGradients(pass, pass.y, [x]);
    assert.deepEqual(new Flatten().apply(input({ shape: [null, 3] })).shape, [null, null]);
    assert.deepEqual(new Flatten().apply(input({ shape: [] })).shape, [null, 1]);
    assertRoundTrip(new Flatten({ name: "flat" }));
    assert.throws(() => layerFromConfig("Flatten", { data_format: "channels_first" }), {
      name: "TypeError",
      message: 'Flatten: `data_format` must be "channels_last". Received "channels_first".',
    });
  });
});

describe("Reshape", () => {
  it("gives every example another shape, and the gradient the old one", () => {
    const x = generate([2, 6], "float32", (n, k) => 6 * n + k);
    const { y, cache } = reshapeForward(x, [3, -1]);
    assertSameBits(
      y,
      generate([2, 3, 2], "float32", (n, h, w) => 6 * n + 2 * h + w),
    );
    assertSameBits(reshapeBackward(y, cache), x);
  });

  it("keeps every number and their order, whatever the strides", () => {
    fc.assert(
      fc.property(tensors, (x) => {
        const target = [...x.shape.slice(1)].reverse();
        assertSameBits(reshapeForward(x, target).y, tensor(x.data, [x.shape[0], ...target]));
        assertSameBits(reshapeForward(x, [1, -1]).y, tensor(x.data, [x.shape[0], 1, sizeOf(x.shape.slice(1))]));
        assertReadsViews([x], (x) => {
          const { y, cache } = reshapeForward(x, target);
          return [y, reshapeBackward(y, cache)];
        });
      }),
    );
  });

  it("is a layer that leaves open what is open, and keeps its configuration", () => {
    const x = tensorOf([1, 2, 3, 4], [1, 4]);
    const pass = callLayer(new Reshape({ targetShape: [2, 2] }), [x]);
    assertGradients(pass, pass.y, [x]);
    const image = input({ shape: [null, 3] });
    assert.deepEqual(new Reshape({ targetShape: [-1, 2] }).apply(image).shape, [null, null, 2]);
    assert.deepEqual(new Reshape({ targetShape: [] }).apply(input({ shape: [1] })).shape, [null]);
    assert.deepEqual(assertRoundTrip(new Reshape({ targetShape: [2, -1] }))["target_shape"], [2, -1]);
  });

  it("refuses shapes that do not hold the same numbers", () => {
    const apply =
      (targetShape: number[]): (() => unknown) =>
      () =>
        new Reshape({ targetShape }).apply(input({ shape: [2, 3] }));
    for (const target of [[4], [4, -1], [0, -1], []]) {
      assert.throws(apply(target), {
        name: "RangeError",
        message:
          "Reshape: `targetShape` must hold the 6 numbers of one example of shape [2, 3]. " +
          `Received targetShape=[${target.join(", ")}].`,
      });
    }
    for (const target of [
      [-1, -1],
      [-2, 3],
    ]) {
      assert.throws(apply(target), {
        name: "RangeError",
        message:
          "Reshape: `targetShape` must be made of whole numbers of at least 0, of which one may be -1 instead. " +
          `Received targetShape=[${target.join(", ")}].`,
      });
    }
    assert.throws(() => layerFromConfig("Reshape", { target_shape: [1.5] }), {
      name: "TypeError",
      message: "Reshape: `target_shape` must be a list of whole numbers. Received [1.5].",
    });
  });
});
