/**
 * Element-wise passes over whole vectors, assembled: sums of one or two tensors, with or without the mask of a ReLU.
 *
 * The float64 sum of two float32 values rounds to their float32 sum, so vectors of floats are added as they are.
 *
 * @module
 */
import { type Body, type NamedFunction, wasmFunction } from "../../assembly/code.js";
import { doWhile, when, whileLoop } from "../../assembly/control.js";
import { f32x4, i32, v128 } from "../../assembly/instructions.js";
import { positivePart, wherePositive } from "./floats.js";

type SumParameters = { readonly [K in "first" | "second" | "positive" | "to" | "vectors"]: "i32" } & {
  readonly start: "f32";
};

function sumKernel(name: string, terms: 1 | 2, masked: boolean): NamedFunction<SumParameters> {
  return wasmFunction(
    name,
    { first: "i32", second: "i32", positive: "i32", to: "i32", vectors: "i32", start: "f32" },
    ({ first, second, positive, to, vectors, start }, local) => {
      const begin = local("v128");
      const one = f32x4.add(begin, v128.load(first));
      const sum = terms === 2 ? f32x4.add(one, v128.load(second)) : one;
      const pointers = [first, to, ...(terms === 2 ? [second] : []), ...(masked ? [positive] : [])];
      return [
        begin.set(f32x4.splat(start)),
        doWhile(
          [
            v128.store(to, masked ? wherePositive(sum, v128.load(positive)) : sum),
            pointers.map((pointer) => pointer.set(i32.add(pointer, 16))),
            vectors.set(i32.sub(vectors, 1)),
          ],
          vectors,
        ),
      ];
    },
  );
}

/** The sum of one or two tensors, everywhere or where a third is positive. At least one vector. */
export const sumKernels: readonly [
  plain: readonly NamedFunction<SumParameters>[],
  masked: readonly NamedFunction<SumParameters>[],
] = [
  [sumKernel("sum1", 1, false), sumKernel("sum2", 2, false)],
  [sumKernel("sum1Masked", 1, true), sumKernel("sum2Masked", 2, true)],
];

/** y = max(x, 0). At least one vector. */
export const rectifyKernel: NamedFunction<Record<"x" | "y" | "vectors", "i32">> = wasmFunction(
  "rectify",
  { x: "i32", y: "i32", vectors: "i32" },
  ({ x, y, vectors }) =>
    doWhile(
      [
        v128.store(y, positivePart(v128.load(x))),
        [x, y].map((pointer) => pointer.set(i32.add(pointer, 16))),
        vectors.set(i32.sub(vectors, 1)),
      ],
      vectors,
    ),
);

/** dx = dy where x > 0, +0 elsewhere. At least one vector. */
export const rectifyGradientKernel: NamedFunction<Record<"dy" | "x" | "dx" | "vectors", "i32">> = wasmFunction(
  "rectifyGradient",
  { dy: "i32", x: "i32", dx: "i32", vectors: "i32" },
  ({ dy, x, dx, vectors }) =>
    doWhile(
      [
        v128.store(dx, wherePositive(v128.load(dy), v128.load(x))),
        [dy, x, dx].map((pointer) => pointer.set(i32.add(pointer, 16))),
        vectors.set(i32.sub(vectors, 1)),
      ],
      vectors,
    ),
);

type FinishParameters = Record<"y" | "addend" | "vectors" | "rows" | "skip", "i32">;

function finishKernel(name: string, adds: boolean, rectifies: boolean): NamedFunction<FinishParameters> {
  return wasmFunction(
    name,
    { y: "i32", addend: "i32", vectors: "i32", rows: "i32", skip: "i32" },
    ({ y, addend, vectors, rows, skip }, local) => {
      const left = local("i32");
      const values = [local("v128"), local("v128")];
      const pointers = adds ? [y, addend] : [y];
      /** All loads come before all stores: V8 fuses no two vectors with a store between their loads. */
      const some = (count: 1 | 2): Body => {
        const together = values.slice(0, count);
        return [
          together.map((value, i) => {
            const result = v128.load(y, 16 * i);
            return value.set(adds ? f32x4.add(result, v128.load(addend, 16 * i)) : result);
          }),
          together.map((value, i) => v128.store(y, rectifies ? positivePart(value) : value, 16 * i)),
          pointers.map((pointer) => pointer.set(i32.add(pointer, 16 * count))),
          left.set(i32.sub(left, count)),
        ];
      };
      return doWhile(
        [
          left.set(vectors),
          whileLoop(i32.ge_s(left, 2), some(2)),
          when(left, some(1)),
          pointers.map((pointer) => pointer.set(i32.add(pointer, skip))),
          rows.set(i32.sub(rows, 1)),
        ],
        rows,
      );
    },
  );
}

/**
 * What follows a result that is not normalized, in its place: an addend, a ReLU, or both. At least one row and one vector;
 * from the end of a row to the beginning of the next there are `skip` bytes.
 */
export const finishKernels: Record<"add" | "rectify" | "addRectify", NamedFunction<FinishParameters>> = {
  add: finishKernel("finishAdd", true, false),
  rectify: finishKernel("finishRectify", false, true),
  addRectify: finishKernel("finishAddRectify", true, true),
};
