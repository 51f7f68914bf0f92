import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { judgeTensor } from "../../src/oracle/judgement.js";
import { layoutOf } from "../../src/oracle/layout.js";
import { describeJudgement, describeTrace, jsonLine } from "../../src/oracle/report.js";
import { short } from "../../src/oracle/short-number.js";
import type { TensorVerdict, TraceJudgement } from "../../src/oracle/trace-verdict.js";
import { tensorOf } from "../../src/tensor/tensor.js";

const expectation = {
  shape: [2, 3],
  truth: Float64Array.of(1, 2, 3, 4, 5, 6),
  bound: new Float64Array(6).fill(0.25),
  spread: new Float64Array(6),
};

describe("report", () => {
  it("says in one look that a tensor holds, and how nearly", () => {
    const judgement = judgeTensor(tensorOf([1, 2, 3, 4.125, 5, 6], [2, 3]), expectation);
    assert.deepEqual(describeJudgement("conv2d `y`", judgement), [
      "conv2d `y`: holds",
      "  worst |error| / bound  0.5  at [1, 0]",
      "  candidate 4.125, reference 4",
      "  |error| 0.125, bound 0.25",
      `  6 elements, effective bits ${judgement.effectiveBits}, variance 0, bias 0 of what is likely`,
    ]);
  });

  it("says what is broken, where, and what it was made of", () => {
    const judgement = judgeTensor(tensorOf([1, 2, 3, 4, 5, 8], [2, 3]), expectation);
    const lines = describeJudgement("y", judgement, { region: "[1, 0:2, :]", hint: "a hint" });
    assert.deepEqual(lines.slice(0, 4), [
      "y: BROKEN",
      "  1 of 6 elements beyond their bound",
      "  a hint",
      "  worst |error| / bound  8  at [1, 2], made of input [1, 0:2, :]",
    ]);
  });

  it("gives shapes, and no statistics, where shapes differ", () => {
    const judgement = judgeTensor(tensorOf([1, 2, 3, 4, 5, 6], [3, 2]), expectation);
    assert.deepEqual(describeJudgement("y", judgement), ["y: BROKEN", "  its shape must be [2, 3], and is [3, 2]"]);
  });

  it("sums up a trace: the first that is broken, the others, what was not judged, and a table", () => {
    const wrong = judgeTensor(tensorOf([1, 2, 3, 4, 5, 8], [2, 3]), expectation);
    const tensors: readonly TensorVerdict[] = [
      { key: "output/a", layers: ["a"], className: "Dense", status: "not judged", reason: "it is not in the trace" },
      { key: "gradOutput/b", layers: ["c"], className: "Dense", status: "broken", judgement: wrong },
      { key: "gradOutput/a", layers: ["c", "d"], className: "gradient", status: "broken", judgement: wrong },
    ];
    const trace: TraceJudgement = {
      holds: false,
      arithmetic: "float32",
      tensors,
      first: tensors[1],
      judged: 2,
      notJudged: 1,
      wrongCase: undefined,
      unknown: ["output/z"],
    };
    const text = describeTrace(trace, true).join("\n");
    assert.ok(text.startsWith("BROKEN: 0 of 2 tensors within float32; 1 not judged\n\n"));
    assert.match(text, /the first that is not right: the backward pass of `c` \(Dense\)\ngradOutput\/b: BROKEN\n/);
    assert.match(text, /\nalso broken: gradOutput\/a\n/);
    assert.match(text, /\nnot judged: output\/a: it is not in the trace\n/);
    assert.match(text, /\nof no layer here: output\/z\n/);
    assert.match(text, /\ngradOutput\/b +8 .* BROKEN \(bound\) Dense\n/);
    const both = describeTrace({ ...trace, first: tensors[2] }, false).join("\n");
    assert.match(both, /the first that is not right: the sum of the gradients of `c` and `d`\n/);
  });

  it("writes JSON without NaN and infinities, and short numbers", () => {
    assert.equal(jsonLine({ a: Number.POSITIVE_INFINITY, b: Number.NaN, c: 1 }), '{"a":"Infinity","b":"NaN","c":1}');
    assert.deepEqual([0, 0.123456, 1234567, 1e-9, Number.POSITIVE_INFINITY].map(short), [
      "0",
      "0.123",
      "1.2e+6",
      "1.0e-9",
      "Infinity",
    ]);
  });
});

describe("layoutOf", () => {
  for (const [expected, received, description] of [
    [[2, 4, 3, 5], [2, 5, 4, 3], "it looks like NCHW, where NHWC is expected"],
    [[3, 2, 4, 5], [5, 4, 3, 2], "it looks like OIHW, where HWIO is expected"],
    [[3, 2, 4, 5], [5, 3, 2, 4], "it looks like OHWI, where HWIO is expected"],
    [[3, 2], [2, 3], "it looks like the transpose"],
    [[2, 3, 4], [4, 2, 3], "its axes are in another order"],
    [[2, 2, 3], [3, 2, 2], "its axes may be in another order"],
    [[2, 1, 1, 3], [2, 3], "it differs in dimensions of 1 only"],
    [[2, 6], [3, 4], "it has the same 12 elements in another shape"],
    [[2, 3], [2, 4], "[2, 3] has 6 elements, [2, 4] has 8"],
  ] as const) {
    it(`reads ${received.join("x")} for ${expected.join("x")}: ${description}`, () => {
      assert.equal(layoutOf(expected, received).description, description);
    });
  }
});
