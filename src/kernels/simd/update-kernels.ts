/**
 * The passes of `weight-updates.ts` over whole vectors, assembled.
 *
 * @module
 */
import { type NamedFunction, wasmFunction } from "../../assembly/code.js";
import { f64x2, v128 } from "../../assembly/instructions.js";
import { both, eachWideVector, loadWide, narrow, type Wide, wideConstant, wideLocal } from "./floats.js";

const add = both(f64x2.add);
const sub = both(f64x2.sub);
const mul = both(f64x2.mul);
const div = both(f64x2.div);
const max = both(f64x2.max);

type Addresses<Names extends string> = { readonly [K in Names]: "i32" };
type Numbers<Names extends string> = { readonly [K in Names]: "f64" };

type AdamParameters = Addresses<"vectors" | "gradient" | "w" | "m" | "v" | "maxima"> &
  Addresses<"nextW" | "nextM" | "nextV" | "nextMaxima"> &
  Numbers<"alpha" | "momentumShare" | "velocityShare" | "epsilon" | "decay" | "learningRate">;

function makeAdamKernel(amsgrad: boolean): NamedFunction<AdamParameters> {
  const parameters = {
    ...({ vectors: "i32", gradient: "i32", w: "i32", m: "i32", v: "i32", maxima: "i32" } as const),
    ...({ nextW: "i32", nextM: "i32", nextV: "i32", nextMaxima: "i32" } as const),
    ...({ alpha: "f64", momentumShare: "f64", velocityShare: "f64" } as const),
    ...({ epsilon: "f64", decay: "f64", learningRate: "f64" } as const),
  };
  return wasmFunction(amsgrad ? "adam_amsgrad" : "adam", parameters, (p, local) => {
    const numbers = [p.alpha, p.momentumShare, p.velocityShare, p.epsilon, p.decay, p.learningRate];
    const constants = numbers.map((value) => wideConstant(local, value));
    const [alpha, momentumShare, velocityShare, epsilon, decay, learningRate] = constants.map(({ wide }) => wide);
    const [g, weight, momentum, velocity] = Array.from({ length: 4 }, () => wideLocal(local));
    const divisor = velocity; // once the velocity itself has been stored
    const [low, high] = divisor.value;
    const quotient = div(mul(alpha, momentum.value), add([f64x2.sqrt(low), f64x2.sqrt(high)], epsilon));
    const decayed = sub(weight.value, mul(mul(weight.value, decay), learningRate));
    const takeMaxima = [
      divisor.set(max(loadWide(p.maxima), velocity.value)),
      v128.store(p.nextMaxima, narrow(divisor.value)),
    ];
    const pointers = [p.gradient, p.w, p.m, p.v, p.nextW, p.nextM, p.nextV];
    return [
      constants.map(({ set }) => set),
      eachWideVector(
        p.vectors,
        [
          g.set(loadWide(p.gradient)),
          weight.set(loadWide(p.w)),
          momentum.set(loadWide(p.m)),
          momentum.set(add(momentum.value, mul(sub(g.value, momentum.value), momentumShare))),
          velocity.set(loadWide(p.v)),
          velocity.set(add(velocity.value, mul(sub(mul(g.value, g.value), velocity.value), velocityShare))),
          v128.store(p.nextM, narrow(momentum.value)),
          v128.store(p.nextV, narrow(velocity.value)),
          amsgrad ? takeMaxima : [],
          v128.store(p.nextW, narrow(sub(decayed, quotient))),
        ],
        amsgrad ? [...pointers, p.maxima, p.nextMaxima] : pointers,
      ),
    ];
  });
}

/** One step of Adam. At least one vector. */
export const adamKernel: NamedFunction<AdamParameters> = makeAdamKernel(false);

/** The same with amsgrad: the greatest velocity so far divides. Without it `maxima` are not looked at. */
export const amsgradKernel: NamedFunction<AdamParameters> = makeAdamKernel(true);

type SGDParameters = Addresses<"vectors" | "gradient" | "w" | "m" | "nextW" | "nextM"> &
  Numbers<"learningRate" | "momentum" | "decay">;

/** How a step of SGD goes on with those before: not at all, by their sum, or by that sum looked at one step ahead. */
type Momentum = "none" | "plain" | "nesterov";

function makeSGDKernel(kind: Momentum): NamedFunction<SGDParameters> {
  const parameters = {
    ...({ vectors: "i32", gradient: "i32", w: "i32", m: "i32", nextW: "i32", nextM: "i32" } as const),
    ...({ learningRate: "f64", momentum: "f64", decay: "f64" } as const),
  };
  return wasmFunction(`sgd_${kind}`, parameters, (p, local) => {
    const [learningRate, share, decay] = [p.learningRate, p.momentum, p.decay].map((value) =>
      wideConstant(local, value),
    );
    const [weight, momentum, down] = Array.from({ length: 3 }, () => wideLocal(local));
    const decayed = sub(weight.value, mul(mul(weight.value, decay.wide), learningRate.wide));
    const goOn = sub(mul(momentum.value, share.wide), down.value);
    const withMomentum = [
      momentum.set(loadWide(p.m)),
      momentum.set(goOn),
      v128.store(p.nextM, narrow(momentum.value)),
      v128.store(p.nextW, narrow(add(decayed, kind === "nesterov" ? goOn : momentum.value))),
    ];
    return [
      [learningRate, share, decay].map(({ set }) => set),
      eachWideVector(
        p.vectors,
        [
          weight.set(loadWide(p.w)),
          down.set(mul(loadWide(p.gradient), learningRate.wide)),
          kind === "none" ? v128.store(p.nextW, narrow(sub(decayed, down.value))) : withMomentum,
        ],
        [p.gradient, p.w, p.m, p.nextW, p.nextM],
      ),
    ];
  });
}

/** One step of SGD. At least one vector; without momentum `m` and `nextM` are not looked at. */
export const sgdKernels: Readonly<Record<Momentum, NamedFunction<SGDParameters>>> = {
  none: makeSGDKernel("none"),
  plain: makeSGDKernel("plain"),
  nesterov: makeSGDKernel("nesterov"),
};

/** sum = (gradient + 0 sign(w)) + factor w: the gradient of an L2 penalty added. At least one vector. */
export const penaltyKernel: NamedFunction<Addresses<"vectors" | "gradient" | "w" | "sum"> & Numbers<"factor">> =
  wasmFunction(
    "penaltyGradient",
    { vectors: "i32", gradient: "i32", w: "i32", sum: "i32", factor: "f64" },
    ({ vectors, gradient, w, sum, factor }, local) => {
      const by = wideConstant(local, factor);
      const [low, high, signBit] = [local("v128"), local("v128"), local("v128")];
      const weight: Wide = [low, high];
      const zeros: Wide = [v128.and(low, signBit), v128.and(high, signBit)]; // 0 with the sign of w
      const [lowNow, highNow] = loadWide(w);
      return [
        by.set,
        signBit.set(f64x2.neg(v128.zero())),
        eachWideVector(
          vectors,
          [
            low.set(lowNow),
            high.set(highNow),
            v128.store(sum, narrow(add(add(loadWide(gradient), zeros), mul(by.wide, weight)))),
          ],
          [gradient, w, sum],
        ),
      ];
    },
  );
