/**
 * `global-max-pooling2d` and its backward pass: {@link globalMaxPooling2DForward}. Argument: `keepdims`.
 *
 *     y  = the largest pixel of every channel    a copy: no rounding, and -0 equals 0
 *     dx = dy where the pixel is the largest     a copy too
 *
 * Where c > 1 pixels share the maximum, dx may be anything from 0 to dy at each of them, with the roundings of dy / c, but
 * together they have at least dy; see `max-pooling2d.ts`. A channel with NaN is open.
 *
 * @module
 */
import {
  globalMaxPooling2DBackward,
  type GlobalMaxPooling2DCache,
  globalMaxPooling2DForward,
} from "../../layers/global-max-pooling2d.js";
import { contiguous, type Tensor } from "../../tensor/tensor.js";
import type { ArithmeticModel } from "../arithmetic-model.js";
import { equalFor, expectMaxima } from "../copies.js";
import { type Expectation, totalsOfShares } from "../expectation.js";
import { float64Of, greatestOf, magnitudeIn, storedInputs, wide } from "../operands.js";
import type { Operation } from "../operation.js";
import { expectSums } from "../sums.js";
import { readKeepdims } from "./pooling.js";
import { singleInputOperations } from "./single-input.js";

/** What is expected of dx. */
function expectBackward(dy: Tensor, cache: GlobalMaxPooling2DCache, model: ArithmeticModel): Expectation {
  const { x, y } = cache;
  const truth = float64Of(globalMaxPooling2DBackward(wide(dy), { x: wide(x), y: wide(y) }));
  const [, height, width, channels] = x.shape;
  const [xs, ys, dys] = [x.data, y.data, contiguous(dy).data];
  const holdersOf = Array.from({ length: y.size }, (): number[] => []);
  const channelOf = (i: number): number => Math.floor(i / (height * width * channels)) * channels + (i % channels);
  const areEqual = equalFor(model);
  for (let i = 0; i < xs.length; i++) if (areEqual(xs[i], ys[channelOf(i)])) holdersOf[channelOf(i)].push(i);
  const isTied = (at: number): boolean => holdersOf[at].length > 1;
  const magnitude = magnitudeIn(storedInputs(model));
  /** What an element may be given, if it holds the maximum. */
  const atHolders = (given: (dy: number, tie: boolean) => number): Float64Array =>
    truth.map((_, i) => {
      const at = channelOf(i);
      return areEqual(xs[i], ys[at]) ? given(dys[at], isTied(at)) : 0;
    });
  const expectation = expectSums(
    {
      shape: x.shape,
      truth,
      companion: atHolders(magnitude),
      roundings: atHolders((_, tie) => (tie ? 1 + model.functions.division : 0)),
      factors: [greatestOf(dy)],
      open: (i) => Number.isNaN(ys[channelOf(i)]) || (isTied(channelOf(i)) && !Number.isFinite(dys[channelOf(i)])),
    },
    model,
  );
  const least = atHolders((value, tie) => (tie ? Math.min(value, 0) : value));
  const greatest = atHolders((value, tie) => (tie ? Math.max(value, 0) : value));
  const shares = Array.from(ys, (_, at) => ({ value: dys[at], holders: holdersOf[at] }));
  const ties = { least, greatest };
  const tied = shares.filter(({ holders: { length } }) => length > 1);
  return { ...expectation, ties, totals: totalsOfShares(tied, ties) };
}

/** The maximum of every channel, and its gradient. */
export const globalMaxPooling2dOperations: readonly Operation[] = singleInputOperations({
  name: "global-max-pooling2d",
  complete: (args, operation) => ({ keepdims: readKeepdims(operation, args) }),
  forward: (x, args, operation) => globalMaxPooling2DForward(x, readKeepdims(operation, args)),
  backward: globalMaxPooling2DBackward,
  expectForward: (x, run, model) => expectMaxima(run(wide(x)).y, model),
  expectBackward,
});
