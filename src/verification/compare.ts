/**
 * One tensor of ours against Keras: how far each is from the truth, which Keras computed in float64.
 *
 * Keras's own float32 result rounds as float32 must, so its error is the yardstick. A tensor holds when
 *
 *     max |ours - truth|  <=  2 max |keras - truth|  +  4 u max |truth|,     u = 2^-24
 *
 * The second term is two units in the last place of the largest element: Keras is exact by luck in many small tensors, and
 * the last rounding alone costs u |truth|.
 *
 * @module
 */
import type { FloatArray } from "../tensor/dtype.js";
import { formatShape, type Shape, shapesAgree } from "../tensor/shape.js";

/** Unit roundoff of float32. */
const U = 2 ** -24;
/** How many times Keras's own error is allowed. */
const KERAS_FACTOR = 2;
/** Roundings of the largest element that are allowed besides. */
const ROUNDINGS = 4;

/** A reference for one tensor, or for a sample of its elements. */
export interface Reference {
  /** The fixture that it is from. */
  readonly path: string;
  /** What is compared, for example `training/gradWeight/conv2d/kernel`. */
  readonly key: string;
  /** Of `truth` and `keras`. */
  readonly shape: Shape;
  /** Keras in float64. */
  readonly truth: FloatArray;
  /** Keras in float32. */
  readonly keras: FloatArray;
  /** Largest |truth| of the whole tensor, where `truth` is a sample. */
  readonly maxTruth?: number;
  /** Largest error of Keras in the whole tensor, where `truth` is a sample. */
  readonly maxKerasError?: number;
}

/** What is compared with a reference: a tensor, or a sample of its elements. */
export interface Compared {
  readonly shape: Shape;
  readonly data: FloatArray;
}

/** How one tensor compares. */
export interface Comparison {
  /** What was compared. */
  readonly key: string;
  /** Largest |ours - truth|; Infinity where one of them is not a number and the other is. */
  readonly error: number;
  /** What {@link error} may be. */
  readonly allowed: number;
  /** Largest |keras - truth|. */
  readonly kerasError: number;
  /** Root of the mean squared error of ours, and of Keras's, over the same elements. */
  readonly rms: number;
  readonly kerasRms: number;
  /** The element with the largest error, and both values there. */
  readonly element: { readonly index: number; readonly ours: number; readonly truth: number };
}

/** |a - b|, where NaN is at distance 0 from NaN alone and an infinity from itself alone. */
function distance(a: number, b: number): number {
  if (a === b || (Number.isNaN(a) && Number.isNaN(b))) return 0;
  const difference = Math.abs(a - b);
  return Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference;
}

/**
 * Compares ours, the same elements as those of `reference`.
 *
 * @throws RangeError when their shapes differ.
 */
export function compare(
  { shape, data: ours }: Compared,
  { path, key, shape: expected, truth, keras, maxTruth, maxKerasError }: Reference,
): Comparison {
  if (!shapesAgree(shape, expected)) {
    throw new RangeError(
      `${path}: ${key} must have Keras's shape ${formatShape(expected)}. Received ${formatShape(shape)}.`,
    );
  }
  let element = { index: 0, ours: ours[0], truth: truth[0] };
  let [error, kerasError, squares, kerasSquares, largest] = [0, 0, 0, 0, 0];
  for (let i = 0; i < truth.length; i++) {
    const e = distance(ours[i], truth[i]);
    const k = distance(keras[i], truth[i]);
    if (e > error) {
      error = e;
      element = { index: i, ours: ours[i], truth: truth[i] };
    }
    kerasError = Math.max(kerasError, k);
    squares += e * e;
    kerasSquares += k * k;
    if (Number.isFinite(truth[i])) largest = Math.max(largest, Math.abs(truth[i]));
  }
  const allowed =
    KERAS_FACTOR * Math.max(kerasError, maxKerasError ?? 0) + ROUNDINGS * U * Math.max(largest, maxTruth ?? 0);
  const mean = (sum: number): number => Math.sqrt(sum / Math.max(truth.length, 1));
  return { key, error, allowed, kerasError, rms: mean(squares), kerasRms: mean(kerasSquares), element };
}

/** What many comparisons say together. */
export interface Verdict {
  /** How many tensors were compared. */
  readonly tensors: number;
  /** The one that is nearest to its bound, or furthest beyond. */
  readonly worst: Comparison;
  /** Its error / bound. */
  readonly worstRatio: number;
  /** Our error as a share of Keras's: the root mean square over the tensors, each relative to its largest value. */
  readonly ofKeras: number;
  /** Whether all hold. */
  readonly holds: boolean;
}

/**
 * Error as a share of the bound; a bound of 0 means equal, an infinite error is within no bound, and a bound that is no
 * finite number, since Keras's own result is none where the truth is one, bounds nothing.
 */
export function ratioOf({ error, allowed }: Comparison): number {
  if (error === 0) return 0;
  return Number.isFinite(error) && Number.isFinite(allowed) ? error / allowed : Number.POSITIVE_INFINITY;
}

/** Sums up `comparisons`, of which there is at least one. */
export function judge(comparisons: readonly Comparison[]): Verdict {
  const [first, ...rest] = comparisons;
  const worst = rest.reduce((a, b) => (ratioOf(b) > ratioOf(a) ? b : a), first);
  let ours = 0;
  let keras = 0;
  for (const { rms, kerasRms, allowed } of comparisons) {
    // relative to the bound, so that large tensors do not drown small ones
    if (allowed === 0 || !Number.isFinite(allowed)) continue;
    ours += (rms / allowed) ** 2;
    keras += (kerasRms / allowed) ** 2;
  }
  const worstRatio = ratioOf(worst);
  return { tensors: comparisons.length, worst, worstRatio, ofKeras: Math.sqrt(ours / keras), holds: worstRatio <= 1 };
}
