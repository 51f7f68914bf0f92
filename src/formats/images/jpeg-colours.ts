/**
 * From luminance and colour differences to red, green and blue, as libjpeg does it, bit for bit.
 *
 * Photographs mostly store their colour differences at half the resolution. libjpeg, and so Pillow and Keras, lets each
 * sample reach into its neighbours ("fancy upsampling"): of two samples a and b side by side, the pixels between them
 * show (3a + b) / 4 and (a + 3b) / 4, rounded up and down by turns. In two directions the rows are weighted first, and
 * all is rounded once. Then, in fixed point with 16 bits,
 *
 *     R = Y + 1.402 (Cr - 128)
 *     G = Y - 0.34414 (Cb - 128) - 0.71414 (Cr - 128)
 *     B = Y + 1.772 (Cb - 128)
 *
 * @module
 */

/** Samples of one component, row by row. */
export interface Plane {
  readonly width: number;
  readonly height: number;
  readonly samples: Uint8Array;
}

/** `plane`, of half the width, half the height, or both, at full size. */
export function upsample(plane: Plane, width: number, height: number, acrossBy: 1 | 2, downBy: 1 | 2): Plane {
  const samples = new Uint8Array(width * height);
  // in images that are as narrow as this, libjpeg repeats samples
  const isNarrow = acrossBy === 2 && plane.width <= 2;
  const reach = acrossBy === 2 && !isNarrow;
  for (let y = 0; y < height; y++) {
    const row = isNarrow ? plainRow(plane, Math.floor(y / downBy)) : weightedRow(plane, y, downBy);
    for (let x = 0; x < width; x++) {
      const near = row.sums[Math.floor(x / acrossBy)];
      // the pixel's other neighbour; at the border the sample itself
      const isRight = acrossBy === 2 && x % 2 === 1;
      const far = reach ? (row.sums[(x >> 1) + (isRight ? 1 : -1)] ?? near) : near;
      const value = reach ? near * 3 + far : near;
      const scale = row.scale * (reach ? 4 : 1);
      samples[y * width + x] = Math.floor((value + rounding(scale, downBy, isRight, y % 2 === 1)) / scale);
    }
  }
  return { width, height, samples };
}

/** Weighted samples, and what their weights sum up to. */
interface Row {
  readonly sums: Int32Array;
  readonly scale: number;
}

function plainRow({ width, samples }: Plane, y: number): Row {
  return { sums: Int32Array.from(samples.subarray(y * width, (y + 1) * width)), scale: 1 };
}

/** The samples that row `y` lies on, or 3 times the nearer and once the farther of the two rows that it lies between. */
function weightedRow(plane: Plane, y: number, downBy: 1 | 2): Row {
  const near = Math.floor(y / downBy);
  const { sums } = plainRow(plane, near);
  if (downBy === 1) return { sums, scale: 1 };
  const far = plainRow(plane, Math.min(plane.height - 1, Math.max(0, near + (y % 2 === 0 ? -1 : 1)))).sums;
  for (let x = 0; x < sums.length; x++) sums[x] = 3 * sums[x] + far[x];
  return { sums, scale: 4 };
}

/** What libjpeg adds before it divides by `scale`: about half of it, a little less every other pixel. */
function rounding(scale: number, downBy: 1 | 2, isRight: boolean, isLower: boolean): number {
  if (scale === 16) return isRight ? 7 : 8;
  if (scale === 4) return (downBy === 2 ? isLower : isRight) ? 2 : 1;
  return 0;
}

const fixed = (factor: number): number => Math.floor(factor * 65536 + 0.5);
const RED_CR = fixed(1.402);
const GREEN_CB = fixed(0.34414);
const GREEN_CR = fixed(0.71414);
const BLUE_CB = fixed(1.772);
const HALF = 32768;

/** Red, green, blue of every pixel, from three planes of one size. */
export function toRgb(luminance: Plane, blueDifference: Plane, redDifference: Plane): Uint8Array {
  const { samples } = luminance;
  // written to this array, values below 0 and above 255 are cut off there
  const rgb = new Uint8ClampedArray(samples.length * 3);
  for (let i = 0; i < samples.length; i++) {
    const y = samples[i];
    const cb = blueDifference.samples[i] - 128;
    const cr = redDifference.samples[i] - 128;
    rgb[3 * i] = y + ((RED_CR * cr + HALF) >> 16);
    rgb[3 * i + 1] = y + ((HALF - GREEN_CB * cb - GREEN_CR * cr) >> 16);
    rgb[3 * i + 2] = y + ((BLUE_CB * cb + HALF) >> 16);
  }
  return new Uint8Array(rgb.buffer);
}
