/**
 * The passes of `weight-updates.ts` over whole vectors, assembled.
 *
 * @module
 */
import { type Local, type NamedFunction, type Statement, type Value, wasmFunction } from "../../assembly/code.js";
import { doWhile } from "../../assembly/control.js";
import { f64x2, i32, v128 } from "../../assembly/instructions.js";
import { both, loadWide, narrow, type Wide } from "./floats.js";

const add = both(f64x2.add);
const sub = both(f64x2.sub);
const mul = both(f64x2.mul);
const div = both(f64x2.div);

/** Moves every pointer on by a vector. */
const advance = (pointers: readonly Local<"i32">[]): Statement[] =>
  pointers.map((pointer) => pointer.set(i32.add(pointer, 16)));

/** A number in both lanes, for all of a kernel. */
function constant(
  local: (type: "v128") => Local<"v128">,
  value: Local<"f64">,
): { readonly set: Statement; readonly wide: Wide } {
  const lanes = local("v128");
  return { set: lanes.set(f64x2.splat(value)), wide: [lanes, lanes] };
}

type Addresses<Names extends string> = { readonly [K in Names]: "i32" };
type Numbers<Names extends string> = { readonly [K in Names]: "f64" };

type AdamParameters = Addresses<"vectors" | "gradient" | "w" | "m" | "v" | "nextW" | "nextM" | "nextV"> &
  Numbers<"alpha" | "momentumShare" | "velocityShare" | "epsilon" | "decay" | "learningRate">;

/** One step of Adam without amsgrad. At least one vector. */
export const adamKernel: NamedFunction<AdamParameters> = wasmFunction(
  "adam",
  {
    ...({ vectors: "i32", gradient: "i32", w: "i32", m: "i32", v: "i32" } as const),
    ...({ nextW: "i32", nextM: "i32", nextV: "i32" } as const),
    ...({ alpha: "f64", momentumShare: "f64", velocityShare: "f64" } as const),
    ...({ epsilon: "f64", decay: "f64", learningRate: "f64" } as const),
  },
  (parameters, local) => {
    const { vectors, gradient, w, m, v, nextW, nextM, nextV } = parameters;
    const [alpha, momentumShare, velocityShare, epsilon, decay, learningRate] = [
      constant(local, parameters.alpha),
      constant(local, parameters.momentumShare),
      constant(local, parameters.velocityShare),
      constant(local, parameters.epsilon),
      constant(local, parameters.decay),
      constant(local, parameters.learningRate),
    ];
    const named = (): { readonly wide: Wide; readonly set: (wide: Wide) => Statement[] } => {
      const [low, high] = [local("v128"), local("v128")];
      return { wide: [low, high], set: (wide) => [low.set(wide[0]), high.set(wide[1])] };
    };
    const [g, weight, momentum, velocity] = [named(), named(), named(), named()];
    const root = velocity.wide.map((lanes: Value<"v128">) => f64x2.sqrt(lanes));
    const quotient = div(mul(alpha.wide, momentum.wide), add([root[0], root[1]], epsilon.wide));
    const decayed = sub(weight.wide, mul(mul(weight.wide, decay.wide), learningRate.wide));
    return [
      [alpha, momentumShare, velocityShare, epsilon, decay, learningRate].map(({ set }) => set),
      doWhile(
        [
          g.set(loadWide(gradient)),
          weight.set(loadWide(w)),
          momentum.set(loadWide(m)),
          momentum.set(add(momentum.wide, mul(sub(g.wide, momentum.wide), momentumShare.wide))),
          velocity.set(loadWide(v)),
          velocity.set(add(velocity.wide, mul(sub(mul(g.wide, g.wide), velocity.wide), velocityShare.wide))),
          v128.store(nextM, narrow(momentum.wide)),
          v128.store(nextV, narrow(velocity.wide)),
          v128.store(nextW, narrow(sub(decayed, quotient))),
          advance([gradient, w, m, v, nextW, nextM, nextV]),
          vectors.set(i32.sub(vectors, 1)),
        ],
        vectors,
      ),
    ];
  },
);

/** sum = (gradient + 0 sign(w)) + factor w: the gradient of an L2 penalty added. At least one vector. */
export const penaltyKernel: NamedFunction<Addresses<"vectors" | "gradient" | "w" | "sum"> & Numbers<"factor">> =
  wasmFunction(
    "penaltyGradient",
    { vectors: "i32", gradient: "i32", w: "i32", sum: "i32", factor: "f64" },
    ({ vectors, gradient, w, sum, factor }, local) => {
      const by = constant(local, factor);
      const [low, high, signBit] = [local("v128"), local("v128"), local("v128")];
      const weight: Wide = [low, high];
      const zeros: Wide = [v128.and(low, signBit), v128.and(high, signBit)]; // 0 with the sign of w
      const [lowNow, highNow] = loadWide(w);
      return [
        by.set,
        signBit.set(f64x2.neg(v128.zero())),
        doWhile(
          [
            low.set(lowNow),
            high.set(highNow),
            v128.store(sum, narrow(add(add(loadWide(gradient), zeros), mul(by.wide, weight)))),
            advance([gradient, w, sum]),
            vectors.set(i32.sub(vectors, 1)),
          ],
          vectors,
        ),
      ];
    },
  );
