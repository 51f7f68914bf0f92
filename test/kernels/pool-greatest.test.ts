import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import fc from "fast-check";
import { poolGreatest, poolGreatestGradient } from "../../src/kernels/pool-greatest.js";
import { window2D } from "../../src/kernels/window.js";
import { assertSameBits, fastExecutions, fill, nameOf, seedValues } from "./support.js";

const { executions, closeAll } = fastExecutions();
after(closeAll);

const pairs = (max: number): fc.Arbitrary<[number, number]> =>
  fc.tuple(fc.integer({ min: 1, max }), fc.integer({ min: 1, max }));

/** Windows that overlap, that touch, and that leave pixels out; with padding "same" they may be larger than the image. */
const windows = fc
  .tuple(pairs(9), pairs(5), pairs(5), fc.constantFrom("same" as const, "valid" as const))
  .map(([image, size, strides, padding]) => {
    const within: [number, number] = [Math.min(size[0], image[0]), Math.min(size[1], image[1])];
    return window2D(image, padding === "same" ? size : within, strides, padding, [1, 1]);
  });

describe("poolGreatest", () => {
  it("and its gradient have the bits of plain loops, with vectors of channels together and alone", () => {
    const channelCounts = fc.constantFrom(3, 4, 12, 16, 20, 36);
    fc.assert(
      fc.property(windows, channelCounts, seedValues, seedValues, (window, channels, p, q) => {
        const { inputHeight, inputWidth, outputHeight, outputWidth } = window;
        const x = fill(p, [2, inputHeight, inputWidth, channels], "float32");
        const dy = fill(q, [2, outputHeight, outputWidth, channels], "float32");
        for (const accumulate of ["float64", "float32"] as const) {
          const [plain, ...others] = executions.filter((execution) => execution.accumulate === accumulate);
          assert.equal(plain.kernel, "scalar");
          const expected = poolGreatest(x, window, plain);
          const expectedGradient = poolGreatestGradient(dy, expected.argmax, x.shape, window, plain);
          for (const execution of others) {
            const { y, argmax } = poolGreatest(x, window, execution);
            assertSameBits(y, expected.y, nameOf(execution));
            assert.deepEqual([...argmax], [...expected.argmax], nameOf(execution));
            const dx = poolGreatestGradient(dy, argmax, x.shape, window, execution);
            assertSameBits(dx, expectedGradient, `dx, ${nameOf(execution)}`);
          }
        }
      }),
      { numRuns: 100 },
    );
  });
});
