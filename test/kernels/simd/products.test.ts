import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import fc from "fast-check";
import { hasRelaxedMadd } from "../../../src/assembly/features.js";
import { conv2D, conv2DNaive } from "../../../src/kernels/conv2d.js";
import { conv2DInputGradient, conv2DInputGradientNaive } from "../../../src/kernels/conv2d-gradients.js";
import { createExecution, type OwnedExecution } from "../../../src/kernels/execution.js";
import { gemm, gemmNaive } from "../../../src/kernels/gemm.js";
import { MOST_DOUBLES, PackedConstants } from "../../../src/kernels/simd/constants.js";
import { aheadStep } from "../../../src/kernels/simd/ahead-kernel.js";
import { areFinite } from "../../../src/kernels/simd/finite.js";
import { pixelsPerLine } from "../../../src/kernels/simd/image-lines.js";
import { doubles, singles } from "../../../src/kernels/simd/lanes.js";
import { checkKernels, simdModule } from "../../../src/kernels/simd/module.js";
import { panelPlace, panelsOf, rightLayout } from "../../../src/kernels/simd/panels.js";
import { planTiles } from "../../../src/kernels/simd/plan.js";
import { window2D } from "../../../src/kernels/window.js";
import { sharedHeap } from "../../../src/tensor/heap.js";
import { tensor } from "../../../src/tensor/tensor.js";
import { runProgram } from "../../support/program.js";
import { assertSameBits, bothSums, fill, forBothWidths, nameOf, seedValues } from "../support.js";

const executions: OwnedExecution[] = (["float64", "float32"] as const).flatMap((accumulate) =>
  [1, 2, 3].map((threads) => createExecution({ threads, accumulate, kernel: "simd" })),
);
after(() => executions.forEach((execution) => execution.close()));

