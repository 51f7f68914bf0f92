/**
 * Differences: where a candidate is wrong, and what that looks like. For what no known mistake explains.
 *
 * @module
 */
import { contiguous, type Tensor } from "../tensor/tensor.js";
import type { Expectation } from "./expectation.js";
import { positionOf } from "./judgement.js";
import { short } from "./short-number.js";

/** The smallest region that holds all wrong elements, and what is known of them. */
export interface Difference {
  /** From the first wrong index to the one behind the last, of every axis; empty where no element is wrong by itself. */
  readonly region: readonly (readonly [from: number, to: number])[];
  /** Wrong elements. */
  readonly count: number;
  /** What the wrong numbers have in common, in words. */
  readonly values: readonly string[];
  /** Where they are, in words. */
  readonly places: readonly string[];
}

/** What the largest part of wrong elements may be off a pattern, in units of their bounds, beside float32's steps. */
const NEAR = 2;

/** The wrong elements of `candidate`, which has the expected shape. */
export function differenceOf(candidate: Tensor, expectation: Expectation): Difference {
  const { shape, truth, ties } = expectation;
  const { data } = contiguous(candidate);
  const wrong: number[] = [];
  truth.forEach((t, i) => {
    const least = ties?.least[i] ?? t;
    const greatest = ties?.greatest[i] ?? t;
    if (isWrong(data[i], least, greatest, expectation.bound[i])) wrong.push(i);
  });
  const positions = wrong.map((i) => positionOf(i, shape));
  const region = shape.map((_, axis) => extent(positions.map((position) => position[axis])));
  return {
    region: wrong.length === 0 ? [] : region,
    count: wrong.length,
    values: wrong.length === 0 ? [] : commonValues(wrong, data, expectation),
    places: wrong.length === 0 ? [] : commonPlaces(positions, shape),
  };
}

function isWrong(value: number, least: number, greatest: number, bound: number): boolean {
  if (bound === Number.POSITIVE_INFINITY) return false;
  if (!Number.isFinite(value) || !Number.isFinite(least)) return !Object.is(value, least);
  return value < least - bound || value > greatest + bound;
}

function extent(indices: readonly number[]): readonly [number, number] {
  let [from, to] = [Number.POSITIVE_INFINITY, 0];
  for (const index of indices) {
    from = Math.min(from, index);
    to = Math.max(to, index + 1);
  }
  return [from, to];
}

/** What the wrong numbers have in common. */
function commonValues(
  wrong: readonly number[],
  data: ArrayLike<number>,
  { truth, bound }: Expectation,
): readonly string[] {
  const found: string[] = [];
  if (wrong.every((i) => Number.isNaN(data[i]))) return ["NaN"];
  if (wrong.every((i) => data[i] === 0)) return ["all of them are 0"];
  const sum = (term: (i: number) => number): number => wrong.reduce((total, i) => total + term(i), 0);
  const holds = (model: (t: number) => number): boolean =>
    wrong.length > 1 &&
    wrong.every((i) => {
      const expected = model(truth[i]);
      return Math.abs(data[i] - expected) <= NEAR * (bound[i] + Math.abs(expected) * 2 ** -23);
    });
  const factor = sum((i) => data[i] * truth[i]) / sum((i) => truth[i] * truth[i]);
  const offset = sum((i) => data[i] - truth[i]) / wrong.length;
  if (holds((t) => factor * t)) found.push(`all of them are ${short(factor)} times what they should be`);
  else if (holds((t) => t + offset)) found.push(`all of them are off by ${short(offset)}`);
  return found;
}

/** Where the wrong elements are, in words. */
function commonPlaces(positions: readonly (readonly number[])[], shape: readonly number[]): readonly string[] {
  const total = shape.reduce((product, size) => product * size, 1);
  if (positions.length === total) return ["every element"];
  const found: string[] = [];
  const isImage = shape.length === 4;
  const atBorder = ([, h, w]: readonly number[]): boolean =>
    h === 0 || w === 0 || h === shape[1] - 1 || w === shape[2] - 1;
  const hasInside = isImage && shape[1] > 2 && shape[2] > 2;
  if (hasInside && positions.every(atBorder)) found.push("the border only");
  shape.forEach((size, axis) => {
    const indices = [...new Set(positions.map((position) => position[axis]))].sort((a, b) => a - b);
    const name = axisName(axis, shape.length);
    if (indices.length === size) return;
    if (indices.length === 1) found.push(`${name} ${indices[0]} only`);
    else found.push(progression(name, indices) ?? `${name}s ${indices[0]} to ${indices[indices.length - 1]} only`);
  });
  return found.length === 0 ? ["scattered"] : found;
}

/** Every k-th index, where there are three of them. */
function progression(name: string, indices: readonly number[]): string | undefined {
  const step = indices[1] - indices[0];
  const isRegular = indices.every((index, i) => i === 0 || index - indices[i - 1] === step);
  return isRegular && step > 1 && indices.length > 2
    ? `one ${name} in ${step}, from ${name} ${indices[0]} on`
    : undefined;
}

function axisName(axis: number, dimension: number): string {
  if (axis === dimension - 1) return "channel";
  if (dimension === 4) return ["image", "row", "column"][axis];
  return axis === 0 ? "row" : `index of axis ${axis}:`;
}

/** A region as NumPy writes it: `[0:2, 3, 0:7, 1:2]`. */
export function formatRegion(region: Difference["region"]): string {
  return `[${region.map(([from, to]) => (to - from === 1 ? from : `${from}:${to}`)).join(", ")}]`;
}
