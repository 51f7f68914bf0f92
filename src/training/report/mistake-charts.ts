/**
 * The confusion matrix with its numbers, and the worst mistakes as a grid of images.
 *
 * @module
 */
import type { Chart, ChartLayer } from "./charts.js";
import type { ConfusionMatrix } from "./confusion.js";
import { pngAddress } from "./png.js";
import type { PicturedMistake } from "./report.js";

/** Side of the matrix. */
const SIDE = 360;
const LARGEST_CELL = 40;
const SMALLEST_CELL = 4;
/** Numbers of more classes would not be legible; nor the names of still more. */
const NUMBERED_CLASSES = 20;
const NAMED_CLASSES = 60;

/** The count in every cell, on light and dark ones. */
const NUMBERS: ChartLayer = {
  mark: { type: "text", fontSize: 11 },
  encoding: {
    text: { field: "count", type: "quantitative" },
    color: {
      condition: [
        { test: "datum.count === 0", value: "#b0b8c0" },
        { test: "datum.share > 0.35", value: "#ffffff" },
      ],
      value: "#1a1a1a",
    },
  },
};

/** Rows are true classes, columns what they were taken for. Shades show the share of the row, numbers the samples. */
export function confusionChart({ classNames, counts }: ConfusionMatrix): Chart {
  const classes = classNames.length;
  const hasNumbers = classes <= NUMBERED_CLASSES;
  const cell = Math.max(SMALLEST_CELL, Math.min(LARGEST_CELL, Math.floor(SIDE / classes)));
  const names = distinct(classNames);
  const longest = names.reduce((most, { length }) => Math.max(most, length), 0);
  const axis = {
    labels: classes <= NAMED_CLASSES,
    ticks: false,
    domain: false,
    grid: false,
    labelOverlap: !hasNumbers,
  };
  return {
    title: "Confusion matrix",
    width: { step: cell },
    height: { step: cell },
    view: { fill: SHADES[0], stroke: null },
    data: { values: confusionCells(counts, names, !hasNumbers) },
    encoding: {
      x: {
        field: "predicted",
        type: "nominal",
        title: "predicted class",
        scale: { domain: names },
        axis: { ...axis, labelAngle: longest > 3 ? -45 : 0 },
      },
      y: { field: "truth", type: "nominal", title: "true class", scale: { domain: names }, axis },
    },
    layer: [
      {
        mark: { type: "rect", stroke: "#ffffff", strokeWidth: hasNumbers ? 1 : 0 },
        encoding: {
          color: {
            field: "share",
            type: "quantitative",
            // the root brings out the few that go wrong
            scale: { type: "sqrt", domain: [0, 1], range: [...SHADES] },
            // where numbers are written, they say it
            legend: hasNumbers ? null : { title: "share of its class", format: "~%", values: [0, 0.1, 0.5, 1] },
          },
        },
      },
      ...(hasNumbers ? [NUMBERS] : []),
    ],
  };
}

/** From none to all of a class. */
const SHADES = ["#f4f7fb", "#6baed6", "#08306b"] as const;

interface ConfusionCell {
  readonly truth: string;
  readonly predicted: string;
  readonly count: number;
  readonly share: number;
}

function confusionCells(
  counts: ConfusionMatrix["counts"],
  names: readonly string[],
  isSparse: boolean,
): ConfusionCell[] {
  const cells = counts.flatMap((row, truth) => {
    const total = row.reduce((sum, count) => sum + count, 0);
    return row.map((count, predicted) => ({
      truth: names[truth],
      predicted: names[predicted],
      count,
      share: total === 0 ? 0 : count / total,
    }));
  });
  return isSparse ? cells.filter(({ count }) => count > 0) : cells;
}

/** Names as they stand on an axis, where equal ones would be one. */
function distinct(classNames: readonly string[]): string[] {
  return classNames.map((name, i) => (classNames.indexOf(name) === i ? name : `${name} (${i})`));
}

/** Images in a row. */
const COLUMNS = 5;
const CELL = { width: 108, height: 106 } as const;
const IMAGE_SIDE = 68;
/** Without a browser Vega takes letters to be wider than they are: this cuts after some 20 letters, 105 pixels. */
const CAPTION_LIMIT = 176;

/** The grid of mistakes: under each image its class, then how surely it was taken for which other. */
export function mistakesChart(
  mistakes: readonly PicturedMistake[],
  classNames: readonly string[],
  total: number,
): Chart {
  const rows = Math.ceil(mistakes.length / COLUMNS);
  const values = mistakes.map(({ image, truth, predicted, probability, index }, i) => ({
    x: ((i % COLUMNS) + 0.5) * CELL.width,
    y: Math.floor(i / COLUMNS) * CELL.height + IMAGE_SIDE / 2,
    image: pngAddress(image),
    truth: `true: ${classNames[truth]}`,
    predicted: `${(100 * probability).toFixed(probability < 0.9995 ? 1 : 2)} % ${classNames[predicted]}`,
    description: `sample ${index}: true class ${classNames[truth]}, predicted ${classNames[predicted]}`,
  }));
  const place = {
    x: { field: "x", type: "quantitative", scale: null, axis: null },
    y: { field: "y", type: "quantitative", scale: null, axis: null },
  } as const;
  const caption = { type: "text", fontSize: 11, baseline: "top", limit: CAPTION_LIMIT } as const;
  return {
    title: {
      text: total === 0 ? "No mistakes" : `The worst ${mistakes.length} of ${total} mistakes`,
      subtitle: total === 0 ? "" : "true class, below it what it was taken for and how surely",
    },
    width: COLUMNS * CELL.width,
    height: Math.max(1, rows * CELL.height),
    view: { stroke: null },
    data: { values },
    encoding: place,
    layer: [
      {
        mark: { type: "image", width: IMAGE_SIDE, height: IMAGE_SIDE, aspect: true, smooth: false },
        encoding: { url: { field: "image", type: "nominal" }, description: { field: "description", type: "nominal" } },
      },
      {
        mark: { ...caption, color: "#1a1a1a", dy: IMAGE_SIDE / 2 + 4 },
        encoding: { text: { field: "truth", type: "nominal" } },
      },
      {
        mark: { ...caption, color: "#b34a00", dy: IMAGE_SIDE / 2 + 18 },
        encoding: { text: { field: "predicted", type: "nominal" } },
      },
    ],
  };
}
