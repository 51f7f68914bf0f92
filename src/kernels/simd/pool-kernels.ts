/**
 * The greatest element under every window of a row of windows, assembled: four channels at a time.
 *
 * @module
 */
import { type NamedFunction, type Value, wasmFunction } from "../../assembly/code.js";
import { doWhile } from "../../assembly/control.js";
import { f32x4, i32, i32x4, i8x16, v128 } from "../../assembly/instructions.js";

/** 0, 1, 2, 3: the bytes of 0x03020100, each followed by three zeros. */
function laneNumbers(): Value<"v128"> {
  const lanes = [0, 16, 16, 16, 1, 16, 16, 16, 2, 16, 16, 16, 3, 16, 16, 16];
  return i8x16.shuffle(i32x4.splat(0x03020100), v128.zero(), lanes);
}

type Parameters = Record<
  | ("x" | "start" | "windows" | "step" | "rows" | "columns")
  | ("rowStride" | "pixelStride" | "vectors" | "y" | "argmax"),
  "i32"
>;

/**
 * For `windows` windows of `rows` x `columns` pixels each, whose first pixels lie `step` bytes apart from `start` on: the
 * greatest of every channel, to `y`, and its place among the elements from `x` on, to `argmax`. A later element is
 * greater when it is not less than or equal to the greatest so far, and that is no NaN.
 */
export const poolGreatestKernel: NamedFunction<Parameters> = wasmFunction(
  "poolGreatest",
  {
    ...({ x: "i32", start: "i32", windows: "i32", step: "i32", rows: "i32", columns: "i32" } as const),
    ...({ rowStride: "i32", pixelStride: "i32", vectors: "i32", y: "i32", argmax: "i32" } as const),
  },
  ({ x, start, windows, step, rows, columns, rowStride, pixelStride, vectors, y, argmax }, local) => {
    const [channel, vectorsLeft, row, rowsLeft, pixel, pixelsLeft] = [0, 1, 2, 3, 4, 5].map(() => local("i32"));
    const [greatest, place, value, mask, lanes] = [0, 1, 2, 3, 4].map(() => local("v128"));
    const placeOfPixel = i32x4.add(i32x4.splat(i32.shr_u(i32.sub(pixel, x), 2)), lanes);
    const isGreater = v128.andnot(f32x4.eq(greatest, greatest), f32x4.le(value, greatest));
    const overPixels = doWhile(
      [
        value.set(v128.load(pixel)),
        mask.set(isGreater),
        greatest.set(v128.bitselect(value, greatest, mask)),
        place.set(v128.bitselect(placeOfPixel, place, mask)),
        pixel.set(i32.add(pixel, pixelStride)),
        pixelsLeft.set(i32.sub(pixelsLeft, 1)),
      ],
      pixelsLeft,
    );
    const overRows = doWhile(
      [
        pixel.set(row),
        pixelsLeft.set(columns),
        overPixels,
        row.set(i32.add(row, rowStride)),
        rowsLeft.set(i32.sub(rowsLeft, 1)),
      ],
      rowsLeft,
    );
    const overChannels = doWhile(
      [
        pixel.set(channel),
        greatest.set(v128.load(channel)),
        place.set(placeOfPixel),
        row.set(channel),
        rowsLeft.set(rows),
        overRows,
        v128.store(y, greatest),
        v128.store(argmax, place),
        [channel, y, argmax].map((pointer) => pointer.set(i32.add(pointer, 16))),
        vectorsLeft.set(i32.sub(vectorsLeft, 1)),
      ],
      vectorsLeft,
    );
    return [
      lanes.set(laneNumbers()),
      doWhile(
        [
          channel.set(start),
          vectorsLeft.set(vectors),
          overChannels,
          start.set(i32.add(start, step)),
          windows.set(i32.sub(windows, 1)),
        ],
        windows,
      ),
    ];
  },
);
