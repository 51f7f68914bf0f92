import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { repeaterOf } from "../../src/kernels/repeat-pixel.js";
import { simdModule } from "../../src/kernels/simd/module.js";
import { sharedHeap } from "../../src/tensor/heap.js";

describe("repeaterOf", () => {
  it("writes a pixel over as many behind it as it is told, and nothing else, with and without assembled kernels", () => {
    assert.notEqual(simdModule(), undefined);
    const cases = fc.record({
      before: fc.integer({ min: 0, max: 5 }),
      channels: fc.integer({ min: 1, max: 40 }),
      pixels: fc.integer({ min: 1, max: 9 }),
      simd: fc.boolean(),
    });
    fc.assert(
      fc.property(cases, ({ before, channels, pixels, simd }) => {
        const length = before + (pixels + 2) * channels;
        const offset = sharedHeap().allocate(4 * length);
        try {
          const image = sharedHeap().view("float32", offset, length);
          for (let i = 0; i < length; i++) image[i] = i + 0.5;
          const isRepeated = (i: number): boolean => before <= i && i < before + pixels * channels;
          const expected = image.map((value, i) => (isRepeated(i) ? image[before + ((i - before) % channels)] : value));
          repeaterOf(image, channels, simd)(before, pixels);
          assert.deepEqual([...image], [...expected]);
        } finally {
          sharedHeap().free(offset);
        }
      }),
    );
  });
});
