/**
 * Learning-rate schedules: functions of the position in a run, counted in epochs from 0.
 *
 * The position is a whole number where a schedule is asked once an epoch, and has a fraction where it is asked before every
 * step: step / steps per epoch.
 *
 *     original            0 ... 80 .. 120 .. 160 .. 180     the Keras example's, in the middle of which epochs the rate falls
 *     rate / 1e-3         1     0.1   0.01   0.001  0.0005
 *
 *     cosine              rate(t) = final + (peak - final) (1 + cos(pi (t - w) / (n - w))) / 2       after warm-up
 *                         rate(t) = initial + (peak - initial) t / w                                 in its w epochs
 *
 *     one-cycle           up to the peak and down again, both along half a cosine (Smith and Topin 2018)
 *
 * @module
 */
import { cos } from "../arithmetic/cosine.js";
import { expectOptions } from "../serialization/options.js";

/** The learning rate at `position`, given the present one. */
export type Schedule = (position: number, learningRate: number) => number;

/**
 * The schedule of the Keras example `cifar10_resnet`: `rate` until epoch 80, then a tenth, from 120 a hundredth, from 160 a
 * thousandth, from 180 half of that. As there, an epoch counted from 0 must be *greater* than those.
 *
 * @throws RangeError when the rate is negative or not finite.
 */
export function originalSchedule(rate = 1e-3): Schedule {
  checkRates("originalSchedule", { rate });
  return (position) => {
    const epoch = Math.floor(position);
    if (epoch > 180) return rate * 0.5e-3;
    if (epoch > 160) return rate * 1e-3;
    if (epoch > 120) return rate * 1e-2;
    if (epoch > 80) return rate * 1e-1;
    return rate;
  };
}

/** Options of {@link cosineSchedule}. */
export interface CosineOptions {
  /** The greatest rate. */
  readonly peak: number;
  /** Of the run. */
  readonly epochs: number;
  /** In which the rate rises in a straight line. @defaultValue 0 */
  readonly warmupEpochs?: number;
  /** Where it rises from. @defaultValue a tenth of the peak */
  readonly initial?: number;
  /** Where it ends. @defaultValue 0 */
  readonly final?: number;
}

/**
 * A straight rise to the peak, then half a cosine down.
 *
 * @throws RangeError when a rate is negative or not finite, the run has no length, or the warm-up is not shorter than it.
 * @throws TypeError when an option is none of {@link CosineOptions}.
 */
export function cosineSchedule(options: CosineOptions): Schedule {
  expectOptions("cosineSchedule", options, ["peak", "epochs", "warmupEpochs", "initial", "final"]);
  const { peak, epochs, warmupEpochs = 0, initial = peak / 10, final = 0 } = options;
  checkRates("cosineSchedule", { peak, initial, final });
  checkEpochs("cosineSchedule", epochs);
  if (!(warmupEpochs >= 0 && warmupEpochs < epochs)) {
    throw new RangeError(
      `cosineSchedule: \`warmupEpochs\` must be at least 0 and below epochs=${epochs}. Received ${warmupEpochs}.`,
    );
  }
  return (position) =>
    position < warmupEpochs
      ? initial + (peak - initial) * (position / warmupEpochs)
      : alongCosine(peak, final, (position - warmupEpochs) / (epochs - warmupEpochs));
}

/** Options of {@link oneCycleSchedule}. */
export interface OneCycleOptions {
  /** The greatest rate. */
  readonly peak: number;
  /** Of the run. */
  readonly epochs: number;
  /** The share of the run in which the rate rises. @defaultValue 0.3 */
  readonly rise?: number;
  /** Where it rises from. @defaultValue peak / 25 */
  readonly initial?: number;
  /** Where it ends. @defaultValue peak / 250000 */
  readonly final?: number;
}

/**
 * Half a cosine up to the peak, half a cosine down.
 *
 * @throws RangeError when a rate is negative or not finite, the run has no length, or the share is not between 0 and 1.
 * @throws TypeError when an option is none of {@link OneCycleOptions}.
 */
export function oneCycleSchedule(options: OneCycleOptions): Schedule {
  expectOptions("oneCycleSchedule", options, ["peak", "epochs", "rise", "initial", "final"]);
  const { peak, epochs, rise = 0.3, initial = peak / 25, final = peak / 250000 } = options;
  checkRates("oneCycleSchedule", { peak, initial, final });
  checkEpochs("oneCycleSchedule", epochs);
  if (!(rise > 0 && rise < 1)) {
    throw new RangeError(`oneCycleSchedule: \`rise\` must be above 0 and below 1. Received rise=${rise}.`);
  }
  const top = rise * epochs;
  return (position) =>
    position < top
      ? alongCosine(initial, peak, position / top)
      : alongCosine(peak, final, (position - top) / (epochs - top));
}

/** From `from` at share 0 to `to` at share 1, flat at both ends. */
function alongCosine(from: number, to: number, share: number): number {
  return to + ((from - to) * (1 + cos(Math.PI * Math.min(share, 1)))) / 2;
}

function checkRates(name: string, rates: Readonly<Record<string, number>>): void {
  for (const [argument, rate] of Object.entries(rates)) {
    if (!(Number.isFinite(rate) && rate >= 0)) {
      throw new RangeError(
        `${name}: \`${argument}\` must be a finite number of at least 0. Received ${argument}=${rate}.`,
      );
    }
  }
}

function checkEpochs(name: string, epochs: number): void {
  if (!(Number.isFinite(epochs) && epochs > 0)) {
    throw new RangeError(`${name}: \`epochs\` must be a finite number above 0. Received epochs=${epochs}.`);
  }
}
