/**
 * What all arbitraries of this room share: cases made of sizes and tensors, which shrink sizes before values.
 *
 * A case is planned by a few whole numbers, its sizes: dimensions, strides, numbers of layers, choices. The sizes say which
 * tensors the case needs; those are drawn by a regime each. To shrink, sizes go towards their least first,
 *
 *     all at once;  one by one to the least;  one by one half of the way;  one by one by 1;  pairs of equal sizes the same way
 *
 * as far as the case stays valid: what fails only where an image is square stays square. The tensors keep what is left of
 * them: the corner at the beginning of every axis or, tried next, the corner at its end, so that values which a failure
 * depends on survive in one of both. An axis that grows (outputs, where strides shrink) repeats itself. Where no smaller case
 * fails, values become simpler, one tensor after the other (see `simpler-values.ts`).
 *
 * Cases are deterministic: the same seed gives the same case, and all numbers come from fast-check's generator. A case is
 * built anew each time that fast-check hands it out, so a candidate that writes into its input harms nobody else, and it
 * prints as code that makes it again.
 *
 * @module
 */
import fc from "fast-check";
import { type DType, floatArray, type FloatArray } from "../tensor/dtype.js";
import { formatShape, type Shape, sizeOf } from "../tensor/shape.js";
import { dtypeOf, type Tensor, tensor } from "../tensor/tensor.js";
import type { Regime } from "./regimes.js";

/** What a case is planned by: whole numbers by name. */
export type Sizes<Name extends string = string> = Readonly<Record<Name, number>>;

/** A tensor that a case needs. */
export interface TensorPlan {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly regime: Regime;
}

/** What the sizes of a case lead to. */
export interface Plan<Case> {
  /** The tensors that it needs, by name. */
  readonly tensors: Readonly<Record<string, TensorPlan>>;
  /** The case, given those tensors. */
  build(tensors: Readonly<Record<string, Tensor>>): Case;
}

/** One kind of case. */
export interface CaseKind<S extends Sizes, Case extends object> {
  /** Draws sizes; they need not fit. */
  readonly sizes: fc.Arbitrary<S>;
  /** Whether a case of these sizes is valid. */
  fits(sizes: S): boolean;
  /** The least that a size may shrink to. */
  least(name: string): number;
  /** What these sizes, which fit, lead to. */
  plan(sizes: S): Plan<Case>;
}

/** How one size shrinks, given the least that it may be: the greatest leap first. */
const LEAPS: readonly ((size: number, least: number) => number)[] = [
  (_size, least) => least,
  (size, least) => least + ((size - least) >> 1),
  (size, least) => Math.max(least, size - 1),
];

/** Sizes that are simpler than `sizes`, the greatest leap first; those that do not fit are left out. */
export function* simplerSizes<S extends Sizes>(
  sizes: S,
  { fits, least }: Pick<CaseKind<S, object>, "fits" | "least">,
): Generator<S> {
  const seen = new Set([JSON.stringify(sizes)]);
  const entries = Object.entries(sizes);
  const candidates = function* (): Generator<S> {
    const all: Record<string, number> = {};
    for (const [name] of entries) all[name] = least(name);
    yield { ...sizes, ...all };
    for (const leap of LEAPS) {
      for (const [name, size] of entries) yield { ...sizes, [name]: leap(size, least(name)) };
    }
    for (const leap of LEAPS) {
      for (const [i, [name, size]] of entries.entries()) {
        for (const [other, otherSize] of entries.slice(i + 1)) {
          if (otherSize !== size) continue;
          yield { ...sizes, [name]: leap(size, least(name)), [other]: leap(size, least(other)) };
        }
      }
    }
  };
  for (const candidate of candidates()) {
    const text = JSON.stringify(candidate);
    if (seen.has(text)) continue;
    seen.add(text);
    if (fits(candidate)) yield candidate;
  }
}

/** The corner of `values` at the beginning or the end of every axis, in another shape of the same rank. */
function resized(values: FloatArray, from: Shape, to: Shape, corner: "start" | "end"): FloatArray {
  const result = floatArray(values instanceof Float64Array ? "float64" : "float32", sizeOf(to));
  for (let at = 0; at < result.length; at++) {
    let [rest, source, stride] = [at, 0, 1];
    for (let axis = to.length - 1; axis >= 0; axis--) {
      const index = rest % to[axis];
      rest = Math.floor(rest / to[axis]);
      const shifted = corner === "start" ? index : index + from[axis] - to[axis];
      source += (((shifted % from[axis]) + from[axis]) % from[axis]) * stride;
      stride *= from[axis];
    }
    result[at] = values[source];
  }
  return result;
}

