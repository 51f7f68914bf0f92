import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { exp } from "../../../src/arithmetic/exp.js";
import { log } from "../../../src/arithmetic/log.js";
import type { Operands } from "../../../src/oracle/operation.js";
import { type Tensor, tensor, tensorOf } from "../../../src/tensor/tensor.js";
import { assertCaught, assertHonest } from "../../support/oracle.js";
import { bfloat16, dataOf, type Order, ORDERS, orders, raws } from "../../support/regimes.js";

const { fround: f } = Math;
const RUNS = { numRuns: 400, includeErrorInReport: true };
const ROWS = 4;
const CLASSES = 5;
const LOW = f(1e-7);
const HIGH = f(1 - 1e-7);
const expf = (x: number): number => f(f(exp(x)) * (1 + 2 ** -24));
const logf = (x: number): number => f(log(x) * (1 - 2 ** -24));
const clipf = (p: number): number => Math.min(HIGH, Math.max(LOW, p));
const inside = (p: number): boolean => p >= LOW && p <= HIGH;

/** Labels as class numbers. */
const labels = fc.array(fc.nat({ max: CLASSES - 1 }), { minLength: ROWS, maxLength: ROWS });
const logits = raws(ROWS * CLASSES).map((raw) => tensor(dataOf(raw, CLASSES), [ROWS, CLASSES]));
/** Rows that sum to about 1: of every kind, sharp and soft, with 0 and 1. */
const probabilities = logits.map((z) => {
  const rows = rowsOf(z).map((row) => {
    const powers = row.map((v) => exp(v - Math.max(...row)));
    return powers.map((power) => power / powers.reduce((a, b) => a + b));
  });
  return tensorOf(rows.flat(), z.shape);
});

function rowsOf(x: Tensor): number[][] {
  return Array.from({ length: x.shape[0] }, (_, r) => Array.from({ length: x.shape[1] }, (_k, k) => x.get(r, k)));
}
const oneHot = (classes: readonly number[]): Tensor =>
  tensorOf(
    classes.flatMap((label) => Array.from({ length: CLASSES }, (_, k) => (k === label ? 1 : 0))),
    [classes.length, CLASSES],
  );
const scalar = (value: number): Tensor => tensorOf([value], []);

/** A float32 loss of one row with label t, and its gradient without the share of the batch. */
type RowLoss = (row: readonly number[], t: number, sum: Order) => { loss: number; gradient: number[] };

const LOGIT_LOSSES: Readonly<Record<string, RowLoss>> = {
  "log sum exp of differences": (z, t, sum) => {
    const differences = z.map((v) => f(v - Math.max(...z)));
    const powers = differences.map(expf);
    const total = sum(powers);
    return {
      loss: f(logf(total) - differences[t]),
      gradient: powers.map((power, k) => f(f(power / total) - (k === t ? 1 : 0))),
    };
  },
  "log softmax": (z, t, sum) => {
    const max = Math.max(...z);
    const logSum = f(max + logf(sum(z.map((v) => expf(f(v - max))))));
    const logSoftmax = z.map((v) => f(v - logSum));
    return { loss: f(-logSoftmax[t]), gradient: logSoftmax.map((v, k) => f(expf(v) - (k === t ? 1 : 0))) };
  },
};

/** Of probabilities normalized first, then clipped. */
const categorical: RowLoss = (p, t, sum) => {
  const total = sum(p);
  const q = p.map((v) => f(v / total));
  const dq = q.map((v, k) => (k === t && inside(v) ? f(-1 / clipf(v)) : 0));
  const dot = sum(dq.map((v, k) => f(v * q[k])));
  return { loss: f(-logf(clipf(q[t]))), gradient: dq.map((v) => f(f(v - dot) / total)) };
};
/** The same as differentiation of the quotient p / sum p gives it. */
const categoricalDifferentiated: RowLoss = (p, t, sum) => {
  const total = sum(p);
  const q = p.map((v) => f(v / total));
  const dq = q.map((v, k) => (k === t && inside(v) ? f(-f(1 / clipf(v))) : 0));
  const dTotal = sum(dq.map((v, k) => f(f(-f(v * p[k])) / f(total * total))));
  return { loss: f(-logf(clipf(q[t]))), gradient: dq.map((v) => f(f(v / total) + dTotal)) };
};
const sparse: RowLoss = (p, t, sum) => {
  const c = p.map(clipf);
  const total = sum(c);
  return {
    loss: f(logf(total) - logf(c[t])),
    gradient: c.map((v, k) => (inside(p[k]) ? f(f(1 / total) - (k === t ? f(1 / v) : 0)) : 0)),
  };
};
/** As TensorFlow does: logits log c. */
const sparseByLogits: RowLoss = (p, t, sum) => {
  const c = p.map(clipf);
  const { loss, gradient } = LOGIT_LOSSES["log sum exp of differences"](c.map(logf), t, sum);
  return { loss, gradient: gradient.map((v, k) => (inside(p[k]) ? f(v / c[k]) : 0)) };
};

