import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { randomStream } from "../../src/arithmetic/random.js";
import { axisFromLast, axisToLast } from "../../src/layers/axis.js";
import { minimalReproduction } from "../../src/oracle/reproduction.js";
import { FLOAT32 } from "../../src/oracle/arithmetic-model.js";
import { type Case, caseAt } from "../../src/oracle/conformance/case.js";
import { type Diagnosis, describeDiagnosis, diagnose, diagnoseResults } from "../../src/oracle/diagnosis.js";
import { FORMULA_MISTAKES } from "../../src/oracle/hypotheses/formulas.js";
import { LAYOUT_MISTAKES } from "../../src/oracle/hypotheses/layouts.js";
import { LOOP_MISTAKES } from "../../src/oracle/hypotheses/loops.js";
import { DATA_SETS } from "../../src/oracle/data-sets.js";
import { judgeTensor } from "../../src/oracle/judgement.js";
import { randomOrderSum } from "../../src/oracle/mutations/honest.js";
import { mapped, type Mutant } from "../../src/oracle/mutations/mutant.js";
import { MUTANTS } from "../../src/oracle/mutations/mutants.js";
import { roundToBits, toBfloat16 } from "../../src/oracle/mutations/precision.js";
import { summingKernels } from "../../src/oracle/mutations/sums.js";
import type { Operands } from "../../src/oracle/operation.js";
import { OPERATIONS, operationNamed } from "../../src/oracle/operations/table.js";
import type { KerasConfig } from "../../src/serialization/config.js";
import { shapesAgree, sizeOf } from "../../src/tensor/shape.js";
import { contiguous, type Tensor, tensor } from "../../src/tensor/tensor.js";

/** A product of 5 rows and 6 columns, of `terms` terms each. */
function product(terms: number, of: (uniform: number) => number): { readonly operands: Operands; readonly y: Tensor } {
  const numbers = (purpose: string, shape: readonly number[]): Tensor =>
    mapped(tensor(randomStream(terms, purpose).fillUniform(new Float32Array(sizeOf(shape))), shape), of);
  const operands = { x: numbers("x", [5, terms]), kernel: numbers("kernel", [terms, 6]) };
  return { operands, y: operationNamed("dense").run(operands, {})["y"] };
}

/** Normalization of the last axis. */
const LAST = { axis: -1, epsilon: 1e-3, momentum: 0.99 };

const KERNELS = summingKernels(randomOrderSum());

/** What only some data can show: arguments at their defaults, sums that would have to overflow, and the like. */
const NEVER_SEEN = 12;

/** The case `index` of those on ordinary numbers. */
function ordinaryCase(operation: string, index: number): Case {
  return caseAt(operation, index * DATA_SETS.length, 11);
}

/**
 * The results of a mistake with the errors of an honest float32 kernel that adds up in a random order, where there is one.
 */
function plant({ operation, compute }: Mutant, { operands, args }: Case): Operands {
  const planted = compute(operands, args);
  const honest = KERNELS[operation]?.(operands, args) ?? {};
  const right = operationNamed(operation).run(operands, args);
  return Object.fromEntries(
    Object.entries(planted).map(([name, x]) => {
      const own = honest[name];
      if (own === undefined || !shapesAgree(own.shape, x.shape)) return [name, x];
      return [name, mapped(x, (value, at) => value + (own.get(...at) - right[name].get(...at)))];
    }),
  );
}

/**
 * `from` with as few arguments as it can be: those left out that have a default by which the operands still fit, and one
 * number for a pair of equal ones.
 */
function leanest(operation: string, { args, ...rest }: Case): Case {
  const fits = (few: KerasConfig): boolean => {
    try {
      operationNamed(operation).run(rest.operands, few);
      return true;
    } catch {
      return false;
    }
  };
  let few = args;
  for (const key of Object.keys(args)) {
    const { [key]: _left, ...fewer } = few;
    if (fits(fewer)) few = fewer;
  }
  const isPairOfOne = (value: unknown): value is readonly number[] =>
    Array.isArray(value) && value.length === 2 && typeof value[0] === "number" && value[0] === value[1];
  const scalars = Object.entries(few).map(([key, value]) => {
    return [key, isPairOfOne(value) && fits({ ...few, [key]: value[0] }) ? value[0] : value] as const;
  });
  return { ...rest, args: Object.fromEntries(scalars) };
}

function isRight(operation: string, { operands, args }: Case, results: Operands): boolean {
  const expectations = operationNamed(operation).expect(operands, args, FLOAT32);
  return Object.entries(expectations).every(
    ([name, expectation]) => results[name] === undefined || judgeTensor(results[name], expectation).holds,
  );
}

