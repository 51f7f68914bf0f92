import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { readNpz } from "../../src/formats/npz.js";
import {
  type Backend,
  type BackendOperation,
  operationsOf,
  type PlainTensor,
} from "../../src/oracle/conformance/backend.js";
import { caseAt } from "../../src/oracle/conformance/case.js";
import { checkBackend } from "../../src/oracle/conformance/check-backend.js";
import { fromPlain, toPlain } from "../../src/oracle/conformance/plain-numbers.js";
import {
  conforms,
  formatReport,
  mergeReports,
  missingShards,
  type Report,
} from "../../src/oracle/conformance/report.js";
import { asReport } from "../../src/oracle/conformance/report-check.js";
import { reproductionSnippet, writeReproduction } from "../../src/oracle/conformance/reproduction.js";
import { DATA_SETS, dataSetNamed } from "../../src/oracle/data-sets.js";
import { Draw } from "../../src/oracle/draw.js";
import { OPERATIONS } from "../../src/oracle/operations/table.js";
import { contiguous } from "../../src/tensor/tensor.js";

const relu: BackendOperation = ({ x }) => ({ data: x.data.map((v) => Math.max(v, 0)), shape: x.shape });
/** Wrong beyond 1. */
const cutRelu: BackendOperation = ({ x }) => ({
  y: { data: x.data.map((v) => (v > 1 ? 0 : Math.max(v, 0))), shape: x.shape },
});
const backend = (operations: Backend["operations"]): Backend => ({ name: "candidate", version: "1.2", operations });
/** Plain ReLUs only: their operation has arguments that the functions above do not know. */
const check = (run: BackendOperation, cases = 32): Promise<Report> =>
  checkBackend(backend({ relu6: run }), { cases, operations: ["relu6"] });
/** ReLU6, as it should be. */
const relu6: BackendOperation = async ({ x }) => ({
  data: x.data.map((v) => Math.min(6, Math.max(v, 0))),
  shape: x.shape,
});

/** The fields within `value`, but for arguments, which are the operation's, and numbers that may be anything. */
function pathsOf(value: unknown): string[][] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) => [
    ...(/^(args|effectiveBits|worstRatio|values)$/.test(key)
      ? []
      : [[key], ...pathsOf(item).map((path) => [key, ...path])]),
  ]);
}

/** `value` with something else at `path`. */
function replaced(value: unknown, [key, ...path]: readonly string[], by: unknown): unknown {
  if (key === undefined) return by;
  const copy = structuredClone(value) as Record<string, unknown>;
  copy[key] = replaced(copy[key], path, by);
  return copy;
}

