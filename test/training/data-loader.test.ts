import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { PNG } from "pngjs";
import { writeNpz } from "../../src/formats/npz.js";
import { type DataOptions, loadData } from "../../src/training/data-loader.js";
import { folderOf, inFolder } from "./data/folder.js";

const npz = writeNpz(
  new Map([
    ["x", { dtype: "uint8", shape: [4, 1, 2, 3], data: Uint8Array.from({ length: 24 }, (_, i) => i) }],
    ["y", { dtype: "int32", shape: [4], data: Int32Array.of(0, 1, 0, 1) }],
  ]),
);
const png = new Uint8Array(PNG.sync.write(new PNG({ width: 2, height: 3 })));

describe("loadData", () => {
  it("knows digits", async () => {
    const { training, test } = await loadData("digits");
    assert.deepEqual(
      [training.shape, test?.shape],
      [
        [1500, 32, 32, 3],
        [297, 32, 32, 3],
      ],
    );
  });

  it("reads an archive, with its ending in capitals too, and a number of classes", async (test) => {
    const folder = folderOf(test, { "d.NPZ": npz });
    const data = await loadData(join(folder, "d.NPZ"), { classes: 10 });
    assert.deepEqual([data.training.shape, data.training.classNames.length, data.test], [[4, 1, 2, 3], 10, undefined]);
  });

  it("reads a directory of CIFAR-10", async (test) => {
    const file = new Uint8Array(3073);
    const { training, test: held } = await loadData(
      folderOf(test, { "data_batch_1.bin": file, "data_batch_2.bin": file, "test_batch.bin": file }),
    );
    assert.deepEqual(
      [training.shape, held?.shape],
      [
        [2, 32, 32, 3],
        [1, 32, 32, 3],
      ],
    );
  });

  it("reads a folder of images, resized where that is asked for", async (test) => {
    const folder = folderOf(test, { "a/1.png": png, "b/2.png": png });
    assert.deepEqual((await loadData(folder)).training.shape, [2, 3, 2, 3]);
    assert.deepEqual((await loadData(folder, { imageSize: [5, 4] })).training.shape, [2, 5, 4, 3]);
  });

  it("splits the training set and leaves the test set alone", async () => {
    const { training, test } = await loadData("digits", { validationSplit: 0.1, seed: 3 });
    // round(0.1 m) of each class, of which there are 146 to 153: 15 each
    assert.deepEqual([training.shape[0], test?.shape[0]], [1350, 150]);
    assert.equal(test?.name, "digits, training set, validation split");
  });

  const refused: [what: string, spec: string, options: DataOptions, message: string][] = [
    [
      "what is not there",
      "@/nothing",
      {},
      "data must be digits, a directory of CIFAR-10 or of images, or an .npz file. " +
        "Received @/nothing, where there is no such file.",
    ],
    [
      "a file of another kind",
      "@/d.csv",
      {},
      "data must be digits, a directory of CIFAR-10 or of images, or an .npz file. Received @/d.csv, another kind of file.",
    ],
    [
      "a directory of something else",
      "@",
      {},
      "data: @ must hold CIFAR-10 (data_batch_1.bin ... and test_batch.bin, or data_batch_1 ... and test_batch), or a " +
        "sub-folder of images for each class. Received a directory with neither.",
    ],
    [
      "a part of more than all",
      "digits",
      { validationSplit: 2 },
      "validationSplit must be above 0 and below 1. Received 2.",
    ],
    [
      "images without height",
      "@",
      { imageSize: [0, 4] },
      "imageSize must be two whole numbers from 1 to 4096. Received [0,4].",
    ],
    [
      "a size for images that have one",
      "digits",
      { imageSize: [8, 8] },
      "imageSize must go with a folder of images. Received digits.",
    ],
    ["classes of data that name theirs", "digits", { classes: 10 }, "classes must go with an .npz. Received digits."],
    ["to fetch what is here", "digits", { download: true }, "download must go with a directory. Received digits."],
    ["classes of a directory", "@", { classes: 3 }, "classes must go with an .npz. Received the directory @."],
    [
      "a negative seed",
      "digits",
      { validationSplit: 0.5, seed: -1 },
      "randomStream: `seed` must be a whole number from 0 to 9007199254740991. Received seed=-1.",
    ],
  ];
  for (const [what, spec, options, message] of refused) {
    it(`refuses ${what}`, async (test) => {
      const folder = folderOf(test, { "d.csv": new Uint8Array(3) });
      await assert.rejects(loadData(inFolder(folder, spec), options), { message: inFolder(folder, message) });
    });
  }
});
