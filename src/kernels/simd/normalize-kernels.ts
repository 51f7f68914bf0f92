/**
 * The passes of `normalize.ts` and `normalize-gradients.ts` that write tensors, assembled: rows of whole vectors.
 *
 * They compute in float64, or round to float32 at every step (`Elements`). The numbers with which the elements of a few channels
 * are moved and stretched stand together, in the precision that is computed in:
 *
 *     float64      mean[4], scale[4], offset[4]        and backward        mean[4], scale[4], shift[4], slope[4]
 *     float32      mean[8], scale[8], offset[8]                            mean[8], ...              and behind a ReLU offset[8]
 *
 * Eight floats are two vectors, of which V8 makes one (`wide.ts`); the last four channels may stand alone.
 *
 * @module
 */
import {
  type Body,
  type Local,
  type NamedFunction,
  type Operand,
  type Statement,
  type Value,
  wasmFunction,
} from "../../assembly/code.js";
import { doWhile, when, whileLoop } from "../../assembly/control.js";
import { f32x4, i32, v128 } from "../../assembly/instructions.js";
import { computeHere } from "../../parallel/recording.js";
import { allocateInScope } from "../../tensor/arena.js";
import type { FloatArray } from "../../tensor/dtype.js";
import { doubleElements, type Elements, LANES, positivePart, singleElements, wherePositive } from "./floats.js";
import { storeSideBySide } from "./stores.js";

/** `values`, [C] each, as kernels read them: in single precision, if so, or as they are. */
export function interleaved(values: readonly Float64Array[], single: boolean): FloatArray {
  const all = allocateInScope(single ? "float32" : "float64", values.length * values[0].length);
  computeHere(values, [all], () => interleave(values, all));
  return all;
}

/** Writes `values`, [C] each, to `all` as kernels read them. */
export function interleave(values: readonly FloatArray[], all: FloatArray): void {
  const channels = values[0].length;
  const most = LANES * (all instanceof Float32Array ? singleElements : doubleElements).together;
  for (let from = 0, at = 0; from < channels; from += most) {
    const to = Math.min(channels, from + most);
    for (let i = 0; i < values.length; i++) for (let c = from; c < to; c++) all[at++] = values[i][c];
  }
}

/** Where the next vector of each tensor is. */
type Pointers = readonly Local<"i32">[];

/** The rows that a kernel walks through. */
interface Rows {
  /** Of the first row; they are changed, and so is `rows`. The last one is where results go. */
  readonly pointers: Pointers;
  readonly rows: Local<"i32">;
  /** Vectors in a row, and for each pointer the bytes from its end to the next one. */
  readonly vectors: Local<"i32">;
  readonly skips: readonly Operand<"i32">[];
  /** The numbers of the channels, and how many there are of each. */
  readonly map: Local<"i32">;
  readonly valuesPerChannel: number;
}

/**
 * Sets `result` to what four elements become, given where each tensor has them, `at` bytes behind its pointer, and the
 * numbers of their channels.
 */
type Compute<V> = (result: Local<"v128">, pointers: Pointers, at: number, values: readonly V[]) => Body;

/** Computes all rows. They are taken in pairs, so that the numbers of a channel are loaded once for both. */
function inPairsOfRows<V>(
  local: <T extends "i32" | "v128">(type: T) => Local<T>,
  { pointers, rows, vectors, skips, map, valuesPerChannel }: Rows,
  elements: Elements<V>,
  compute: Compute<V>,
): Body {
  const [values, left] = [local("i32"), local("i32")];
  const pitches = skips.map(() => local("i32"));
  const most = elements.together;
  const results = Array.from({ length: most }, () => local("v128"));
  const held = results.map(() => Array.from({ length: valuesPerChannel }, () => elements.hold(local)));
  const below = pointers.map(() => local("i32"));
  const advance = (row: Pointers, bytes: (i: number) => Operand<"i32">): Statement[] =>
    row.map((pointer, i) => pointer.set(i32.add(pointer, bytes(i))));
  const step = (count: number, taken: readonly Pointers[]): Body => {
    const some = held.slice(0, count);
    return [
      some.map((numbers, v) =>
        numbers.map((number, i) => number.set(elements.numbers(values, (i * count + v) * elements.bytes))),
      ),
      taken.map((row) => [
        some.map((numbers, v) =>
          compute(
            results[v],
            row,
            16 * v,
            numbers.map(({ value }) => value),
          ),
        ),
        storeSideBySide(row[row.length - 1], results.slice(0, count)),
        advance(row, () => 16 * count),
      ]),
      values.set(i32.add(values, valuesPerChannel * count * elements.bytes)),
      left.set(i32.sub(left, count)),
    ];
  };
  const pass = (...taken: readonly Pointers[]): Body => [
    values.set(map),
    left.set(vectors),
    most === 1
      ? doWhile(step(1, taken), left)
      : [whileLoop(i32.ge_s(left, most), step(most, taken)), when(left, step(1, taken))],
  ];
  return [
    pitches.map((pitch, i) => pitch.set(i32.add(i32.shl(vectors, 4), skips[i]))),
    whileLoop(i32.ge_s(rows, 2), [
      below.map((pointer, i) => pointer.set(i32.add(pointers[i], pitches[i]))),
      pass(pointers, below),
      advance(pointers, (i) => i32.add(pitches[i], skips[i])),
      rows.set(i32.sub(rows, 2)),
    ]),
    when(rows, pass(pointers)),
  ];
}

type NormalizeParameters = Record<"x" | "map" | "addend" | "y" | "vectors" | "rows" | "skip" | "skipWritten", "i32">;