describe("checkBackend", () => {
  it("passes a right operation, asynchronous or not, whose single result has no name", async () => {
    const report = await check(relu6);
    assert.ok(conforms(report));
    assert.deepEqual(report.operations[0].held, 32);
  });

  it("shrinks a failing case to a single number, and says what is wrong in one line", async () => {
    const { finding } = (await check(cutRelu)).operations[0];
    assert.ok(finding);
    assert.ok(finding.reproduction.operands["x"].shape.every((size) => size === 1));
    assert.match(finding.line, /^`y` at \[0(, 0)*\]: 0, not [\d.]+; it must be exact, 1 of 1 beyond their bounds$/);
    assert.equal(finding.fault, "bound");
  });

  it("shrinks to a kernel of one tap where that suffices", async () => {
    const noBias = backend({
      dense: ({ x, kernel }) => {
        const [[rows, inputs], units] = [x.shape, kernel.shape[1]];
        const data = Float32Array.from({ length: rows * units }, (_, at) => {
          const [row, unit] = [Math.floor(at / units), at % units];
          let sum = 0;
          for (let i = 0; i < inputs; i++) sum += x.data[row * inputs + i] * kernel.data[i * units + unit];
          return sum;
        });
        return { data, shape: [rows, units] };
      },
    });
    const { finding } = (await checkBackend(noBias, { cases: 32, operations: ["dense"] })).operations[0];
    const values = Object.values(finding?.reproduction.operands ?? {}).map((x) => x.values);
    assert.deepEqual(values, [[0], [0], [1]]);
  });

  it("reports what a backend throws, or returns instead of tensors, as findings", async () => {
    const lines = async (run: unknown): Promise<string | undefined> =>
      (
        await checkBackend(JSON.parse("null") ?? backend({ relu6: run as BackendOperation }), {
          cases: 1,
          operations: ["relu6"],
        })
      ).operations[0].finding?.line;
    assert.equal(
      await lines(() => {
        throw new Error("no such kernel");
      }),
      "threw: no such kernel",
    );
    assert.equal(await lines(() => 3), "returned 3");
    assert.equal(await lines(() => ({})), "returned nothing");
    assert.equal(await lines(() => ({ z: { data: [], shape: [0] } })), "returned `z`, which is none of y");
    const rule = "must return { data, shape: number[] } for `y`, returned";
    assert.equal(await lines(() => ({ y: [1] })), `${rule} Array`);
    assert.equal(await lines(({ x }: { x: PlainTensor }) => x.data), `${rule} Float32Array`);
    assert.equal(
      await lines(({ x: { data, shape } }: { x: PlainTensor }) => ({ data, shape: Int32Array.from(shape) })),
      `${rule} { data: Float32Array, shape: Int32Array }`,
    );
    assert.equal(await lines(() => ({ y: Object.create(null) })), `${rule} Object`);
    assert.equal(await lines(() => ({ data: [1] })), `${rule} { data: Array, shape: nothing }`);
    assert.equal(
      await lines(() => ({ data: new BigInt64Array(1), shape: [1] })),
      `${rule} { data: BigInt64Array, shape: Array }`,
    );
    assert.match((await lines(() => ({ data: [1], shape: [3] }))) ?? "", /^returned 1 numbers for `y` of shape \[3\]$/);
    assert.match((await lines(() => ({ data: [1], shape: [1] }))) ?? "", /^`y` has shape \[1\], not \[/);
  });

  it("waits for a result as long as it is told, and gives up an operation that hangs, but not the others", async () => {
    let asked = 0;
    const hangs: BackendOperation = async (operands, args) =>
      ++asked > 2 ? new Promise(() => {}) : relu6(operands, args);
    const { operations } = await checkBackend(
      backend({ relu6: hangs, softmax: () => new Promise(() => {}), tanh: relu }),
      {
        cases: 8,
        operations: ["relu6", "softmax", "tanh"],
        timeout: 0.02,
      },
    );
    assert.deepEqual(
      operations.map(({ cases, held, finding }) => [cases, held, finding?.fault]),
      [
        [3, 2, "timeout"],
        [1, 0, "timeout"],
        [8, operations[2].held, "bound"],
      ],
    );
    assert.equal(operations[0].finding?.line, "gave no result within 0.02 s");
    assert.equal(operations[0].finding.caseIndex, 2);
  });

  it("does not wait again and again for a smaller case that hangs", async () => {
    let hung = 0;
    const hangsWhenSmall: BackendOperation = ({ x }) => {
      if (x.data.length > 8) return { data: x.data.map(() => 9), shape: x.shape };
      hung++;
      return new Promise(() => {});
    };
    const options = { cases: 1, operations: ["relu6"], timeout: 0.02 };
    const { finding } = (await checkBackend(backend({ relu6: hangsWhenSmall }), options)).operations[0];
    assert.deepEqual([finding?.fault, hung], ["bound", 1]);
  });

  it("says which operations and results are not offered", async () => {
    const report = await checkBackend(backend({ denseBackward: ({ x }) => ({ dx: { ...x, data: x.data.fill(0) } }) }), {
      cases: 2,
      operations: ["dense", "dense-backward"],
    });
    assert.equal(report.operations[0].offered, false);
    assert.deepEqual(report.operations[1].missing, ["dKernel", "dBias"]);
    assert.match(formatReport(report), /not offered: dKernel, dBias\n\nnot offered: dense\n/);
  });

  it("does not let a backend change the operands that it is judged by", async () => {
    const overwrites: BackendOperation = ({ x }) => ({
      data: x.data.map((_, i, all) => (all[i] = Math.min(6, Math.max(all[i], 0)))),
      shape: x.shape,
    });
    assert.ok(conforms(await check(overwrites)));
  });

  it("refuses what is no backend, and options without a meaning", async () => {
    const messages: readonly [unknown, object, RegExp][] = [
      [null, {}, /`backend` must be an object with a name\. Received null\./],
      [{ name: "a" }, {}, /`operations` must be an object of functions\. Received nothing\./],
      [{ name: "a", operations: { conv9d: relu } }, {}, /`operations` must be among conv2d, .*\. Received "conv9d"\./],
      [{ name: "a", operations: { relu: 1 } }, {}, /`operations\.relu` must be a function\. Received 1\./],
      [backend({ relu }), { cases: 0 }, /`cases` must be a whole number of at least 1\. Received 0\./],
      [backend({ relu }), { shard: "5/6", cases: 3 }, /`shard` must have a case: .*\. Received 5\/6 of 3 cases\./],
      [backend({ relu }), { shard: "4/3" }, /`shard` must be i\/n with i from 1 to n\. Received "4\/3"\./],
      [
        backend({ relu }),
        { timeout: 0 },
        /`timeout` must be a number of seconds above 0, at most [\d.]+\. Received 0\./,
      ],
      [backend({ relu }), { operations: ["x"] }, /`name` must be one of conv2d, .*\. Received "x"\./],
    ];
    for (const [value, options, message] of messages) {
      await assert.rejects(checkBackend(value as Backend, options), message);
    }
  });

  it("knows operations by their names and in camelCase", () => {
    assert.deepEqual(
      [...operationsOf(backend({ conv2dBackward: relu, "dense-backward": relu })).keys()],
      ["conv2d-backward", "dense-backward"],
    );
  });
});

describe("reports", () => {
  it("of all shares merge to the report of the whole, through JSON", async () => {
    const options = { cases: 12, operations: ["relu6", "tanh"], shrinkBudget: 50 };
    const candidate = backend({ relu6: cutRelu, tanh: relu });
    const whole = await checkBackend(candidate, options);
    const shares = await Promise.all(
      ["2/3", "1/3", "3/3"].map((shard) => checkBackend(candidate, { ...options, shard })),
    );
    const merged = mergeReports(shares.map((share): Report => JSON.parse(JSON.stringify(share))));
    assert.deepEqual({ ...merged, shards: [] }, { ...JSON.parse(JSON.stringify(whole)), shards: [] });
    assert.deepEqual(merged.shards, ["1/3", "2/3", "3/3"]);
  });

  it("of different things do not merge", async () => {
    const report = await check(relu6, 4);
    assert.throws(() => mergeReports([]), /`reports` must not be empty/);
    assert.throws(() => mergeReports([report, { ...report, seed: 1 }]), /must have the same seed\. Received 0 and 1\./);
    assert.throws(() => mergeReports([report, report]), /different shares of one whole\. Received shards 1\/1, 1\/1\./);
  });

  it("name the shares that they lack", async () => {
    const report = await check(relu6, 4);
    assert.deepEqual(missingShards(report), []);
    assert.deepEqual(missingShards({ ...report, shards: ["1/4", "3/4"] }), ["2/4", "4/4"]);
  });

  it("are known by every field", async () => {
    const read: Report = JSON.parse(JSON.stringify(await check(cutRelu)));
    assert.deepEqual(asReport(read), { report: read });
    fc.assert(
      fc.property(fc.constantFrom(...pathsOf(read)), fc.constantFrom(null, -1.5, [null]), (path, odd) => {
        const broken = replaced(read, path, odd);
        assert.ok("odd" in asReport(broken), path.join("."));
      }),
      { numRuns: 300 },
    );
    const [first] = read.operations;
    assert.deepEqual(asReport({ ...read, operations: [{ ...first, cases: "3" }] }), {
      odd: { path: "operations[0].cases", found: "3" },
    });
    assert.deepEqual(asReport({ ...read, operations: [] }), { odd: { path: "operations", found: [] } });
  });

  it("hold a reproduction as an archive and as a module that computes it again", async () => {
    const { finding } = (await check(cutRelu)).operations[0];
    assert.ok(finding);
    const arrays = readNpz(writeReproduction(finding.reproduction));
    assert.deepEqual([...arrays.keys()], ["x", "expected/y", "received/y", "bound/y"]);
    assert.deepEqual([...(arrays.get("received/y")?.data ?? [])], [0]);
    assert.equal(reproductionSnippet(finding.reproduction), finding.snippet);
    assert.match(finding.snippet, /x: \{ data: Float32Array\.of\([\d.]+\), shape: \[1(, 1)*\] \}/);
  });

  it("keep numbers that JSON does not have", () => {
    fc.assert(
      fc.property(fc.double(), (value) => Object.is(fromPlain(JSON.parse(JSON.stringify(toPlain(value)))), value)),
    );
  });
});

describe("cases", () => {
  it("follow from seed and index, and fit their operation", () => {
    for (const [name, operation] of OPERATIONS) {
      for (let index = 0; index < 3; index++) {
        const { operands, args } = caseAt(name, index, 7);
        const again = caseAt(name, index, 7).operands;
        for (const [key, x] of Object.entries(operands))
          assert.deepEqual(contiguous(x).data, contiguous(again[key]).data);
        for (const key of operation.inputs) assert.ok(operands[key] !== undefined, `${name} ${key}`);
        operation.run(operands, args);
      }
    }
  });

  it("have images whose dimensions all differ, except for square windows of square images", () => {
    let squares = 0;
    for (let index = 0; index < 40; index++) {
      const { x, kernel } = caseAt("depthwise-conv2d", index, 1).operands;
      const sides = [x.shape[1], x.shape[2], kernel.shape[0], kernel.shape[1]];
      if (sides[0] === sides[1] && sides[2] === sides[3]) {
        squares++;
        continue;
      }
      assert.equal(new Set(x.shape).size, 4, String(x.shape));
      assert.equal(new Set(sides).size, 4);
    }
    assert.ok(squares > 5 && squares < 20, `${squares} of 40 are square, not about a third`);
  });
});

describe("data sets", () => {
  const products = (name: string, terms: number): number[] => {
    const draw = new Draw(3, "test", 0);
    const of = (role: "first" | "second", term: number) =>
      Math.fround(dataSetNamed(name).element(draw, { role, term, terms, index: term }));
    return Array.from({ length: terms }, (_, term) => of("first", term) * of("second", term));
  };

  it("0 has only products that are zero, and no factor is zero everywhere", () => {
    assert.ok(products("TOSA 0, zero products", 50).every((product) => product === 0));
  });

  it("1 has products near the end of the range, whose sum fits", () => {
    const sum = products("TOSA 1, large exponents", 50).reduce((a, b) => a + b);
    assert.ok(sum > 2 ** 124 && Number.isFinite(Math.fround(sum)), `${sum}`);
  });

  it("4 has one product of -1/4 among zeros", () => {
    const some = products("TOSA 4, mixed zeros", 50).filter((product) => product !== 0);
    assert.deepEqual(some, [-0.25]);
  });

  it("have different names, and an unknown name is refused", () => {
    assert.equal(new Set(DATA_SETS.map(({ name }) => name)).size, DATA_SETS.length);
    assert.throws(() => dataSetNamed("odd"), /`name` must be one of normal; TOSA 0, .*\. Received "odd"\./);
  });
});