/** A float32 kernel of the mean over the batch. */
function lossOf(
  yPred: Tensor,
  classes: readonly number[],
  row: RowLoss,
  sum: Order,
  share = 1 / classes.length,
): {
  readonly loss: Tensor;
  readonly dYPred: Tensor;
} {
  const rows = rowsOf(yPred).map((values, r) => row(values, classes[r], sum));
  return {
    loss: scalar(f(sum(rows.map(({ loss }) => loss)) / classes.length)),
    dYPred: tensorOf(
      rows.flatMap(({ gradient }) => gradient.map((v) => f(v * f(share)))),
      yPred.shape,
    ),
  };
}

function assertHonestLoss(name: string, operands: Operands, args: { fromLogits: boolean }, candidate: Operands): void {
  assertHonest(name, operands, args, { loss: candidate["loss"] });
  assertHonest(`${name}-backward`, operands, args, { dYPred: candidate["dYPred"] });
}

describe("expectations of cross-entropies", () => {
  for (const [title, row] of Object.entries(LOGIT_LOSSES)) {
    it(`hold for honest float32 of logits: ${title}`, () => {
      fc.assert(
        fc.property(logits, labels, orders, (yPred, classes, sum) => {
          const candidate = lossOf(yPred, classes, row, sum);
          const args = { fromLogits: true };
          assertHonestLoss("categorical-crossentropy", { yTrue: oneHot(classes), yPred }, args, candidate);
          const yTrue = tensorOf(classes, [ROWS]);
          assertHonestLoss("sparse-categorical-crossentropy", { yTrue, yPred }, args, candidate);
        }),
        RUNS,
      );
    });
  }

  for (const row of [categorical, categoricalDifferentiated]) {
    it(`hold for honest float32 of probabilities: ${row.name}`, () => {
      fc.assert(
        fc.property(probabilities, labels, orders, (yPred, classes, sum) => {
          const candidate = lossOf(yPred, classes, row, sum);
          const operands = { yTrue: oneHot(classes), yPred };
          assertHonestLoss("categorical-crossentropy", operands, { fromLogits: false }, candidate);
        }),
        RUNS,
      );
    });
  }

  for (const row of [sparse, sparseByLogits]) {
    it(`hold for honest float32 of probabilities and class numbers: ${row.name}`, () => {
      fc.assert(
        fc.property(probabilities, labels, orders, (yPred, classes, sum) => {
          const candidate = lossOf(yPred, classes, row, sum);
          const operands = { yTrue: tensorOf(classes, [ROWS]), yPred };
          assertHonestLoss("sparse-categorical-crossentropy", operands, { fromLogits: false }, candidate);
        }),
        RUNS,
      );
    });
  }

  it("hold for smoothed labels", () => {
    fc.assert(
      fc.property(logits, labels, orders, (yPred, classes, sum) => {
        const smoothing = f(0.1);
        const yTrue = oneHot(classes);
        const smooth = Array.from(yTrue.data, (t) => f(f(t * f(1 - smoothing)) + f(smoothing / CLASSES)));
        const rows = rowsOf(yPred).map((z, r) => {
          const differences = z.map((v) => f(v - Math.max(...z)));
          const logSum = logf(sum(differences.map(expf)));
          return sum(differences.map((v, k) => f(smooth[r * CLASSES + k] * f(logSum - v))));
        });
        const args = { fromLogits: true, labelSmoothing: 0.1 };
        const loss = scalar(f(sum(rows) / ROWS));
        assertHonest("categorical-crossentropy", { yTrue, yPred }, args, { loss });
      }),
      RUNS,
    );
  });

  const classes = [0, 3, 2, 4];
  const z = tensorOf(
    Array.from({ length: ROWS * CLASSES }, (_, i) => Math.sin(i * 1.7)),
    [ROWS, CLASSES],
  );
  const p = tensorOf(
    rowsOf(z).flatMap((row) => row.map((v) => f(exp(v) / row.reduce((sum, w) => sum + exp(w), 0)))),
    [ROWS, CLASSES],
  );
  const kinds = [
    ["categorical-crossentropy", { yTrue: oneHot(classes), yPred: z }, true, LOGIT_LOSSES["log softmax"]],
    ["categorical-crossentropy", { yTrue: oneHot(classes), yPred: p }, false, categorical],
    [
      "sparse-categorical-crossentropy",
      { yTrue: tensorOf(classes, [ROWS]), yPred: z },
      true,
      LOGIT_LOSSES["log softmax"],
    ],
    ["sparse-categorical-crossentropy", { yTrue: tensorOf(classes, [ROWS]), yPred: p }, false, sparse],
  ] as const;
  for (const [name, operands, fromLogits, row] of kinds) {
    it(`are broken by mistakes in ${name} of ${fromLogits ? "logits" : "probabilities"}`, () => {
      const sum = ORDERS["ascending"];
      const args = { fromLogits };
      const { dYPred } = lossOf(operands.yPred, classes, row, sum, 1);
      assertCaught("dYPred", `${name}-backward`, operands, args, { dYPred });
      const rounded = tensorOf(Array.from(operands.yPred.data, bfloat16), operands.yPred.shape);
      const candidate = lossOf(rounded, classes, row, sum);
      assertCaught("loss", name, operands, args, { loss: candidate.loss });
      assertCaught("dYPred", `${name}-backward`, operands, args, { dYPred: candidate.dYPred });
      const other = lossOf(operands.yPred, [1, 2, 3, 0], row, sum);
      assertCaught("loss", name, operands, args, { loss: other.loss });
      assertHonestLoss(name, operands, args, lossOf(operands.yPred, classes, row, sum));
    });
  }

  it("let a probability at the end of the clip have a gradient or none, and one beyond it none", () => {
    const yTrue = tensorOf([0], [1]);
    const name = "sparse-categorical-crossentropy-backward";
    for (const [first, gradients, wrong] of [
      [LOW, [0, -1e7], [5e6, -2e7]],
      [1e-9, [0], [-1e7]],
      [1e-3, [-1e3], [0]],
    ] as const) {
      const yPred = tensorOf([first, 1 - first], [1, 2]);
      // 1 / sum c = 1 to within the bound
      const candidate = (gradient: number): Operands => {
        const sum = f(clipf(yPred.data[0]) + clipf(yPred.data[1]));
        const own =
          gradient === 0
            ? 0
            : f(
                f(1 / sum) -
                  f(-gradient * (1e-7 / LOW === 1 ? 1 : first === LOW ? f(1 / LOW) / 1e7 : f(1 / yPred.data[0]) / 1e3)),
              );
        return { dYPred: tensorOf([own, inside(yPred.data[1]) ? f(1 / sum) : 0], [1, 2]) };
      };
      for (const gradient of gradients) assertHonest(name, { yTrue, yPred }, {}, candidate(gradient));
      for (const gradient of wrong) assertCaught("dYPred", name, { yTrue, yPred }, {}, candidate(gradient));
    }
  });
});

