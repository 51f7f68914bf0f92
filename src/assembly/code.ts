/**
 * A small typed assembler of WebAssembly: what code is made of.
 *
 * A kernel is written as expressions, in the folded form of the text format: `f32x4.add(sum, f32x4.mul(a, b))` is
 * `(f32x4.add (local.get $sum) (f32x4.mul (local.get $a) (local.get $b)))`. Every expression knows the type of the value
 * that it leaves on the stack, so TypeScript refuses a float where an address belongs. Nothing is emitted behind the
 * scenes: expressions and statements are plain values, and a body is a list of statements, nested as one likes, so that
 * `Array.map` unrolls a loop.
 *
 *     const sumOf = wasmFunction("sumOf", { at: "i32", count: "i32", to: "i32" }, ({ at, count, to }, local) => {
 *       const sum = local("v128");
 *       return [
 *         doWhile([
 *           sum.set(f32x4.add(sum, v128.load(at))),
 *           at.set(i32.add(at, 16)),
 *           count.set(i32.sub(count, 4)),
 *         ], i32.gt_s(count, 0)),
 *         v128.store(to, sum),
 *       ];
 *     });
 *
 * @module
 */
import { littleEndian, signed, unsigned } from "./encoding.js";

/** The types of WebAssembly values that kernels use. An address is an `i32`. */
export type ValueType = "i32" | "f32" | "f64" | "v128";

/**
 * Machine code: bytes, and functions that are called, whose numbers are known when the module is put together. Code within
 * code is written in its place; so nothing is copied before then.
 */
export type Code = readonly (number | WasmFunction | Code)[];

/** An expression that leaves one value of type `T` on the stack. */
export interface Value<T extends ValueType> {
  readonly type: T;
  readonly code: Code;
}

/** What an instruction takes: a value, or a plain number where the type has numbers. */
export type Operand<T extends ValueType> = Value<T> | (T extends "v128" ? never : number);

/** An instruction that leaves nothing on the stack. */
export interface Statement {
  readonly type: "none";
  readonly code: Code;
}

/** Statements in order; nested lists are as good as flat ones. */
export type Body = Statement | readonly Body[];

/** A local variable, or a parameter. As a value it is `local.get`. Locals begin at zero. */
export interface Local<T extends ValueType> extends Value<T> {
  /** `local.set` */
  set(value: Operand<T>): Statement;
  /** `local.tee`: sets the variable, and is the value that was set. */
  tee(value: Operand<T>): Value<T>;
}

/** A function of a module. */
export interface WasmFunction {
  readonly name: string;
  readonly parameters: readonly ValueType[];
  readonly result: ValueType | undefined;
  /** Builds the code, anew each time: it is many times as large as the bytes that it becomes, and needed once. */
  readonly build: () => FunctionBody;
}

/** What a function does. */
export interface FunctionBody {
  /** The types of the local variables behind the parameters. */
  readonly locals: readonly ValueType[];
  readonly code: Code;
}

/** A function that takes parameters named as the keys of `P`, in that order. */
export interface NamedFunction<P extends Signature> extends WasmFunction {
  /** The types of the parameters by name. */
  readonly signature: P;
}

/** Parameters by name, in order. */
export type Signature = Readonly<Record<string, ValueType>>;

/** The bytes of a body. */
export function codeOf(body: Body): Code {
  return "code" in body ? body.code : body.map(codeOf);
}

/** The code of an operand; a plain number becomes a constant of type `type`. */
export function operand<T extends ValueType>(type: T, value: Operand<T>): Code {
  if (typeof value !== "number") return value.code;
  if (type === "f32") return [0x43, littleEndian(value, "f32")];
  if (type === "f64") return [0x44, littleEndian(value, "f64")];
  return [0x41, signed(value)];
}

function localVariable<T extends ValueType>(type: T, index: number): Local<T> {
  const at = unsigned(index);
  return {
    type,
    code: [0x20, at],
    set: (value) => ({ type: "none", code: [operand(type, value), 0x21, at] }),
    tee: (value) => ({ type, code: [operand(type, value), 0x22, at] }),
  };
}

/** What {@link wasmFunction} builds a body from: the parameters, and a maker of local variables. */
export type BodyBuilder<P extends Signature> = (
  parameters: { readonly [K in keyof P]: Local<P[K]> },
  local: <T extends ValueType>(type: T) => Local<T>,
) => Body;

/**
 * A function called `name` with `parameters` by name and type. One that has a `result` must end every path in
 * `returns`.
 */
export function wasmFunction<const P extends Signature>(
  name: string,
  parameters: P,
  build: BodyBuilder<P>,
  result?: ValueType,
): NamedFunction<P> {
  return {
    name,
    parameters: Object.values(parameters),
    signature: parameters,
    result,
    build: () => buildBody(parameters, build),
  };
}

function buildBody<P extends Signature>(parameters: P, build: BodyBuilder<P>): FunctionBody {
  const entries = Object.entries(parameters);
  const locals: ValueType[] = [];
  const local = <T extends ValueType>(type: T): Local<T> => {
    locals.push(type);
    return localVariable(type, entries.length + locals.length - 1);
  };
  const byName = Object.fromEntries(entries.map(([key, type], i) => [key, localVariable(type, i)]));
  const code = codeOf(build(byName as { readonly [K in keyof P]: Local<P[K]> }, local));
  return { locals, code };
}
