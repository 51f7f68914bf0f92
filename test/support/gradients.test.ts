import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Tensor, tensorOf } from "../../src/tensor/tensor.js";
import { assertExactGradient, assertGradient, fakeLoss } from "./gradients.js";
import { mapped } from "./tensors.js";

const r = tensorOf([1, -2, 0.5, 3], [4], "float64");
const lossOf = (f: (v: number) => number) => (x: Tensor) => fakeLoss(mapped(x, f), r);
const gradientOf = (x: Tensor, slope: (v: number) => number): Tensor => {
  const slopes = mapped(x, slope);
  return tensorOf(
    r.data.map((weight, i) => weight * slopes.data[i]),
    [4],
    "float64",
  );
};
const f64 = (...values: number[]): Tensor => tensorOf(values, [values.length], "float64");

describe("assertGradient", () => {
  const at = f64(-1.5, 0.25, 0.75, 1.25);
  const cubic = { name: "dx", at, loss: lossOf((v) => v * v * v) };

  it("accepts the derivative of a smooth function", () => {
    assertGradient({ ...cubic, gradient: gradientOf(at, (v) => 3 * v * v) });
  });

  it("refuses a gradient that is off by a millionth in one element, and names the element", () => {
    const gradient = gradientOf(at, (v) => 3 * v * v);
    gradient.data[2] *= 1 + 1e-6;
    assert.throws(() => assertGradient({ ...cubic, gradient }), /^AssertionError.*dx\[2\]: backward/);
  });

  it("refuses NaN where a number belongs", () => {
    const gradient = gradientOf(at, (v) => 3 * v * v);
    gradient.data[0] = Number.NaN;
    assert.throws(() => assertGradient({ ...cubic, gradient }), /dx\[0\]: backward NaN/);
  });

  it("leaves out an element at a kink or within a step of one, whatever backward says of it", () => {
    for (const v of [0, 0.001, -0.003, 0.007]) {
      const point = f64(v, 1, -1, 2);
      const gradient = gradientOf(point, Math.sign);
      gradient.data[0] = 17;
      assertGradient({ name: "dx", at: point, gradient, loss: lossOf(Math.abs) });
    }
  });

  it("refuses to prove nothing: more than a quarter of the elements at kinks", () => {
    const point = f64(0, 0, 1, 2);
    assert.throws(
      () => assertGradient({ name: "dx", at: point, gradient: gradientOf(point, Math.sign), loss: lossOf(Math.abs) }),
      /dx: only 2 of 4 elements could be checked/,
    );
  });

  it("refuses a gradient of another shape", () => {
    assert.throws(() => assertGradient({ ...cubic, gradient: f64(1, 2) }), /shape of dx/);
  });
});

describe("assertExactGradient", () => {
  it("accepts the slope of a linear function and refuses one that is off by the last bit", () => {
    const at = f64(-1.5, 0.25, 0.75, 1.25);
    const linear = { name: "dx", at, loss: lossOf((v) => 0.75 * v + 3) };
    const gradient = gradientOf(at, () => 0.75);
    assertExactGradient({ ...linear, gradient });
    gradient.data[3] += Number.EPSILON * 2;
    assert.throws(() => assertExactGradient({ ...linear, gradient }), /dx\[3\]: backward 2\.25\d*, difference 2\.25/);
  });
});
