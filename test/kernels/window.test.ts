import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  onceForWindow,
  type Padding,
  type Pair,
  sameWindow,
  type Window2D,
  window2D,
  windowFrom,
  windowNumbers,
} from "../../src/kernels/window.js";

describe("window2D", () => {
  it("pads an odd zero at the end, as TensorFlow does", () => {
    const w = window2D([32, 7], [3, 2], [2, 1], "same", [1, 1]);
    assert.deepEqual([w.padTop, w.padBottom, w.padLeft, w.padRight], [0, 1, 0, 1]);
    assert.deepEqual([w.outputHeight, w.outputWidth], [16, 7]);
  });

  it("pads nothing where strides skip the border", () => {
    const w = window2D([5, 4], [1, 2], [2, 3], "same", [1, 1]);
    assert.deepEqual([w.padTop, w.padBottom, w.padLeft, w.padRight], [0, 0, 0, 1]);
    assert.deepEqual([w.outputHeight, w.outputWidth], [3, 2]);
  });

  it("keeps every tap of the last window inside the padded input, and fits no further window", () => {
    const size = fc.integer({ min: 1, max: 12 });
    const few = fc.integer({ min: 1, max: 4 });
    fc.assert(
      fc.property(
        size,
        few,
        few,
        few,
        fc.constantFrom("same" as const, "valid" as const),
        (input, k, s, d, padding) => {
          const reach = (k - 1) * d + 1;
          fc.pre(padding === "same" || reach <= input);
          const w = window2D([input, 12], [k, 1], [s, 1], padding, [d, 1]);
          const last = (w.outputHeight - 1) * s + reach;
          assert.ok(last <= input + w.padTop + w.padBottom);
          if (padding === "valid") assert.ok(last + s > input);
          else assert.equal(w.outputHeight, Math.ceil(input / s));
          assert.ok(w.padBottom - w.padTop === 0 || w.padBottom - w.padTop === 1);
        },
      ),
    );
  });

  it("survives the way through a job's numbers", () => {
    const w = window2D([9, 11], [3, 2], [2, 1], "same", [1, 3]);
    assert.deepEqual(windowFrom([0, 0, ...windowNumbers(w)], 2), w);
  });

  it("rejects a valid window that is larger than the input, dilation included", () => {
    assert.throws(() => window2D([4, 9], [3, 3], [1, 1], "valid", [2, 1]), {
      name: "RangeError",
      message:
        'window2D: with padding "valid" the window, dilation included, must not be larger than the input. ' +
        "Received kernelSize=[3, 3], dilationRate=[2, 1], inputSize=[4, 9].",
    });
  });

  it("rejects a padding that is neither same nor valid, in whatever letters", () => {
    for (const padding of ["VALID", "SAME", "full", undefined, null]) {
      assert.throws(() => window2D([5, 7], [3, 2], [1, 1], padding as Padding, [1, 1]), {
        name: "RangeError",
        message:
          'window2D: `padding` must be "same" or "valid". ' +
          `Received padding=${padding === undefined ? "nothing" : JSON.stringify(padding)}.`,
      });
    }
  });

  it("rejects one number, or three, where it wants a pair", () => {
    assert.throws(() => window2D([5, 7], [3, 2], 2 as unknown as Pair, "same", [1, 1]), {
      name: "TypeError",
      message: "window2D: `strides` must be a pair [height, width]. Received strides=2.",
    });
    assert.throws(() => window2D([5, 7], [3, 2, 1] as unknown as Pair, [1, 1], "same", [1, 1]), {
      name: "RangeError",
      message: "window2D: `kernelSize` must be two integers of at least 1. Received kernelSize=[3, 2, 1].",
    });
  });

  for (const [name, args] of [
    [
      "inputSize",
      [
        [0, 3],
        [1, 1],
        [1, 1],
        [1, 1],
      ],
    ],
    [
      "kernelSize",
      [
        [3, 3],
        [1.5, 1],
        [1, 1],
        [1, 1],
      ],
    ],
    [
      "strides",
      [
        [3, 3],
        [1, 1],
        [1, 0],
        [1, 1],
      ],
    ],
    [
      "dilationRate",
      [
        [3, 3],
        [1, 1],
        [1, 1],
        [-1, 1],
      ],
    ],
  ] as const) {
    it(`rejects ${name} that are not integers of at least 1`, () => {
      const [input, kernel, strides, dilation] = args;
      assert.throws(() => window2D(input, kernel, strides, "same", dilation), {
        name: "RangeError",
        message: new RegExp(`^window2D: \`${name}\` must be two integers of at least 1\\. Received ${name}=\\[`),
      });
    });
  }
});

describe("sameWindow", () => {
  const windowOf = (width: number): Window2D => window2D([9, width], [3, 2], [2, 1], "same", [1, 3]);

  it("gives the same window for the same numbers, wherever they begin, and another one for others", () => {
    const [a, b] = [windowOf(11), { ...windowOf(11), outputWidth: 12 }];
    const given = sameWindow([7, ...windowNumbers(a)], 1);
    assert.deepEqual(given, a);
    assert.equal(sameWindow([...windowNumbers(a), 7], 0), given);
    assert.deepEqual(sameWindow(windowNumbers(b), 0), b);
  });
});

describe("onceForWindow", () => {
  it("derives once for each window, and not from one what belongs to another", () => {
    const derived: number[] = [];
    const widthOf = onceForWindow(({ inputWidth }) => {
      derived.push(inputWidth);
      return inputWidth;
    });
    const [narrow, wide] = [5, 7].map((width) => window2D([3, width], [2, 2], [1, 1], "same", [1, 1]));
    assert.deepEqual([narrow, wide, narrow, wide].map(widthOf), [5, 7, 5, 7]);
    assert.deepEqual(derived, [5, 7]);
  });
});
