import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { encode } from "jpeg-js";
import { PNG } from "pngjs";
import { readImageFolder } from "../../../src/training/data/image-folder.js";
import { folderOf, inFolder } from "./folder.js";

/** A PNG image whose pixel (y, x) is (value, y, x). */
function png(value: number, height = 2, width = 3): Uint8Array {
  const image = new PNG({ width, height });
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) image.data.set([value, y, x, 255], (y * width + x) * 4);
  }
  return new Uint8Array(PNG.sync.write(image));
}

/** A grey JPEG image: of one colour, which its blocks keep exactly. */
function jpeg(value: number, height = 2, width = 3): Uint8Array {
  const data = new Uint8Array(height * width * 4).fill(value);
  return new Uint8Array(encode({ data, width, height }, 100).data);
}

const values = (images: ArrayLike<number>, size: number): number[] =>
  Array.from({ length: images.length / size }, (_, n) => images[n * size]);

describe("readImageFolder", () => {
  it("numbers the classes by their names, and reads PNG and JPEG in the order of their names", (test) => {
    const data = readImageFolder(
      folderOf(test, {
        "tulip/b.png": png(1),
        "tulip/a.JPEG": jpeg(2),
        "rose/z.png": png(3),
        "rose/.hidden": new Uint8Array(1),
        "readme.txt": new Uint8Array(1),
      }),
    );
    assert.ok(data);
    const { images, shape, labels, classNames } = data.training;
    assert.deepEqual(
      [shape, [...labels], classNames],
      [
        [3, 2, 3, 3],
        [0, 1, 1],
        ["rose", "tulip"],
      ],
    );
    assert.deepEqual(values(images, 18), [3, 2, 1]);
    assert.deepEqual([...images.subarray(0, 18)], [3, 0, 0, 3, 0, 1, 3, 0, 2, 3, 1, 0, 3, 1, 1, 3, 1, 2]);
    assert.equal(data.test, undefined);
  });

  it("reads the test set where there are folders train and test", (test) => {
    const data = readImageFolder(
      folderOf(test, {
        "train/a/1.png": png(1),
        "train/b/2.png": png(2),
        "test/a/3.png": png(3),
        "test/b/4.png": png(4),
      }),
    );
    assert.deepEqual(values(data?.training.images ?? [], 18), [1, 2]);
    assert.deepEqual(values(data?.test?.images ?? [], 18), [3, 4]);
    assert.deepEqual(
      [data?.training.classNames, [...(data?.test?.labels ?? [])]],
      [
        ["a", "b"],
        [0, 1],
      ],
    );
  });

  it("resizes to the nearest pixel where a size is given", (test) => {
    const data = readImageFolder(folderOf(test, { "a/1.png": png(1, 4, 6), "b/2.png": png(2, 2, 3) }), [2, 3]);
    assert.deepEqual(data?.training.shape, [2, 2, 3, 3]);
    assert.deepEqual(
      [...(data?.training.images ?? []).slice(0, 18)],
      [1, 1, 1, 1, 1, 3, 1, 1, 5, 1, 3, 1, 1, 3, 3, 1, 3, 5],
    );
  });

  it("finds nothing where there is no sub-folder", (test) => {
    assert.equal(readImageFolder(folderOf(test, { "a.png": png(1) })), undefined);
  });

  const refused: [what: string, files: Record<string, Uint8Array | undefined>, message: string][] = [
    [
      "images of two sizes",
      { "a/1.png": png(1), "b/2.png": png(2, 3, 4) },
      "images: @/b/2.png must be 2x3 as the images before it, unless a size is given to which all are resized. Received 3x4.",
    ],
    [
      "a test image of another size",
      { "train/a/1.png": png(1), "test/a/2.png": png(2, 3, 4) },
      "images: @/test/a/2.png must be 2x3 as the images before it, unless a size is given to which all are resized. " +
        "Received 3x4.",
    ],
    [
      "an empty class",
      { "a/1.png": png(1), b: undefined },
      "images: @/b must hold PNG and JPEG images of a class, and nothing else. Received an empty folder.",
    ],
    [
      "something that is no image",
      { "a/1.png": png(1), "a/notes.txt": new Uint8Array(3) },
      "images: @/a must hold PNG and JPEG images of a class, and nothing else. Received notes.txt.",
    ],
    [
      "an image that is none",
      { "a/1.png": Uint8Array.of(1, 2, 3) },
      "@/a/1.png: must be a PNG or JPEG image. Received a file that begins with 01 02 03.",
    ],
    [
      "a truncated image",
      { "a/1.png": png(1).subarray(0, 60) },
      "@/a/1.png: must be a whole PNG image of at most 50 million pixels. " +
        "Received one that cannot be decoded: it is truncated.",
    ],
    [
      "a test set of other classes",
      { "train/a/1.png": png(1), "train/b/1.png": png(1), "test/a/2.png": png(2) },
      "images: @/test must have the classes of @/train, a, b. Received a.",
    ],
    [
      "a training set without classes",
      { train: undefined, test: undefined },
      "images: @/test must have the classes of @/train, no sub-folder. Received no sub-folder.",
    ],
  ];
  for (const [what, files, message] of refused) {
    it(`refuses ${what}`, (test) => {
      const folder = folderOf(test, files);
      assert.throws(() => readImageFolder(folder), { name: "FormatError", message: inFolder(folder, message) });
    });
  }

  it("decodes as the command line does: a fixture of Pillow's", (test) => {
    const file = new Uint8Array(readFileSync(new URL("../../../../fixtures/images/rgb8.png", import.meta.url)));
    const data = readImageFolder(folderOf(test, { "a/1.png": file }));
    const { width, height, data: rgba } = PNG.sync.read(Buffer.from(file));
    assert.deepEqual(data?.training.shape, [1, height, width, 3]);
    assert.deepEqual([...(data?.training.images ?? [])], [...rgba.filter((_, i) => i % 4 !== 3)]);
  });
});