/** The numbers under one tensor of a case. */
interface Values {
  readonly plan: TensorPlan;
  readonly data: FloatArray;
}

/** What a value remembers for its own shrinking. */
class Drawn<S> {
  readonly sizes: S;
  readonly values: ReadonlyMap<string, Values>;

  constructor(sizes: S, values: ReadonlyMap<string, Values>) {
    this.sizes = sizes;
    this.values = values;
  }
}

const sameValues = (a: FloatArray, b: FloatArray): boolean =>
  a.length === b.length && a.every((value, i) => Object.is(value, b[i]));

/** The arbitrary of one kind of cases. */
class CaseArbitrary<S extends Sizes, Case extends object> extends fc.Arbitrary<Case> {
  readonly #kind: CaseKind<S, Case>;
  readonly #sizes: fc.Arbitrary<S>;

  constructor(kind: CaseKind<S, Case>) {
    super();
    this.#kind = kind;
    this.#sizes = kind.sizes.filter((sizes) => kind.fits(sizes));
  }

  generate(random: fc.Random, biasFactor: number | undefined): fc.Value<Case> {
    const sizes = this.#sizes.generate(random, biasFactor).value;
    const values = new Map<string, Values>();
    for (const [name, plan] of Object.entries(this.#kind.plan(sizes).tensors)) {
      const data = floatArray(plan.dtype, sizeOf(plan.shape));
      data.set(plan.regime.draw(random, plan.shape, plan.dtype));
      values.set(name, { plan, data });
    }
    return this.#value(new Drawn(sizes, values));
  }

  /** Only what was drawn here shrinks: the sizes of a case cannot be read off it. */
  canShrinkWithoutContext(_value: unknown): _value is Case {
    return false;
  }

  shrink(_value: Case, context: unknown): fc.Stream<fc.Value<Case>> {
    return context instanceof Drawn ? fc.stream(this.#simpler(context)) : fc.Stream.nil();
  }

  *#simpler({ sizes, values }: Drawn<S>): Generator<fc.Value<Case>> {
    for (const candidate of simplerSizes(sizes, this.#kind)) {
      const { tensors } = this.#kind.plan(candidate);
      const start = this.#fitted(values, tensors, "start");
      const end = this.#fitted(values, tensors, "end");
      if (start !== undefined) yield this.#value(new Drawn(candidate, start));
      const isSame = [...(start ?? [])].every(([name, { data }]) => sameValues(data, end?.get(name)?.data ?? data));
      if (end !== undefined && !(start !== undefined && isSame)) yield this.#value(new Drawn(candidate, end));
    }
    for (const [name, { plan, data }] of values) {
      for (const simpler of plan.regime.simpler(data, plan.shape)) {
        if (sameValues(simpler, data) || !plan.regime.allows(simpler, plan.shape)) continue;
        yield this.#value(new Drawn(sizes, new Map(values).set(name, { plan, data: simpler })));
      }
    }
  }

  /** `old` values for the tensors of a smaller case; undefined where a regime does not allow what is left. */
  #fitted(
    old: ReadonlyMap<string, Values>,
    tensors: Readonly<Record<string, TensorPlan>>,
    corner: "start" | "end",
  ): ReadonlyMap<string, Values> | undefined {
    const fitted = new Map<string, Values>();
    for (const [name, plan] of Object.entries(tensors)) {
      const before = old.get(name);
      // a tensor that the larger case did not have, or had with another rank, begins with ones
      const data =
        before !== undefined && before.plan.shape.length === plan.shape.length
          ? resized(before.data, before.plan.shape, plan.shape, corner)
          : floatArray(plan.dtype, sizeOf(plan.shape)).fill(1);
      if (!plan.regime.allows(data, plan.shape)) return undefined;
      fitted.set(name, { plan, data });
    }
    return fitted;
  }

  #value(drawn: Drawn<S>): fc.Value<Case> {
    const build = (): Case => {
      const tensors: Record<string, Tensor> = {};
      for (const [name, { plan, data }] of drawn.values) tensors[name] = printable(data, plan.shape);
      return Object.defineProperty(this.#kind.plan(drawn.sizes).build(tensors), fc.cloneMethod, { value: build });
    };
    return new fc.Value(build(), drawn);
  }
}

/** A tensor of a copy of `data`, printed by fast-check as the code that makes it, whatever has been written into it since. */
function printable(data: FloatArray, shape: Shape): Tensor {
  const x = tensor(data.slice(), shape);
  const print = (): string =>
    `tensorOf(${fc.stringify([...data])}, ${formatShape(shape)}, ${JSON.stringify(dtypeOf(x))})`;
  return Object.defineProperty(x, fc.toStringMethod, { value: print });
}

/** The arbitrary of cases of one kind. */
export function casesOf<S extends Sizes, Case extends object>(kind: CaseKind<S, Case>): fc.Arbitrary<Case> {
  return new CaseArbitrary(kind);
}

/** Whole numbers, each between its own least and greatest, by name. */
export function sizesBetween<Name extends string>(
  ranges: Readonly<Record<Name, readonly [min: number, max: number]>>,
): fc.Arbitrary<Sizes<Name>> {
  const record: Record<string, fc.Arbitrary<number>> = {};
  for (const name in ranges) record[name] = fc.integer({ min: ranges[name][0], max: ranges[name][1] });
  return fc.record(record as Record<Name, fc.Arbitrary<number>>);
}

/** Whole numbers from `min` to `max`, by name. */
export function anySizes<Name extends string>(
  names: readonly Name[],
  min: number,
  max: number,
): fc.Arbitrary<Sizes<Name>> {
  const ranges: Record<string, readonly [number, number]> = {};
  for (const name of names) ranges[name] = [min, max];
  return sizesBetween(ranges as Record<Name, readonly [number, number]>);
}

/**
 * Pairwise distinct whole numbers from 1 to `max`, by name.
 *
 * @throws RangeError when there are not as many of them.
 */
export function distinctSizes<Name extends string>(names: readonly Name[], max: number): fc.Arbitrary<Sizes<Name>> {
  if (!(max >= names.length)) {
    throw new RangeError(
      `arbitraries: \`maxDim\` must leave room for ${names.length} distinct sizes (${names.join(", ")}). Received ${max}.`,
    );
  }
  return fc
    .uniqueArray(fc.integer({ min: 1, max }), { minLength: names.length, maxLength: names.length })
    .map((numbers) => {
      const sizes: Record<string, number> = {};
      for (const [i, name] of names.entries()) sizes[name] = numbers[i];
      return sizes as Sizes<Name>;
    });
}

/** Options of the arbitraries of layers. */
export interface DistinctOptions {
  /**
   * Whether dimensions are drawn pairwise distinct, so that none can be mixed up unseen: always, or, with false, never on
   * purpose: images, windows with their strides, and the kernels of dense layers are square, and other dimensions may be
   * equal. Kernels have paths of their own for such. Shrinking gives both up.
   *
   * @defaultValue drawn: distinct in two of three cases
   */
  readonly distinct?: boolean;
}

/**
 * What `distinct` asks for, of sizes that fit: they are left out here, lest one kind becomes rarer than the other. Neither is
 * made before it is needed: there may be no distinct sizes.
 */
export function distinctOrSquare<S extends Sizes>(
  { distinct }: DistinctOptions,
  distinctCases: () => fc.Arbitrary<S>,
  squareCases: () => fc.Arbitrary<S>,
  fits: (sizes: S) => boolean = () => true,
): fc.Arbitrary<S> {
  if (distinct !== undefined) return distinct ? distinctCases() : squareCases();
  return fc.oneof(
    { weight: 2, arbitrary: distinctCases().filter(fits) },
    { weight: 1, arbitrary: squareCases().filter(fits) },
  );
}

/** Square images from 1 to `max`, and other sizes that may be equal to theirs. */
export function squareSizes<Name extends string>(
  names: readonly Name[],
  max: number,
): fc.Arbitrary<Sizes<Name | "height" | "width">> {
  return fc
    .tuple(fc.integer({ min: 1, max }), anySizes(names, 1, max))
    .map(([side, sizes]) => ({ ...sizes, height: side, width: side }) as Sizes<Name | "height" | "width">);
}

/** Whether no two of `numbers` are equal. */
export function areDistinct(numbers: readonly number[]): boolean {
  return new Set(numbers).size === numbers.length;
}
