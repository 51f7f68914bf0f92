import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { input } from "../../src/layers/input-layer.js";
import { layerFromConfig } from "../../src/layers/registry.js";
import { Rescaling, rescalingBackward, rescalingForward } from "../../src/layers/rescaling.js";
import { type Tensor, tensorOf } from "../../src/tensor/tensor.js";
import { assertExactGradient, fakeLoss } from "../support/gradients.js";
import { assertGradients, assertRoundTrip, callLayer } from "../support/layers.js";
import { assertReadsViews, assertSameBits, distinctShapes, exactTensors, floatTensors } from "../support/tensors.js";

const pairs = (tensors: (shape: number[]) => fc.Arbitrary<Tensor>) =>
  distinctShapes(3).chain((shape) => fc.tuple(tensors(shape), tensors(shape)));

describe("Rescaling", () => {
  it("brings pixels to [0, 1] or [-1, 1], rounded once", () => {
    const pixels = tensorOf([0, 51, 255], [1, 3]);
    assertSameBits(rescalingForward(pixels, { scale: 1 / 255 }).y, tensorOf([0, 0.2, 1], [1, 3]));
    assertSameBits(rescalingForward(pixels, { scale: 1 / 127.5, offset: -1 }).y, tensorOf([-1, -0.6, 1], [1, 3]));
  });

  it("takes one number for each channel as well", () => {
    const { y, cache } = rescalingForward(tensorOf([1, 2, 3, 4], [2, 2]), { scale: [2, 10], offset: [0.5, -1] });
    assertSameBits(y, tensorOf([2.5, 19, 6.5, 39], [2, 2]));
    assertSameBits(rescalingBackward(y, cache), tensorOf([5, 190, 13, 390], [2, 2]));
  });

  it("has a gradient of -0 where dy or the scale is", () => {
    const { cache } = rescalingForward(tensorOf([1, 2], [1, 2]), { scale: [3, -0], offset: 5 });
    assertSameBits(rescalingBackward(tensorOf([-0, 7], [1, 2]), cache), tensorOf([-0, -0], [1, 2]));
  });

  it("has gradients equal to differences of L = sum r * y", () => {
    fc.assert(
      fc.property(pairs(exactTensors), fc.integer({ min: -9, max: 9 }), fc.boolean(), ([x, dy], n, perChannel) => {
        const scale = perChannel ? Array.from({ length: x.shape[2] }, (_, c) => (n + c) / 8) : n / 8;
        const config = { scale, offset: n / 4 };
        const gradient = rescalingBackward(dy, rescalingForward(x, config).cache);
        const loss = (at: Tensor) => fakeLoss(rescalingForward(at, config).y, dy);
        assertExactGradient({ name: "dx", at: x, gradient, loss });
      }),
      { numRuns: 50 },
    );
  });

  it("is undone by the inverse map, to the bit, where the scale is a power of two", () => {
    fc.assert(
      fc.property(pairs(floatTensors), fc.integer({ min: -8, max: 8 }), ([x], exponent) => {
        const { y } = rescalingForward(x, { scale: 2 ** exponent });
        assertSameBits(rescalingForward(y, { scale: 2 ** -exponent }).y, x);
      }),
    );
  });

  it("reads strided views like their contiguous copies, and changes none of its arguments", () => {
    fc.assert(
      fc.property(pairs(floatTensors), ([x, dy]) => {
        assertReadsViews([x, dy], (x, dy) => {
          const { y, cache } = rescalingForward(x, { scale: 0.1, offset: 3 });
          return [y, rescalingBackward(dy, cache)];
        });
      }),
      { numRuns: 30 },
    );
  });

  it("is a layer that joins the pair and keeps its configuration", () => {
    const x = tensorOf([1, 2, 3, 4], [2, 2]);
    const pass = callLayer(new Rescaling({ scale: 0.1, offset: -3 }), [x]);
    const { y, cache } = rescalingForward(x, { scale: 0.1, offset: -3 });
    assertSameBits(pass.y, y);
    assertGradients(pass, y, [rescalingBackward(y, cache)]);
    const config = assertRoundTrip(new Rescaling({ scale: 1 / 255 }));
    assert.deepEqual([config["scale"], config["offset"]], [1 / 255, 0]);
    assert.equal(layerFromConfig("Rescaling", { scale: 2 }).getConfig()["offset"], 0);
  });

  it("keeps a scale for each channel, and refuses one for each of other channels", () => {
    const layer = new Rescaling({ scale: [0.5, 0.25], offset: [1, 2] });
    assert.deepEqual(assertRoundTrip(layer)["scale"], [0.5, 0.25]);
    assertSameBits(callLayer(layer, [tensorOf([4, 4], [1, 2])]).y, tensorOf([3, 3], [1, 2]));
    assert.throws(() => layer.apply(input({ shape: [4, 3] })), {
      name: "RangeError",
      message:
        "Rescaling: `scale` must be one number, or one for each channel of an input of shape [null, 4, 3]. " +
        "Received 2 numbers.",
    });
  });

  it("rescales a single number, and refuses a backward map of other channels", () => {
    const { y, cache } = rescalingForward(tensorOf([3], []), { scale: 2, offset: 1 });
    assertSameBits(y, tensorOf([7], []));
    assertSameBits(rescalingBackward(tensorOf([5], []), cache), tensorOf([10], []));
    assert.throws(() => rescalingBackward(tensorOf([1, 2], [2]), { shape: [2], scale: [] }), {
      name: "RangeError",
      message:
        "Rescaling: `scale` must be one number, or one for each channel of an input of shape [2]. Received 0 numbers.",
    });
  });

  it("refuses what is not a number, and no scale", () => {
    assert.throws(() => layerFromConfig("Rescaling", { scale: [1, "2"] }), {
      name: "TypeError",
      message: 'Rescaling: `scale` must be a finite number. Received "2".',
    });
    assert.throws(() => layerFromConfig("Rescaling", { scale: 1, offset: { class_name: "__numpy__" } }), {
      name: "TypeError",
      message: 'Rescaling: `offset` must be a finite number. Received {"class_name":"__numpy__"}.',
    });
    assert.throws(() => layerFromConfig("Rescaling", {}), {
      name: "TypeError",
      message: "Rescaling: `scale` must be a finite number. Received nothing.",
    });
  });
});
