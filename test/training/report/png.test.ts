import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { PNG } from "pngjs";
import { type ByteImage, pngAddress, writePng } from "../../../src/training/report/png.js";

const images: fc.Arbitrary<ByteImage> = fc
  .record({
    width: fc.integer({ min: 1, max: 9 }),
    height: fc.integer({ min: 1, max: 9 }),
    channels: fc.constantFrom(1 as const, 3 as const),
  })
  .chain(({ width, height, channels }) => {
    const length = width * height * channels;
    return fc.uint8Array({ minLength: length, maxLength: length }).map((bytes) => ({ width, height, channels, bytes }));
  });

/** Red, green, blue of every pixel. */
function pixels({ channels, bytes }: ByteImage): readonly number[] {
  return channels === 3 ? [...bytes] : [...bytes].flatMap((grey) => [grey, grey, grey]);
}

describe("writePng", () => {
  it("writes files from which another program reads the same pixels", () => {
    fc.assert(
      fc.property(images, (image) => {
        const { width, height, data } = PNG.sync.read(Buffer.from(writePng(image)));
        assert.deepEqual([width, height], [image.width, image.height]);
        assert.deepEqual(
          [...data].filter((_, i) => i % 4 < 3),
          pixels(image),
        );
      }),
    );
  });

  it("gives addresses that hold the file", () => {
    const image = { width: 1, height: 2, channels: 1, bytes: Uint8Array.of(0, 255) } as const;
    const [head, base64] = pngAddress(image).split(",");
    assert.equal(head, "data:image/png;base64");
    assert.deepEqual(new Uint8Array(Buffer.from(base64, "base64")), writePng(image));
  });
});
