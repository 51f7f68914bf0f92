/**
 * `max-pooling2d` and its backward pass: {@link maxPooling2DForward}. Arguments: `poolSize`, `strides`, `padding`.
 *
 *     y  = the largest element under the window     a copy: no rounding, and -0 equals 0
 *     dx = sum of dy over the k windows in which the element is the largest     k - 1 additions
 *
 * Ties. Where c > 1 elements share the maximum of a window, backends give dy to the first, to the last, to all of them,
 * or dy / c to each; all are subgradients but the third, and all lie between 0 and dy. So a tied window adds the interval
 * from 0 to dy, and one division more to the roundings, and dx may be anything between the sums of both ends. But together
 * the c elements have at least dy: a gradient that nobody gets is lost.
 *
 * NaN. The reference lets NaN win, TensorFlow passes over it, others differ by position: a window with NaN is open, and
 * so are all gradients under it.
 *
 * @module
 */
import type { Window2D } from "../../kernels/window.js";
import type { Forward } from "../../layers/layer.js";
import { maxPooling2DBackward, type MaxPooling2DCache, maxPooling2DForward } from "../../layers/max-pooling2d.js";
import { poolingWindow } from "../../layers/pooling2d.js";
import type { KerasConfig } from "../../serialization/config.js";
import { contiguous, type Tensor } from "../../tensor/tensor.js";
import type { ArithmeticModel } from "../arithmetic-model.js";
import { equalFor, expectMaxima } from "../copies.js";
import { type Expectation, totalsOfShares } from "../expectation.js";
import { float64Of, greatestOf, magnitudeIn, storedInputs, wide } from "../operands.js";
import type { Operation } from "../operation.js";
import { expectSums, plainTerms } from "../sums.js";
import { forEachWindow, poolingPlaces, readPooling } from "./pooling.js";
import { singleInputOperations } from "./single-input.js";
import { forEachMeeting } from "./taps.js";

/** The cache of the layer, and what ties are found by. */
interface Cache extends MaxPooling2DCache {
  readonly x: Tensor;
  readonly window: Window2D;
}

function forward(x: Tensor, args: KerasConfig, operation: string): Forward<Cache> {
  const config = readPooling(operation, args);
  const { y, cache } = maxPooling2DForward(x, config);
  return { y, cache: { ...cache, x, window: poolingWindow(operation, x, config) } };
}

/** What windows pass to every element of x. */
class Passed {
  readonly least: Float64Array;
  readonly greatest: Float64Array;
  readonly companion: Float64Array;
  /** Windows in which the element is the largest. */
  readonly windows: Float64Array;
  readonly tied: Uint8Array;
  readonly open: Uint8Array;
  /** What tied elements share. */
  readonly shares: { readonly value: number; readonly holders: readonly number[] }[] = [];

  constructor(size: number) {
    this.least = new Float64Array(size);
    this.greatest = new Float64Array(size);
    this.companion = new Float64Array(size);
    this.windows = new Float64Array(size);
    this.tied = new Uint8Array(size);
    this.open = new Uint8Array(size);
  }

  /** One window passes `value`, whose companion is `size`, to the elements that hold its maximum. */
  pass(value: number, size: number, holders: readonly number[]): void {
    const tie = holders.length > 1;
    if (tie) this.shares.push({ value, holders });
    for (const i of holders) {
      this.least[i] += tie ? Math.min(value, 0) : value;
      this.greatest[i] += tie ? Math.max(value, 0) : value;
      this.companion[i] += size;
      this.windows[i]++;
      if (!tie) continue;
      this.tied[i] = 1;
      if (!Number.isFinite(value)) this.open[i] = 1;
    }
  }
}

/** What is expected of dx. */
function expectBackward(dy: Tensor, cache: Cache, model: ArithmeticModel): Expectation {
  const { x, window } = cache;
  const channels = x.shape[3];
  const [xs, dys] = [contiguous(x).data, contiguous(dy).data];
  const passed = new Passed(x.size);
  const areEqual = equalFor(model);
  const magnitude = magnitudeIn(storedInputs(model));
  forEachWindow(x.shape, window, (output, inputs) => {
    for (let c = 0; c < channels; c++) {
      const max = xs[cache.argmax[output + c]];
      if (Number.isNaN(max)) for (const at of inputs) passed.open[at + c] = 1;
      const holders = inputs.map((at) => at + c).filter((at) => areEqual(xs[at], max));
      passed.pass(dys[output + c], magnitude(dys[output + c]), holders);
    }
  });
  const places = poolingPlaces(x.shape, window);
  const expectation = expectSums(
    {
      shape: x.shape,
      truth: float64Of(maxPooling2DBackward(wide(dy), cache)),
      companion: passed.companion,
      roundings: passed.windows.map((windows, i) => {
        return Math.max(0, windows - 1) + passed.tied[i] * (1 + model.functions.division);
      }),
      factors: [greatestOf(dy)],
      terms: (element) => {
        const [image, channel] = places.ofInput(element);
        const values: number[] = [];
        forEachMeeting(places.over(element), (row, column) => {
          const at = places.output(image, channel, row, column);
          if (cache.argmax[at] === element) values.push(dys[at]);
        });
        return plainTerms(values);
      },
      open: (element) => passed.open[element] === 1,
    },
    model,
  );
  const ties = { least: passed.least, greatest: passed.greatest };
  return { ...expectation, ties, totals: totalsOfShares(passed.shares, ties) };
}

/** The maximum under every window, and its gradient. */
export const maxPooling2dOperations: readonly Operation[] = singleInputOperations({
  name: "max-pooling2d",
  complete: (args, operation) => ({ ...readPooling(operation, args) }),
  forward,
  backward: maxPooling2DBackward,
  expectForward: (x, run, model) => expectMaxima(run(wide(x)).y, model),
  expectBackward,
});
