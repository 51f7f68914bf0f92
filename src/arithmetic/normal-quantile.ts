/**
 * From one random word to a standard normal number: the inverse of the normal distribution function.
 *
 * Wichura's rational approximations (algorithm AS 241, PPND16, Applied Statistics 37, 1988), relative error about
 * 1e-16: in the middle a function of q^2, q = p - 1/2, times q; in the tails a function of sqrt(-log(p)). A word w
 * stands for the probability p = (w + 1/2) / 2^32, so sqrt(-log(p)) < 4.79, and the third range of AS 241, beyond 5,
 * never occurs.
 *
 * @module
 */
import { log } from "./log.js";

/** Numerator and denominator for |p - 1/2| <= 0.425, as coefficients of 1, r, r^2, ... with r = 0.425^2 - q^2. */
const MIDDLE_OVER = [
  3.3871328727963665, 133.14166789178438, 1971.5909503065513, 13731.69376550946, 45921.95393154987, 67265.7709270087,
  33430.57558358813, 2509.0809287301227,
] as const;
const MIDDLE_UNDER = [
  1, 42.31333070160091, 687.1870074920579, 5394.196021424751, 21213.794301586597, 39307.89580009271, 28729.085735721943,
  5226.495278852854,
] as const;
/** The same for the tails, with r = sqrt(-log(p)) - 1.6 for the smaller of p and 1 - p. */
const TAIL_OVER = [
  1.4234371107496835, 4.630337846156546, 5.769497221460691, 3.6478483247632045, 1.2704582524523684, 0.2417807251774506,
  0.022723844989269184, 0.0007745450142783414,
] as const;
const TAIL_UNDER = [
  1, 2.053191626637759, 1.6763848301838038, 0.6897673349851, 0.14810397642748008, 0.015198666563616457,
  0.0005475938084995345, 1.0507500716444169e-9,
] as const;

type Coefficients = typeof MIDDLE_OVER | typeof MIDDLE_UNDER | typeof TAIL_OVER | typeof TAIL_UNDER;

/** c[0] + c[1] r + ... + c[7] r^7. */
function polynomial(c: Coefficients, r: number): number {
  return c[0] + r * (c[1] + r * (c[2] + r * (c[3] + r * (c[4] + r * (c[5] + r * (c[6] + r * c[7]))))));
}

/** The standard normal number of the unsigned 32-bit `word`: increasing from -6.34 to 6.34, odd about the middle. */
export function normalQuantile(word: number): number {
  const q = (word - 2147483647.5) / 4294967296;
  const size = Math.abs(q);
  if (size <= 0.425) {
    const r = 0.180625 - q * q;
    return (q * polynomial(MIDDLE_OVER, r)) / polynomial(MIDDLE_UNDER, r);
  }
  const r = Math.sqrt(-log(0.5 - size)) - 1.6;
  const z = polynomial(TAIL_OVER, r) / polynomial(TAIL_UNDER, r);
  return q < 0 ? -z : z;
}
