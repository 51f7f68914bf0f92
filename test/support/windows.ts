/**
 * Sliding windows for tests: an arbitrary of them, and their geometry found by search rather than by formula.
 *
 * @module
 */
import fc from "fast-check";

type Pair = readonly [number, number];

/** A window over an image; height and width differ in everything. */
export interface WindowCase {
  readonly image: Pair;
  readonly size: Pair;
  readonly strides: Pair;
  readonly padding: "same" | "valid";
  readonly dilationRate: Pair;
}

/** Pairs of two numbers from 1 to `max`, mostly different ones. */
function pairs(max: number): fc.Arbitrary<Pair> {
  return fc.tuple(fc.integer({ min: 1, max }), fc.integer({ min: 1, max }));
}

/** How many inputs a window of `size` taps reaches over. */
function reach(size: number, dilation: number): number {
  return (size - 1) * dilation + 1;
}

/** Windows over small images; those of "valid" fit. */
export function windowCases(options: { readonly dilation: boolean }): fc.Arbitrary<WindowCase> {
  return fc
    .record({
      image: fc
        .uniqueArray(fc.integer({ min: 1, max: 7 }), { minLength: 2, maxLength: 2 })
        .map(([h, w]): Pair => [h, w]),
      size: pairs(3),
      strides: pairs(3),
      padding: fc.constantFrom("same" as const, "valid" as const),
      dilationRate: options.dilation ? pairs(2) : fc.constant<Pair>([1, 1]),
    })
    .filter(
      ({ image, size, padding, dilationRate }) =>
        padding === "same" || [0, 1].every((axis) => reach(size[axis], dilationRate[axis]) <= image[axis]),
    );
}

/** Where taps lie: `row(oh, kh)` and `column(ow, kw)` may be outside the image. */
export interface Geometry {
  readonly output: Pair;
  readonly row: (oh: number, kh: number) => number;
  readonly column: (ow: number, kw: number) => number;
}

/** The geometry from the definition of SAME: the fewest zeros that give ceil(input / stride) outputs, fewer before. */
export function geometryOf({ image, size, strides, padding, dilationRate }: WindowCase): Geometry {
  const [vertical, horizontal] = [0, 1].map((axis) => {
    const count = (padded: number): number =>
      Math.floor((padded - reach(size[axis], dilationRate[axis])) / strides[axis]) + 1;
    let zeros = 0;
    if (padding === "same") while (count(image[axis] + zeros) < Math.ceil(image[axis] / strides[axis])) zeros++;
    const output = padding === "same" ? Math.ceil(image[axis] / strides[axis]) : count(image[axis]);
    const before = Math.floor(zeros / 2);
    return { output, at: (o: number, k: number) => o * strides[axis] + k * dilationRate[axis] - before };
  });
  return { output: [vertical.output, horizontal.output], row: vertical.at, column: horizontal.at };
}