function diagnosed(operation: string, { operands, args }: Case, results: Operands): Diagnosis {
  return diagnose(operationNamed(operation), operands, args, results, FLOAT32);
}

/** Whether the mistake is named, first or among those that explain these numbers as well, and nothing besides. */
function isNamed(mistake: string, { causes, unexplained }: Diagnosis): boolean {
  const [first, ...more] = causes;
  if (Object.keys(unexplained).length > 0 || first === undefined || more.length > 0) return false;
  return first.name === mistake || first.others.includes(mistake);
}

describe("diagnose", () => {
  const mistakes = [...MUTANTS, ...FORMULA_MISTAKES, ...LAYOUT_MISTAKES, ...LOOP_MISTAKES].filter(
    ({ control }) => !control,
  );
  const unseen: string[] = [];
  for (const operation of OPERATIONS.keys()) {
    it(`names every mistake in ${operation}`, () => {
      for (const mutant of mistakes.filter((known) => known.operation === operation)) {
        const seen = Array.from({ length: 12 }, (_, index) => ordinaryCase(operation, index)).find(
          (from) => !isRight(operation, from, plant(mutant, from)),
        );
        if (seen === undefined) {
          unseen.push(`${operation}: ${mutant.mistake}`);
          continue;
        }
        const said = diagnosed(operation, seen, plant(mutant, seen));
        assert.ok(isNamed(mutant.mistake, said), `${mutant.mistake}: ${describeDiagnosis(said).join("; ")}`);
      }
    });

    // mistakes of products have no arguments of their own
    if (!/^(conv2d|depthwise-conv2d|dense)/.test(operation)) {
      it(`names every mistake in ${operation} where arguments are left at their defaults`, () => {
        for (const mutant of mistakes.filter((known) => known.operation === operation)) {
          // the candidate knows the defaults; who asks for a diagnosis does not say them
          const planted = (from: Case): Operands =>
            plant(mutant, { ...from, args: operationNamed(operation).complete(from.args) });
          const seen = Array.from({ length: 4 }, (_, index) => leanest(operation, ordinaryCase(operation, index))).find(
            (from) => !isRight(operation, from, planted(from)),
          );
          if (seen === undefined) continue;
          const said = diagnosed(operation, seen, planted(seen));
          assert.ok(isNamed(mutant.mistake, said), `${mutant.mistake}: ${describeDiagnosis(said).join("; ")}`);
        }
      });
    }

    it(`claims nothing of ${operation} where it is right`, () => {
      const from = ordinaryCase(operation, 1);
      const results =
        KERNELS[operation]?.(from.operands, from.args) ?? operationNamed(operation).run(from.operands, from.args);
      assert.deepEqual(diagnosed(operation, from, results), { holds: true, causes: [], unexplained: {} });
    });
  }

  it("has seen all but a few of the mistakes", () => {
    assert.ok(unseen.length <= NEVER_SEEN, unseen.join("; "));
  });
});

