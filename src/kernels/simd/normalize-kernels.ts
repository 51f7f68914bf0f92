/**
 * The passes of `normalize.ts` and `normalize-gradients.ts` that write tensors, assembled: rows of whole vectors.
 *
 * For every vector of four channels, the values that its elements are moved and stretched with stand together as doubles:
 *
 *     mean[4], scale[4], offset[4]        and backward        mean[4], scale[4], shift[4], slope[4]
 *
 * @module
 */
import {
  type Body,
  type Local,
  type NamedFunction,
  type Operand,
  type Statement,
  wasmFunction,
} from "../../assembly/code.js";
import { doWhile, when, whileLoop } from "../../assembly/control.js";
import { f32x4, f64x2, i32, v128 } from "../../assembly/instructions.js";
import { doublesInScope } from "../../tensor/arena.js";
import {
  both,
  LANES,
  loadDoubles,
  loadWide,
  narrow,
  positivePart,
  type Wide,
  wherePositive,
  wideLocal,
  widen,
} from "./floats.js";

/** Bytes of one value of four channels. */
const GROUP = LANES * 8;

const add = both(f64x2.add);
const sub = both(f64x2.sub);
const mul = both(f64x2.mul);

/** `values`, [C] each, as kernels read them: [C / 4][values][4]. */
export function interleaved(values: readonly Float64Array[]): Float64Array {
  const channels = values[0].length;
  const together = doublesInScope(values.length * channels);
  const group = values.length * LANES;
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    for (let c = 0; c < channels; c++) together[Math.floor(c / LANES) * group + i * LANES + (c % LANES)] = value[c];
  }
  return together;
}

/** Where the next vector of each tensor is. */
type Pointers = readonly Local<"i32">[];

/** The rows that a kernel walks through. */
interface Rows {
  /** Of the first row; they are changed, and so is `rows`. */
  readonly pointers: Pointers;
  readonly rows: Local<"i32">;
  /** Vectors in a row, and bytes from its end to the next one. */
  readonly vectors: Local<"i32">;
  readonly skip: Operand<"i32">;
  /** The values of the channels, and how many there are of each. */
  readonly map: Local<"i32">;
  readonly valuesPerChannel: number;
}

/**
 * Runs `body` for every vector of all rows, given where it is in each tensor, and the values of its channels. Rows are
 * taken in pairs, so that the values of a channel are loaded once for both.
 */
function inPairsOfRows(
  local: <T extends "i32" | "v128">(type: T) => Local<T>,
  { pointers, rows, vectors, skip, map, valuesPerChannel }: Rows,
  body: (pointers: Pointers, values: readonly Wide[]) => Body,
): Statement[] {
  const [values, left, pitch] = [local("i32"), local("i32"), local("i32")];
  const held = Array.from({ length: valuesPerChannel }, () => wideLocal(local));
  const wides = held.map(({ value }) => value);
  const below = pointers.map(() => local("i32"));
  const advance = (row: Pointers, bytes: Operand<"i32">): Statement[] =>
    row.map((pointer) => pointer.set(i32.add(pointer, bytes)));
  const pass = (...together: readonly Pointers[]): Body => [
    values.set(map),
    left.set(vectors),
    doWhile(
      [
        held.map((value, i) => value.set(loadDoubles(values, i * GROUP))),
        together.map((row) => [body(row, wides), advance(row, 16)]),
        values.set(i32.add(values, valuesPerChannel * GROUP)),
        left.set(i32.sub(left, 1)),
      ],
      left,
    ),
  ];
  return [
    pitch.set(i32.add(i32.shl(vectors, 4), skip)),
    whileLoop(i32.ge_s(rows, 2), [
      below.map((pointer, i) => pointer.set(i32.add(pointers[i], pitch))),
      pass(pointers, below),
      advance(pointers, i32.add(pitch, skip)),
      rows.set(i32.sub(rows, 2)),
    ]),
    when(rows, pass(pointers)),
  ];
}

