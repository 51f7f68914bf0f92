import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import fc from "fast-check";
import { conv2D, conv2DNaive } from "../../../src/kernels/conv2d.js";
import { conv2DInputGradient, conv2DInputGradientNaive } from "../../../src/kernels/conv2d-gradients.js";
import { createExecution, type OwnedExecution } from "../../../src/kernels/execution.js";
import { horizontalAxis, outputsByTaps, type Range, verticalAxis } from "../../../src/kernels/simd/axes.js";
import { PackedConstants } from "../../../src/kernels/simd/constants.js";
import { chooseSkipping, outputGroups } from "../../../src/kernels/simd/padding.js";
import { type Window2D, window2D } from "../../../src/kernels/window.js";
import { assertSameBits, bothSums, fill, forBothWidths, nameOf, seedValues } from "../support.js";

const executions: OwnedExecution[] = (["float64", "float32"] as const).flatMap((accumulate) =>
  [1, 2, 3].map((threads) => createExecution({ threads, accumulate, kernel: "simd" })),
);
after(() => executions.forEach((execution) => execution.close()));

const pairs = (max: number): fc.Arbitrary<[number, number]> =>
  fc.tuple(fc.integer({ min: 1, max }), fc.integer({ min: 1, max }));

const windows: fc.Arbitrary<Window2D> = fc
  .tuple(pairs(13), pairs(5), pairs(3), pairs(3))
  .map(([size, kernel, strides, dilation]) => window2D(size, kernel, strides, "same", dilation));

const numbersOf = ({ from, to }: Range): number[] => Array.from({ length: to - from }, (_, i) => from + i);

describe("outputGroups", () => {
  it("has every output once, with the taps through which it sees the image", () => {
    fc.assert(
      fc.property(windows, (window) => {
        const seen = new Map<string, number[][]>();
        for (const { rows, columns } of outputGroups(window, { rows: true, columns: true })) {
          for (const oh of numbersOf(rows.outputs)) {
            for (const ow of numbersOf(columns.outputs)) {
              assert.ok(!seen.has(`${oh},${ow}`), `(${oh}, ${ow}) twice`);
              seen.set(`${oh},${ow}`, [numbersOf(rows.taps), numbersOf(columns.taps)]);
            }
          }
        }
        assert.equal(seen.size, window.outputHeight * window.outputWidth);
        const tapsOf = (output: number, axis: ReturnType<typeof verticalAxis>): number[] =>
          numbersOf({ from: 0, to: axis.kernel }).filter((k) => {
            const input = output * axis.stride + k * axis.dilation - axis.pad;
            return 0 <= input && input < axis.input;
          });
        for (const [output, taps] of seen) {
          const [oh, ow] = output.split(",").map(Number);
          assert.deepEqual(taps, [tapsOf(oh, verticalAxis(window)), tapsOf(ow, horizontalAxis(window))], output);
        }
      }),
    );
  });

  it("puts neighbours with the same taps together, however many there are", () => {
    const axis = { input: 1_000_003, kernel: 3, stride: 1, dilation: 1, pad: 1 };
    assert.deepEqual(outputsByTaps(axis, axis.input), [
      { outputs: { from: 0, to: 1 }, taps: { from: 1, to: 3 } },
      { outputs: { from: 1, to: axis.input - 1 }, taps: { from: 0, to: 3 } },
      { outputs: { from: axis.input - 1, to: axis.input }, taps: { from: 0, to: 2 } },
    ]);
    assert.deepEqual(outputsByTaps({ ...axis, input: 2, pad: 4 }, 8).at(-1), {
      outputs: { from: 6, to: 8 },
      taps: { from: 0, to: 0 },
    });
  });
});

