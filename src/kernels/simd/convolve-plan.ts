/**
 * What all tiles of a convolution have in common, as far as it follows from the numbers of the job (`convolve.ts`). A pass that is
 * kept runs the job with the same numbers again: so it is worked out once for them.
 *
 * @module
 */
import { onceFor } from "../once-for.js";
import type { Split } from "../split.js";
import { WINDOW_NUMBERS, type Window2D, windowFrom, windowNumbers } from "../window.js";
import { readingOf } from "./image-lines.js";
import { singles } from "./lanes.js";
import { outputGroups, type Skipping } from "./padding.js";
import { RIGHT_NUMBERS, type RightLayout, rightFrom, rightNumbers } from "./panels.js";
import { splitUnits } from "./plan.js";
import { type Packing, packingFrom, packingNumber } from "./right-arrays.js";
import type { TileGeometry } from "./tile-rows.js";

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

/** What follows from it. */
interface ConvolutionPlan extends Told {
  readonly geometry: TileGeometry;
  /** The lines of output of all images. */
  readonly split: Split;
  /** Whether what follows is done to sums in registers: to float32 sums, in whole panels. */
  readonly finishesSums: boolean;
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

/** What {@link planNumbers} wrote at the start of `numbers`, and what follows from it. */
export const planFrom: (numbers: readonly number[]) => ConvolutionPlan = onceFor((numbers) => {
  const layout = rightFrom(numbers);
  const window = windowFrom(numbers, RIGHT_NUMBERS);
  const [packingIs, batch, channels, tileLines, tilePanels, ...others] = numbers.slice(RIGHT_NUMBERS + WINDOW_NUMBERS);
  const [offset, image, line, position, threads, skipsRows, skipsColumns, prepares, rectifiesFirst, rectifies] = others;
  const told: Told = {
    ...{ layout, window, packing: packingFrom(packingIs), batch, channels, tileLines, tilePanels, threads },
    result: { offset, image, line, position },
    skipping: { rows: skipsRows === 1, columns: skipsColumns === 1 },
    ...{ prepares: prepares === 1, rectifiesFirst: rectifiesFirst === 1, rectifies: rectifies === 1 },
  };
  return {
    ...told,
    geometry: geometryOf(told),
    split: splitUnits(batch * window.outputHeight, tileLines, threads),
    finishesSums:
      layout.lanes === singles &&
      layout.panels.every(({ columns, vectors }) => columns === vectors * singles.perVector),
  };
});

function geometryOf({ layout, window, channels, skipping, prepares, result }: Told): TileGeometry {
  const { lanes, groups } = layout;
  const reading = readingOf(window, lanes, groups, channels, prepares, skipping);
  const position = reading.copied ? channels * lanes.bytes : channels * 4;
  return {
    ...{ window, reading, channels, groups: outputGroups(window, skipping) },
    left: {
      image: 4 * window.inputHeight * window.inputWidth * channels * groups,
      line: (reading.copied ? reading.columns : window.inputWidth) * position,
      position,
    },
    result: { image: 4 * result.image, line: 4 * result.line, position: 4 * result.position },
  };
}
