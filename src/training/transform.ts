/**
 * What may happen to an image, and the places in the source where the pixels of the target are found.
 *
 * Keras (`apply_affine_transform` of the legacy `ImageDataGenerator`) multiplies
 *
 *     M = rotation(theta) shift(tx, ty) shear(shear) zoom(zx, zy)
 *
 *         | cos -sin 0 |   | 1 0 tx |   | 1 -sin(shear) 0 |   | zx 0  0 |
 *       = | sin  cos 0 | . | 0 1 ty | . | 0  cos(shear) 0 | . | 0  zy 0 |
 *         | 0    0   1 |   | 0 0 1  |   | 0  0          1 |   | 0  0  1 |
 *
 * and applies it about the centre. The first coordinate is that of columns (Keras swaps the two at the end), so tx, which
 * the generator draws from `height_shift_range`, moves columns, and ty, from `width_shift_range`, rows; and the centre of
 * columns is taken to be (height - 1)/2. With square images and equal ranges, as in the CIFAR-10 program, nobody sees the
 * difference. We do as Keras does.
 *
 * @module
 */
import { cos, sin } from "../arithmetic/cosine.js";

/** What happens to one image: the parameters of Keras's `apply_transform`, with their names there. */
export interface Transform {
  /** Rotation in degrees. */
  readonly theta: number;
  /** Pixels from a column of the target to its place in the source. */
  readonly tx: number;
  /** The same for rows. */
  readonly ty: number;
  /** Shear angle in degrees. */
  readonly shear: number;
  /** Factor of distances between columns: below 1 the image becomes larger. */
  readonly zx: number;
  /** The same for rows. */
  readonly zy: number;
  /** Whether columns are reversed at the end. */
  readonly flipHorizontal: boolean;
  /** Whether rows are reversed at the end. */
  readonly flipVertical: boolean;
}

/** The transform that changes nothing. */
export const IDENTITY: Transform = {
  theta: 0,
  tx: 0,
  ty: 0,
  shear: 0,
  zx: 1,
  zy: 1,
  flipHorizontal: false,
  flipVertical: false,
};

/** The place in the source of pixel [i, j] of the target: row = a i + b j + c of `rows`, column = a i + b j + c of `columns`. */
export interface PlaceMap {
  readonly rows: readonly [a: number, b: number, c: number];
  readonly columns: readonly [a: number, b: number, c: number];
}

/** The first two rows of a 3x3 matrix whose last row is [0, 0, 1]. */
type Affine = readonly [AffineRow, AffineRow];
type AffineRow = readonly [number, number, number];

function multiply(left: Affine, [x, y]: Affine): Affine {
  const times = (r: AffineRow): AffineRow => [
    r[0] * x[0] + r[1] * y[0],
    r[0] * x[1] + r[1] * y[1],
    r[0] * x[2] + r[1] * y[2] + r[2],
  ];
  return [times(left[0]), times(left[1])];
}

function shiftBy(x: number, y: number): Affine {
  return [
    [1, 0, x],
    [0, 1, y],
  ];
}

/** Where the pixels of the target are found in a source of this size; undefined where each stays in its place. */
export function placeMap(transform: Transform, height: number, width: number): PlaceMap | undefined {
  const { theta, tx, ty, shear, zx, zy } = transform;
  if (theta === 0 && tx === 0 && ty === 0 && shear === 0 && zx === 1 && zy === 1) return undefined;
  const angle = theta * (Math.PI / 180);
  const slant = shear * (Math.PI / 180);
  const rotation: Affine = [
    [cos(angle), -sin(angle), 0],
    [sin(angle), cos(angle), 0],
  ];
  const shearing: Affine = [
    [1, -sin(slant), 0],
    [0, cos(slant), 0],
  ];
  const zoom: Affine = [
    [zx, 0, 0],
    [0, zy, 0],
  ];
  const matrix = multiply(multiply(multiply(rotation, shiftBy(tx, ty)), shearing), zoom);
  const x = height / 2 - 0.5;
  const y = width / 2 - 0.5;
  const [column, row] = multiply(multiply(shiftBy(x, y), matrix), shiftBy(-x, -y));
  return { rows: [row[1], row[0], row[2]], columns: [column[1], column[0], column[2]] };
}
