/**
 * The rows of a tile of a convolution, in the tables of the product kernels.
 *
 * A tile is a block of lines of output, (n, oh) as one index: some lines of an image, or the last of one, whole ones, and the
 * first of another. Its windows are the rows, in the order of the groups of `padding.ts`, each of which is a kind of rows.
 * Places count from the window at the first line, and what it gives; so tables hold for all tiles whose lines are alike, and
 * most tiles find them written.
 *
 * @module
 */
import type { Window2D } from "../window.js";
import type { Range } from "./axes.js";
import type { Reading } from "./image-lines.js";
import type { RowKind, TileScratch } from "./multiply.js";
import { type OutputGroup, overlap } from "./padding.js";

/** How far images, lines and positions are apart, in bytes. */
export interface Distances {
  readonly image: number;
  readonly line: number;
  readonly position: number;
}

/** Some lines of output of one image, the first of a block or all. */
export interface ImagePart {
  readonly image: number;
  readonly outputs: Range;
  /** Lines of the image from the first to the last that they see. */
  readonly height: number;
  /** How far what the first line sees, and its results, lie behind those of the first part. */
  readonly seenAt: number;
  readonly resultAt: number;
}

/** What the rows of tiles have in common. `left` tells of pixels of an image, or of its copy. */
export interface TileGeometry {
  readonly window: Window2D;
  readonly reading: Reading;
  readonly channels: number;
  /** The outputs of an image, by the taps through which they see it, and what each of these groups is multiplied with. */
  readonly groups: readonly OutputGroup[];
  readonly kinds: readonly RowKind[];
  readonly left: Distances;
  readonly result: Distances;
}

/** What a block of lines has of each image. Copies of what the parts see follow each other. */
export function partsOf({ window, reading, left, result }: TileGeometry, { from, to }: Range): ImagePart[] {
  const { outputHeight, strideHeight } = window;
  const parts: ImagePart[] = [];
  const first = Math.floor(from / outputHeight);
  let copied = 0;
  for (let image = first; image * outputHeight < to; image++) {
    const before = image * outputHeight;
    const outputs = { from: Math.max(0, from - before), to: Math.min(outputHeight, to - before) };
    const height = (outputs.to - outputs.from - 1) * strideHeight + reading.reach;
    const lines = before + outputs.from - from; // behind the first one
    const later = image - first;
    parts.push({
      ...{ image, outputs, height },
      seenAt: reading.copied ? copied : distance(later, lines, outputHeight, left.image, left.line * strideHeight),
      resultAt: distance(later, lines, outputHeight, result.image, result.line),
    });
    copied += height * left.line;
  }
  return parts;
}

/** How far a line lies behind another that is `lines` lines and `images` images before, where an image has `height`. */
function distance(images: number, lines: number, height: number, image: number, line: number): number {
  return images * image + (lines - images * height) * line;
}

/** Writes the rows of blocks of lines to the tables of a tile, where they do not hold them already. */
export class TileRows {
  readonly #geometry: TileGeometry;
  readonly #scratch: TileScratch;
  /** What the tables hold: in which place lines are, and how many. */
  #place = Number.NaN;
  #count = 0;

  constructor(geometry: TileGeometry, scratch: TileScratch) {
    this.#geometry = geometry;
    this.#scratch = scratch;
  }

  /** Sees to it that the tables hold the rows of the outputs from line `oh` of an image on, `lines` in all. */
  hold(oh: number, count: number): void {
    const place = this.#placeOf(oh, oh + count);
    if (place === this.#place && count === this.#count) return;
    this.#write(partsOf(this.#geometry, { from: oh, to: oh + count }));
    this.#place = place;
    this.#count = count;
  }

  /** Lines in equal places have equal tables: those in one group of one image, and those that begin with the same line. */
  #placeOf(from: number, to: number): number {
    const { groups } = this.#geometry;
    for (let i = 0; i < groups.length; i++) {
      const { outputs } = groups[i].rows;
      if (outputs.from <= from && to <= outputs.to) return -1 - i;
    }
    return from;
  }

  #write(parts: readonly ImagePart[]): void {
    const { window, groups, kinds, left, result } = this.#geometry;
    const lineStride = window.strideHeight * left.line;
    const stride = window.strideWidth * left.position;
    this.#scratch.clearRows();
    for (const [i, { rows, columns }] of groups.entries()) {
      const { from: firstColumn, to: endColumn } = columns.outputs;
      const firstSeen = firstColumn * stride + columns.taps.from * window.dilationWidth * left.position;
      for (const part of parts) {
        const { from, to } = overlap(rows.outputs, part.outputs);
        if (from === to) continue;
        const lines = from - part.outputs.from;
        const a = { first: part.seenAt + lines * lineStride + firstSeen, lineStride, stride };
        const first = part.resultAt + lines * result.line + firstColumn * result.position;
        const c = { first, lineStride: result.line, stride: result.position };
        this.#scratch.addRows(to - from, endColumn - firstColumn, a, c);
      }
      this.#scratch.endKind(kinds[i]);
    }
  }
}

/** What the rows of a group are multiplied with. */
export function rowKind(
  { rows, columns }: OutputGroup,
  { segmentsPerLine, length }: Reading,
  channels: number,
): RowKind {
  const firstSegment = rows.taps.from * segmentsPerLine;
  return {
    firstSegment,
    segmentCount: (rows.taps.to - rows.taps.from) * segmentsPerLine,
    first: firstSegment * length + columns.taps.from * channels,
    length: segmentsPerLine === 1 ? (columns.taps.to - columns.taps.from) * channels : length,
  };
}
