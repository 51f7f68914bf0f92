/**
 * The passes of `normalize.ts` and `normalize-gradients.ts` that write tensors, assembled: rows of whole vectors.
 *
 * For every vector of four channels, the values that its elements are moved and stretched with stand together as doubles:
 *
 *     mean[4], scale[4], offset[4]        and backward        mean[4], scale[4], shift[4], slope[4]
 *
 * @module
 */
import { type NamedFunction, type Operand, type Statement, wasmFunction } from "../../assembly/code.js";
import { doWhile } from "../../assembly/control.js";
import { f32x4, f64x2, i32, v128 } from "../../assembly/instructions.js";
import { both, LANES, loadDoubles, loadWide, narrow, positivePart, wherePositive, widen } from "./floats.js";

/** Bytes of one value of four channels. */
const GROUP = LANES * 8;

const add = both(f64x2.add);
const sub = both(f64x2.sub);
const mul = both(f64x2.mul);

/** `values`, [C] each, as kernels read them: [C / 4][values][4]. */
export function interleaved(values: readonly Float64Array[]): Float64Array {
  const channels = values[0].length;
  const together = new Float64Array(values.length * channels);
  for (let c = 0, to = 0; c < channels; c += LANES) {
    for (const value of values) for (let lane = 0; lane < LANES; lane++) together[to++] = value[c + lane];
  }
  return together;
}

type NormalizeParameters = Record<"x" | "map" | "addend" | "y" | "vectors" | "rows" | "skip", "i32">;

function normalizeKernel(name: string, adds: boolean, rectifies: boolean): NamedFunction<NormalizeParameters> {
  return wasmFunction(
    name,
    { x: "i32", map: "i32", addend: "i32", y: "i32", vectors: "i32", rows: "i32", skip: "i32" },
    ({ x, map, addend, y, vectors, rows, skip }, local) => {
      const [values, left] = [local("i32"), local("i32")];
      const [mean, scale, offset] = [0, 1, 2].map((i) => loadDoubles(values, i * GROUP));
      const stored = narrow(add(mul(sub(loadWide(x), mean), scale), offset));
      const added = adds ? f32x4.add(stored, v128.load(addend)) : stored;
      const advance = (bytes: Operand<"i32">): Statement[] =>
        (adds ? [x, y, addend] : [x, y]).map((pointer) => pointer.set(i32.add(pointer, bytes)));
      return doWhile(
        [
          values.set(map),
          left.set(vectors),
          doWhile(
            [
              v128.store(y, rectifies ? positivePart(added) : added),
              advance(16),
              values.set(i32.add(values, 3 * GROUP)),
              left.set(i32.sub(left, 1)),
            ],
            left,
          ),
          advance(skip),
          rows.set(i32.sub(rows, 1)),
        ],
        rows,
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
      const [values, left, floats] = [local("i32"), local("i32"), local("v128")];
      const [mean, scale, shift, slope] = [0, 1, 2, 3].map((i) => loadDoubles(values, i * GROUP));
      const gradient = masked ? widen(floats) : loadWide(dy);
      const share = mul(sub(loadWide(x), mean), slope);
      const own = narrow(mul(scale, sub(sub(gradient, shift), share)));
      const pointers = [dy, x, dx, ...(masked ? [positive] : []), ...(adds ? [addend] : [])];
      return doWhile(
        [
          values.set(map),
          left.set(vectors),
          doWhile(
            [
              masked ? floats.set(wherePositive(v128.load(dy), v128.load(positive))) : [],
              v128.store(dx, adds ? f32x4.add(f32x4.add(v128.zero(), own), v128.load(addend)) : own),
              pointers.map((pointer) => pointer.set(i32.add(pointer, 16))),
              values.set(i32.add(values, 4 * GROUP)),
              left.set(i32.sub(left, 1)),
            ],
            left,
          ),
          rows.set(i32.sub(rows, 1)),
        ],
        rows,
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
