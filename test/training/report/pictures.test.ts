import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Dataset } from "../../../src/training/dataset.js";
import { pictureOf } from "../../../src/training/report/pictures.js";

/** Images of 1 x 2 pixels. */
const data = (images: Dataset["images"], channels: number): Dataset => ({
  name: "two pixels",
  images,
  shape: [images.length / (2 * channels), 1, 2, channels],
  labels: new Int32Array(images.length / (2 * channels)),
  classNames: ["any"],
});

describe("pictureOf", () => {
  it("shows bytes as they are", () => {
    assert.deepEqual(pictureOf(data(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12), 3), 1), {
      width: 2,
      height: 1,
      channels: 3,
      bytes: Uint8Array.of(7, 8, 9, 10, 11, 12),
    });
  });

  it("shows numbers from 0 to 1 by what they are, others between the least and the greatest of the image", () => {
    assert.deepEqual(pictureOf(data(Float32Array.of(0.2, 0.6), 1), 0).bytes, Uint8Array.of(51, 153));
    assert.deepEqual(pictureOf(data(Float32Array.of(-3, 5), 1), 0).bytes, Uint8Array.of(0, 255));
    assert.deepEqual(pictureOf(data(Float32Array.of(7, 7), 1), 0).bytes, Uint8Array.of(0, 0));
  });

  it("shows the first of two or four channels in grey", () => {
    const { channels, bytes } = pictureOf(data(Uint8Array.of(1, 2, 3, 4), 2), 0);
    assert.deepEqual([channels, bytes], [1, Uint8Array.of(1, 3)]);
  });
});