describe("what nothing explains", () => {
  const from = (() => {
    for (let index = 0; ; index++) {
      const found = ordinaryCase("conv2d", index);
      const { y } = operationNamed("conv2d").run(found.operands, found.args);
      if (y.shape.every((size) => size >= 3)) return found;
    }
  })();
  const { y } = operationNamed("conv2d").run(from.operands, from.args);
  const [, height, width, channels] = y.shape;
  const say = (change: (value: number, at: readonly number[]) => number): string =>
    describeDiagnosis(diagnosed("conv2d", from, { y: mapped(y, change) })).join("; ");

  for (const [what, change, expected] of [
    [
      "one element",
      (v, at) => (at.join() === "0,1,2,0" ? v + 1 : v),
      /^unexplained: `y`: 1 elements within \[0, 1, 2, 0\]/,
    ],
    [
      "the border",
      (v, [, h, w]) => (h === 0 || h === height - 1 || w === 0 || w === width - 1 ? v - 9 : v),
      /off by -9, the border only/,
    ],
    ["one channel", (v, [, , , c]) => (c === 1 ? v * 7 : v), /7 times what they should be, channel 1 only/],
    [
      "every other row",
      (v, [, h]) => (h % 2 === 0 ? 0 : v),
      height > 4 ? /0, one row in 2, from row 0 on/ : /0, rows? 0/,
    ],
    ["a constant", (v) => v + 3, /off by 3, every element/],
    ["a factor", (v) => v * 1.25, /1\.25 times what they should be, every element/],
    ["NaN", (v, [n]) => (n === 0 ? Number.NaN : v), /NaN, image 0 only/],
    [
      "the last channels",
      (v, [, h, w, c]) => (c > 0 ? v + 1 + h * w + c : v),
      new RegExp(`channels 1 to ${channels - 1} only`),
    ],
  ] as const satisfies readonly (readonly [string, (value: number, at: readonly number[]) => number, RegExp])[]) {
    it(`is described: ${what}`, () => assert.match(say(change), expected));
  }

  it("is not explained by weaker arithmetic, nor by an infinity that allows everything", () => {
    for (const [i, { name }] of DATA_SETS.entries()) {
      const tried = caseAt("dense", i, 3);
      const right = operationNamed("dense").run(tried.operands, tried.args);
      const wrong = mapped(right["y"], (v, at) => (at.every((index) => index === 0) ? v * (1 + 2 ** -14) : v));
      const { causes } = diagnosed("dense", tried, { y: wrong });
      assert.deepEqual(causes, [], name);
    }
  });

  it("is not explained by an arithmetic that could have made anything of so many terms", () => {
    for (const terms of [100, 128, 200]) {
      const { operands, y } = product(terms, (v) => v - 0.5);
      const reversed = tensor(Float32Array.from(y.data).reverse(), y.shape);
      const { causes } = diagnose(operationNamed("dense"), operands, {}, { y: reversed }, FLOAT32);
      assert.deepEqual(causes, [], `${terms} terms`);
    }
  });

  it("is as large as an arithmetic would make it, if it is", () => {
    const { operands, y } = product(100, (v) => v);
    const { x, kernel } = operands;
    // from the last term to the first, as no hypothesis adds up
    const summed = mapped(y, (_, [m, u]) => {
      let sum = 0;
      for (let k = 99; k >= 0; k--) sum = toBfloat16(sum + x.get(m, k) * kernel.get(k, u));
      return sum;
    });
    // sums of many numbers that are not all in bfloat16 at the end
    const biased = { ...operands, bias: mapped(tensor(new Float32Array(6), [6]), (_, [u]) => 0.1 * u) };
    const result = mapped(summed, (v, [, u]) => v + biased.bias.get(u));
    const { causes } = diagnose(operationNamed("dense"), biased, {}, { y: result }, FLOAT32);
    assert.equal(causes[0]?.name, "errors as large as accumulation in bfloat16 would make them");
  });

  it("is a weaker arithmetic only where it looks like it", () => {
    const said = say((v) => roundToBits(v, 8));
    assert.match(said, /^explained by: results in bfloat16 \(`y`; remaining error [\d.]+ of the bound\)/);
  });
});

describe("diagnose, where the truth cancels", () => {
  it("explains no numbers that have nothing to do with the mistake", () => {
    const numbers = (purpose: string, of: readonly number[]): Tensor =>
      mapped(tensor(randomStream(7, purpose).fillUniform(new Float32Array(sizeOf(of))), of), (v) => v - 0.5);
    const [batch, height, width, filters] = [5, 7, 6, 4];
    // dy as it arrives from a normalization: it adds up to 0 in every channel
    const dy = numbers("dy", [batch, height, width, filters]);
    const rows = batch * height * width;
    for (let c = 0; c < filters; c++) {
      const at = (i: number): number => i * filters + c;
      let mean = 0;
      for (let i = 0; i < rows; i++) mean += dy.data[at(i)] / rows;
      for (let i = 0; i < rows; i++) dy.data[at(i)] -= mean;
    }
    const operands = { x: numbers("x", [batch, height, width, 3]), kernel: numbers("kernel", [1, 1, 3, filters]), dy };
    const { causes } = diagnose(operationNamed("conv2d-backward"), operands, {}, { dBias: numbers("b", [4]) }, FLOAT32);
    assert.deepEqual(causes, []);
  });
});

describe("diagnose, for batch normalization over any axis", () => {
  const shape = [3, 7, 6, 4];
  const numbers = (purpose: string, of: readonly number[]): Tensor =>
    tensor(randomStream(3, purpose).fillUniform(new Float32Array(sizeOf(of))), of);
  for (const axis of [0, 1, 2, 3, -1, -2, -3, -4]) {
    it(`names mistakes, and cuts to the channel that is wrong: axis ${axis}`, () => {
      const channels = shape.at(axis) ?? 0;
      const weights = ["gamma", "beta", "movingMean", "movingVariance"].map((name) => [
        name,
        numbers(name, [channels]),
      ]);
      const operands: Operands = { x: numbers("x", shape), ...Object.fromEntries(weights) };
      for (const mistake of ["epsilon outside the root", "gamma and beta swapped"]) {
        const mutant = MUTANTS.find((known) => known.operation === "batch-normalization" && known.mistake === mistake);
        assert.ok(mutant !== undefined);
        // the formula over the last axis, of an image whose channels were moved there and back
        const from = axis < 0 ? axis + shape.length : axis;
        const y = axisFromLast(mutant.compute({ ...operands, x: axisToLast(operands["x"], from) }, LAST)["y"], from);
        const operation = operationNamed("batch-normalization");
        const { causes } = diagnose(operation, operands, { axis }, { y }, FLOAT32);
        assert.equal(causes[0]?.name, mistake);
        const least = minimalReproduction({ operation, operands, args: { axis } }, { y }, FLOAT32);
        assert.deepEqual(
          Object.values(least?.operands ?? {}).map(({ values }) => values.length),
          [1, 1, 1, 1, 1],
        );
      }
    });
  }
});

