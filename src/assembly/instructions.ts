/**
 * The instructions that kernels use, under the names of the specification: `f32x4.mul`, `v128.load32_splat`,
 * `f64x2.promote_low_f32x4`. https://webassembly.github.io/spec/core/ gives their meaning.
 *
 * A vector of 128 bits is one type, `v128`; the name of the instruction says which lanes it sees. Memory instructions
 * take an address and a constant offset that is added to it for free. None needs alignment.
 *
 * @module
 */
import { type Code, type Operand, operand, type Statement, type Value, type ValueType } from "./code.js";
import { littleEndian, unsigned } from "./encoding.js";

type Unary<A extends ValueType, R extends ValueType> = (a: Operand<A>) => Value<R>;
type Binary<A extends ValueType, R extends ValueType> = (a: Operand<A>, b: Operand<A>) => Value<R>;
type Shift = (a: Operand<"v128">, count: Operand<"i32">) => Value<"v128">;
type Load<R extends ValueType> = (address: Operand<"i32">, offset?: number) => Value<R>;
type Store<T extends ValueType> = (address: Operand<"i32">, value: Operand<T>, offset?: number) => Statement;
type Extract<R extends ValueType> = (a: Operand<"v128">, lane: number) => Value<R>;

/** Vector instructions have a prefix and a number of their own. */
const vector = (opcode: number): number[] => [0xfd, ...unsigned(opcode)];

/** The bytes of a vector of zeros. */
const ZEROS: Code = new Array<number>(16).fill(0);

const unary =
  <A extends ValueType, R extends ValueType>(from: A, to: R, opcode: Code): Unary<A, R> =>
  (a) => ({ type: to, code: [operand(from, a), opcode] });

const binary =
  <A extends ValueType, R extends ValueType>(from: A, to: R, opcode: Code): Binary<A, R> =>
  (a, b) => ({ type: to, code: [operand(from, a), operand(from, b), opcode] });

const load =
  <R extends ValueType>(type: R, opcode: Code): Load<R> =>
  (address, offset = 0) => ({ type, code: [operand("i32", address), opcode, 0, unsigned(offset)] });

const store =
  <T extends ValueType>(type: T, opcode: Code): Store<T> =>
  (address, value, offset = 0) => ({
    type: "none",
    code: [operand("i32", address), operand(type, value), opcode, 0, unsigned(offset)],
  });

const shift =
  (opcode: number): Shift =>
  (a, count) => ({ type: "v128", code: [a.code, operand("i32", count), vector(opcode)] });

const extract =
  <R extends ValueType>(type: R, opcode: number): Extract<R> =>
  (a, lane) => ({ type, code: [a.code, vector(opcode), lane] });

/** Several instructions of one kind, by name and opcode. */
function table<Name extends string, T>(opcodes: Readonly<Record<Name, number>>, make: (opcode: number) => T) {
  return Object.fromEntries(Object.entries<number>(opcodes).map(([name, opcode]) => [name, make(opcode)])) as Record<
    Name,
    T
  >;
}

const vectorUnary = (opcode: number): Unary<"v128", "v128"> => unary("v128", "v128", vector(opcode));
const vectorBinary = (opcode: number): Binary<"v128", "v128"> => binary("v128", "v128", vector(opcode));

type IntegerOperator =
  | ("add" | "sub" | "mul" | "div_s" | "div_u" | "rem_s" | "rem_u" | "and" | "or" | "xor" | "shl" | "shr_s" | "shr_u")
  | ("eq" | "ne" | "lt_s" | "lt_u" | "gt_s" | "gt_u" | "le_s" | "le_u" | "ge_s" | "ge_u");

/** 32-bit integers and addresses; comparisons give 1 or 0. */
export const i32: Readonly<Record<IntegerOperator, Binary<"i32", "i32">>> & {
  readonly const: (value: number) => Value<"i32">;
  readonly eqz: Unary<"i32", "i32">;
  readonly load: Load<"i32">;
  readonly store: Store<"i32">;
} = {
  ...table(
    {
      ...{ eq: 0x46, ne: 0x47, lt_s: 0x48, lt_u: 0x49, gt_s: 0x4a, gt_u: 0x4b, le_s: 0x4c, le_u: 0x4d, ge_s: 0x4e },
      ...{ ge_u: 0x4f, add: 0x6a, sub: 0x6b, mul: 0x6c, div_s: 0x6d, div_u: 0x6e, rem_s: 0x6f, rem_u: 0x70 },
      ...{ and: 0x71, or: 0x72, xor: 0x73, shl: 0x74, shr_s: 0x75, shr_u: 0x76 },
    },
    (opcode) => binary("i32", "i32", [opcode]),
  ),
  const: (value) => ({ type: "i32", code: operand("i32", value) }),
  eqz: unary("i32", "i32", [0x45]),
  load: load("i32", [0x28]),
  store: store("i32", [0x36]),
};

