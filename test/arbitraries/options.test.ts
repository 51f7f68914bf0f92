import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  batchNormalizations,
  convolutions,
  denses,
  depthwiseConvolutions,
  graphs,
  poolings,
  residualNetworks,
  tensors,
} from "../../src/arbitraries/main.js";

/** As JavaScript sees them. */
const arbitraries = {
  batchNormalizations,
  convolutions,
  denses,
  depthwiseConvolutions,
  graphs,
  poolings,
  residualNetworks,
  tensors,
} as unknown as Readonly<Record<string, (options: object) => unknown>>;

const least = (key: string, from: number): string => `\`${key}\` must be a whole number of at least ${from}`;
const DTYPE = '`dtype` must be one of "float32", "float64"';
const PADDING = '`padding` must be one of "same", "valid"';

describe("options without a meaning are refused by name:", () => {
  const wrong: readonly [name: string, options: object, type: string, rule: string, received: string][] = [
    ["convolutions", { maxWindow: 0 }, "RangeError", least("maxWindow", 1), "maxWindow=0"],
    ["convolutions", { maxWindow: 2.5 }, "RangeError", least("maxWindow", 1), "maxWindow=2.5"],
    ["convolutions", { maxStrides: "2" }, "TypeError", least("maxStrides", 1), 'maxStrides="2"'],
    ["convolutions", { maxGroups: 0 }, "RangeError", least("maxGroups", 1), "maxGroups=0"],
    ["convolutions", { padding: "SAME" }, "RangeError", PADDING, 'padding="SAME"'],
    ["convolutions", { distinct: 1 }, "TypeError", "`distinct` must be true or false", "distinct=1"],
    ["depthwiseConvolutions", { maxDilation: -1 }, "RangeError", least("maxDilation", 1), "maxDilation=-1"],
    ["poolings", { maxWindow: Number.NaN }, "RangeError", least("maxWindow", 1), "maxWindow=NaN"],
    ["batchNormalizations", { dtype: null }, "TypeError", DTYPE, "dtype=null"],
    ["batchNormalizations", { maxDim: 1, distinct: false }, "RangeError", least("maxDim", 2), "maxDim=1"],
    ["tensors", { shape: [2, 3], rank: 3 }, "TypeError", "`rank` must go without `shape`", "rank=3"],
    ["tensors", { shape: [2, 3], maxDim: 1 }, "TypeError", "`maxDim` must go without `shape`", "maxDim=1"],
    ["denses", { maxDim: Number.POSITIVE_INFINITY }, "RangeError", least("maxDim", 1), "maxDim=Infinity"],
    ["graphs", { maxLayers: 0 }, "RangeError", least("maxLayers", 1), "maxLayers=0"],
    ["residualNetworks", { version: 3 }, "RangeError", "`version` must be one of 1, 2", "version=3"],
    ["tensors", { dtype: "float16" }, "RangeError", DTYPE, 'dtype="float16"'],
    [
      "tensors",
      { shape: [2, -1] },
      "RangeError",
      "`shape` must be an array of whole numbers of at least 0",
      "shape=[2,-1]",
    ],
    ["tensors", { minDim: -1 }, "RangeError", least("minDim", 0), "minDim=-1"],
  ];
  for (const [name, options, type, rule, received] of wrong) {
    it(`${received} of ${name}()`, () => {
      assert.throws(() => arbitraries[name](options), {
        name: type,
        message: `${name}: ${rule}. Received ${received}.`,
      });
    });
  }

  for (const [name, arbitrary] of Object.entries(arbitraries)) {
    it(`a regime that there is not, and an option that there is not, of ${name}()`, () => {
      assert.throws(() => arbitrary({ regime: "foo" }), {
        name: "RangeError",
        message: new RegExp(`^${name}: \`regime\` must be .* uniform, normal, .*\\. Received regime="foo"\\.$`),
      });
      assert.throws(() => arbitrary({ regime: { draw: () => [] } }), {
        name: "TypeError",
        message: /^\w+: `regime` must/,
      });
      assert.throws(() => arbitrary({ maxdim: 3 }), {
        name: "TypeError",
        message: new RegExp(`^${name}: \`options\` must be among dtype, regime, .*\\. Received maxdim=3\\.$`),
      });
      for (const options of [3, null]) {
        assert.throws(() => Reflect.apply(arbitrary, undefined, [options]), {
          name: "TypeError",
          message: new RegExp(
            `^${name}: \`options\` must be an object of dtype, regime, .*\\. Received ${options}\\.$`,
          ),
        });
      }
    });

    it(`but not what is undefined, of ${name}()`, () => {
      arbitrary({ dtype: undefined, regime: undefined });
    });
  }

  it("nor a regime of one's own", () => {
    const regime = { draw: () => [1], allows: () => true, simpler: () => [] };
    tensors({ shape: [1], regime });
  });
});