function normalizeKernel<V>(
  name: string,
  adds: boolean,
  rectifies: boolean,
  elements: Elements<V>,
): NamedFunction<NormalizeParameters> {
  const { load, add, sub, mul, narrow } = elements;
  return wasmFunction(
    `${name}${elements.suffix}`,
    { x: "i32", map: "i32", addend: "i32", y: "i32", vectors: "i32", rows: "i32", skip: "i32", skipWritten: "i32" },
    ({ x, map, addend, y, vectors, rows, skip, skipWritten }, local) => {
      const held = local("v128");
      const pointers = adds ? [x, addend, y] : [x, y];
      const skips = pointers.map((pointer) => (pointer === y ? skipWritten : skip));
      return inPairsOfRows(
        local,
        { pointers, rows, vectors, skips, map, valuesPerChannel: 3 },
        elements,
        (result, [from, other], at, [mean, scale, offset]) => {
          const stored = narrow(add(mul(sub(load(from, at), mean), scale), offset));
          const added = adds ? f32x4.add(stored, v128.load(other, at)) : stored;
          return result.set(rectifies ? positivePart(added, held) : added);
        },
      );
    },
  );
}

/** The kernels by what follows: nothing, an addend, a ReLU, or both. */
type NormalizeKernels = Record<"plain" | "add" | "rectify" | "addRectify", NamedFunction<NormalizeParameters>>;

function normalizeKernelsFor<V>(elements: Elements<V>): NormalizeKernels {
  return {
    plain: normalizeKernel("normalize", false, false, elements),
    add: normalizeKernel("normalizeAdd", true, false, elements),
    rectify: normalizeKernel("normalizeRectify", false, true, elements),
    addRectify: normalizeKernel("normalizeAddRectify", true, true, elements),
  };
}

/**
 * `y` from `x`, with a map in single or double precision. At least one row and one vector; from the end of a row to the
 * beginning of the next there are `skip` bytes of what is read, and `skipWritten` of `y`.
 */
export const normalizeKernels: Record<"single" | "double", NormalizeKernels> = {
  single: normalizeKernelsFor(singleElements),
  double: normalizeKernelsFor(doubleElements),
};

/** The one of {@link normalizeKernels} for `map` that adds and rectifies if it shall. */
export function chooseNormalizeKernel(
  map: FloatArray,
  adds: boolean,
  rectifies: boolean,
): NamedFunction<NormalizeParameters> {
  const kernels = normalizeKernels[map instanceof Float32Array ? "single" : "double"];
  if (adds) return kernels[rectifies ? "addRectify" : "add"];
  return kernels[rectifies ? "rectify" : "plain"];
}

type GradientParameters = Record<"dy" | "x" | "map" | "positive" | "addend" | "dx" | "vectors" | "rows", "i32">;

function gradientKernel<V>(
  name: string,
  masked: boolean,
  adds: boolean,
  elements: Elements<V>,
): NamedFunction<GradientParameters> {
  const { load, add, sub, mul, narrow } = elements;
  const readsOutput = masked && !elements.recomputes;
  const valuesPerChannel = masked && elements.recomputes ? 5 : 4;
  return wasmFunction(
    `${name}${elements.suffix}`,
    { dy: "i32", x: "i32", map: "i32", positive: "i32", addend: "i32", dx: "i32", vectors: "i32", rows: "i32" },
    ({ dy, x, map, positive, addend, dx, vectors, rows }, local) => {
      const [deviation, floats] = [elements.hold(local), local("v128")];
      const pointers = [dy, x, ...(readsOutput ? [positive] : []), ...(adds ? [addend] : []), dx];
      return inPairsOfRows(
        local,
        { pointers, rows, vectors, skips: pointers.map(() => 0), map, valuesPerChannel },
        elements,
        (result, [dyAt, xAt, ...others], at, [mean, scale, shift, slope, offset]) => {
          const gradient = masked ? elements.from(floats) : load(dyAt, at);
          const own = narrow(mul(scale, sub(sub(gradient, shift), mul(deviation.value, slope))));
          const output = (): Value<"v128"> =>
            readsOutput ? v128.load(others[0], at) : narrow(add(mul(deviation.value, scale), offset));
          const addendAt = others[readsOutput ? 1 : 0];
          return [
            deviation.set(sub(load(xAt, at), mean)),
            masked ? floats.set(wherePositive(v128.load(dyAt, at), output())) : [],
            result.set(adds ? f32x4.add(f32x4.add(v128.zero(), own), v128.load(addendAt, at)) : own),
          ];
        },
      );
    },
  );
}

/** The kernels without and with a ReLU behind the normalization, and then alone or as a sum. */
type GradientKernels = Record<"plain" | "masked" | "plainSum" | "maskedSum", NamedFunction<GradientParameters>>;

function gradientKernelsFor<V>(elements: Elements<V>): GradientKernels {
  return {
    plain: gradientKernel("normalizationGradient", false, false, elements),
    masked: gradientKernel("normalizationGradientMasked", true, false, elements),
    plainSum: gradientKernel("normalizationGradientSum", false, true, elements),
    maskedSum: gradientKernel("normalizationGradientMaskedSum", true, true, elements),
  };
}

/**
 * `dx` from `dy` and `x`, with a map in single or double precision. At least one row and one vector. The output of a ReLU behind
 * the normalization is `positive`, or in single precision computed again of `x`.
 */
export const normalizationGradientKernels: Record<"single" | "double", GradientKernels> = {
  single: gradientKernelsFor(singleElements),
  double: gradientKernelsFor(doubleElements),
};
