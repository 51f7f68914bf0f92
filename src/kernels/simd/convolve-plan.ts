/**
 * What all tiles of a convolution have in common, as far as it follows from the numbers of the job (`convolve.ts`).
 *
 * @module
 */
import { onceForNumbers } from "../once-for-numbers.js";
import type { Split } from "../split.js";
import { WINDOW_NUMBERS, type Window2D, windowFrom, windowNumbers } from "../window.js";
import { type Reading, readingOf } from "./image-lines.js";
import { outputGroups, type Skipping } from "./padding.js";
import { RIGHT_NUMBERS, type RightLayout, rightFrom, rightNumbers } from "./panels.js";
import { splitUnits } from "./plan.js";
import { type Packing, packingFrom, packingNumber } from "./right-arrays.js";
import { type Distances, rowKind, type TileGeometry } from "./tile-rows.js";

/** Where results go: element (n, oh, ow, co of group g) to `offset + n * image + oh * line + ow * position + g * columns + co`. */
export interface ResultPlaces {
  readonly offset: number;
  readonly image: number;
  readonly line: number;
  readonly position: number;
}

/** What a job is told. */
interface Told {
  readonly layout: RightLayout;
  readonly window: Window2D;
  readonly packing: Packing;
  readonly batch: number;
  /** Of one group. */
  readonly channels: number;
  /** Lines of output of a tile, and panels. */
  readonly tileLines: number;
  readonly tilePanels: number;
  readonly result: ResultPlaces;
  readonly threads: number;
  /** Along which axes padding is left out. */
  readonly skipping: Pick<Skipping, "rows" | "columns">;
  /** Whether there is a prologue, and whether that rectifies. */
  readonly prepares: boolean;
  readonly rectifiesFirst: boolean;
  /** Whether results are rectified. */
  readonly rectifies: boolean;
}

/** What tiles go by: some of that, and what follows from it. */
interface ConvolutionPlan extends Omit<Told, "channels" | "threads" | "skipping" | "prepares"> {
  readonly geometry: TileGeometry;
  /** The lines of output of all images. */
  readonly split: Split;
  /** Whether all columns of all panels exist. */
  readonly hasWholePanels: boolean;
}

/** As numbers for a job, to be read back with {@link planFrom}. */
export function planNumbers(told: Told): number[] {
  const { result, skipping } = told;
  return [
    ...rightNumbers(told.layout),
    ...windowNumbers(told.window),
    packingNumber(told.packing),
    told.batch,
    told.channels,
    told.tileLines,
    told.tilePanels,
    result.offset,
    result.image,
    result.line,
    result.position,
    told.threads,
    Number(skipping.rows),
    Number(skipping.columns),
    Number(told.prepares),
    Number(told.rectifiesFirst),
    Number(told.rectifies),
  ];
}

/** How many numbers {@link planNumbers} gives. */
const PLAN_NUMBERS = RIGHT_NUMBERS + WINDOW_NUMBERS + 15;

/** What {@link planNumbers} wrote at the start of `numbers`, and what follows from it. */
export const planFrom: (numbers: readonly number[]) => ConvolutionPlan = onceForNumbers(PLAN_NUMBERS, readPlan);

function readPlan(numbers: readonly number[]): ConvolutionPlan {
  const layout = rightFrom(numbers);
  const window = windowFrom(numbers, RIGHT_NUMBERS);
  const [packing, batch, channels, tileLines, tilePanels, ...others] = numbers.slice(RIGHT_NUMBERS + WINDOW_NUMBERS);
  const [offset, image, line, position, threads, skipsRows, skipsColumns, prepares, rectifiesFirst, rectifies] = others;
  const { lanes, panels } = layout;
  const result = { offset, image, line, position };
  const skipping = { rows: skipsRows === 1, columns: skipsColumns === 1 };
  const reading = readingOf(window, lanes, layout.groups, channels, prepares === 1, skipping);
  const groups = outputGroups(window, skipping);
  return {
    layout,
    window,
    packing: packingFrom(packing),
    batch,
    tileLines,
    tilePanels,
    result,
    rectifiesFirst: rectifiesFirst === 1,
    rectifies: rectifies === 1,
    geometry: {
      window,
      reading,
      channels,
      groups,
      kinds: groups.map((group) => rowKind(group, reading, channels)),
      left: pixelsApart(window, reading, channels, layout),
      result: { image: 4 * image, line: 4 * line, position: 4 * position },
    },
    split: splitUnits(batch * window.outputHeight, tileLines, threads),
    hasWholePanels: panels.every(({ columns, vectors }) => columns === vectors * lanes.perVector),
  };
}

/** How far pixels of the image, or of its copy, are apart. */
function pixelsApart(
  { inputHeight, inputWidth }: Window2D,
  { copied, columns }: Reading,
  channels: number,
  { lanes, groups }: RightLayout,
): Distances {
  const position = channels * (copied ? lanes.bytes : 4);
  return {
    image: 4 * inputHeight * inputWidth * channels * groups,
    line: (copied ? columns : inputWidth) * position,
    position,
  };
}
