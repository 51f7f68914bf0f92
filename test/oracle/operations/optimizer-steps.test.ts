import { describe, it } from "node:test";
import fc from "fast-check";
import type { Operands } from "../../../src/oracle/operation.js";
import { type Tensor, tensor, tensorOf } from "../../../src/tensor/tensor.js";
import { assertCaught, assertHonest } from "../../support/oracle.js";
import { bfloat16, dataOf, raws } from "../../support/regimes.js";

const { fround: f } = Math;
const RUNS = { numRuns: 400, includeErrorInReport: true };
const SIZE = 6;
const tensors = raws(SIZE).map((raw) => tensor(dataOf(raw, SIZE), [SIZE]));
const map = (x: Tensor, of: (i: number) => number): Tensor =>
  tensorOf(
    Array.from(x.data, (_, i) => of(i)),
    x.shape,
  );

interface Variant {
  /** Powers of the betas as products, or in one rounding as a library's pow. */
  readonly products?: boolean;
  /** b m + (1 - b) g rather than m + (g - m) (1 - b), and 1 - b of the rounded b. */
  readonly weighted?: boolean;
  /** Mistakes. */
  readonly noCorrection?: boolean;
  readonly epsilonInside?: boolean;
  readonly round?: (x: number) => number;
}

/** A float32 kernel of Adam. */
function adam(
  { weight, gradient, momentum, velocity }: Operands,
  { iterations, weightDecay = 0, epsilon = 1e-7 }: { iterations: number; weightDecay?: number; epsilon?: number },
  { products = false, weighted = false, noCorrection = false, epsilonInside = false, round = f }: Variant = {},
): Operands {
  const [beta1, beta2, rate, t] = [f(0.9), f(0.999), f(1e-3), iterations + 1];
  const power = (base: number): number => {
    if (!products) return f(base ** t);
    let result = 1;
    for (let i = 0; i < t; i++) result = f(result * base);
    return result;
  };
  const corrected = f(f(rate * f(Math.sqrt(f(1 - power(beta2))))) / f(1 - power(beta1)));
  const alpha = noCorrection ? rate : corrected;
  const mean = (before: number, value: number, beta: number, exact: number): number =>
    weighted ? f(f(beta * before) + f(f(1 - beta) * value)) : f(before + f(f(value - before) * f(1 - exact)));
  const g = Array.from(gradient.data, round);
  const m = map(weight, (i) => mean(momentum.data[i], g[i], beta1, 0.9));
  const v = map(weight, (i) => mean(velocity.data[i], f(g[i] * g[i]), beta2, 0.999));
  const divisor = (i: number): number =>
    epsilonInside ? f(Math.sqrt(f(v.data[i] + f(epsilon)))) : f(f(Math.sqrt(v.data[i])) + f(epsilon));
  const after = map(weight, (i) => {
    const w = weight.data[i];
    const decayed = weightDecay === 0 ? w : f(w - f(f(w * f(weightDecay)) * rate));
    return f(decayed - f(f(m.data[i] * alpha) / divisor(i)));
  });
  return { weight: after, momentum: m, velocity: v };
}

const cases = fc.record({
  weight: tensors,
  gradient: tensors,
  momentum: tensors,
  velocity: tensors.map((x) => map(x, (i) => Math.abs(x.data[i]))),
});
const variants = fc.record({ products: fc.boolean(), weighted: fc.boolean() });

/** Tame values; `size` is that of the gradient. */
function tame(size = 1): Operands {
  const wave = (k: number, scale: number): Tensor =>
    tensorOf(
      Array.from({ length: SIZE }, (_, i) => scale * Math.sin(k * (i + 1))),
      [SIZE],
    );
  const velocity = wave(3.1, size * size);
  return {
    weight: wave(1.1, 1),
    gradient: wave(2.3, size),
    momentum: wave(1.9, size),
    velocity: map(velocity, (i) => Math.abs(velocity.data[i])),
  };
}

