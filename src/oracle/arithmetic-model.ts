/**
 * Arithmetic models: what a candidate's arithmetic may do, in the few numbers that bounds are made of.
 *
 * A candidate is a kernel somewhere else: a shader, a library, an accelerator. It may sum in any order, in blocks or trees,
 * and fuse multiplication and addition; that never needs a number, since the bounds hold for all of it. What it cannot
 * choose is how it rounds: each model says the unit roundoff u of every kind of rounding (half the distance from 1 to the
 * next number: 2^-p for p significant bits), and where numbers end.
 *
 * @module
 */
import { describe } from "../serialization/config.js";

/** Unit roundoffs: significant bits are 24, 11, 8 and 11. */
export const U_FLOAT32: number = 2 ** -24;
export const U_FLOAT16: number = 2 ** -11;
export const U_BFLOAT16: number = 2 ** -8;
export const U_TF32: number = 2 ** -11;

/** A format in which numbers are held: how it rounds, and where it ends. */
export interface NumberFormat {
  /** Unit roundoff. */
  readonly roundoff: number;
  /** Largest absolute error of a result below the normal range: half a subnormal step, or the least normal if flushed. */
  readonly underflow: number;
  /** The largest finite number. */
  readonly largest: number;
}

/** Error of library functions, relative to the result, as multiples of the sums' unit roundoff. */
export interface FunctionErrors {
  /** For exp(x): `exp[0] + exp[1] |x|` roundoffs. */
  readonly exp: readonly [number, number];
  /** For log(x): relative, or absolute for results below 1; in roundoffs. */
  readonly log: number;
  /** In roundoffs, as are the others. */
  readonly sqrt: number;
  /** Of 1 / sqrt(x) as one function. */
  readonly reciprocalSqrt: number;
  /** Of a quotient. */
  readonly division: number;
  /** Of tanh(x). */
  readonly tanh: number;
}

/** What a candidate's arithmetic may do. */
export interface ArithmeticModel {
  /** For reports. */
  readonly name: string;
  /** How inputs are rounded before they are multiplied; `roundoff` 0 where they are taken as they are. */
  readonly inputs: NumberFormat;
  /** How products and sums are rounded. */
  readonly sums: NumberFormat;
  /** How results are rounded when they are stored. */
  readonly results: NumberFormat;
  /** Library functions. */
  readonly functions: FunctionErrors;
}

const FLOAT32_FORMAT: NumberFormat = { roundoff: U_FLOAT32, underflow: 2 ** -150, largest: (2 - 2 ** -23) * 2 ** 127 };
const FLOAT16_FORMAT: NumberFormat = { roundoff: U_FLOAT16, underflow: 2 ** -25, largest: 65504 };
const BFLOAT16_FORMAT: NumberFormat = { roundoff: U_BFLOAT16, underflow: 2 ** -134, largest: (2 - 2 ** -7) * 2 ** 127 };
const TF32_FORMAT: NumberFormat = { roundoff: U_TF32, underflow: 2 ** -137, largest: (2 - 2 ** -10) * 2 ** 127 };
/** float32 inputs that are not rounded again. */
const EXACT: NumberFormat = { ...FLOAT32_FORMAT, roundoff: 0, underflow: 0 };

/**
 * Good libraries: two units in the last place for exp, log and 1 / sqrt, three for tanh, correct rounding of roots and
 * quotients. One unit is two roundoffs.
 */
const LIBRARY: FunctionErrors = { exp: [4, 0], log: 4, sqrt: 1, reciprocalSqrt: 4, division: 1, tanh: 6 };

/**
 * The WebGPU Shading Language, section "Floating point accuracy": exp 3 + 2|x| ULP, log 3 ULP, inverseSqrt 2 ULP, division
 * 2.5 ULP, sqrt as 1 / inverseSqrt, tanh as sinh / cosh. One ULP is two roundoffs.
 */
const WGSL: FunctionErrors = { exp: [6, 4], log: 6, sqrt: 10, reciprocalSqrt: 4, division: 5, tanh: 32 };

/** float32 throughout, with any order and fusing. */
export const FLOAT32: ArithmeticModel = {
  name: "float32",
  inputs: EXACT,
  sums: FLOAT32_FORMAT,
  results: FLOAT32_FORMAT,
  functions: LIBRARY,
};

/** Inputs rounded to bfloat16, sums in float32. */
export const BFLOAT16_INPUTS: ArithmeticModel = { ...FLOAT32, name: "bfloat16 inputs", inputs: BFLOAT16_FORMAT };

/** Inputs rounded to float16, sums in float32. */
export const FLOAT16_INPUTS: ArithmeticModel = { ...FLOAT32, name: "float16 inputs", inputs: FLOAT16_FORMAT };

/** Inputs rounded to TF32 (10 explicit bits), sums in float32. */
export const TF32_INPUTS: ArithmeticModel = { ...FLOAT32, name: "TF32 inputs", inputs: TF32_FORMAT };

/** Inputs and results in float16, sums in float32. */
export const FLOAT16_STORAGE: ArithmeticModel = {
  ...FLOAT32,
  name: "float16 storage",
  inputs: FLOAT16_FORMAT,
  results: FLOAT16_FORMAT,
};

/** All models by the names that the command line uses. */
export const MODELS: Readonly<Record<string, ArithmeticModel>> = {
  float32: FLOAT32,
  bfloat16: BFLOAT16_INPUTS,
  float16: FLOAT16_INPUTS,
  tf32: TF32_INPUTS,
  "float16-storage": FLOAT16_STORAGE,
};

/** @throws TypeError when the argument `name` of the function `caller` is no arithmetic, as the name of one is not. */
export function checkArithmetic(caller: string, name: string, model: ArithmeticModel): void {
  if (typeof model?.sums === "object") return;
  throw new TypeError(
    `${caller}: \`${name}\` must be an arithmetic, as FLOAT32 is, or one of MODELS. Received ${describe(model)}.`,
  );
}

/** `model` with subnormal numbers flushed to zero, wherever they appear. @throws TypeError when it is none. */
export function withFlush(model: ArithmeticModel): ArithmeticModel {
  checkArithmetic("withFlush", "model", model);
  const flush = (format: NumberFormat, leastNormal: number): NumberFormat => ({ ...format, underflow: leastNormal });
  const least = (format: NumberFormat): number => (format.largest === FLOAT16_FORMAT.largest ? 2 ** -14 : 2 ** -126);
  return {
    ...model,
    name: `${model.name}, subnormals flushed`,
    inputs: flush(model.inputs, least(model.inputs)),
    sums: flush(model.sums, least(model.sums)),
    results: flush(model.results, least(model.results)),
  };
}

/** Magnitudes below which `model` takes inputs for zeros: the least normal float32 where subnormals are flushed, else 0. */
export function flushedBelow({ inputs }: ArithmeticModel): number {
  return inputs.underflow >= 2 ** -126 ? 2 ** -126 : 0;
}

/** `model` with the library functions of a shader. @throws TypeError when it is none. */
export function withWgslFunctions(model: ArithmeticModel): ArithmeticModel {
  checkArithmetic("withWgslFunctions", "model", model);
  return { ...model, name: `${model.name}, WGSL functions`, functions: WGSL };
}
