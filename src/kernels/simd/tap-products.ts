/**
 * Sums of products over the positions that see an image through one tap of a window.
 *
 *     sums += x[n, oh*sH + kh*dH - padTop, ow*sW + kw*dW - padLeft] * dy[n, oh, ow]        for all positions of a block
 *
 * where the product of two pixels is their outer product. The positions of a block are a grid in x as they are in dy, so no
 * patch is copied.
 *
 * **Padding.** The positions at which a tap lies in the padding are left out of its grid. Their terms are 0 * dy, which
 * is +0 or -0, or NaN where dy is infinite or NaN. Adding a zero never changes a sum that began at +0, since such a sum
 * is never -0: only (-0) + (-0) is. And NaN stays, whenever it was added. So these terms are summed apart, once for all
 * channels that share a filter, and added at the end: the bits are those of the sum in its order.
 *
 * @module
 */
import type { Window2D } from "../window.js";
import { horizontalAxis, type Inputs, outputsInside, type Range, verticalAxis } from "./axes.js";

/** A block of positions (n, oh, ow). */
export interface Positions {
  readonly images: Range;
  readonly rows: Range;
  readonly columns: Range;
}

/** How far pixels are apart, in bytes. */
interface Steps {
  readonly column: number;
  readonly row: number;
  readonly image: number;
  /** From one group of four channels, or one panel, to the next. */
  readonly panel: number;
}

/** Where an operand is read. */
export interface Operand extends Steps {
  /** The first pixel, of the first image of the block. */
  readonly address: number;
}

/** Pixels of x: `address` is that of the input (rows.first, columns.first), and every `step`th input is there. */
export interface Pixels extends Omit<Operand, "panel"> {
  readonly rows: Inputs;
  readonly columns: Inputs;
}

/** The pixels of x as an operand. */
export interface ImageOperand extends Operand, Pixels {}

/** What the products of a tile need, whatever the block. */
export interface TapProducts {
  readonly window: Window2D;
  /** The kernel; its parameters, in order, are `BlockParameter` of `outer-product-kernels.ts`. */
  readonly multiply: (...values: number[]) => void;
  /** Whether the gradient is the left operand. */
  readonly turned: boolean;
  /** Channels of the left operand, which the kernel takes in groups, and panels of the right one. */
  readonly channels: number;
  readonly panels: number;
  /** The address of as many zeros as a panel has. */
  readonly zeros: number;
}

/** A block of positions, and where its pixels are read. */
export interface Block {
  readonly positions: Positions;
  readonly image: ImageOperand;
  readonly gradient: Operand;
  /** Whether all of dy is known to be finite, so that the padding gives only zeros. */
  readonly finite: boolean;
}

/** Adds the products of one tap at the positions of a block to the sums at `sums`, those of the padding at `padding`. */
export function addTap(products: TapProducts, block: Block, tap: number, sums: number, padding: number): void {
  const { positions } = block;
  const { window } = products;
  const kh = Math.floor(tap / window.kernelWidth);
  const kw = tap - kh * window.kernelWidth;
  const rows = outputsInside(positions.rows, kh, verticalAxis(window));
  const columns = outputsInside(positions.columns, kw, horizontalAxis(window));
  addInside(products, block, tap, rows, columns, sums);
  if (block.finite) return;
  // the positions above, below, left and right of these
  addPadding(products, block, padding, { from: positions.rows.from, to: rows.from }, positions.columns);
  addPadding(products, block, padding, { from: rows.to, to: positions.rows.to }, positions.columns);
  addPadding(products, block, padding, rows, { from: positions.columns.from, to: columns.from });
  addPadding(products, block, padding, rows, { from: columns.to, to: positions.columns.to });
}

/** The products of a tap at `rows` and `columns`, all of which see the image through it. */
function addInside(
  products: TapProducts,
  { positions, image, gradient }: Block,
  tap: number,
  rows: Range,
  columns: Range,
  sums: number,
): void {
  const height = rows.to - rows.from;
  const width = columns.to - columns.from;
  if (height <= 0 || width <= 0) return;
  const { window } = products;
  const kh = Math.floor(tap / window.kernelWidth);
  const kw = tap - kh * window.kernelWidth;
  const row = rows.from * window.strideHeight + kh * window.dilationHeight - window.padTop;
  const column = columns.from * window.strideWidth + kw * window.dilationWidth - window.padLeft;
  const steps = {
    column: (window.strideWidth / image.columns.step) * image.column,
    row: (window.strideHeight / image.rows.step) * image.row,
    image: image.image,
    panel: image.panel,
  };
  const imageAt =
    image.address +
    ((row - image.rows.first) / image.rows.step) * image.row +
    ((column - image.columns.first) / image.columns.step) * image.column;
  const { channels, panels } = products;
  const gradientAt = placeOf(gradient, positions, rows, columns);
  multiply(products, steps, imageAt, gradient, gradientAt, channels, panels, sums, positions.images, height, width);
}

/** Where an operand whose first pixel is the first of `positions` has the first one of `rows` and `columns`. */
function placeOf(operand: Operand, positions: Positions, rows: Range, columns: Range): number {
  const row = (rows.from - positions.rows.from) * operand.row;
  return operand.address + row + (columns.from - positions.columns.from) * operand.column;
}

/** Multiplies `height` rows of `width` pixels of some images, in both operands, and adds the products to the sums. */
function multiply(
  products: TapProducts,
  image: Steps,
  imageAt: number,
  gradient: Steps,
  gradientAt: number,
  channels: number,
  panels: number,
  sums: number,
  images: Range,
  height: number,
  width: number,
): void {
  const { turned } = products;
  const a = turned ? gradient : image;
  const b = turned ? image : gradient;
  products.multiply(
    turned ? gradientAt : imageAt,
    a.panel,
    channels,
    turned ? imageAt : gradientAt,
    b.panel,
    panels,
    sums,
    images.to - images.from,
    height,
    width,
    a.column,
    a.row - width * a.column,
    a.image - height * a.row,
    b.column,
    b.row - width * b.column,
    b.image - height * b.row,
  );
}

/** Zeros for all pixels. */
const NO_STEPS: Steps = { column: 0, row: 0, image: 0, panel: 0 };

/** The products of a tap at `rows` and `columns`, where it lies in the padding. */
function addPadding(
  products: TapProducts,
  { positions, gradient }: Block,
  sums: number,
  rows: Range,
  columns: Range,
): void {
  const height = rows.to - rows.from;
  const width = columns.to - columns.from;
  if (height <= 0 || width <= 0) return;
  const { zeros, turned } = products;
  // they stand for one channel, or for a panel of channels
  const [channels, panels] = turned ? [products.channels, 1] : [1, products.panels];
  const gradientAt = placeOf(gradient, positions, rows, columns);
  multiply(products, NO_STEPS, zeros, gradient, gradientAt, channels, panels, sums, positions.images, height, width);
}
