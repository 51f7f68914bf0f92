import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { randomStream } from "../../src/arithmetic/random.js";
import { type Augmentation, Augmenter, checkAugmentation, drawTransform } from "../../src/training/augmentation.js";
import type { ImageShape } from "../../src/training/dataset.js";
import { Resampler } from "../../src/training/resample.js";
import { IDENTITY, type Transform } from "../../src/training/transform.js";

const SHAPE: ImageShape = [20, 30, 3];
const DRAWN = 2000;

function draws(augmentation: Augmentation, count: number = DRAWN): readonly Transform[] {
  const stream = randomStream(1, "augmentation", 0);
  return Array.from({ length: count }, (_, sample) => drawTransform(augmentation, stream, sample, SHAPE));
}

/**
 * That `values` look uniform from `low` to `high`: all lie there, and the share below each quarter is within five standard
 * deviations, 5 sqrt(p (1 - p) / n) <= 2.5 / sqrt(n).
 */
function assertUniform(values: readonly number[], low: number, high: number): void {
  assert.ok(values.every((value) => value >= low && value < high));
  for (const quarter of [0.25, 0.5, 0.75]) {
    const share = values.filter((value) => value < low + quarter * (high - low)).length / values.length;
    assert.ok(Math.abs(share - quarter) <= 2.5 / Math.sqrt(values.length), `${share} of them, not ${quarter}`);
  }
}

/** The coefficient of correlation. Of n pairs without any it has a standard deviation of 1 / sqrt(n). */
function correlation(a: readonly number[], b: readonly number[]): number {
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [meanA, meanB] = [mean(a), mean(b)];
  const covariance = mean(a.map((value, i) => (value - meanA) * (b[i] - meanB)));
  const variances = mean(a.map((value) => (value - meanA) ** 2)) * mean(b.map((value) => (value - meanB) ** 2));
  return covariance / Math.sqrt(variances);
}

const EVERYTHING: Augmentation = {
  rotationRange: 10,
  widthShiftRange: 0.1,
  heightShiftRange: 0.2,
  shearRange: 5,
  zoomRange: 0.3,
  horizontalFlip: true,
  verticalFlip: true,
};

describe("drawTransform", () => {
  it("changes nothing where nothing is asked for", () => {
    for (const transform of draws({}, 100)) assert.deepEqual(transform, IDENTITY);
  });

  it("draws every parameter from its range, as Keras does", () => {
    const drawn = draws(EVERYTHING);
    const values = (name: "theta" | "tx" | "ty" | "shear" | "zx" | "zy"): number[] => drawn.map((one) => one[name]);
    assertUniform(values("theta"), -10, 10);
    assertUniform(values("tx"), -0.2 * 20, 0.2 * 20);
    assertUniform(values("ty"), -0.1 * 30, 0.1 * 30);
    assertUniform(values("shear"), -5, 5);
    assertUniform(values("zx"), 1 - 0.3, 1 + 0.3);
    assertUniform(values("zy"), 1 - 0.3, 1 + 0.3);
    const share = (flips: readonly boolean[]): number => flips.filter((flip) => flip).length / DRAWN;
    assert.ok(Math.abs(share(drawn.map((one) => one.flipHorizontal)) - 1 / 2) <= 2.5 / Math.sqrt(DRAWN));
    assert.ok(Math.abs(share(drawn.map((one) => one.flipVertical)) - 1 / 2) <= 2.5 / Math.sqrt(DRAWN));
  });

  it("draws parameters, and samples, that have nothing to do with each other", () => {
    const drawn = draws(EVERYTHING);
    const columns = (Object.keys(IDENTITY) as (keyof Transform)[]).map((name) => drawn.map((one) => Number(one[name])));
    columns.forEach((a, i) => {
      for (const b of columns.slice(i + 1)) assert.ok(Math.abs(correlation(a, b)) <= 5 / Math.sqrt(DRAWN));
      assert.ok(Math.abs(correlation(a.slice(1), a.slice(0, -1))) <= 5 / Math.sqrt(DRAWN));
    });
  });

  it("takes a whole number as a shift of whole pixels less than that, and others from 1 on as pixels", () => {
    const whole = draws({ heightShiftRange: 3, widthShiftRange: 1 });
    const counts = new Map<number, number>();
    for (const { tx, ty } of whole) {
      counts.set(tx + 0, (counts.get(tx + 0) ?? 0) + 1);
      assert.equal(ty + 0, 0);
    }
    assert.deepEqual(
      [...counts.keys()].sort((a, b) => a - b),
      [-2, -1, 0, 1, 2],
    );
    for (const [shift, count] of counts) {
      const expected = shift === 0 ? 1 / 3 : 1 / 6;
      assert.ok(Math.abs(count / DRAWN - expected) <= 2.5 / Math.sqrt(DRAWN), `${shift}: ${count} of ${DRAWN}`);
    }
    assertUniform(
      draws({ widthShiftRange: 2.5 }).map(({ ty }) => ty),
      -2.5,
      2.5,
    );
  });

  it("takes two numbers as the ends of the zoom", () => {
    assertUniform(
      draws({ zoomRange: [0.5, 0.75] }).map(({ zy }) => zy),
      0.5,
      0.75,
    );
  });

  it("gives a sample its own numbers, whatever else is asked for", () => {
    const alone = draws({ widthShiftRange: 0.1 });
    draws(EVERYTHING).forEach(({ ty }, sample) => assert.equal(alone[sample].ty, ty));
    const stream = randomStream(1, "augmentation", 0);
    assert.deepEqual(drawTransform(EVERYTHING, stream, 1234, SHAPE), draws(EVERYTHING)[1234]);
  });
});

