/**
 * Laws of poolings. Maxima are exact; a mean of k elements is off by at most gamma_{k+1} of the mean of their absolute
 * values (k - 1 additions, a reciprocal and a product; or a division).
 *
 * @module
 */
import fc from "fast-check";
import { window2D } from "../../kernels/window.js";
import { U_FLOAT32 } from "../../oracle/arithmetic-model.js";
import { gamma } from "../../oracle/expectation.js";
import { positionOf } from "../../oracle/judgement.js";
import type { Pooling2DConfig } from "../../layers/pooling2d.js";
import { contiguous, type Tensor } from "../../tensor/tensor.js";
import { poolings } from "../poolings.js";
import { backwards, expectClose, expectSame, expectShape, generated, inner, mapped, plus } from "./algebra.js";
import { type Awaitable, type Law, lawOf } from "./law.js";

/** A pooling, forward. */
export interface PoolingForward {
  /** The output for images `x` [N, H, W, C]. */
  forward(x: Tensor, config: Required<Pooling2DConfig>): Awaitable<Tensor>;
}

/** A pooling, forward and backward. */
export interface PoolingImplementation extends PoolingForward {
  /** The gradient for `x`, given the derivative `dy` for the output. */
  backward(dy: Tensor, x: Tensor, config: Required<Pooling2DConfig>): Awaitable<Tensor>;
}

const ordinary = poolings();
const whole = poolings({ regime: "integers" });

const sumOf = (x: Tensor): number => Array.from(contiguous(x).data).reduce((sum, value) => sum + value, 0);
/** The largest absolute value. */
const largest = (x: Tensor): number => Array.from(contiguous(x).data).reduce((max, v) => Math.max(max, Math.abs(v)), 0);
const meanError = ({ poolSize }: Pooling2DConfig): number => gamma(poolSize[0] * poolSize[1] + 1, U_FLOAT32);

/** An image of which every pixel is repeated to the size of the window gives the image back, where windows do not overlap. */
function repetitionLaw(allowed: (config: Pooling2DConfig) => number): Law<PoolingForward> {
  return lawOf("undoes a repetition of pixels", ordinary, async (mine, { x, config }) => {
    const [rows, columns] = config.poolSize;
    const [batch, height, width, channels] = x.shape;
    const repeated = generated([batch, height * rows, width * columns, channels], x, (n, h, w, c) =>
      x.get(n, Math.floor(h / rows), Math.floor(w / columns), c),
    );
    const y = await mine.forward(repeated, { poolSize: config.poolSize, strides: config.poolSize, padding: "valid" });
    expectSame("y", y, x, (value) => allowed(config) * Math.abs(value));
  });
}

/**
 * An image of zeros with a single 1 gives 0 but for the windows over it, which have `valueOf` as many elements as they have
 * within the image. It says where windows lie, and so where padding goes.
 */
function singlePeakLaw(
  valueOf: (elements: number) => number,
  allowed: (config: Pooling2DConfig) => number,
): Law<PoolingForward> {
  const peaked = fc.tuple(ordinary, fc.nat(9999));
  return lawOf("carries a single 1 to the windows over it", peaked, async (mine, [{ x, dy, config }, place]) => {
    const [batch, row, column, channel] = positionOf(place % x.size, x.shape);
    const [, height, width] = x.shape;
    const { poolSize, strides, padding } = config;
    const window = window2D([height, width], poolSize, strides, padding, [1, 1]);
    const peak = generated(x.shape, x, (n, h, w, c) =>
      Number(n === batch && h === row && w === column && c === channel),
    );
    const expected = generated(dy.shape, x, (n, oh, ow, c) => {
      const [top, left] = [oh * window.strideHeight - window.padTop, ow * window.strideWidth - window.padLeft];
      const [bottom, right] = [top + poolSize[0], left + poolSize[1]];
      const isOver = row >= top && row < bottom && column >= left && column < right;
      if (n !== batch || c !== channel || !isOver) return 0;
      return valueOf((Math.min(bottom, height) - Math.max(top, 0)) * (Math.min(right, width) - Math.max(left, 0)));
    });
    const y = await mine.forward(peak, config);
    const what = `y of a 1 at [${[batch, row, column, channel].join(", ")}]`;
    expectSame(what, y, expected, (value) => allowed(config) * value);
  });
}

/** Laws of max pooling, forward. */
export const maxPoolingLaws: readonly Law<PoolingForward>[] = [
  lawOf("is monotone", ordinary, async (mine, { x, config }) => {
    const above = plus(x, mapped(backwards(x), Math.abs));
    const [low, high] = [
      contiguous(await mine.forward(x, config)).data,
      contiguous(await mine.forward(above, config)).data,
    ];
    low.forEach((value, i) => {
      if (!(value <= high[i])) throw new Error(`y must not fall where x rises. Received ${high[i]} after ${value}.`);
    });
  }),
  lawOf("gives numbers of the image only", ordinary, async (mine, { x, dy, config }) => {
    const y = await mine.forward(x, config);
    expectShape("y", y, dy.shape);
    const held = new Set<number>(contiguous(x).data);
    for (const value of contiguous(y).data) {
      if (!held.has(value)) throw new Error(`y must be made of numbers of x. Received ${value}.`);
    }
  }),
  repetitionLaw(() => 0),
  singlePeakLaw(
    () => 1,
    () => 0,
  ),
];

/** Laws of max pooling's gradient. Whole numbers tie often: a tie may go to any of its maxima, but goes once. */
export const maxPoolingGradientLaws: readonly Law<PoolingImplementation>[] = [
  lawOf("passes on all of dy, to maxima", whole, async (mine, { x, dy, config }) => {
    const dx = await mine.backward(dy, x, config);
    expectShape("dx", dx, x.shape);
    expectClose("sum dx", sumOf(dx), sumOf(dy));
    expectClose("sum x dx", inner(x, dx), inner(await mine.forward(x, config), dy));
  }),
];

/** Laws of average pooling, forward. */
export const averagePoolingLaws: readonly Law<PoolingForward>[] = [
  lawOf("keeps a constant, at the borders too", poolings({ regime: "constant" }), async (mine, { x, dy, config }) => {
    const value = x.get(0, 0, 0, 0);
    const expected = mapped(dy, () => value);
    expectSame("y", await mine.forward(x, config), expected, () => meanError(config) * Math.abs(value));
  }),
  repetitionLaw(meanError),
  singlePeakLaw((elements) => 1 / elements, meanError),
  lawOf("is additive", whole, async (mine, { x, config }) => {
    const other = backwards(x);
    const sum = plus(await mine.forward(x, config), await mine.forward(other, config));
    // three means of numbers of up to twice the largest, and the rounding of their sum
    const allowed = 6 * meanError(config) * largest(x);
    expectSame("f(a + b)", await mine.forward(plus(x, other), config), sum, () => allowed);
  }),
];

/** Laws of average pooling's gradient. */
export const averagePoolingGradientLaws: readonly Law<PoolingImplementation>[] = [
  lawOf("has the adjoint for its gradient", whole, async (mine, { x, dy, config }) => {
    const y = await mine.forward(x, config);
    const dx = await mine.backward(dy, x, config);
    expectShape("dx", dx, x.shape);
    const absolute = sumOf(mapped(dy, Math.abs));
    // forward: a mean each. Backward: a share each, and sums over at most as many windows as the window has elements
    const allowed = 2 * meanError(config) * largest(x) * absolute;
    expectClose("sum x dx", inner(x, dx), inner(y, dy), allowed);
  }),
];
