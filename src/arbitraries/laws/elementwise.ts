/**
 * Laws of layers that move or choose numbers: ReLU, concatenation, dropout.
 *
 * @module
 */
import fc from "fast-check";
import { U_FLOAT32 } from "../../oracle/arithmetic-model.js";
import { gamma } from "../../oracle/expectation.js";
import { contiguous, type Tensor } from "../../tensor/tensor.js";
import { casesOf, distinctSizes, type Sizes } from "../cases.js";
import { REGIMES } from "../regimes.js";
import { tensors } from "../tensors.js";
import { dropped, expectClose, expectSame, expectShape, generated, mapped } from "./algebra.js";
import { type Awaitable, type Law, lawOf } from "./law.js";

/** A ReLU. */
export interface ReLUImplementation {
  /** max(x, 0). */
  forward(x: Tensor): Awaitable<Tensor>;
  /** dy where x is above 0, else 0; at 0 either. */
  backward(dy: Tensor, x: Tensor): Awaitable<Tensor>;
}

/** A concatenation. */
export interface ConcatenateImplementation {
  /** The inputs one after the other along `axis`. */
  forward(inputs: readonly Tensor[], axis: number): Awaitable<Tensor>;
  /** The parts of `dy` that belong to each of the inputs. */
  backward(dy: Tensor, inputs: readonly Tensor[], axis: number): Awaitable<readonly Tensor[]>;
}

/** A dropout in training. */
export interface DropoutImplementation {
  /** `x` with a share of `rate` of its elements set to 0 and the others divided by 1 - rate. */
  forward(x: Tensor, rate: number, seed: number): Awaitable<Tensor>;
}

const wide = tensors({ regime: "largeExponents" });

/** Laws of ReLU: exact, for numbers of any size. */
export const reluLaws: readonly Law<ReLUImplementation>[] = [
  lawOf("is never negative", wide, async (mine, x) => {
    for (const value of contiguous(await mine.forward(x)).data) {
      if (!(value >= 0)) throw new Error(`y must be at least 0. Received ${value}.`);
    }
  }),
  lawOf("is idempotent", wide, async (mine, x) => {
    const y = await mine.forward(x);
    expectSame("relu(relu(x))", await mine.forward(y), y);
  }),
  lawOf("splits x into its positive and negative parts", wide, async (mine, x) => {
    const [above, below] = [await mine.forward(x), await mine.forward(mapped(x, (value) => -value))];
    expectShape("y", above, x.shape);
    expectSame(
      "relu(x) - relu(-x)",
      generated(x.shape, x, (...at) => above.get(...at) - below.get(...at)),
      x,
    );
  }),
  lawOf("passes dy on where x is above 0, nothing where it is below", wide, async (mine, x) => {
    const dy = mapped(x, (value) => (value === 0 ? 1 : -value));
    const dx = await mine.backward(dy, x);
    expectShape("dx", dx, x.shape);
    const expected = generated(x.shape, x, (...at) => {
      const value = x.get(...at);
      return value > 0 ? dy.get(...at) : value < 0 ? 0 : dx.get(...at);
    });
    expectSame("dx", dx, expected);
  }),
];

interface Parts {
  readonly axis: number;
  readonly inputs: readonly Tensor[];
  readonly dy: Tensor;
}

/** Two or three tensors that differ in size along one axis only. */
const parts = casesOf<Sizes<"axis" | "height" | "width" | "channels" | "first" | "second" | "third">, Parts>({
  sizes: fc
    .tuple(
      distinctSizes(["height", "width", "channels", "first", "second", "third"], 7),
      fc.integer({ min: 0, max: 2 }),
    )
    .map(([sizes, axis]) => ({ ...sizes, axis })),
  fits: () => true,
  least: (name) => (name === "axis" ? 0 : 1),
  plan({ axis, height, width, channels, first, second, third }) {
    const of = (size: number) =>
      ({ shape: [height, width, channels].with(axis, size), dtype: "float32", regime: REGIMES.any }) as const;
    return {
      tensors: { a: of(first), b: of(second), c: of(third), dy: of(first + second + third) },
      build: ({ a, b, c, dy }) => ({ axis, inputs: [a, b, c], dy }),
    };
  },
});

/** `x` cut along `axis` into parts with the shapes of `like`. */
function cut(x: Tensor, like: readonly Tensor[], axis: number): readonly Tensor[] {
  let start = 0;
  return like.map((part) => {
    const rest = dropped(x, axis, start);
    start += part.shape[axis];
    return generated(part.shape, x, (...at) => rest.get(...at));
  });
}

/** Laws of concatenation: exact, for any numbers. */
export const concatenateLaws: readonly Law<ConcatenateImplementation>[] = [
  lawOf("splits back into its inputs", parts, async (mine, { inputs, axis, dy }) => {
    const y = await mine.forward(inputs, axis);
    expectShape("y", y, dy.shape);
    for (const [i, part] of cut(y, inputs, axis).entries()) expectSame(`part ${i}`, part, inputs[i]);
  }),
  lawOf("splits dy as it joined the inputs", parts, async (mine, { inputs, axis, dy }) => {
    const gradients = await mine.backward(dy, inputs, axis);
    for (const [i, part] of cut(dy, inputs, axis).entries()) expectSame(`gradient ${i}`, gradients[i], part);
  }),
];

const dropouts = fc.tuple(
  tensors({ shape: [64, 64], regime: "powersOfTwo" }),
  fc.constantFrom(0.1, 0.25, 0.5, 0.75),
  fc.nat(1000),
);

/** How many standard deviations a count may be off: beyond 6 lies one in 5e8. */
const SIGMAS = 6;

/** Laws of dropout. */
export const dropoutLaws: readonly Law<DropoutImplementation>[] = [
  // 1 - rate, its reciprocal and the product, or 1 - rate and the quotient: three roundings
  lawOf("gives nothing, or x / (1 - rate)", dropouts, async (mine, [x, rate, seed]) => {
    const y = await mine.forward(x, rate, seed);
    const scaled = mapped(x, (value) => value / (1 - rate));
    const expected = generated(x.shape, x, (...at) => (y.get(...at) === 0 ? 0 : scaled.get(...at)));
    expectSame("y", y, expected, (value) => gamma(3, U_FLOAT32) * Math.abs(value));
  }),
  lawOf("keeps a share of 1 - rate", dropouts, async (mine, [x, rate, seed]) => {
    const kept = Array.from(contiguous(await mine.forward(x, rate, seed)).data).filter((value) => value !== 0).length;
    const deviation = Math.sqrt(x.size * rate * (1 - rate));
    expectClose("elements kept", kept, x.size * (1 - rate), SIGMAS * deviation);
  }),
];
