import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { NpyArray } from "../../../src/formats/npy.js";
import { writeNpz } from "../../../src/formats/npz.js";
import { dataOfNpz } from "../../../src/training/data/npz-data.js";
import { assertSurvives, damages } from "../../formats/mutations.js";

const bytes: NpyArray = {
  dtype: "uint8",
  shape: [2, 3, 1, 4],
  data: Uint8Array.from({ length: 24 }, (_, i) => i * 10),
};
const floats: NpyArray = {
  dtype: "float32",
  shape: [2, 3, 1, 4],
  data: Float32Array.from({ length: 24 }, (_, i) => i / 32),
};
const numbers: NpyArray = { dtype: "int64", shape: [2], data: BigInt64Array.of(4n, 1n) };
const hot: NpyArray = { dtype: "float32", shape: [2, 3], data: Float32Array.of(0, 0, 1, 1, 0, 0) };

function archive(arrays: Readonly<Record<string, NpyArray>>): Uint8Array {
  return writeNpz(new Map(Object.entries(arrays)));
}

describe("dataOfNpz", () => {
  it("reads bytes as bytes, and as many classes as the highest label needs", () => {
    const { training, test } = dataOfNpz("d.npz", archive({ x: bytes, y: numbers }));
    assert.deepEqual(Uint8Array.from(training.images), bytes.data);
    assert.deepEqual(
      [training.shape, [...training.labels]],
      [
        [2, 3, 1, 4],
        [4, 1],
      ],
    );
    assert.deepEqual([training.classNames, training.name], [["0", "1", "2", "3", "4"], "d.npz, training set"]);
    assert.equal(test, undefined);
  });

  it("reads floats as they are, one-hot labels, and a test set", () => {
    const y: NpyArray = { dtype: "bool", shape: [2, 3], data: Uint8Array.of(0, 1, 0, 0, 1, 0) };
    const { training, test } = dataOfNpz("d.npz", archive({ x: floats, y: hot, x_test: floats, y_test: y }));
    assert.deepEqual(Float32Array.from(training.images), floats.data);
    assert.deepEqual(
      [[...training.labels], [...(test?.labels ?? [])]],
      [
        [2, 0],
        [1, 1],
      ],
    );
    assert.equal(test?.classNames.length, 3);
  });

  it("reads Keras's names, and labels of shape [N, 1]", () => {
    const y: NpyArray = { dtype: "uint8", shape: [2, 1], data: Uint8Array.of(3, 0) };
    const { training, test } = dataOfNpz(
      "d.npz",
      archive({ x_train: bytes, y_train: y, x_test: bytes, y_test: numbers }),
    );
    assert.deepEqual(
      [[...training.labels], [...(test?.labels ?? [])]],
      [
        [3, 0],
        [4, 1],
      ],
    );
    assert.deepEqual([training.classNames.length, test?.classNames.length], [5, 5]);
  });

  it("rounds float64 to float32, and takes a number of classes", () => {
    const x: NpyArray = { dtype: "float64", shape: [2, 3, 1, 4], data: new Float64Array(24).fill(0.1) };
    const { training } = dataOfNpz("d.npz", archive({ x, y: numbers }), { classes: 10 });
    assert.deepEqual(Float32Array.from(training.images), new Float32Array(24).fill(0.1));
    assert.equal(training.classNames.length, 10);
  });

  const refused: [what: string, arrays: Record<string, NpyArray>, message: string][] = [
    ["no array", {}, "the archive must hold `x` and `y`. Received no array."],
    ["other arrays", { a: bytes, b: hot }, "the archive must hold `x` and `y`. Received a, b."],
    ["images without labels", { x: bytes }, "`x` must come with `y`. Received no `y`."],
    [
      "labels of a test set without images",
      { x: bytes, y: numbers, y_test: numbers },
      "`y_test` must come with `x_test`. Received no `x_test`.",
    ],
    [
      "images without channels",
      { x: { ...bytes, shape: [2, 3, 4] }, y: numbers },
      "`x` must be images [N, H, W, C], at least one; grey ones have C = 1. Received x.shape=[2, 3, 4].",
    ],
    [
      "no images",
      { x: { ...bytes, shape: [0, 3, 1, 4], data: new Uint8Array(0) }, y: numbers },
      "`x` must be images [N, H, W, C], at least one; grey ones have C = 1. Received x.shape=[0, 3, 1, 4].",
    ],
    [
      "pixels of another type",
      { x: { dtype: "int32", shape: [2, 3, 1, 4], data: new Int32Array(24) }, y: numbers },
      "`x` must be uint8, or float16, float32 or float64. Received int32.",
    ],
    [
      "floats that nobody scaled",
      { x: { ...floats, data: new Float32Array(24).fill(255, 7) }, y: numbers },
      "`x` must be scaled already where it is of floats, as by pixels / 255: of magnitudes up to 16. Received 255 at 7.",
    ],
    [
      "floats that are none",
      { x: { ...floats, data: new Float32Array(24).fill(Number.NaN) }, y: numbers },
      "`x` must be scaled already where it is of floats, as by pixels / 255: of magnitudes up to 16. Received NaN at 0.",
    ],
    [
      "labels of another number of images",
      { x: bytes, y: { ...numbers, shape: [1], data: BigInt64Array.of(1n) } },
      "`y` must be class numbers [2] or one-hot [2, classes]. Received y.shape=[1].",
    ],
    [
      "a negative label",
      { x: bytes, y: { ...numbers, data: BigInt64Array.of(0n, -1n) } },
      "`y` must hold class numbers from 0 to 65535. Received -1 at 1.",
    ],
    [
      "a label between two classes",
      { x: bytes, y: { dtype: "float32", shape: [2], data: Float32Array.of(0.5, 1) } },
      "`y` must hold class numbers from 0 to 65535. Received 0.5 at 0.",
    ],
    [
      "a row of zeros",
      { x: bytes, y: { ...hot, data: new Float32Array(6) } },
      "`y` must have exactly one 1 in each row, and zeros, where it has two dimensions. Received row 0: 0, 0, 0.",
    ],
    [
      "a row of two classes",
      { x: bytes, y: { ...hot, data: Float32Array.of(0, 0, 1, 1, 0, 0.5) } },
      "`y` must have exactly one 1 in each row, and zeros, where it has two dimensions. Received row 1: 1, 0, 0.5.",
    ],
    [
      "a test set of other images",
      { x: bytes, y: numbers, x_test: { ...bytes, shape: [2, 1, 3, 4] }, y_test: numbers },
      "`x_test` must hold images like those of the training set, [3, 1, 4] of uint8. Received [1, 3, 4] of uint8.",
    ],
    [
      "a test set of another type",
      { x: bytes, y: numbers, x_test: floats, y_test: numbers },
      "`x_test` must hold images like those of the training set, [3, 1, 4] of uint8. Received [3, 1, 4] of floats.",
    ],
    [
      "a label beyond the one-hot ones",
      { x: bytes, y: hot, x_test: bytes, y_test: numbers },
      "the labels must be of 3 classes in all arrays. Received label 4.",
    ],
    [
      "one-hot labels of two widths",
      { x: bytes, y: hot, x_test: bytes, y_test: { ...hot, shape: [2, 2], data: Float32Array.of(1, 0, 0, 1) } },
      "the labels must be of 3 classes in all arrays. Received one-hot labels of 3 and 2 classes.",
    ],
  ];
  for (const [what, arrays, message] of refused) {
    it(`refuses ${what}`, () => {
      const expected = { name: "FormatError", message: `d.npz: data: ${message}` };
      assert.throws(() => dataOfNpz("d.npz", archive(arrays)), expected);
    });
  }

  it("refuses a label beyond the classes that it is told", () => {
    assert.throws(() => dataOfNpz("d.npz", archive({ x: bytes, y: numbers }), { classes: 4 }), {
      message: "d.npz: data: the labels must be of 4 classes in all arrays. Received label 4.",
    });
  });

  it("survives any damage", () => {
    const whole = archive({ x: bytes, y: hot, x_test: bytes, y_test: hot });
    fc.assert(
      fc.property(damages, (damage) => assertSurvives(() => dataOfNpz("npz", damage(whole)), 1000)),
      {
        numRuns: 500,
      },
    );
  });
});
