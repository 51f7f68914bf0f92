/**
 * What an arbitrary draws together with how it shrinks, so that properties can look at both.
 *
 * @module
 */
import fc from "fast-check";

/** A drawn value and its first simpler candidates. */
export interface Family<T> {
  readonly value: T;
  readonly simpler: readonly T[];
}

/** The arbitrary of values of `arbitrary` with up to `most` of their candidates, and of candidates of the first ones. */
class FamilyArbitrary<T> extends fc.Arbitrary<Family<T>> {
  readonly #arbitrary: fc.Arbitrary<T>;
  readonly #most: number;

  constructor(arbitrary: fc.Arbitrary<T>, most: number) {
    super();
    this.#arbitrary = arbitrary;
    this.#most = most;
  }

  generate(random: fc.Random, biasFactor: number | undefined): fc.Value<Family<T>> {
    let parent = this.#arbitrary.generate(random, biasFactor);
    // some generations down, so that candidates of candidates are seen as well
    for (let generation = random.nextInt(0, 4); generation > 0; generation--) {
      const children = [...this.#arbitrary.shrink(parent.value, parent.context).take(this.#most)];
      if (children.length > 0) parent = children[random.nextInt(0, children.length - 1)];
    }
    const simpler = [...this.#arbitrary.shrink(parent.value, parent.context).take(this.#most)];
    const family = { value: parent.value, simpler: simpler.map(({ value }) => value) };
    // candidates are many, so reports have the value only
    const print = (): string => fc.stringify(family.value);
    return new fc.Value(Object.defineProperty(family, fc.toStringMethod, { value: print }), undefined);
  }

  canShrinkWithoutContext(_value: unknown): _value is Family<T> {
    return false;
  }

  shrink(): fc.Stream<fc.Value<Family<T>>> {
    return fc.Stream.nil();
  }
}

/** Values of `arbitrary`, a few generations down, with their simpler candidates. */
export function families<T>(arbitrary: fc.Arbitrary<T>, most = 60): fc.Arbitrary<Family<T>> {
  return new FamilyArbitrary(arbitrary, most);
}

/** The smallest value for which `holds` is false, as fast-check prints it. */
export function smallest<T>(arbitrary: fc.Arbitrary<T>, holds: (value: T) => boolean, seed: number): string {
  const { counterexample } = fc.check(
    fc.property(arbitrary, (value) => holds(value)),
    { seed, numRuns: 2000 },
  );
  return counterexample === null ? "none" : fc.stringify(counterexample[0]);
}