type Comparison = "eq" | "ne" | "lt" | "gt" | "le" | "ge";
type FloatBinary = "add" | "sub" | "mul" | "div" | "min" | "max" | "copysign";
type FloatUnary = "abs" | "neg" | "ceil" | "floor" | "trunc" | "nearest" | "sqrt";
type FloatInstructions<T extends "f32" | "f64"> = Readonly<
  Record<Comparison, Binary<T, "i32">> & Record<FloatBinary, Binary<T, T>> & Record<FloatUnary, Unary<T, T>>
> & {
  readonly const: (value: number) => Value<T>;
  readonly load: Load<T>;
  readonly store: Store<T>;
  readonly convert_i32_s: Unary<"i32", T>;
};

/** The instructions of a scalar float type; those of f64 follow those of f32 in the same order. */
function floatInstructions<T extends "f32" | "f64">(type: T, wide: 0 | 1): FloatInstructions<T> {
  const compare = wide * 6;
  const arithmetic = wide * 14;
  return {
    ...table({ eq: 0x5b, ne: 0x5c, lt: 0x5d, gt: 0x5e, le: 0x5f, ge: 0x60 }, (opcode) =>
      binary(type, "i32", [opcode + compare]),
    ),
    ...table({ abs: 0x8b, neg: 0x8c, ceil: 0x8d, floor: 0x8e, trunc: 0x8f, nearest: 0x90, sqrt: 0x91 }, (opcode) =>
      unary(type, type, [opcode + arithmetic]),
    ),
    ...table({ add: 0x92, sub: 0x93, mul: 0x94, div: 0x95, min: 0x96, max: 0x97, copysign: 0x98 }, (opcode) =>
      binary(type, type, [opcode + arithmetic]),
    ),
    const: (value) => ({ type, code: [type === "f32" ? 0x43 : 0x44, ...littleEndian(value, type)] }),
    load: load(type, [0x2a + wide]),
    store: store(type, [0x38 + wide]),
    convert_i32_s: unary("i32", type, [wide === 1 ? 0xb7 : 0xb2]),
  };
}

/** Single precision. */
export const f32: FloatInstructions<"f32"> & { readonly demote_f64: Unary<"f64", "f32"> } = {
  ...floatInstructions("f32", 0),
  demote_f64: unary("f64", "f32", [0xb6]),
};

/** Double precision. */
export const f64: FloatInstructions<"f64"> & { readonly promote_f32: Unary<"f32", "f64"> } = {
  ...floatInstructions("f64", 1),
  promote_f32: unary("f32", "f64", [0xbb]),
};

/** Whole vectors: memory, bits. */
export const v128: Readonly<
  Record<"load" | "load32_splat" | "load64_splat" | "load32_zero" | "load64_zero", Load<"v128">> &
    Record<"and" | "andnot" | "or" | "xor", Binary<"v128", "v128">>
> & {
  readonly store: Store<"v128">;
  readonly zero: () => Value<"v128">;
  readonly not: Unary<"v128", "v128">;
  /** The bits of `a` where `mask` has ones, else those of `b`. */
  readonly bitselect: (a: Value<"v128">, b: Value<"v128">, mask: Value<"v128">) => Value<"v128">;
  readonly any_true: Unary<"v128", "i32">;
  readonly store32_lane: (address: Operand<"i32">, a: Value<"v128">, lane: number, offset?: number) => Statement;
  readonly store64_lane: (address: Operand<"i32">, a: Value<"v128">, lane: number, offset?: number) => Statement;
} = {
  ...table({ load: 0, load32_splat: 9, load64_splat: 10, load32_zero: 92, load64_zero: 93 }, (opcode) =>
    load("v128", vector(opcode)),
  ),
  ...table({ and: 78, andnot: 79, or: 80, xor: 81 }, vectorBinary),
  store: store("v128", vector(11)),
  /** `v128.const 0` */
  zero: () => ({ type: "v128", code: [vector(12), ZEROS] }),
  not: vectorUnary(77),
  bitselect: (a, b, mask) => ({ type: "v128", code: [a.code, b.code, mask.code, vector(82)] }),
  any_true: unary("v128", "i32", vector(83)),
  store32_lane: (address, a, lane, offset = 0) => ({
    type: "none",
    code: [operand("i32", address), a.code, vector(90), 0, unsigned(offset), lane],
  }),
  store64_lane: (address, a, lane, offset = 0) => ({
    type: "none",
    code: [operand("i32", address), a.code, vector(91), 0, unsigned(offset), lane],
  }),
};

/** Bytes of vectors. */
export const i8x16: {
  /** The bytes number `lanes` of `a` (0 to 15) and `b` (16 to 31). */
  readonly shuffle: (a: Value<"v128">, b: Value<"v128">, lanes: readonly number[]) => Value<"v128">;
} = {
  shuffle: (a, b, lanes) => ({ type: "v128", code: [a.code, b.code, vector(13), lanes] }),
};