describe("products on assembled kernels", () => {
  it("have the bits of the naive loops at all edges of rows and panels, for any values and layouts", () => {
    const sizes = fc.tuple(
      fc.integer({ min: 1, max: 14 }),
      fc.integer({ min: 1, max: 19 }),
      fc.integer({ min: 1, max: 45 }),
    );
    fc.assert(
      fc.property(
        sizes,
        seedValues,
        seedValues,
        fc.nat({ max: 3 }),
        fc.boolean(),
        ([m, k, n], p, q, layout, biased) => {
          const a = layout % 2 === 0 ? fill(p, [m, k], "float32") : fill(p, [k, m], "float32").transpose(1, 0);
          const b = layout < 2 ? fill(q, [k, n], "float32") : fill(q, [n, k], "float32").transpose(1, 0);
          const bias = biased ? fill(p, [n], "float32") : undefined;
          forBothWidths((width) => {
            for (const execution of executions) {
              const expected = gemmNaive(a, b, bias, execution.accumulate);
              assertSameBits(gemm(a, b, bias, execution), expected, `${nameOf(execution)}, ${width}`);
            }
          });
        },
      ),
      { numRuns: 40 },
    );
  });

  it("have the bits of the naive loops in convolutions whose tiles begin and end within images and groups", () => {
    const sides = fc.uniqueArray(fc.integer({ min: 3, max: 9 }), { minLength: 2, maxLength: 2 });
    const cases = fc.record({
      sides,
      size: fc.constantFrom<[number, number]>([1, 1], [3, 3], [2, 3], [3, 1]),
      strides: fc.constantFrom<[number, number]>([1, 1], [2, 2], [3, 2], [1, 3]),
      dilationRate: fc.constantFrom<[number, number]>([1, 1], [2, 1], [2, 3]),
      batch: fc.integer({ min: 1, max: 7 }),
      groups: fc.constantFrom(1, 1, 3),
      channels: fc.integer({ min: 1, max: 6 }),
      filters: fc.integer({ min: 1, max: 21 }),
      xSeeds: seedValues,
      kernelSeeds: seedValues,
    });
    fc.assert(
      fc.property(cases, ({ sides: [height, width], size, strides, dilationRate, batch, groups, ...rest }) => {
        const window = window2D([height, width], size, strides, "same", dilationRate);
        const [channels, filters] = [rest.channels * groups, rest.filters * groups];
        const x = fill(rest.xSeeds, [batch, height, width, channels], "float32");
        const kernel = fill(rest.kernelSeeds, [...size, rest.channels, filters], "float32");
        const dy = fill(rest.xSeeds, [batch, window.outputHeight, window.outputWidth, filters], "float32");
        forBothWidths((vectors) => {
          for (const execution of executions) {
            const how = `${nameOf(execution)}, ${vectors}`;
            const y = conv2DNaive(x, kernel, undefined, window, groups, execution.accumulate);
            assertSameBits(conv2D(x, kernel, undefined, window, groups, execution), y, `y, ${how}`);
            const dx = conv2DInputGradientNaive(dy, kernel, window, groups, execution.accumulate);
            assertSameBits(conv2DInputGradient(dy, kernel, window, groups, execution), dx, `dx, ${how}`);
          }
        });
      }),
      { numRuns: 25 },
    );
  });

  /** Asserts the bits of the naive loops where the kernel [kH, kW, `k`, groups * `n`], or the matrix, is kept. */
  function assertKept(n: number, groups: number, size: readonly [number, number], k: number, p: number[]): void {
    const x = fill(p, [5, 2, 3, k * groups], "float32");
    const kernel = fill(p.toReversed(), [...size, k, n * groups], "float32");
    const bias = fill(p, [n * groups], "float32");
    const window = window2D([2, 3], size, [1, 1], "same", [1, 1]);
    const [a, b] = [tensor(x.data, [30, k * groups]), fill(p.toReversed(), [k * groups, n], "float32")];
    const expected = bothSums((sums) => conv2DNaive(x, kernel, bias, window, groups, sums));
    const product = bothSums((sums) => gemmNaive(a, b, undefined, sums));
    forBothWidths((width) => {
      for (const execution of executions) {
        const constants = new PackedConstants([kernel.data, b.data]);
        try {
          for (const call of ["first", "second"]) {
            const how = `${n} columns, ${groups} groups, ${nameOf(execution)}, ${width}, ${call} call`;
            const y = conv2D(x, kernel, bias, window, groups, { ...execution, constants });
            assertSameBits(y, expected[execution.accumulate], how);
            const c = gemm(a, b, undefined, { ...execution, constants });
            assertSameBits(c, product[execution.accumulate], how);
          }
        } finally {
          constants.close();
        }
      }
    });
  }

  it("have the bits of the naive loops with operands that are kept", () => {
    const columns = fc.integer({ min: 1, max: 45 });
    const groups = fc.constantFrom(1, 1, 3);
    const sizes = fc.constantFrom<[number, number]>([1, 1], [3, 2]);
    fc.assert(
      fc.property(columns, groups, sizes, fc.integer({ min: 1, max: 19 }), seedValues, (n, count, size, k, p) =>
        assertKept(n, count, size, k, p),
      ),
      { numRuns: 25 },
    );
  });

  // no property: of these, shrinking would take minutes
  for (const [n, groups, size] of [
    [1, 1, [1, 1]],
    [3, 1, [3, 2]],
    [6, 3, [1, 1]],
    [18, 1, [1, 1]],
    [22, 3, [3, 2]],
    [45, 1, [1, 1]],
  ] as const) {
    it(`have them with operands too large to be kept as doubles, of ${n} columns and ${groups} groups`, () => {
      const k = Math.floor(MOST_DOUBLES / (n * groups * size[0] * size[1])) + 1;
      assertKept(n, groups, size, k, [0.7, -1.3, 2.9, 1e-3, -0.4]);
    });
  }

  it("keeps a large operand in single precision for both ways to sum, once for both", () => {
    const kernel = fill([1, 2], [1, 1, 2048, 140], "float32");
    const window = window2D([2, 3], [1, 1], [1, 1], "valid", [1, 1]);
    const constants = new PackedConstants([kernel.data]);
    const before = sharedHeap().used;
    const x = fill([1], [1, 2, 3, 2048], "float32");
    for (const execution of executions) conv2D(x, kernel, undefined, window, 1, { ...execution, constants });
    const kept = sharedHeap().used - before;
    constants.close();
    assert.ok(kept >= 4 * 2048 * 140 && kept < 6 * 2048 * 140, `${kept} bytes`);
  });

  it("give all memory back, whatever the product", () => {
    const before = sharedHeap().used;
    const window = window2D([5, 4], [3, 3], [2, 2], "same", [1, 1]);
    const kernel = fill([1, 2], [3, 3, 2, 6], "float32");
    conv2D(fill([1], [2, 5, 4, 2], "float32"), kernel, undefined, window, 1, executions[1]);
    conv2DInputGradient(fill([1], [2, 3, 2, 6], "float32"), kernel, window, 1, executions[1]);
    gemm(fill([1], [7, 5], "float32"), fill([1], [5, 3], "float32"), undefined, executions[1]);
    assert.equal(sharedHeap().used, before);
  });
});

