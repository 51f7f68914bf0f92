import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  batchNormalizations,
  type BatchNormalizationCase,
  convolutions,
  type ConvolutionCase,
  denses,
  type DenseCase,
  depthwiseConvolutions,
  type DepthwiseConvolutionCase,
  poolings,
  type PoolingCase,
} from "../../src/arbitraries/main.js";
import { conv2DNaive } from "../../src/kernels/conv2d.js";
import { window2D } from "../../src/kernels/window.js";
import { averagePooling2DBackward, averagePooling2DForward } from "../../src/layers/average-pooling2d.js";
import {
  batchNormalizationBackward,
  batchNormalizationForward,
  batchStatistics,
} from "../../src/layers/batch-normalization.js";
import { Conv2D, conv2DBackward, conv2DForward } from "../../src/layers/conv2d.js";
import { denseBackward, denseForward } from "../../src/layers/dense.js";
import { depthwiseConv2DBackward, depthwiseConv2DForward } from "../../src/layers/depthwise-conv2d.js";
import { formatShape } from "../../src/tensor/shape.js";
import { contiguous, type Tensor } from "../../src/tensor/tensor.js";
import { families, smallest } from "./shrinking.js";

function expectShape(x: Tensor, like: Tensor): void {
  assert.equal(formatShape(x.shape), formatShape(like.shape));
}

/** Runs a case through our layer, forward and backward: it throws where anything does not fit. */
const runs = {
  convolution: ({ x, kernel, bias, config, dy }: ConvolutionCase): void => {
    const { y, cache } = conv2DForward(x, { kernel, bias }, config);
    expectShape(dy, y);
    conv2DBackward(dy, cache);
    // the layer refuses configurations that Keras refuses
    new Conv2D({ filters: kernel.shape[3], kernelSize: [kernel.shape[0], kernel.shape[1]], ...config });
  },
  depthwise: ({ x, kernel, bias, config, dy }: DepthwiseConvolutionCase): void => {
    const { y, cache } = depthwiseConv2DForward(x, { kernel, bias }, config);
    expectShape(dy, y);
    depthwiseConv2DBackward(dy, cache);
  },
  pooling: ({ x, config, dy }: PoolingCase): void => {
    const { y, cache } = averagePooling2DForward(x, config);
    expectShape(dy, y);
    averagePooling2DBackward(dy, cache);
  },
  dense: ({ x, kernel, bias, dy }: DenseCase): void => {
    const { y, cache } = denseForward(x, { kernel, bias });
    expectShape(dy, y);
    denseBackward(dy, cache);
  },
  normalization: ({ x, gamma, beta, config, dy, movingMean, movingVariance }: BatchNormalizationCase): void => {
    const statistics = batchStatistics(x);
    assert.ok(movingVariance.data.every((v) => v > 0) && movingMean.size === x.shape[3] && x.size > x.shape[3]);
    const { y, cache } = batchNormalizationForward(x, { gamma, beta }, statistics, { ...config, ofBatch: true });
    expectShape(dy, y);
    batchNormalizationBackward(dy, cache);
  },
};

/** All sizes of a case: the shapes of its tensors, and its configuration. */
function sizesOf(example: object): string {
  const sizes = Object.entries(example).map(([name, value]) => [name, name === "config" ? value : value.shape]);
  return JSON.stringify(sizes);
}

function behaves<Case extends object>(name: string, arbitrary: fc.Arbitrary<Case>, run: (example: Case) => void): void {
  describe(name, () => {
    it("fits its layer, forward and backward, and so does all that it shrinks to", () => {
      fc.assert(
        fc.property(families(arbitrary, 30), ({ value, simpler }) => {
          run(value);
          simpler.forEach(run);
        }),
        { numRuns: 60 },
      );
    });

    it("is the same for the same seed", () => {
      const draw = (): string => fc.stringify(fc.sample(arbitrary, { seed: 5, numRuns: 5 }));
      assert.equal(draw(), draw());
    });
  });
}

behaves("convolutions()", convolutions(), runs.convolution);
behaves("depthwiseConvolutions()", depthwiseConvolutions(), runs.depthwise);
behaves("poolings()", poolings({ regime: "distinct" }), runs.pooling);
behaves("denses()", denses(), runs.dense);
behaves("batchNormalizations()", batchNormalizations({ dtype: "float64" }), runs.normalization);

