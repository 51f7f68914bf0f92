/**
 * The derivative of a loss L along a line, from its values around t = 0.
 *
 * For a smooth L, the central difference over 2h is off by c h^2 + O(h^4). Two of them, over 2h and h, give a value without
 * the h^2 term (Richardson). Two such values, one of half the step, differ by 15/16 of the error of the coarser one, which
 * is 16 times that of the finer: their difference bounds the error of the finer, 15 times over. What remains is rounding:
 * L is known to {@link ROUNDING} of its terms, divided by the step. Both together say how far off the derivative may be.
 *
 * At a kink within the step the slopes ahead and behind do not approach each other, and there is no derivative.
 *
 * @module
 */

/**
 * Rounding of L, as a share of the sum of its terms' absolute values: a few thousand float64 operations of intermediate
 * values of the size of the output.
 */
const ROUNDING = 2 ** 12 * 2 ** -53;

/** Above this share of the scale, two approximations disagree so much that L has a kink within the step. */
const KINK = 2 ** -10;

/** A loss at one point. */
export interface LossValue {
  /** Its value. */
  readonly value: number;
  /** The sum of the absolute values of its terms: the scale of its rounding. */
  readonly scale: number;
}

/** A derivative, and how far off it may be. */
export interface Derivative {
  /** Its value. */
  readonly value: number;
  /** How far off that may be. */
  readonly error: number;
  /** The scale of the loss. */
  readonly scale: number;
}

/** Samples of a loss around t = 0, from which {@link derivativeOf} reads the derivative. */
export interface Samples {
  /** At 0. */
  readonly center: LossValue;
  /** At h, h/2 and h/4. */
  readonly ahead: readonly LossValue[];
  /** At -h, -h/2 and -h/4. */
  readonly behind: readonly LossValue[];
}

/** The derivative at t = 0 by central differences with extrapolation; undefined where there is a kink within the step. */
export function derivativeOf({ center, ahead, behind }: Samples, step: number): Derivative | undefined {
  const scale = Math.max(...[center, ...ahead, ...behind].map((loss) => loss.scale));
  const [coarse, middle, fine] = ahead.map(({ value }, i) => {
    const h = step / (1 << i);
    return {
      central: (value - behind[i].value) / (2 * h),
      gap: Math.abs(value + behind[i].value - 2 * center.value) / h,
    };
  });
  const rounding = (ROUNDING * scale) / (step / 4);
  const once = (4 * middle.central - coarse.central) / 3;
  const twice = (4 * fine.central - middle.central) / 3;
  const error = Math.abs(twice - once);
  // slopes ahead and behind agree in the limit where L is smooth: their gap falls with h; at a kink it stays
  const isKink = error > KINK * scale || fine.gap > coarse.gap / 2 + rounding;
  return isKink || Number.isNaN(twice) ? undefined : { value: twice, error: error + rounding, scale };
}
