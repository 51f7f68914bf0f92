/**
 * Data that are hard on sums. Each set says what number stands at place `i` of a tensor, with `k` its index along the axis
 * that is summed first; numbers are rounded to float32 where they are used.
 *
 * Sets 0 to 5 of "dot product" have the aims of the six sets in the specification of TOSA: sums that must be 0, large
 * one-sided numbers, small numbers beside a large one (of one size, of many sizes), zeros among numbers, large signed ones.
 *
 * @module
 */
import { type RandomStream, randomStream } from "../../../src/arithmetic/random.js";
import { type Shape, sizeOf } from "../../../src/tensor/shape.js";
import { type Tensor, tensor } from "../../../src/tensor/tensor.js";

/** Which factor of the products a tensor is. */
export type Factor = 0 | 1;

interface Place {
  readonly i: number;
  readonly k: number;
  readonly factor: Factor;
  readonly random: RandomStream;
}

const signed = (random: RandomStream, at: number): number => 2 * random.uniform(at) - 1;
const LARGE = 2 ** 55; // products of two, a few thousand of them added, stay below 2^127

/** The sets by name. */
export const DATA_SETS: Readonly<Record<string, (place: Place) => number>> = {
  normal: ({ i, random }) => random.normal(i),
  positive: ({ i, random }) => random.uniform(i),
  ones: () => 1,
  tenths: () => 0.1,
  "two values": ({ i, random }) => (random.bits(i) % 3 === 0 ? 0.1 : -0.7),
  integers: ({ i, random }) => (random.bits(i) % 17) - 8,
  pixels: ({ i, random }) => (random.bits(i) % 256) / 255,
  rectified: ({ i, random }) => Math.max(0, random.normal(i)),
  smooth: ({ i, k }) => 0.5 + 0.4 * Math.cos(k / 5) + i / 1e4,
  cancelling: ({ k, i, random }) => (k % 2 === 0 ? 1 : -1) * 1e6 * (1 + 1e-6 * random.normal(i)),
  "halves of either sign": ({ k, factor, random, i }) => (factor === 0 && k % 8 < 4 ? -1 : 1) * random.uniform(i),
  "large beside small": ({ k }) => (k === 0 ? 4096 : 0.75),
  "large exponents": ({ i, random }) => random.normal(i) * 2 ** ((random.bits(i + 1e6) % 81) - 40),
  huge: ({ i, random }) => random.normal(i) * 2 ** 63,
  subnormal: ({ i, random }) => random.normal(i) * 2 ** -130,
  "subnormal products": ({ i, random }) => random.normal(i) * 2 ** -70,
  zeros: ({ i, random }) => (random.bits(i) % 2 === 0 ? 0 : -0),
  "one-hot": ({ i, random }) => (random.bits(i) % 16 === 0 ? 1 : 0),
  "dot product 0": ({ k, factor, random, i }) => (k % 2 === factor ? 0 : random.normal(i)),
  "dot product 1": ({ i, random }) => LARGE * (0.75 + 0.25 * signed(random, i)),
  "dot product 2": ({ i, k, random }) => (k === 0 ? 1 : signed(random, i) / 16),
  "dot product 3": ({ i, k, random }) => {
    if (k === 0) return random.uniform(i) < 0.5 ? -16 : 16;
    return 2 ** Math.round(3 * signed(random, i)) * signed(random, i + 1e6);
  },
  "dot product 4": ({ i, k, factor, random }) => {
    if (k === 1) return factor === 0 ? 0.5 : -0.5;
    return random.uniform(k) < 0.5 === (factor === 0) ? 0 : LARGE * signed(random, i);
  },
  "dot product 5": ({ i, random }) => LARGE * signed(random, i),
};

/** A float32 tensor of `shape` from the set `name`, whose axis `axis` is summed first. */
export function fromDataSet(name: string, shape: Shape, axis: number, factor: Factor, seed: number): Tensor {
  const random = randomStream(seed, `${name}/${factor}`);
  const inner = sizeOf(shape.slice(axis + 1));
  const values = Float32Array.from({ length: sizeOf(shape) }, (_, i) => {
    return DATA_SETS[name]({ i, k: Math.floor(i / inner) % shape[axis], factor, random });
  });
  return tensor(values, shape);
}
