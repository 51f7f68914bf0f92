import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import fc from "fast-check";
import { readNpz } from "../../src/formats/npz.js";
import type { ImageShape } from "../../src/training/dataset.js";
import { type Fill, Resampler } from "../../src/training/resample.js";
import { FILL_MODES } from "../../src/training/taps.js";
import { IDENTITY, placeMap, type Transform } from "../../src/training/transform.js";

const FIXTURES = new URL("../../../fixtures/augmentation/", import.meta.url);

/** A case of fixtures/augmentation/transforms.json; its names are Keras's. */
interface FixtureCase extends Fill {
  readonly name: string;
  readonly input: string;
  readonly transform: Omit<Partial<Transform>, "flipHorizontal" | "flipVertical"> & {
    readonly flip_horizontal?: boolean;
    readonly flip_vertical?: boolean;
  };
}

const CASES: readonly FixtureCase[] = JSON.parse(readFileSync(new URL("transforms.json", FIXTURES), "utf8"));
const ARRAYS = readNpz(readFileSync(new URL("transforms.npz", FIXTURES)));

function floats(key: string): { readonly shape: ImageShape; readonly data: Float32Array } {
  const array = ARRAYS.get(key);
  assert.ok(array?.data instanceof Float32Array, key);
  const [height, width, channels] = array.shape;
  return { shape: [height, width, channels], data: array.data };
}

function transformed(source: Float32Array, shape: ImageShape, fill: Fill, transform: Partial<Transform>): Float32Array {
  const target = new Float32Array(source.length);
  new Resampler(shape, fill).transform(target, 0, source, { ...IDENTITY, ...transform });
  return target;
}

/**
 * Rotations and shears: Keras's places are made of a sine, a cosine and four products of 3x3 matrices whose elements are
 * below 2^5, with roundings, or fused multiplications, of its own: they differ by less than 40 roundings of 2^-48. The
 * image changes by at most 2 from pixel to pixel along each axis, and the mix of four pixels below 1 has 12 roundings of
 * 2^-53. So the doubles differ by less than 2 * 2 * 40 * 2^-48 + 2^-49 < 2^-40, and each is rounded to a float32 once: as
 * far as half a unit, 2^-25, from it.
 */
const ROTATED = 2 ** -40 + 2 ** -24;

const nearest: Fill = { fillMode: "nearest", cval: 0 };
const fills = fc.record({ fillMode: fc.constantFrom(...FILL_MODES), cval: fc.constantFrom(-3, 0.25) });
const shapes: fc.Arbitrary<ImageShape> = fc
  .uniqueArray(fc.integer({ min: 1, max: 7 }), { minLength: 3, maxLength: 3 })
  .map(([height, width, channels]) => [height, width, channels]);
const images = shapes.chain((shape) => {
  const size = shape[0] * shape[1] * shape[2];
  // not by their bits, as fast-check draws floats: those are nearly all tiny
  const values = fc.int32Array({ min: -(2 ** 24), max: 2 ** 24, minLength: size, maxLength: size });
  return values.map((numbers) => ({ shape, source: Float32Array.from(numbers, (n) => n * 2 ** -24) }));
});
const distances = fc.integer({ min: -20 * 2 ** 26, max: 20 * 2 ** 26 }).map((n) => n * 2 ** -26);
const zooms = fc.double({ min: 0.25, max: 4, noNaN: true });