describe("chooseSkipping", () => {
  const square = (size: number, kernel: number, padding: "same" | "valid" = "same", dilation = 1): Window2D =>
    window2D([size, size], [kernel, kernel], [1, 1], padding, [dilation, dilation]);

  it("leaves out what fills tiles of four rows, and nothing for less", () => {
    const both = { rows: true, columns: true, groups: 9 };
    assert.deepEqual(chooseSkipping(square(32, 3), 32, 16), both);
    assert.deepEqual(chooseSkipping(square(8, 3), 128, 64), both);
    // a line of 28: two tiles more for its two ends
    assert.deepEqual(chooseSkipping(square(28, 3), 1, 128), { rows: true, columns: false, groups: 3 });
    // seven lines of 7: either the upper and lower ones or the outer columns, for the corners' tiles would hold one row each
    assert.equal(chooseSkipping(square(7, 3), 7, 512).groups, 3);
    assert.deepEqual(chooseSkipping(square(7, 3), 56, 512), both);
    assert.deepEqual(chooseSkipping(square(2, 3), 2, 1), { rows: false, columns: false, groups: 1 });
  });

  it("leaves nothing out where there is none, where outputs see nothing else, and where groups are many", () => {
    const nothing = { rows: false, columns: false, groups: 1 };
    assert.deepEqual(chooseSkipping(square(8, 1), 8, 64), nothing);
    assert.deepEqual(chooseSkipping(square(8, 3, "valid"), 8, 64), nothing);
    const aside: Window2D = { ...square(8, 3), padTop: 4, padLeft: 4 }; // what phases of an input gradient may be
    assert.deepEqual(chooseSkipping(aside, 8, 64), nothing);
    // of 400 groups each has 64 rows here, and would be whole tiles
    assert.equal(chooseSkipping(square(20, 20), 64 * 20, 64).groups, 20);
  });

  it("leaves out no columns whose taps are apart", () => {
    assert.deepEqual(chooseSkipping(square(8, 3, "same", 2), 128, 64), { rows: true, columns: false, groups: 3 });
  });
});

describe("convolutions with padding", () => {
  it("have the bits of the naive loops with finite kernels, for any images, windows and groups", () => {
    const cases = fc.record({
      sides: fc.uniqueArray(fc.integer({ min: 4, max: 10 }), { minLength: 2, maxLength: 2 }),
      size: fc.constantFrom<[number, number]>([3, 3], [3, 3], [5, 3], [2, 4], [7, 7], [1, 3]),
      strides: fc.constantFrom<[number, number]>([1, 1], [1, 1], [2, 2], [1, 2]),
      dilationRate: fc.constantFrom<[number, number]>([1, 1], [1, 1], [2, 1], [1, 2]),
      batch: fc.integer({ min: 1, max: 5 }),
      groups: fc.constantFrom(1, 1, 1, 2),
      channels: fc.integer({ min: 5, max: 9 }), // of fewer, other kernels take the input gradient
      filters: fc.integer({ min: 5, max: 21 }),
      xSeeds: seedValues,
      kernelSeeds: fc.array(fc.double({ min: -8, max: 8, noNaN: true }), { minLength: 1, maxLength: 17 }),
    });
    fc.assert(
      fc.property(cases, ({ sides: [height, width], size, strides, dilationRate, batch, groups, ...rest }) => {
        const window = window2D([height, width], size, strides, "same", dilationRate);
        const filters = rest.filters * groups;
        const x = fill(rest.xSeeds, [batch, height, width, rest.channels * groups], "float32");
        const kernel = fill(rest.kernelSeeds, [...size, rest.channels, filters], "float32");
        const dy = fill(rest.xSeeds, [batch, window.outputHeight, window.outputWidth, filters], "float32");
        const expected = bothSums((sums) => ({
          y: conv2DNaive(x, kernel, undefined, window, groups, sums),
          dx: conv2DInputGradientNaive(dy, kernel, window, groups, sums),
        }));
        forBothWidths((width) => {
          for (const execution of executions) {
            const { y, dx } = expected[execution.accumulate];
            const how = `${nameOf(execution)}, ${width}`;
            assertSameBits(conv2D(x, kernel, undefined, window, groups, execution), y, `y, ${how}`);
            assertSameBits(conv2DInputGradient(dy, kernel, window, groups, execution), dx, `dx, ${how}`);
          }
        });
      }),
      { numRuns: 20 },
    );
  });

  it("give NaN at the border where a weight is infinite there, in training and where the kernel is kept", () => {
    const window = window2D([8, 9], [3, 3], [1, 1], "same", [1, 1]);
    const x = fill([1, 2, 3], [4, 8, 9, 6], "float32");
    const kernel = fill([0.5, -0.25], [3, 3, 6, 7], "float32");
    kernel.data[5] = Number.POSITIVE_INFINITY; // of tap (0, 0), filter 5
    for (const execution of executions) {
      const y = conv2DNaive(x, kernel, undefined, window, 1, execution.accumulate);
      assert.ok(Number.isNaN(y.get(0, 0, 4, 5)) && Number.isNaN(y.get(3, 7, 0, 5)));
      assertSameBits(conv2D(x, kernel, undefined, window, 1, execution), y, nameOf(execution));
      const constants = new PackedConstants([kernel.data]);
      try {
        for (const call of ["first", "second"]) {
          const kept = conv2D(x, kernel, undefined, window, 1, { ...execution, constants });
          assertSameBits(kept, y, `${nameOf(execution)}, ${call} call`);
        }
      } finally {
        constants.close();
      }
    }
  });
});