describe("convolutions()", () => {
  it("draw images and kernels of pairwise distinct dimensions, and every kind of configuration", () => {
    const seen = new Set<string>();
    for (const { x, kernel, bias, config } of fc.sample(convolutions({ distinct: true }), { numRuns: 300, seed: 1 })) {
      assert.equal(new Set(x.shape).size, 4);
      assert.equal(new Set(kernel.shape).size, 4);
      const { strides, dilationRate, groups, padding } = config;
      seen
        .add(padding)
        .add(`groups ${groups}`)
        .add(bias === undefined ? "no bias" : "bias");
      seen.add(`strides ${Math.max(...strides) > 1}`).add(`dilation ${Math.max(...dilationRate) > 1}`);
    }
    assert.equal(seen.size, 10);
  });

  it("keep to the padding, groups and regime that are asked for, while they shrink too", () => {
    const asked = convolutions({ padding: "same", maxGroups: 1, regime: "powersOfTwo", maxStrides: 1, maxWindow: 1 });
    fc.assert(
      fc.property(families(asked, 20), ({ value, simpler }) => {
        for (const { config, kernel } of [value, ...simpler]) {
          assert.deepEqual([config.padding, config.groups, config.strides], ["same", 1, [1, 1]]);
          assert.deepEqual(kernel.shape.slice(0, 2), [1, 1]);
          assert.ok(kernel.data.every((v) => v !== 0));
        }
      }),
      { numRuns: 30 },
    );
  });

  it("refuse fewer sizes than there are dimensions to be distinct", () => {
    assert.throws(() => convolutions({ maxDim: 4 }), {
      name: "RangeError",
      message:
        "arbitraries: `maxDim` must leave room for 5 distinct sizes (batch, height, width, channels, filters). Received 4.",
    });
  });

  it("shrink sizes before values", () => {
    fc.assert(
      fc.property(families(convolutions(), 1000), ({ value, simpler }) => {
        const before = sizesOf(value);
        const smaller = simpler.map((example) => sizesOf(example) !== before);
        assert.ok(smaller.lastIndexOf(true) < (smaller.includes(false) ? smaller.indexOf(false) : 1000));
      }),
      { numRuns: 20 },
    );
  });
});

describe("a third of the layers", () => {
  /** Whether images and windows are square. */
  const areSquare = (...shapes: (readonly number[])[]): boolean => shapes.every(([a, b]) => a === b);
  const imageOf = ({ x }: { readonly x: Tensor }): readonly number[] => x.shape.slice(1, 3);
  const kinds = {
    convolutions: [convolutions, (example: ConvolutionCase) => areSquare(imageOf(example), example.kernel.shape)],
    depthwiseConvolutions: [
      depthwiseConvolutions,
      (example: DepthwiseConvolutionCase) => areSquare(imageOf(example), example.kernel.shape),
    ],
    poolings: [poolings, (example: PoolingCase) => areSquare(imageOf(example), example.config.poolSize)],
    batchNormalizations: [batchNormalizations, (example: BatchNormalizationCase) => areSquare(imageOf(example))],
    denses: [denses, ({ kernel }: DenseCase) => areSquare(kernel.shape)],
  } as unknown as Readonly<Record<string, [(options?: object) => fc.Arbitrary<object>, (example: object) => boolean]>>;
  const RUNS = 300;

  for (const [name, [arbitrary, isSquare]] of Object.entries(kinds)) {
    it(`of ${name}() is square, all with distinct: false, and none with distinct: true`, () => {
      const count = (options?: object): number =>
        fc.sample(arbitrary(options), { numRuns: RUNS, seed: 7 }).filter(isSquare).length;
      const drawn = count();
      // five standard deviations of a count of so many thirds
      assert.ok(Math.abs(drawn - RUNS / 3) < 5 * Math.sqrt((RUNS * 2) / 9), `${drawn} of ${RUNS}`);
      assert.deepEqual([count({ distinct: false }), count({ distinct: true })], [RUNS, 0]);
    });
  }

  it("has windows of 1, 3 and 1 by 1 pixels, and as many filters as channels", () => {
    const seen = new Set<string>();
    for (const { x, kernel, config } of fc.sample(convolutions(), { numRuns: 1000, seed: 3 })) {
      const [height, width, channels, filters] = kernel.shape;
      if (height === width) seen.add(`window ${height}`);
      if (x.shape[1] === x.shape[2]) seen.add(`image ${x.shape[1]}`);
      if (channels === filters && config.groups === 1) seen.add("square matrix");
    }
    for (const expected of ["window 1", "window 3", "image 1", "image 7", "square matrix"]) {
      assert.ok(seen.has(expected), expected);
    }
  });

  it("needs no room for distinct sizes with distinct: false", () => {
    for (const { x } of fc.sample(convolutions({ maxDim: 2, distinct: false }), { numRuns: 50, seed: 1 })) {
      assert.ok(x.shape[1] <= 2);
    }
  });
});

const sameData = (a: Tensor, b: Tensor): boolean => {
  const [as, bs] = [contiguous(a).data, contiguous(b).data];
  return as.every((value, i) => value === bs[i]);
};

