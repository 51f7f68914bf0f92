import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { NpyArray } from "../../src/formats/npy.js";
import { type Dataset, dataset } from "../../src/training/dataset.js";
import {
  checkPreprocessing,
  preprocessImage,
  preprocessingFor,
  preprocessingFromArrays,
  preprocessingLike,
  readPreprocessing,
  writePreprocessing,
} from "../../src/training/preprocessing.js";
import { damages } from "../formats/mutations.js";

function data(images: Uint8Array | Float32Array, samples: number): Dataset {
  const shape = [samples, 1, 3, 2] as const;
  return dataset({ name: "test data", images, shape, labels: new Int32Array(samples), classNames: ["all"] });
}

describe("preprocessing", () => {
  it("scales every byte to numpy's float32 quotient pixel / 255, bit for bit", () => {
    const pixels = Uint8Array.from({ length: 258 }, (_, i) => Math.min(i, 255));
    const preprocessing = preprocessingFor(data(pixels, 43), { subtractMean: false });
    const x = new Float32Array(258);
    preprocessImage(x, 0, pixels, 0, 258, preprocessing);
    // a float32 quotient is the float64 quotient rounded: 53 bits are more than twice 24 and two more
    assert.deepEqual(
      x,
      Float32Array.from(pixels, (pixel) => pixel / 255),
    );
  });

  it("subtracts the mean of every pixel: two images of bytes, by hand", () => {
    const pixels = Uint8Array.of(0, 255, 51, 102, 255, 0, 255, 255, 51, 0, 0, 0);
    const preprocessing = preprocessingFor(data(pixels, 2));
    const f = Math.fround;
    assert.deepEqual(preprocessing.mean, Float32Array.of(0.5, 1, 0.2, f(f(0.4) / 2), 0.5, 0));
    const x = new Float32Array(8).fill(9);
    preprocessImage(x, 1, pixels, 6, 6, preprocessing);
    assert.deepEqual(x, Float32Array.of(9, 0.5, 0, 0, -f(f(0.4) / 2), -0.5, 0, 9));
  });

  it("sums in float64, image after image, and rounds once", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), fc.infiniteStream(fc.float({ min: -4, max: 4 })), (n, values) => {
        const images = Float32Array.from({ length: n * 6 }, () => values.next().value);
        const { scale, mean } = preprocessingFor(data(images, n));
        assert.equal(scale, 1);
        for (let i = 0; i < 6; i++) {
          let sum = 0;
          for (let k = 0; k < n; k++) sum += images[k * 6 + i];
          assert.equal(mean?.[i], Math.fround(sum / n));
        }
      }),
    );
  });

  it("comes back from its archive with the same bits, with a mean and without", () => {
    for (const mean of [undefined, Float32Array.of(0.1, 0.2, -0.3, 4, 5, 6)]) {
      const preprocessing = { scale: 1 / 255, mean };
      const bytes = writePreprocessing(preprocessing, [1, 3, 2]);
      assert.deepEqual(readPreprocessing(bytes), preprocessing);
      assert.deepEqual(writePreprocessing(preprocessing, [1, 3, 2]), bytes);
    }
  });

  it("takes the mean from the model and the scale from the images", () => {
    const mean = new Float32Array(6).fill(0.5);
    const saved = { scale: 1 / 255, mean };
    assert.deepEqual(preprocessingLike(saved, data(new Uint8Array(12), 2)), saved);
    assert.deepEqual(preprocessingLike(saved, data(new Float32Array(12), 2)), { scale: 1, mean });
    assert.throws(() => preprocessingLike({ scale: 1, mean: new Float32Array(5) }, data(new Uint8Array(6), 1)), {
      name: "RangeError",
      message: "preprocessing: `mean` must have 6 values for images of shape [1, 3, 2]. Received mean.length=5.",
    });
  });

  it("refuses a mean of another size", () => {
    assert.throws(() => checkPreprocessing({ scale: 1, mean: new Float32Array(5) }, [1, 3, 2]), {
      name: "RangeError",
      message: "preprocessing: `mean` must have 6 values for images of shape [1, 3, 2]. Received mean.length=5.",
    });
  });

  const scale: NpyArray = { dtype: "float64", shape: [], data: Float64Array.of(1) };
  const refused: [what: string, arrays: Record<string, NpyArray>, message: string][] = [
    ["no scale", {}, "preprocessing: `scale` must be a finite float64 number. Received no such array."],
    [
      "a scale that is not finite",
      { scale: { ...scale, data: Float64Array.of(Number.NaN) } },
      "preprocessing: `scale` must be a finite float64 number. Received float64 of shape [], NaN.",
    ],
    [
      "a mean of bytes",
      { scale, mean: { dtype: "uint8", shape: [1, 2, 3], data: new Uint8Array(6) } },
      "preprocessing: `mean` must be float32, [H, W, C], and finite. Received uint8 of shape [1, 2, 3].",
    ],
  ];
  for (const [what, arrays, message] of refused) {
    it(`refuses ${what}`, () => {
      assert.throws(() => preprocessingFromArrays(new Map(Object.entries(arrays))), { name: "FormatError", message });
    });
  }

  it("survives any damage to its archive", () => {
    const bytes = writePreprocessing({ scale: 1 / 255, mean: new Float32Array(6) }, [1, 3, 2]);
    fc.assert(
      fc.property(damages, (damage) => {
        try {
          readPreprocessing(damage(bytes));
        } catch (error) {
          assert.ok(error instanceof Error && error.name === "FormatError", String(error));
        }
      }),
    );
  });
});
