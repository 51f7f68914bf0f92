import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import fc from "fast-check";
import { imageNetClasses } from "../../../src/models/applications/imagenet-classes.js";
import { decodePredictions, preprocessInput } from "../../../src/models/applications/imagenet-utils.js";
import { tensorOf, zeros } from "../../../src/tensor/tensor.js";

describe("imageNetClasses", () => {
  it("is Keras's imagenet_class_index.json, by the MD5 sum that Keras checks it with", () => {
    const entries = imageNetClasses().map((c, i) => `"${i}": ["${c.wordNetId}", "${c.className}"]`);
    const json = `{${entries.join(", ")}}`;
    assert.equal(createHash("md5").update(json).digest("hex"), "c2c37ea517e94d9795004a39431a14cb");
  });

  it("lists 1000 classes by ascending WordNet id", () => {
    const classes = imageNetClasses();
    const ids = classes.map(({ wordNetId }) => wordNetId);
    assert.equal(new Set(ids).size, 1000);
    assert.deepEqual(ids, [...ids].sort());
    const names = classes.map(({ className }) => className);
    assert.deepEqual(
      [0, 207, 281, 999].map((i) => names[i]),
      ["tench", "golden_retriever", "tabby", "toilet_tissue"],
    );
    const indices = (name: string): number[] => names.flatMap((other, i) => (other === name ? [i] : []));
    assert.deepEqual(indices("crane"), [134, 517]);
    assert.deepEqual(indices("maillot"), [638, 639]);
  });
});

describe("decodePredictions", () => {
  it("gives the best classes of every row, best first", () => {
    const predictions = zeros([2, 1000], "float32");
    predictions.set(0, 281, 0.75);
    predictions.set(0, 207, 0.25);
    predictions.set(1, 999, 1);
    const decoded = decodePredictions(predictions, 2);
    assert.deepEqual(decoded, [
      [
        { wordNetId: "n02123045", className: "tabby", score: 0.75 },
        { wordNetId: "n02099601", className: "golden_retriever", score: 0.25 },
      ],
      [
        { wordNetId: "n15075141", className: "toilet_tissue", score: 1 },
        { wordNetId: "n01440764", className: "tench", score: 0 },
      ],
    ]);
  });

  it("gives five by default, all where more are asked for than there are, and NaN first", () => {
    const predictions = zeros([1, 1000], "float32");
    predictions.set(0, 3, Number.POSITIVE_INFINITY);
    predictions.set(0, 5, Number.NaN);
    predictions.set(0, 4, -1);
    const [five] = decodePredictions(predictions);
    assert.deepEqual(
      five.map(({ score }) => score),
      [Number.NaN, Number.POSITIVE_INFINITY, 0, 0, 0],
    );
    const [all] = decodePredictions(predictions, 2000);
    assert.equal(all.length, 1000);
    assert.equal(all[999].score, -1);
  });

  it("refuses predictions of another shape with Keras's words, and a top below 1", () => {
    assert.throws(() => decodePredictions(zeros([2, 10], "float32")), {
      name: "RangeError",
      message:
        "`decodePredictions` expects a batch of predictions (i.e. a 2D array of shape (samples, 1000)). " +
        "Received array with shape: (2, 10)",
    });
    assert.throws(() => decodePredictions(zeros([1000], "float32")), /Received array with shape: \(1000,\)$/);
    assert.throws(() => decodePredictions(zeros([1, 1000], "float32"), 0), {
      name: "RangeError",
      message: "decodePredictions: `top` must be a whole number of at least 1. Received top=0.",
    });
  });
});

describe("preprocessInput", () => {
  const pixels = [0, 127, 255, 1, 2.5, 103];
  // printed by keras.applications.imagenet_utils.preprocess_input for numpy arrays of each type
  const keras: Readonly<Record<string, readonly number[]>> = {
    "caffe float32": [
      151.06100463867188, 10.221000671386719, -123.68000030517578, -0.93900299072265625, -114.27899932861328,
      -122.68000030517578,
    ],
    "caffe float64": [151.061, 10.221000000000004, -123.68, -0.938999999999993, -114.279, -122.68],
    "tf float32": [-1, -0.003921568393707275, 1, -0.9921568632125854, -0.9803921580314636, -0.1921568512916565],
    "tf float64": [-1, -0.0039215686274509665, 1, -0.9921568627450981, -0.9803921568627451, -0.19215686274509802],
    "torch float32": [
      -2.1179039478302, 0.18767505884170532, 2.640000104904175, -2.1007792949676514, -1.9919466972351074,
      -0.009237395599484444,
    ],
    "torch float64": [
      -2.1179039301310043, 0.18767507002801115, 2.6399999999999997, -2.1007791762993406, -1.9919467787114846,
      -0.009237472766884617,
    ],
  };
  for (const mode of ["caffe", "tf", "torch"] as const) {
    for (const dtype of ["float32", "float64"] as const) {
      it(`gives Keras's bits in mode ${mode} for ${dtype}`, () => {
        const x = tensorOf(pixels, [1, 1, 2, 3], dtype);
        const y = preprocessInput(x, mode);
        assert.deepEqual(Array.from(y.data), keras[`${mode} ${dtype}`]);
        assert.deepEqual(y.shape, x.shape);
        assert.deepEqual(Array.from(x.data), pixels);
      });
    }
  }

  it("reads a view like its copy", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 255 }), { minLength: 18, maxLength: 18 }), (values) => {
        const view = tensorOf(values, [3, 2, 3]).transpose(1, 2, 0);
        const copy = tensorOf(
          Array.from({ length: 18 }, (_, i) => values[(i % 3) * 6 + Math.floor(i / 3)]),
          [2, 3, 3],
        );
        for (const mode of ["caffe", "tf", "torch"] as const) {
          assert.deepEqual(preprocessInput(view, mode).data, preprocessInput(copy, mode).data);
        }
      }),
    );
  });

  it("refuses unknown modes and images that are not red, green, blue", () => {
    assert.throws(() => preprocessInput(tensorOf(pixels, [2, 3]), JSON.parse('"rgb"')), {
      name: "RangeError",
      message: 'preprocessInput: `mode` must be one of "caffe", "tf", "torch". Received mode="rgb".',
    });
    assert.throws(() => preprocessInput(tensorOf(pixels, [3, 2]), "tf"), {
      name: "RangeError",
      message: "preprocessInput: the last dimension must be red, green, blue. Received shape [3, 2].",
    });
  });
});
