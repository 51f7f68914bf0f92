/**
 * An image, moved: bilinear interpolation between four pixels of the source, then flips.
 * Keras: `apply_transform` of the legacy `ImageDataGenerator`.
 *
 * Shapes: source and target are one image each, [H, W, C].
 *
 * With the two rows r, r', the two columns c, c' and their weights (`taps.ts`) at the place of pixel [i, j] (`transform.ts`):
 *
 *     target[i, j] = w_r w_c source[r, c] + w_r w_c' source[r, c'] + w_r' w_c source[r', c] + w_r' w_c' source[r', c']
 *
 * Without rotation and shear, rows depend on i alone and columns on j alone. Then the taps are worked out once for each
 * axis: the same operations in the same order, so not a bit differs from the general loop, which takes three times as long.
 *
 * Notes on the numbers: products and sums run in float64, in scipy's order, and are rounded to float32 once, when stored.
 * Shifts, zooms and flips give the bits of Keras; rotations and shears may differ in the last place, as numpy's sine and
 * matrix product are not the same everywhere.
 *
 * @module
 */
import type { ImageShape } from "./dataset.js";
import { emptyTaps, type FillMode, setTap, type Taps } from "./taps.js";
import { type PlaceMap, placeMap, type Transform } from "./transform.js";

/** What is seen outside of an image, and the constant where it is one. */
export interface Fill {
  readonly fillMode: FillMode;
  readonly cval: number;
}

/** Transforms images of one shape. */
export class Resampler {
  readonly #shape: ImageShape;
  readonly #fill: Fill;
  readonly #rows: Taps;
  readonly #columns: Taps;

  constructor(shape: ImageShape, fill: Fill) {
    this.#shape = shape;
    this.#fill = fill;
    this.#rows = emptyTaps(shape[0]);
    this.#columns = emptyTaps(shape[1]);
  }

  /** Writes the transformed image `source` to `target` from `at` on. The two must not overlap. */
  transform(target: Float32Array, at: number, source: Float32Array, transform: Transform): void {
    const map = placeMap(transform, this.#shape[0], this.#shape[1]);
    if (map === undefined) this.#flip(target, at, source, transform);
    else if (map.rows[1] === 0 && map.columns[0] === 0) this.#resampleByAxis(target, at, source, transform, map);
    else this.resampleEach(target, at, source, transform, map);
  }

  /** Every pixel stays in its row and column, but for flips. */
  #flip(target: Float32Array, at: number, source: Float32Array, flips: Transform): void {
    const [height, width, channels] = this.#shape;
    for (let i = 0; i < height; i++) {
      const row = (flips.flipVertical ? height - 1 - i : i) * width;
      for (let j = 0; j < width; j++) {
        const from = (row + (flips.flipHorizontal ? width - 1 - j : j)) * channels;
        for (let channel = 0; channel < channels; channel++) target[at++] = source[from + channel];
      }
    }
  }

  /** The definition: every pixel by itself. */
  resampleEach(target: Float32Array, at: number, source: Float32Array, flips: Transform, map: PlaceMap): void {
    const [height, width, channels] = this.#shape;
    const { fillMode, cval } = this.#fill;
    const { rows, columns } = map;
    const row = emptyTaps(1);
    const column = emptyTaps(1);
    for (let i = 0; i < height; i++) {
      const y = flips.flipVertical ? height - 1 - i : i;
      for (let j = 0; j < width; j++, at += channels) {
        const x = flips.flipHorizontal ? width - 1 - j : j;
        setTap(row, 0, y * rows[0] + x * rows[1] + rows[2], height, fillMode);
        setTap(column, 0, y * columns[0] + x * columns[1] + columns[2], width, fillMode);
        if (row.inside[0] === 0 || column.inside[0] === 0) {
          target.fill(cval, at, at + channels);
          continue;
        }
        const [r, r2, v, v2] = [row.first[0], row.second[0], row.weight[0], row.weight2[0]];
        const [c, c2, u, u2] = [column.first[0], column.second[0], column.weight[0], column.weight2[0]];
        for (let channel = 0; channel < channels; channel++) {
          target[at + channel] =
            source[(r * width + c) * channels + channel] * v * u +
            source[(r * width + c2) * channels + channel] * v * u2 +
            source[(r2 * width + c) * channels + channel] * v2 * u +
            source[(r2 * width + c2) * channels + channel] * v2 * u2;
        }
      }
    }
  }

  /** The same where rows and columns do not depend on each other. */
  #resampleByAxis(target: Float32Array, at: number, source: Float32Array, flips: Transform, map: PlaceMap): void {
    const [height, width, channels] = this.#shape;
    const { fillMode, cval } = this.#fill;
    const rows = this.#rows;
    const columns = this.#columns;
    for (let i = 0; i < height; i++) {
      const y = flips.flipVertical ? height - 1 - i : i;
      setTap(rows, i, y * map.rows[0] + map.rows[2], height, fillMode);
    }
    for (let j = 0; j < width; j++) {
      const x = flips.flipHorizontal ? width - 1 - j : j;
      setTap(columns, j, x * map.columns[1] + map.columns[2], width, fillMode);
    }
    const length = width * channels;
    for (let i = 0; i < height; i++, at += length) {
      if (rows.inside[i] === 0) {
        target.fill(cval, at, at + length);
        continue;
      }
      mixRow(target, at, source, rows, i, columns, channels);
      if (fillMode === "constant") fillOutside(target, at, cval, columns, channels);
    }
  }
}

/** Writes row `i` of the target, all of whose places are inside, to `target` from `at` on. */
function mixRow(
  target: Float32Array,
  at: number,
  source: Float32Array,
  rows: Taps,
  i: number,
  columns: Taps,
  channels: number,
): void {
  const { first, second, weight, weight2 } = columns;
  const width = first.length;
  const r = rows.first[i] * width;
  const r2 = rows.second[i] * width;
  const v = rows.weight[i];
  const v2 = rows.weight2[i];
  for (let j = 0; j < width; j++) {
    const a = (r + first[j]) * channels;
    const b = (r + second[j]) * channels;
    const c = (r2 + first[j]) * channels;
    const d = (r2 + second[j]) * channels;
    const u = weight[j];
    const u2 = weight2[j];
    for (let channel = 0; channel < channels; channel++) {
      target[at++] =
        source[a + channel] * v * u +
        source[b + channel] * v * u2 +
        source[c + channel] * v2 * u +
        source[d + channel] * v2 * u2;
    }
  }
}

/** Writes `cval` where the place of a column is outside. */
function fillOutside(target: Float32Array, at: number, cval: number, { inside }: Taps, channels: number): void {
  for (let j = 0; j < inside.length; j++, at += channels) {
    if (inside[j] === 0) target.fill(cval, at, at + channels);
  }
}