describe("expectations of the mean squared error", () => {
  const cases = fc.record({ yTrue: logits, yPred: logits });
  const of = (yTrue: Tensor, yPred: Tensor, sum: Order, share = yPred.size): { loss: Tensor; dYPred: Tensor } => {
    const differences = Array.from(yPred.data, (v, i) => f(v - yTrue.data[i]));
    return {
      loss: scalar(f(sum(differences.map((d) => f(d * d))) / yPred.size)),
      dYPred: tensorOf(
        differences.map((d) => f(f(2 * d) / share)),
        yPred.shape,
      ),
    };
  };

  it("hold for honest float32", () => {
    fc.assert(
      fc.property(cases, orders, ({ yTrue, yPred }, sum) => {
        const { loss, dYPred } = of(yTrue, yPred, sum);
        assertHonest("mean-squared-error", { yTrue, yPred }, {}, { loss });
        assertHonest("mean-squared-error-backward", { yTrue, yPred }, {}, { dYPred });
        const shared = tensorOf(
          Array.from(yPred.data, (v, i) => f(f(v - yTrue.data[i]) * f(2 / yPred.size))),
          yPred.shape,
        );
        assertHonest("mean-squared-error-backward", { yTrue, yPred }, {}, { dYPred: shared });
      }),
      RUNS,
    );
  });

  it("are broken by a sum for a mean, and by bfloat16", () => {
    const yTrue = tensorOf([1, 2, 3], [3, 1]);
    const yPred = tensorOf([0.123, 1.77, 3.21], [3, 1]);
    const sum = ORDERS["ascending"];
    const args = [{ yTrue, yPred }, {}] as const;
    assertCaught("dYPred", "mean-squared-error-backward", ...args, { dYPred: of(yTrue, yPred, sum, 1).dYPred });
    const rounded = tensorOf(Array.from(yPred.data, bfloat16), [3, 1]);
    assertCaught("loss", "mean-squared-error", ...args, { loss: of(yTrue, rounded, sum).loss });
    assert.ok(of(yTrue, yPred, sum).loss.get() > 0);
  });
});