describe("expectations of a step of Adam", () => {
  it("hold for honest float32, at the first step and late ones", () => {
    fc.assert(
      fc.property(cases, fc.constantFrom(0, 1, 9, 500), variants, (operands, iterations, variant) => {
        assertHonest("adam-step", operands, { iterations }, adam(operands, { iterations }, variant));
        const decay = { iterations, weightDecay: 0.004 };
        assertHonest("adamw-step", operands, { iterations }, adam(operands, decay, variant));
      }),
      RUNS,
    );
  });

  it("hold from a state of zeros", () => {
    fc.assert(
      fc.property(tensors, tensors, variants, (weight, gradient, variant) => {
        const zeros = map(weight, () => 0);
        const operands = { weight, gradient, momentum: zeros, velocity: zeros };
        assertHonest("adam-step", operands, {}, adam(operands, { iterations: 0 }, variant));
      }),
      RUNS,
    );
  });

  it("hold for the greatest velocity", () => {
    const operands = tame();
    const velocityMax = map(operands["weight"], (i) => (i % 2 === 0 ? 2 : 0));
    const { momentum, velocity } = adam(operands, { iterations: 3 });
    const greatest = map(velocity, (i) => Math.max(velocity.data[i], velocityMax.data[i]));
    const { beta1, beta2, rate } = { beta1: f(0.9), beta2: f(0.999), rate: f(1e-3) };
    const alpha = f(f(rate * f(Math.sqrt(f(1 - f(beta2 ** 4))))) / f(1 - f(beta1 ** 4)));
    const weight = map(momentum, (i) =>
      f(operands["weight"].data[i] - f(f(momentum.data[i] * alpha) / f(f(Math.sqrt(greatest.data[i])) + f(1e-7)))),
    );
    const args = { iterations: 3, amsgrad: true };
    const candidate = { weight, momentum, velocity, velocityMax: greatest };
    assertHonest("adam-step", { ...operands, velocityMax }, args, candidate);
    const without = { ...adam(operands, { iterations: 3 }), velocityMax: greatest };
    assertCaught("weight", "adam-step", { ...operands, velocityMax }, args, without);
  });

  it("are broken by leaving the bias in", () => {
    const args = { iterations: 2 };
    assertCaught("weight", "adam-step", tame(), args, adam(tame(), args, { noCorrection: true }));
  });

  it("are broken by epsilon inside the root", () => {
    const args = { iterations: 2 };
    assertCaught("weight", "adam-step", tame(1e-3), args, adam(tame(1e-3), args, { epsilonInside: true }));
  });

  it("are broken by PyTorch's epsilon where gradients are small", () => {
    const operands = tame(1e-6);
    const args = { iterations: 2 };
    const epsilon = 1e-7 * Math.sqrt(1 - 0.999 ** 3);
    assertCaught("weight", "adam-step", operands, args, adam(operands, { ...args, epsilon }));
  });

  it("are broken by bfloat16 gradients, and by a decay that is left out", () => {
    const args = { iterations: 2 };
    const candidate = adam(tame(), args, { round: bfloat16 });
    for (const key of ["momentum", "velocity"]) assertCaught(key, "adam-step", tame(), args, candidate);
    assertCaught("weight", "adamw-step", tame(), args, adam(tame(), args));
  });
});

/** A float32 kernel of SGD. */
function sgd(
  { weight, gradient, momentum }: Operands,
  { share, nesterov, weightDecay = 0 }: { share: number; nesterov: boolean; weightDecay?: number },
): Operands {
  const rate = f(0.01);
  const down = map(weight, (i) => f(gradient.data[i] * rate));
  const m = map(weight, (i) => f(f(momentum.data[i] * f(share)) - down.data[i]));
  const after = map(weight, (i) => {
    const w = f(weight.data[i] - f(f(weight.data[i] * f(weightDecay)) * rate));
    return f(w + (nesterov ? f(f(m.data[i] * f(share)) - down.data[i]) : m.data[i]));
  });
  return share === 0 ? { weight: after } : { weight: after, momentum: m };
}

describe("expectations of a step of SGD", () => {
  it("hold for honest float32", () => {
    fc.assert(
      fc.property(
        cases,
        fc.constantFrom(0, 0.9),
        fc.boolean(),
        fc.constantFrom(0, 0.1),
        (operands, share, nesterov, weightDecay) => {
          const { weight, gradient, momentum } = operands;
          const args = { momentum: share, nesterov, weightDecay };
          const candidate = sgd(operands, { share, nesterov: nesterov && share > 0, weightDecay });
          assertHonest("sgd-step", { weight, gradient, momentum }, args, candidate);
        },
      ),
      RUNS,
    );
  });

  it("are broken by momentum without Nesterov, and the other way round", () => {
    for (const nesterov of [false, true]) {
      const candidate = sgd(tame(), { share: 0.9, nesterov: !nesterov });
      assertCaught("weight", "sgd-step", tame(), { momentum: 0.9, nesterov }, candidate);
    }
  });

  it("are broken by inverted momentum", () => {
    const candidate = sgd(tame(), { share: f(0.1), nesterov: false });
    assertCaught("momentum", "sgd-step", tame(), { momentum: 0.9 }, candidate);
  });

  it("go to infinity with an infinite gradient, and nowhere else", () => {
    const infinite = Number.POSITIVE_INFINITY;
    const of = (...values: number[]): Tensor => tensorOf(values, [2]);
    const given = { weight: of(1, 1), gradient: of(infinite, -infinite), momentum: of(1, 2), velocity: of(1, 2) };
    const { weight, gradient, momentum } = given;
    const right = { weight: of(-infinite, infinite), momentum: of(-infinite, infinite) };
    assertHonest("sgd-step", { weight, gradient, momentum }, { momentum: 0.9 }, right);
    for (const name of ["weight", "momentum"] as const) {
      const wrong = { ...right, [name]: of(-infinite, 5) };
      assertCaught(name, "sgd-step", { weight, gradient, momentum }, { momentum: 0.9 }, wrong);
    }
    // infinity over infinity
    const moments = {
      weight: of(Number.NaN, Number.NaN),
      momentum: of(infinite, -infinite),
      velocity: of(infinite, infinite),
    };
    assertHonest("adam-step", given, {}, moments);
    assertCaught("momentum", "adam-step", given, {}, { ...moments, momentum: of(infinite, 5) });
    assertCaught("velocity", "adam-step", given, {}, { ...moments, velocity: of(5, infinite) });
  });
});