describe("Augmenter", () => {
  it("changes a sample by what is drawn for it in the epoch, in any order", () => {
    const shape: ImageShape = [3, 4, 2];
    const image = Float32Array.from({ length: 24 }, (_, i) => (i * 7) % 24);
    const augmentation: Augmentation = { ...EVERYTHING, fillMode: "constant", cval: -1 };
    const augmenter = new Augmenter(augmentation, shape, 8);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 60_000 }), (epoch, sample) => {
        const actual = new Float32Array(24);
        augmenter.augment(actual, 0, image, epoch, sample);
        const expected = new Float32Array(24);
        const transform = drawTransform(augmentation, randomStream(8, "augmentation", epoch), sample, shape);
        new Resampler(shape, { fillMode: "constant", cval: -1 }).transform(expected, 0, image, transform);
        assert.deepEqual(actual, expected);
      }),
    );
  });

  const wrong: readonly [message: string, augmentation: Augmentation][] = [
    [
      "augmentation: `rotationRange` must be a number of at least 0. Received rotationRange=NaN.",
      { rotationRange: Number.NaN },
    ],
    [
      "augmentation: `widthShiftRange` must be a number of at least 0. Received widthShiftRange=-0.1.",
      { widthShiftRange: -0.1 },
    ],
    [
      "augmentation: `heightShiftRange` must be a number of at least 0. Received heightShiftRange=Infinity.",
      { heightShiftRange: Number.POSITIVE_INFINITY },
    ],
    ["augmentation: `shearRange` must be a number of at least 0. Received shearRange=-1.", { shearRange: -1 }],
    [
      "augmentation: `zoomRange` must be a number from 0 to below 1, or two numbers above 0, the smaller one first. " +
        "Received zoomRange=1.",
      { zoomRange: 1 },
    ],
    [
      "augmentation: `zoomRange` must be a number from 0 to below 1, or two numbers above 0, the smaller one first. " +
        "Received zoomRange=[1.2, 0.8].",
      { zoomRange: [1.2, 0.8] },
    ],
    ["augmentation: `cval` must be a finite number. Received cval=NaN.", { cval: Number.NaN }],
  ];
  for (const [message, augmentation] of wrong) {
    it(`rejects what cannot be with "${message}"`, () => {
      assert.throws(() => new Augmenter(augmentation, SHAPE, 0), { name: "RangeError", message });
    });
  }

  it("rejects a fill mode that there is not, naming those that there are", () => {
    const augmentation = JSON.parse('{ "fillMode": "mirror" }');
    assert.throws(() => checkAugmentation(augmentation), {
      name: "RangeError",
      message:
        'augmentation: `fillMode` must be one of "nearest", "constant", "reflect", "wrap". Received fillMode="mirror".',
    });
  });
});