/** Four 32-bit integers. */
export const i32x4: Readonly<Record<"add" | "sub" | "mul" | "eq" | "ne" | "lt_s" | "gt_s", Binary<"v128", "v128">>> &
  Readonly<Record<"shl" | "shr_s" | "shr_u", Shift>> & {
    readonly splat: Unary<"i32", "v128">;
    readonly extract_lane: Extract<"i32">;
    readonly all_true: Unary<"v128", "i32">;
    readonly bitmask: Unary<"v128", "i32">;
  } = {
  ...table({ add: 174, sub: 177, mul: 181, eq: 55, ne: 56, lt_s: 57, gt_s: 59 }, vectorBinary),
  ...table({ shl: 171, shr_s: 172, shr_u: 173 }, shift),
  splat: unary("i32", "v128", vector(17)),
  extract_lane: extract("i32", 27),
  all_true: unary("v128", "i32", vector(163)),
  bitmask: unary("v128", "i32", vector(164)),
};

/** Two 64-bit integers. */
export const i64x2: Readonly<Record<"add" | "sub" | "mul" | "eq", Binary<"v128", "v128">>> &
  Readonly<Record<"shl" | "shr_s" | "shr_u", Shift>> = {
  ...table({ add: 206, sub: 209, mul: 213, eq: 214 }, vectorBinary),
  ...table({ shl: 203, shr_s: 204, shr_u: 205 }, shift),
};

type LaneBinary = "add" | "sub" | "mul" | "div" | "min" | "max" | "pmin" | "pmax" | Comparison;
type LaneUnary = "abs" | "neg" | "sqrt" | "ceil" | "floor" | "trunc" | "nearest";

/**
 * Four floats. `min` and `max` give NaN where either is; `pmin(a, b)` is `b < a ? b : a`, and `pmax(a, b)` is
 * `a < b ? b : a`. Comparisons give lanes of all ones or all zeros.
 */
export const f32x4: Readonly<Record<LaneBinary, Binary<"v128", "v128">> & Record<LaneUnary, Unary<"v128", "v128">>> & {
  readonly splat: Unary<"f32", "v128">;
  readonly extract_lane: Extract<"f32">;
  /** The two doubles of a vector, rounded, and two zeros. */
  readonly demote_f64x2_zero: Unary<"v128", "v128">;
  readonly convert_i32x4_s: Unary<"v128", "v128">;
} = {
  ...table(
    {
      ...{ eq: 65, ne: 66, lt: 67, gt: 68, le: 69, ge: 70 },
      ...{ add: 228, sub: 229, mul: 230, div: 231, min: 232, max: 233, pmin: 234, pmax: 235 },
    },
    vectorBinary,
  ),
  ...table({ ceil: 103, floor: 104, trunc: 105, nearest: 106, abs: 224, neg: 225, sqrt: 227 }, vectorUnary),
  splat: unary("f32", "v128", vector(19)),
  extract_lane: extract("f32", 31),
  demote_f64x2_zero: vectorUnary(94),
  convert_i32x4_s: vectorUnary(250),
};

/** Two doubles; see {@link f32x4}. */
export const f64x2: Readonly<Record<LaneBinary, Binary<"v128", "v128">> & Record<LaneUnary, Unary<"v128", "v128">>> & {
  readonly splat: Unary<"f64", "v128">;
  readonly extract_lane: Extract<"f64">;
  /** The first two of four floats, widened. */
  readonly promote_low_f32x4: Unary<"v128", "v128">;
  /** `a * b + c`, with the product rounded or not, as the processor likes it better. Not in every engine: `features.ts`. */
  readonly relaxed_madd: (a: Value<"v128">, b: Value<"v128">, c: Value<"v128">) => Value<"v128">;
} = {
  ...table(
    {
      ...{ eq: 71, ne: 72, lt: 73, gt: 74, le: 75, ge: 76 },
      ...{ add: 240, sub: 241, mul: 242, div: 243, min: 244, max: 245, pmin: 246, pmax: 247 },
    },
    vectorBinary,
  ),
  ...table({ ceil: 116, floor: 117, trunc: 122, nearest: 148, abs: 236, neg: 237, sqrt: 239 }, vectorUnary),
  splat: unary("f64", "v128", vector(20)),
  extract_lane: extract("f64", 33),
  promote_low_f32x4: vectorUnary(95),
  relaxed_madd: (a, b, c) => ({ type: "v128", code: [a.code, b.code, c.code, vector(0x107)] }),
};

/** Runs of bytes; ranges of `copy` may overlap. */
export const memory: {
  readonly copy: (to: Operand<"i32">, from: Operand<"i32">, bytes: Operand<"i32">) => Statement;
  readonly fill: (at: Operand<"i32">, byte: Operand<"i32">, bytes: Operand<"i32">) => Statement;
} = {
  copy: (to, from, bytes) => ({
    type: "none",
    code: [operand("i32", to), operand("i32", from), operand("i32", bytes), 0xfc, 10, 0, 0],
  }),
  fill: (at, byte, bytes) => ({
    type: "none",
    code: [operand("i32", at), operand("i32", byte), operand("i32", bytes), 0xfc, 11, 0],
  }),
};