type NormalizeParameters = Record<"x" | "map" | "addend" | "y" | "vectors" | "rows" | "skip", "i32">;

function normalizeKernel(name: string, adds: boolean, rectifies: boolean): NamedFunction<NormalizeParameters> {
  return wasmFunction(
    name,
    { x: "i32", map: "i32", addend: "i32", y: "i32", vectors: "i32", rows: "i32", skip: "i32" },
    ({ x, map, addend, y, vectors, rows, skip }, local) => {
      const held = local("v128");
      return inPairsOfRows(
        local,
        { pointers: adds ? [x, y, addend] : [x, y], rows, vectors, skip, map, valuesPerChannel: 3 },
        ([from, to, other], [mean, scale, offset]) => {
          const stored = narrow(add(mul(sub(loadWide(from), mean), scale), offset));
          const added = adds ? f32x4.add(stored, v128.load(other)) : stored;
          return v128.store(to, rectifies ? positivePart(added, held) : added);
        },
      );
    },
  );
}

/**
 * `y` from `x`, by what follows: nothing, an addend, a ReLU, or both. At least one row and one vector; from the end of a
 * row to the beginning of the next there are `skip` bytes.
 */
export const normalizeKernels: Record<
  "plain" | "add" | "rectify" | "addRectify",
  NamedFunction<NormalizeParameters>
> = {
  plain: normalizeKernel("normalize", false, false),
  add: normalizeKernel("normalizeAdd", true, false),
  rectify: normalizeKernel("normalizeRectify", false, true),
  addRectify: normalizeKernel("normalizeAddRectify", true, true),
};

/** The one of {@link normalizeKernels} that adds and rectifies if it shall. */
export function chooseNormalizeKernel(adds: boolean, rectifies: boolean): NamedFunction<NormalizeParameters> {
  if (adds) return normalizeKernels[rectifies ? "addRectify" : "add"];
  return normalizeKernels[rectifies ? "rectify" : "plain"];
}

type GradientParameters = Record<"dy" | "x" | "map" | "positive" | "addend" | "dx" | "vectors" | "rows", "i32">;

function gradientKernel(name: string, masked: boolean, adds: boolean): NamedFunction<GradientParameters> {
  return wasmFunction(
    name,
    { dy: "i32", x: "i32", map: "i32", positive: "i32", addend: "i32", dx: "i32", vectors: "i32", rows: "i32" },
    ({ dy, x, map, positive, addend, dx, vectors, rows }, local) => {
      const floats = local("v128");
      const pointers = [dy, x, dx, ...(masked ? [positive] : []), ...(adds ? [addend] : [])];
      return inPairsOfRows(
        local,
        { pointers, rows, vectors, skip: 0, map, valuesPerChannel: 4 },
        ([dyAt, xAt, dxAt, ...others], [mean, scale, shift, slope]) => {
          const gradient = masked ? widen(floats) : loadWide(dyAt);
          const own = narrow(mul(scale, sub(sub(gradient, shift), mul(sub(loadWide(xAt), mean), slope))));
          const positiveAt = others[0];
          const addendAt = others[masked ? 1 : 0];
          return [
            masked ? floats.set(wherePositive(v128.load(dyAt), v128.load(positiveAt))) : [],
            v128.store(dxAt, adds ? f32x4.add(f32x4.add(v128.zero(), own), v128.load(addendAt)) : own),
          ];
        },
      );
    },
  );
}

/**
 * `dx` from `dy` and `x`, without and with a ReLU behind the normalization, and then alone or as a sum. At least one row
 * and one vector.
 */
export const normalizationGradientKernels: Record<
  "plain" | "masked" | "plainSum" | "maskedSum",
  NamedFunction<GradientParameters>
> = {
  plain: gradientKernel("normalizationGradient", false, false),
  masked: gradientKernel("normalizationGradientMasked", true, false),
  plainSum: gradientKernel("normalizationGradientSum", false, true),
  maskedSum: gradientKernel("normalizationGradientMaskedSum", true, true),
};
