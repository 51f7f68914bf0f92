/**
 * What assembled element-wise kernels share: four float32 values as two pairs of doubles, and back.
 *
 * Element-wise arithmetic runs in float64 and is rounded once, when it is stored, like the loops in TypeScript; but that of
 * normalization with float32 accumulation, which is rounded at every step. `Elements` are either.
 *
 * @module
 */
import type { Body, Local, Operand, Statement, Value } from "../../assembly/code.js";
import { doWhile } from "../../assembly/control.js";
import { f32x4, f64x2, i32, i8x16, v128 } from "../../assembly/instructions.js";

/** How many float32 values a vector holds. */
export const LANES = 4;

/** Four doubles: the first two, the last two. */
export type Wide = readonly [low: Value<"v128">, high: Value<"v128">];

/** The four floats at `address`, widened. */
export function loadWide(address: Operand<"i32">, offset = 0): Wide {
  const half = (at: number): Value<"v128"> => f64x2.promote_low_f32x4(v128.load64_zero(address, at));
  return [half(offset), half(offset + 8)];
}

/** The four doubles at `address`. */
export function loadDoubles(address: Operand<"i32">, offset = 0): Wide {
  return [v128.load(address, offset), v128.load(address, offset + 16)];
}

/** Four doubles, each rounded to float32. */
export function narrow([low, high]: Wide): Value<"v128"> {
  const lanes = [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23];
  return i8x16.shuffle(f32x4.demote_f64x2_zero(low), f32x4.demote_f64x2_zero(high), lanes);
}

/** Four floats, widened. They are computed twice, so they should be a local variable. */
export function widen(floats: Value<"v128">): Wide {
  const lanes = [8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7];
  return [f64x2.promote_low_f32x4(floats), f64x2.promote_low_f32x4(i8x16.shuffle(floats, floats, lanes))];
}

/** Four doubles in local variables. */
export interface WideLocal {
  readonly value: Wide;
  readonly set: (wide: Wide) => Statement[];
}

/** A pair of local variables, and what gives them their values. */
export function wideLocal(local: (type: "v128") => Local<"v128">): WideLocal {
  const [low, high] = [local("v128"), local("v128")];
  return { value: [low, high], set: (wide) => [low.set(wide[0]), high.set(wide[1])] };
}

/** A number in all four doubles, for all of a kernel. */
export function wideConstant(
  local: (type: "v128") => Local<"v128">,
  value: Operand<"f64">,
): { readonly set: Statement; readonly wide: Wide } {
  const lanes = local("v128");
  return { set: lanes.set(f64x2.splat(value)), wide: [lanes, lanes] };
}

/**
 * Does `body` for each of `vectors` vectors, at least one, which are counted down. Each time `pointers` go on by four floats, and
 * `others` by so many bytes.
 */
export function eachWideVector(
  vectors: Local<"i32">,
  body: Body,
  pointers: readonly Local<"i32">[],
  others: readonly (readonly [Local<"i32">, bytes: number])[] = [],
): Body {
  const advance = (pointer: Local<"i32">, bytes: number): Statement => pointer.set(i32.add(pointer, bytes));
  return doWhile(
    [
      body,
      pointers.map((pointer) => advance(pointer, 16)),
      others.map(([pointer, bytes]) => advance(pointer, bytes)),
      vectors.set(i32.sub(vectors, 1)),
    ],
    vectors,
  );
}

/** An operation on pairs of doubles, on all four. */
export function both(operation: (a: Value<"v128">, b: Value<"v128">) => Value<"v128">): (a: Wide, b: Wide) => Wide {
  return (a, b) => [operation(a[0], b[0]), operation(a[1], b[1])];
}

/** max(floats, 0): +0 for -0 too, and NaN where there is NaN. `held` is where floats are kept meanwhile. */
export function positivePart(floats: Value<"v128">, held: Local<"v128">): Value<"v128"> {
  return v128.andnot(held.tee(floats), f32x4.le(held, v128.zero()));
}

/** `floats` where `sign` is positive, +0 elsewhere. */
export function wherePositive(floats: Value<"v128">, sign: Value<"v128">): Value<"v128"> {
  return v128.and(floats, f32x4.gt(sign, v128.zero()));
}

/** A local variable of what {@link Elements} compute with. */
export interface Held<V> {
  readonly value: V;
  readonly set: (value: V) => Statement[];
}

/** How kernels compute with four elements, and with numbers that four channels have, on either accumulation. */
export interface Elements<V> {
  /** At the end of a kernel's name. */
  readonly suffix: "" | "Single";
  /** Bytes of numbers of four channels. */
  readonly bytes: 16 | 32;
  /** Vectors side by side that are best computed together: V8 makes one of two (`wide.ts`). */
  readonly together: 1 | 2;
  /** Whether a number of a tensor is sooner computed again, of what is in registers, than read from memory. */
  readonly recomputes: boolean;
  readonly hold: (local: (type: "v128") => Local<"v128">) => Held<V>;
  /** The four elements of a tensor at an address. */
  readonly load: (address: Operand<"i32">, offset?: number) => V;
  /** Four elements in a register. They may be read twice, so they should be a local variable. */
  readonly from: (floats: Value<"v128">) => V;
  /** The numbers of four channels. */
  readonly numbers: (address: Operand<"i32">, offset?: number) => V;
  readonly add: (a: V, b: V) => V;
  readonly sub: (a: V, b: V) => V;
  readonly mul: (a: V, b: V) => V;
  /** As a tensor stores them. */
  readonly narrow: (value: V) => Value<"v128">;
  /** From, and as, four doubles. */
  readonly fromDoubles: (wide: Wide) => V;
  readonly toDoubles: (value: V) => Wide;
}

/** In float64, rounded when they are stored. */
export const doubleElements: Elements<Wide> = {
  suffix: "",
  bytes: 32,
  together: 1,
  recomputes: false,
  hold: wideLocal,
  load: loadWide,
  from: widen,
  numbers: loadDoubles,
  add: both(f64x2.add),
  sub: both(f64x2.sub),
  mul: both(f64x2.mul),
  narrow,
  fromDoubles: (wide) => wide,
  toDoubles: (wide) => wide,
};

/** Rounded to float32 at every step. */
export const singleElements: Elements<Value<"v128">> = {
  suffix: "Single",
  bytes: 16,
  together: 2,
  recomputes: true,
  hold(local) {
    const held = local("v128");
    return { value: held, set: (value) => [held.set(value)] };
  },
  load: v128.load,
  from: (floats) => floats,
  numbers: v128.load,
  add: f32x4.add,
  sub: f32x4.sub,
  mul: f32x4.mul,
  narrow: (floats) => floats,
  fromDoubles: narrow,
  toDoubles: widen,
};
