import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  type Dataset,
  dataset,
  imageBytes,
  imageFloats,
  splitForValidation,
  subset,
} from "../../src/training/dataset.js";

/** Images of shape [2, 3, 1] whose pixels tell the image, with the given labels. */
function labelled(labels: readonly number[], classes = 3): Dataset {
  const images = Uint8Array.from({ length: labels.length * 6 }, (_, i) => Math.floor(i / 6));
  return dataset({
    name: "test data",
    images,
    shape: [labels.length, 2, 3, 1],
    labels: Int32Array.from(labels),
    classNames: Array.from({ length: classes }, (_, i) => `class ${i}`),
  });
}

const members = (data: Dataset): number[] => Array.from({ length: data.shape[0] }, (_, n) => data.images[n * 6]);

describe("dataset", () => {
  const good = labelled([0, 1]);
  const refused: [what: string, parts: Partial<Dataset>, message: string][] = [
    [
      "no images",
      { shape: [0, 2, 3, 1], images: new Uint8Array(0), labels: new Int32Array(0) },
      "dataset: `shape` of test data must be [N, H, W, C], whole numbers of at least 1. Received shape=[0, 2, 3, 1].",
    ],
    [
      "images of another size",
      { images: new Uint8Array(5) },
      "dataset: `images` of test data must hold 12 values for shape [2, 2, 3, 1]. Received images.length=5.",
    ],
    [
      "too few labels",
      { labels: Int32Array.of(0) },
      "dataset: `labels` of test data must be one for each of 2 images. Received labels.length=1.",
    ],
    ["no classes", { classNames: [] }, "dataset: `classNames` of test data must name a class. Received none."],
    [
      "a label beyond the classes",
      { labels: Int32Array.of(0, 3) },
      "dataset: `labels` of test data must be from 0 to 2. Received 3 for image 1.",
    ],
    [
      "a negative label",
      { labels: Int32Array.of(-1, 0) },
      "dataset: `labels` of test data must be from 0 to 2. Received -1 for image 0.",
    ],
  ];
  for (const [what, parts, message] of refused) {
    it(`refuses ${what}`, () => assert.throws(() => dataset({ ...good, ...parts }), { name: "RangeError", message }));
  }

  it("keeps images in memory that workers can share", () => {
    assert.ok(imageBytes(5).buffer instanceof SharedArrayBuffer);
    assert.ok(imageFloats(5).buffer instanceof SharedArrayBuffer);
    assert.deepEqual([imageBytes(5).length, imageFloats(5).length], [5, 5]);
  });
});

describe("subset", () => {
  it("copies the images that it is asked for, in that order", () => {
    const part = subset(labelled([2, 0, 1, 0]), [3, 0, 3]);
    assert.deepEqual(
      [members(part), [...part.labels], [...part.shape]],
      [
        [3, 0, 3],
        [0, 2, 0],
        [3, 2, 3, 1],
      ],
    );
  });

  it("keeps float images floats", () => {
    const images = Float32Array.from({ length: 12 }, (_, i) => i / 8);
    const part = subset({ ...labelled([0, 1]), images }, [1]);
    assert.deepEqual(part.images, Float32Array.of(0.75, 0.875, 1, 1.125, 1.25, 1.375));
  });

  it("refuses an index without an image", () => {
    assert.throws(() => subset(labelled([0, 1]), [2]), {
      name: "RangeError",
      message: "subset: `indices` must be from 0 to 1. Received 2.",
    });
  });
});

describe("splitForValidation", () => {
  const labels = fc.array(fc.nat(2), { minLength: 1, maxLength: 60 });
  const fraction = fc.double({ min: 0.05, max: 0.95, noNaN: true });

  it("takes round(fraction m) of the m images of every class, never all, and loses none", () => {
    fc.assert(
      fc.property(labels, fraction, fc.nat(), (list, part, seed) => {
        const count = (label: number): number => list.filter((other) => other === label).length;
        const expected = [0, 1, 2].map((label) =>
          Math.max(0, Math.min(Math.round(part * count(label)), count(label) - 1)),
        );
        fc.pre(expected.some((images) => images > 0));
        const data = labelled(list);
        const { training, test } = splitForValidation(data, part, seed);
        assert.deepEqual(
          [0, 1, 2].map((label) => test.labels.filter((other) => other === label).length),
          expected,
        );
        const [kept, held] = [members(training), members(test)];
        assert.deepEqual(
          [...kept, ...held].sort((a, b) => a - b),
          members(data),
        );
        for (const order of [kept, held])
          assert.deepEqual(
            order,
            order.toSorted((a, b) => a - b),
          );
        for (const half of [training, test]) {
          assert.deepEqual(
            [...half.labels],
            members(half).map((n) => list[n]),
          );
        }
      }),
    );
  });

  it("depends on the seed alone", () => {
    const data = labelled(Array.from({ length: 60 }, (_, i) => i % 3));
    const held = (seed: number): number[] => members(splitForValidation(data, 0.2, seed).test);
    assert.deepEqual(held(7), held(7));
    assert.notDeepEqual(held(7), held(8));
  });

  for (const bad of [0, 1, -0.5, Number.NaN]) {
    it(`refuses a fraction of ${bad}`, () => {
      assert.throws(() => splitForValidation(labelled([0, 0]), bad, 0), {
        name: "RangeError",
        message: `validationSplit must be above 0 and below 1. Received ${bad}.`,
      });
    });
  }

  it("refuses a fraction that takes nothing", () => {
    assert.throws(() => splitForValidation(labelled([0, 1, 2]), 0.9, 0), {
      name: "RangeError",
      message:
        "validationSplit must take at least one image of a class, and leave one, of the 3 of test data. Received 0.9.",
    });
  });
});