describe("areFinite", () => {
  it("sees an infinite or missing number wherever it is, and no other", () => {
    for (const length of [1, 5, 70_001]) {
      const data = Float32Array.from({ length }, (_, i) => (i % 2 === 0 ? -3.4e38 : 1e-45));
      for (const execution of executions) assert.equal(areFinite(data, execution), true);
      for (const at of [0, length >> 1, length - 1]) {
        for (const value of [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN]) {
          assert.equal(areFinite(data.with(at, value), executions[1]), false, `${value} at ${at} of ${length}`);
        }
      }
    }
  });
});

describe("panelsOf", () => {
  it("covers the columns from the first to the last, whole panels first, and what is left with the narrowest that holds it", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 99 }),
        fc.constantFrom<2 | 4>(2, 4),
        fc.boolean(),
        (columns, vectors, wide) => {
          const lanes = wide ? doubles : singles;
          let next = 0;
          let widest: number = vectors;
          for (const panel of panelsOf(lanes, columns, vectors)) {
            assert.equal(panel.from, next);
            assert.ok(panel.vectors <= widest && panel.columns > Math.floor(panel.vectors / 2) * lanes.perVector);
            next += panel.columns;
            assert.ok(next === columns || panel.columns === panel.vectors * lanes.perVector);
            widest = panel.vectors;
          }
          assert.equal(next, columns);
        },
      ),
    );
  });

  it("places a panel behind all columns before it, of all groups", () => {
    const operand = { offset: 0, groups: 3, groupStride: 0, outer: 5, outerStride: 0, inner: 1, innerStride: 0 };
    const layout = rightLayout(doubles, 4, { ...operand, depth: 1, depthStride: 0, columns: 9, columnStride: 0 });
    assert.equal(layout.paddedColumns, 10);
    assert.deepEqual([panelPlace(layout, 0, 8), panelPlace(layout, 2, 8)], [8 * 5 * 8, 28 * 5 * 8]);
  });
});

describe("planTiles", () => {
  it("makes at least 4 tiles for each of 64 threads out of the layers of ResNet50 at batch 8", () => {
    // [side of the output, channels, filters, kernel width]
    for (const [side, channels, filters, kernel] of [
      [56, 64, 64, 3],
      [28, 128, 128, 3],
      [14, 256, 256, 3],
      [7, 512, 512, 3],
      [7, 512, 2048, 1],
    ]) {
      const panels = panelsOf(singles, filters, 2).length;
      const work = {
        units: 8 * side,
        rowsPerUnit: side,
        bytesPerUnit: (side + kernel - 1) * channels * 4,
        panels,
        bytesPerPanel: kernel * kernel * channels * 32,
      };
      const plan = planTiles(work, 64);
      const tiles = Math.ceil(work.units / plan.units) * Math.ceil(panels / plan.panels);
      assert.ok(tiles >= 256, `${side}: ${tiles} tiles`);
    }
  });

  it("cuts the smaller operand's partner: columns where a few rows meet a large kernel", () => {
    const work = { units: 7, rowsPerUnit: 7, bytesPerUnit: 9 * 512 * 4, panels: 64, bytesPerPanel: 4608 * 32 };
    assert.deepEqual(planTiles(work, 2), { units: 7, panels: 4 });
  });

  it("takes all rows at once where there is one thread and the cache holds them", () => {
    const plan = planTiles({ units: 32, rowsPerUnit: 8, bytesPerUnit: 1000, panels: 5, bytesPerPanel: 900 }, 1);
    assert.deepEqual(plan, { units: 32, panels: 5 });
  });

  it("makes half as many tiles where each of them reads a right operand that the cache does not hold", () => {
    const unitsBeside = (bytesPerPanel: number): number =>
      planTiles({ units: 64, rowsPerUnit: 7, bytesPerUnit: 2 ** 14, panels: 4, bytesPerPanel }, 1).units;
    assert.deepEqual([2 ** 16, 2 ** 17].map(unitsBeside), [16, 32]);
  });
});

describe("pixelsPerLine", () => {
  it("counts what windows see, and where lines are copied what lies between as well", () => {
    const pixels = (kernelSize: number, stride: number): number[] => {
      const window = window2D([12, 12], [kernelSize, kernelSize], [stride, stride], "valid", [1, 1]);
      return [false, true].map((copied) => pixelsPerLine(window, copied));
    };
    assert.deepEqual(pixels(1, 1), [12, 12]);
    assert.deepEqual(pixels(1, 3), [4, 30]); // 4 windows over 10 columns, of every third line
    assert.deepEqual(pixels(2, 3), [16, 33]); // over 11 columns, of two lines in three
    assert.deepEqual(pixels(3, 2), [22, 22]);
  });
});