describe("Resampler", () => {
  for (const { name, input, transform, ...fill } of CASES) {
    it(`gives what Keras gives: ${name}`, () => {
      const { flip_horizontal: flipHorizontal = false, flip_vertical: flipVertical = false, ...rest } = transform;
      const { shape, data } = floats(`input/${input}`);
      const y = transformed(data, shape, fill, { ...rest, flipHorizontal, flipVertical });
      const keras = floats(`keras/${name}`).data;
      const bound = rest.theta === undefined && rest.shear === undefined ? 0 : ROTATED;
      y.forEach((value, i) => {
        assert.ok(Math.abs(value - keras[i]) <= bound, `[${i}] is ${value}, Keras has ${keras[i]}`);
      });
    });
  }

  it("moves pixels as they are when the shift is one of whole pixels", () => {
    const shifts = fc.integer({ min: -9, max: 9 });
    fc.assert(
      fc.property(images, shifts, shifts, ({ shape, source }, tx, ty) => {
        const [height, width, channels] = shape;
        const y = transformed(source, shape, { fillMode: "constant", cval: 7 }, { tx, ty });
        for (let at = 0; at < y.length; at++) {
          const channel = at % channels;
          const j = Math.floor(at / channels) % width;
          const i = Math.floor(at / channels / width);
          const [r, c] = [i + ty, j + tx];
          const isInside = r >= 0 && r < height && c >= 0 && c < width;
          assert.equal(y[at] + 0, isInside ? source[(r * width + c) * channels + channel] + 0 : 7);
        }
      }),
    );
  });

  it("answers places outside of a row as scipy's fill modes say", () => {
    const row = (fillMode: Fill["fillMode"], tx: number): number[] =>
      Array.from(transformed(Float32Array.of(1, 2, 3, 4), [1, 4, 1], { fillMode, cval: 9 }, { tx }));
    assert.deepEqual(row("nearest", 2), [3, 4, 4, 4]);
    assert.deepEqual(row("nearest", -2), [1, 1, 1, 2]);
    assert.deepEqual(row("constant", 2), [3, 4, 9, 9]);
    assert.deepEqual(row("constant", -0.5), [9, 1.5, 2.5, 3.5]);
    assert.deepEqual(row("reflect", 2), [3, 4, 4, 3]);
    assert.deepEqual(row("reflect", -9), [1, 1, 2, 3]);
    assert.deepEqual(row("reflect", -0.5), [1, 1.5, 2.5, 3.5]);
    assert.deepEqual(row("wrap", 2), [3, 4, 2, 3]);
    assert.deepEqual(row("wrap", -2), [2, 3, 1, 2]);
    assert.deepEqual(row("wrap", 0.5), [1.5, 2.5, 3.5, 1.5]);
  });

  it("undoes a flip by the same flip, exactly", () => {
    fc.assert(
      fc.property(images, fc.boolean(), fc.boolean(), ({ shape, source }, flipHorizontal, flipVertical) => {
        const once = transformed(source, shape, nearest, { flipHorizontal, flipVertical });
        assert.deepEqual(transformed(once, shape, nearest, { flipHorizontal, flipVertical }), source);
      }),
    );
  });

  it("flips after everything else", () => {
    fc.assert(
      fc.property(
        images,
        fills,
        distances,
        distances,
        fc.boolean(),
        ({ shape, source }, fill, tx, ty, flipVertical) => {
          const flips = { flipHorizontal: true, flipVertical };
          for (const theta of [0, 12]) {
            const moved = transformed(source, shape, fill, { theta, tx, ty });
            assert.deepEqual(
              transformed(source, shape, fill, { theta, tx, ty, ...flips }),
              transformed(moved, shape, fill, flips),
            );
          }
        },
      ),
    );
  });

  it("gives the same bits by axes, where rows and columns move by themselves, as pixel by pixel", () => {
    const moves = fc.record({
      tx: distances,
      ty: distances,
      zx: fc.oneof(fc.constant(1), zooms),
      zy: fc.oneof(fc.constant(1), zooms),
      flipHorizontal: fc.boolean(),
      flipVertical: fc.boolean(),
    });
    fc.assert(
      fc.property(images, fills, moves, ({ shape, source }, fill, move) => {
        const transform = { ...IDENTITY, ...move };
        const map = placeMap(transform, shape[0], shape[1]);
        fc.pre(map !== undefined);
        const each = new Float32Array(source.length);
        new Resampler(shape, fill).resampleEach(each, 0, source, transform, map);
        assert.deepEqual(transformed(source, shape, fill, move), each);
      }),
    );
  });

  it("leaves an image of one colour as it is, for all fill modes that show pixels", () => {
    const transforms = fc.record({
      theta: distances,
      tx: distances,
      ty: distances,
      shear: distances,
      zx: zooms,
      zy: zooms,
    });
    fc.assert(
      fc.property(shapes, fills, transforms, (shape, fill, transform) => {
        fc.pre(fill.fillMode !== "constant");
        const source = new Float32Array(shape[0] * shape[1] * shape[2]).fill(0.7);
        assert.deepEqual(transformed(source, shape, fill, transform), source);
      }),
    );
  });

  it("writes one image to its place among others, and nothing else", () => {
    const target = new Float32Array(12).fill(5);
    new Resampler([2, 2, 1], nearest).transform(target, 4, Float32Array.of(1, 2, 3, 4), { ...IDENTITY, tx: 1 });
    assert.deepEqual(Array.from(target), [5, 5, 5, 5, 2, 2, 4, 4, 5, 5, 5, 5]);
  });
});