describe("diagnose, where a hypothesis is impossible", () => {
  it("says what it can, whatever the hypothesis throws", () => {
    const relu = operationNamed("relu");
    const x = tensor(Float32Array.of(-1, 2, 3), [3]);
    const suspects = [
      {
        name: "one that throws",
        results: (): Operands => {
          throw new TypeError("not here");
        },
      },
      { name: "nothing is rectified", results: (): Operands => ({ y: x }) },
    ];
    const expectations = relu.expect({ x }, {}, FLOAT32);
    const { causes } = diagnoseResults({ y: x }, expectations, suspects, FLOAT32, () => expectations);
    assert.deepEqual(
      causes.map(({ name }) => name),
      ["nothing is rectified"],
    );
  });
});

describe("diagnose, for kernels in the layouts of others", () => {
  const numbers = (purpose: string, of: readonly number[]): Tensor =>
    tensor(randomStream(5, purpose).fillUniform(new Float32Array(sizeOf(of)), -1, 1), of);
  const [x, kernel] = [numbers("x", [2, 7, 6, 5]), numbers("kernel", [3, 2, 5, 4])];
  const conv2d = operationNamed("conv2d");
  for (const [layout, shape, axes] of [
    ["OIHW", [4, 5, 3, 2], [2, 3, 1, 0]],
    ["OHWI", [4, 3, 2, 5], [1, 2, 3, 0]],
    ["IOHW", [5, 4, 3, 2], [2, 3, 0, 1]],
    ["HWOI", [3, 2, 4, 5], [0, 1, 3, 2]],
    ["WHIO", [2, 3, 5, 4], [1, 0, 2, 3]],
  ] as const) {
    it(`names ${layout}`, () => {
      // a kernel of that layout in the same memory, brought into the order of the reference
      const read = contiguous(tensor(kernel.data, shape).transpose(...axes));
      assert.deepEqual(read.shape, kernel.shape);
      const { causes } = diagnose(conv2d, { x, kernel }, {}, conv2d.run({ x, kernel: read }, {}), FLOAT32);
      assert.equal(causes[0]?.name, `kernel read as ${layout}`);
    });
  }
});

describe("diagnose, for several results", () => {
  it("names a cause for each, where they have no common one", () => {
    const from = ordinaryCase("dense-backward", 2);
    const { dx, dKernel, dBias } = operationNamed("dense-backward").run(from.operands, from.args);
    const results = {
      dx: mapped(dx, (v) => -v),
      dKernel,
      dBias: mapped(dBias, (v) => v * from.operands["x"].shape[0]),
    };
    const { causes } = diagnosed("dense-backward", from, results);
    assert.deepEqual(
      causes.map(({ name, outputs }) => [name, ...outputs]),
      [
        ["`dx` negated", "dx"],
        ["`dBias` multiplied by the batch size", "dBias"],
      ],
    );
  });

  it("recognizes flushed subnormals, and results of a wrong shape", () => {
    const x = tensor(Float32Array.of(2 ** -130, 1.1, 2 ** -140, 3.3), [2, 2]);
    const flushed = { y: mapped(x, (v) => (Math.abs(v) < 2 ** -126 ? 0 : v)) };
    const relu = operationNamed("relu");
    const { causes } = diagnose(relu, { x }, {}, flushed, FLOAT32);
    assert.equal(causes[0]?.name, "subnormal numbers flushed to zero");
    const conv2d = operationNamed("conv2d");
    const operands = {
      x: mapped(tensor(new Float32Array(2 * 6 * 7 * 3), [2, 6, 7, 3]), (_, [n, h, w, c]) => n + h * w - c),
      kernel: mapped(tensor(new Float32Array(2 * 2 * 3), [2, 2, 3, 1]), (_, [h, w, c]) => 1 + h - w * c),
    };
    const wrong = conv2d.run(operands, { strides: [1, 2], padding: "valid" });
    const said = diagnose(conv2d, operands, { strides: [2, 1], padding: "valid" }, wrong, FLOAT32);
    assert.equal(said.causes[0]?.name, "strides of height and width swapped");
  });
});