describe("the self-check", () => {
  it("goes on with the scalar path, with one warning, where a bit differs; and says what a browser without SIMD lacks", () => {
    const modules = {
      "kernels/simd/module.js": ["checkKernels", "simdModule"],
      "kernels/execution.js": ["createExecution", "serial"],
    };
    const kernels = "console.log(createExecution().kernel, serial.kernel);";
    const distrusted = runProgram(
      modules,
      `simdModule(); checkKernels(() => "1 is 2"); checkKernels(() => "3 is 4"); ${kernels}`,
    );
    assert.equal(distrusted.stdout, "scalar scalar\n");
    assert.match(distrusted.stderr, /the bits that they must: 1 is 2\. The scalar path is taken from now on/);
    assert.doesNotMatch(distrusted.stderr, /3 is 4/);
    const without = runProgram(
      modules,
      `${kernels} try { createExecution({ kernel: "simd" }); } catch (error) { console.log(error.message); }`,
      { before: "delete globalThis.WebAssembly;" },
    );
    assert.equal(
      without.stdout,
      'scalar scalar\ncreateExecution: `kernel` "simd" needs WebAssembly with SIMD and shared memory. ' +
        "Received kernel=simd where one is missing.\n",
    );
  });

  it("finds nothing where kernels multiply and add in one instruction, and convolutions have the bits of loops there", () => {
    const modules = {
      "assembly/features.js": ["hasRelaxedMadd"],
      "kernels/simd/self-check.js": ["findDifference"],
      "kernels/simd/module.js": ["simdModule"],
      "kernels/execution.js": ["createExecution"],
      "kernels/window.js": ["window2D"],
      "kernels/conv2d.js": ["conv2D"],
      "kernels/conv2d-gradients.js": ["conv2DKernelGradient"],
      "kernels/depthwise.js": ["depthwiseConv2D"],
      "tensor/tensor.js": ["tensor"],
    };
    const program = `
      const values = (shape, step) => {
        const length = shape.reduce((all, each) => all * each);
        return tensor(Float32Array.from({ length }, (_, i) => ((i * step) % 251) / 7 - 17.3), shape);
      };
      const window = window2D([9, 11], [3, 2], [1, 2], "same", [1, 1]);
      const [x, kernel, own] = [values([2, 9, 11, 5], 89), values([3, 2, 5, 7], 97), values([3, 2, 5, 1], 101)];
      const all = (execution) => {
        const y = conv2D(x, kernel, undefined, window, 1, execution);
        return [
          y,
          conv2DKernelGradient(x, y, window, 1, execution),
          depthwiseConv2D(x, own, undefined, window, execution),
        ].map(({ data }) => Buffer.from(new Float32Array(data).buffer).toString("hex"));
      };
      const [fast, slow] = ["simd", "scalar"].map((kernel) => all(createExecution({ kernel, accumulate: "float64" })));
      simdModule();
      console.log(hasRelaxedMadd(), findDifference(), fast.every((bits, i) => bits === slow[i]), new Set(fast).size);`;
    const flags = hasRelaxedMadd() ? [] : ["--experimental-wasm-relaxed-simd"];
    const { stdout, stderr } = runProgram(modules, program, { flags });
    assert.equal(stdout, "true undefined true 3\n", stderr);
  });

  it("leaves kernels alone that compute what they must", () => {
    checkKernels(() => undefined);
    assert.ok(simdModule() !== undefined);
  });
});

describe("aheadStep", () => {
  it("stays within what may be read, to the last byte of the last round, and leaves out no line of the cache", () => {
    const [tileCounts, segmentCounts, lengths] = [64, 9, 3000].map((max) => fc.integer({ min: 1, max }));
    const sizes = fc.integer({ min: 4, max: 200_000 });
    fc.assert(
      fc.property(sizes, tileCounts, segmentCounts, lengths, (bytes, tiles, segments, length) => {
        const step = aheadStep(bytes, tiles * segments * Math.ceil(length / 8));
        const rounds = tiles * segments * Math.floor(length / 8);
        assert.ok(step >= 0 && step <= 64 && Math.max(0, rounds - 1) * step + 4 <= bytes, `${step} bytes`);
      }),
    );
    assert.equal(aheadStep(64 * 512, 13 * 64), Math.floor((64 * 8) / 13));
    assert.equal(aheadStep(64 * 512, 64), 64);
    assert.equal(aheadStep(16 * 8, 64), 0);
  });
});