describe("a planted mistake shrinks to the smallest case:", () => {
  for (const seed of [1, 2, 3]) {
    it(`a convolution that pads on the wrong side, seed ${seed}`, () => {
      const found = smallest(
        convolutions(),
        ({ x, kernel, bias, config }) => {
          const { strides, padding, dilationRate, groups } = config;
          const { shape } = kernel;
          const window = window2D([x.shape[1], x.shape[2]], [shape[0], shape[1]], strides, padding, dilationRate);
          const wrong = {
            ...window,
            padTop: window.padBottom,
            padBottom: window.padTop,
            padLeft: window.padRight,
            padRight: window.padLeft,
          };
          return sameData(
            conv2DNaive(x, kernel, bias, wrong, groups, "float64"),
            conv2DForward(x, { kernel, bias }, config).y,
          );
        },
        seed,
      );
      const prefix =
        '{"config":{"strides":[1,1],"padding":"same","dilationRate":[1,1],"groups":1},' +
        '"x":tensorOf([1], [1, 1, 1, 1], "float32"),"kernel":';
      const suffix = ',"dy":tensorOf([0], [1, 1, 1, 1], "float32")}';
      const kernels = ["[1, 2, 1, 1]", "[2, 1, 1, 1]"].flatMap((shape) =>
        ["[0,1]", "[1,0]"].map((values) => `tensorOf(${values}, ${shape}, "float32")`),
      );
      assert.ok(
        kernels.some((kernel) => found === prefix + kernel + suffix),
        found,
      );
    });

    it(`a pooling that starts outside of an odd image, seed ${seed}`, () => {
      const found = smallest(
        poolings(),
        ({ x, config: { poolSize, strides, padding } }) =>
          !(padding === "same" && x.shape[1] % strides[0] === 1 && poolSize[0] > strides[0]),
        seed,
      );
      const expected =
        '{"config":{"poolSize":[3,1],"strides":[2,1],"padding":"same"},"x":tensorOf([0], [1, 1, 1, 1], "float32"),';
      assert.ok(found.startsWith(expected), found);
    });

    it(`a path of its own for as many units as inputs, two or more, seed ${seed}`, () => {
      const isRight = ({ kernel: { shape } }: DenseCase): boolean => shape[0] !== shape[1] || shape[0] < 2;
      const found = smallest(denses({ distinct: false }), isRight, seed);
      assert.match(found, /"kernel":tensorOf\(\[0,0,0,0\], \[2, 2\], "float32"\)/);
    });

    it(`a square window on a square image, seed ${seed}`, () => {
      const found = smallest(
        convolutions({ distinct: false, padding: "valid" }),
        ({ x, kernel }) => x.shape[1] !== x.shape[2] || x.shape[1] < 3 || kernel.shape[0] !== kernel.shape[1],
        seed,
      );
      assert.match(
        found,
        /"x":tensorOf\(\[[0,]+\], \[1, 3, 3, 1\], "float32"\),"kernel":tensorOf\(\[0\], \[1, 1, 1, 1\]/,
      );
    });

    it(`a dense layer that leaves out the last input, seed ${seed}`, () => {
      const found = smallest(
        denses({ regime: "integers" }),
        ({ x, kernel }) => {
          const last = x.shape[1] - 1;
          for (let n = 0; n < x.shape[0]; n++) {
            for (let u = 0; u < kernel.shape[1]; u++) if (x.get(n, last) * kernel.get(last, u) !== 0) return false;
          }
          return true;
        },
        seed,
      );
      assert.equal(
        found,
        '{"x":tensorOf([1], [1, 1], "float32"),"kernel":tensorOf([1], [1, 1], "float32"),"dy":tensorOf([0], [1, 1], "float32")}',
      );
    });

    it(`a batch normalization with the sample's variance, seed ${seed}`, () => {
      const found = smallest(
        batchNormalizations({ regime: "integers" }),
        ({ x, gamma, beta, config }) => {
          const { mean, variance } = batchStatistics(x);
          const rows = x.size / x.shape[3];
          const sample = { mean, variance: variance.map((value) => (value * rows) / (rows - 1)) };
          const options = { ...config, ofBatch: true };
          const right = batchNormalizationForward(x, { gamma, beta }, { mean, variance }, options).y;
          return sameData(batchNormalizationForward(x, { gamma, beta }, sample, options).y, right);
        },
        seed,
      );
      assert.match(
        found,
        /^\{"config":\{"epsilon":0\.001,"momentum":0\.99\},"x":tensorOf\(\[(0,1|1,0)\], \[(1, 1, 2|1, 2, 1|2, 1, 1), 1\], "float32"\),"movingMean"/,
      );
    });
  }
});
