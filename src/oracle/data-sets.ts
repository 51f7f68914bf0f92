/**
 * Data sets: numbers that tell honest backends from others.
 *
 * The first six are the rule of the Arm TOSA specification for dot products (appendix on floating-point operators), with
 * this library's randomness. A dot product has K products of a first and a second factor, and perhaps an addend:
 *
 *     0  one factor of every product is zero: so is the result, exactly
 *     1  all factors near the square root of the largest float32 over K: large exponents, one sign
 *     2  1, and small numbers of one size: what is lost when they are added to it
 *     3  16, and small numbers of very different sizes
 *     4  most products zero, one -1/4
 *     5  both signs, large exponents
 *
 * The others are those in whose cracks backends fall: see their descriptions.
 *
 * @module
 */
import { exp } from "../arithmetic/exp.js";
import type { Draw } from "./draw.js";

/** What a number is to the sums that it is in. */
export interface Place {
  /** A factor of products, the first or the second, or what is added to their sum. */
  readonly role: "first" | "second" | "addend";
  /** Which of the products it is a factor of, from 0. Both factors of a product have the same term. */
  readonly term: number;
  /** How many products there are: a sum of products of TOSA's rule does not overflow. */
  readonly terms: number;
  /** Its row-major place in its tensor. */
  readonly index: number;
}

/** A kind of numbers. */
export interface DataSet {
  /** By which reports call it. */
  readonly name: string;
  /** What it is there to find. */
  readonly description: string;
  /** One number, before it is rounded to float32. */
  element(draw: Draw, place: Place): number;
}

/** 2^64 - 2^40: its square fits float32. */
const LARGE = 18446742974197923840;

const isAddend = ({ role }: Place): boolean => role === "addend";
/** Half of all terms have a zero first factor, the others a zero second one. */
const isZeroed = (draw: Draw, { role, term }: Place): boolean => draw.shared(term) < 0 === (role === "first");

/** Standard normal numbers: what weights and activations look like. */
export const NORMAL: DataSet = {
  name: "normal",
  description: "standard normal: what weights and activations look like",
  element: (draw) => draw.normal(),
};

/** All data sets. */
export const DATA_SETS: readonly DataSet[] = [
  NORMAL,
  {
    name: "TOSA 0, zero products",
    description: "one factor of every product is zero, so the sum is exactly zero",
    element: (draw, place) => {
      const value = draw.signed();
      return isAddend(place) || isZeroed(draw, place) ? 0 : value;
    },
  },
  {
    name: "TOSA 1, large exponents",
    description: "numbers of one sign near the end of the range",
    element: (draw, place) => {
      const value = 0.75 + 0.25 * draw.signed();
      const scale = isAddend(place) ? (LARGE * LARGE) / (place.terms + 1) : LARGE / Math.sqrt(place.terms + 1);
      return scale * value;
    },
  },
  {
    name: "TOSA 2, one large",
    description: "small numbers of one size added to a large one",
    element: (draw, place) => {
      const value = draw.signed();
      if (isAddend(place)) return 0;
      return place.term === 0 ? 1 : value / Math.sqrt(place.terms);
    },
  },
  {
    name: "TOSA 3, many sizes",
    description: "small numbers of different sizes added to a large one",
    element: (draw, place) => {
      const [size, value] = [draw.signed(), draw.signed()];
      if (isAddend(place)) return 0;
      return place.term === 0 ? 16 : exp(2 * size) * value;
    },
  },
  {
    name: "TOSA 4, mixed zeros",
    description: "zero and non-zero products",
    element: (draw, place) => {
      const value = draw.signed();
      if (isAddend(place)) return 0;
      const isMiddle = place.term === Math.floor(place.terms / 2);
      const zeroed = isZeroed(draw, place);
      if (isMiddle) return zeroed ? -0.5 : 0.5;
      return zeroed ? 0 : (LARGE / Math.sqrt(place.terms)) * value;
    },
  },
  {
    name: "TOSA 5, large of both signs",
    description: "large exponents of both signs",
    element: (draw, place) => {
      const value = draw.signed();
      return isAddend(place) ? 0 : (LARGE / Math.sqrt(place.terms + 1)) * value;
    },
  },
  {
    name: "all exponents",
    description: "exponents from -40 to 40, any mantissa: what is rounded where it should not be",
    element: (draw) => (1 + Math.abs(draw.signed())) * powerOfTwo(draw.integer(-40, 40)) * draw.choice([1, -1]),
  },
  {
    name: "cancellation",
    description: "neighbours that all but cancel: a relative tolerance fails here, a derived bound does not",
    element: (draw, place) => {
      const size = place.role === "second" ? 1 : 1000 * (1 + place.term);
      const sign = place.role !== "second" && place.term % 2 === 1 ? -1 : 1;
      return sign * size + 2 ** -6 * draw.signed();
    },
  },
  {
    name: "offset",
    description: "a mean a thousand times the deviation: variances as a difference of squares fail",
    element: (draw) => 1000 + draw.normal(),
  },
  {
    name: "negative",
    description: "nothing above zero: maxima that begin at 0 or see a border of zeros",
    element: (draw) => -Math.abs(draw.normal()),
  },
  {
    name: "zeros of both signs",
    description: "mostly 0 and -0: kinks, ties and exact zeros",
    element: (draw) => draw.choice([0, -0, 0, -0, 1, -1]),
  },
  {
    name: "one-hot",
    description: "a single 1 in eight zeros: every tap and channel by itself",
    element: (draw, { role }) => (role === "second" ? draw.normal() : draw.once(8) ? 1 : 0),
  },
  {
    name: "subnormals",
    description: "products and numbers below the normal range",
    element: (draw, { role }) => (role === "second" ? draw.normal() : 2 ** -126 * draw.signed()),
  },
  {
    name: "constant",
    description: "one number everywhere: borders, counts and ties show",
    element: (_, { role }) => (role === "first" ? 0.1 : role === "second" ? 3 : -7),
  },
  {
    name: "integers",
    description: "small whole numbers: every sum is exact in float32, so ties are, too",
    element: (draw) => draw.integer(-9, 9),
  },
];

/** 2 to the power of `exponent`, by multiplication. */
function powerOfTwo(exponent: number): number {
  let power = 1;
  for (let i = 0; i < Math.abs(exponent); i++) power *= exponent > 0 ? 2 : 0.5;
  return power;
}

/**
 * The data set `name`.
 *
 * @throws RangeError when there is none.
 */
export function dataSetNamed(name: string): DataSet {
  const found = DATA_SETS.find((dataSet) => dataSet.name === name);
  if (found !== undefined) return found;
  const names = DATA_SETS.map((dataSet) => dataSet.name).join("; ");
  throw new RangeError(`dataSetNamed: \`name\` must be one of ${names}. Received ${JSON.stringify(name)}.`);
}
