/**
 * The curves of a run: loss, accuracy and learning rate over epochs.
 *
 * The pale line shows single steps, the strong ones whole epochs. Colours are those of Okabe and Ito, which people with
 * any kind of colour vision tell apart.
 *
 * @module
 */
import type { Chart } from "./charts.js";
import { type RunHistory, stepPoints } from "./history.js";

const SIZE = { width: 280, height: 220 } as const;
/** Points of a line of steps: as many as a screen tells apart. */
const MAX_POINTS = 400;
/** Lines of so few epochs also get points, without which a line of one would not be seen. */
const FEW_EPOCHS = 30;
/** Rates this far apart are drawn on a logarithmic axis. */
const FAR_APART = 50;

const SERIES = ["training, steps", "training", "validation"] as const;
const COLOURS = ["#9ecae9", "#0072b2", "#d55e00"] as const;

interface Point {
  readonly epoch: number;
  readonly value: number;
  readonly series: (typeof SERIES)[number];
}

/** Points of one curve; what is not finite has no place in a picture. */
function points<Row extends { readonly epoch: number }>(
  series: Point["series"],
  rows: readonly Row[],
  value: (row: Row) => number | undefined,
): readonly Point[] {
  return rows
    .map((row) => ({ epoch: row.epoch, value: value(row) ?? Number.NaN, series }))
    .filter((point) => Number.isFinite(point.value));
}

/** Loss, accuracy and learning rate, in this order. */
export function curveCharts(history: RunHistory): readonly [loss: Chart, accuracy: Chart, learningRate: Chart] {
  const { epochs } = history;
  const steps = stepPoints(history, MAX_POINTS);
  const loss = [
    points(SERIES[0], steps, (step) => step.loss),
    points(SERIES[1], epochs, (epoch) => epoch.loss),
    points(SERIES[2], epochs, (epoch) => epoch.valLoss),
  ];
  const accuracy = [
    points(SERIES[0], steps, (step) => step.accuracy),
    points(SERIES[1], epochs, (epoch) => epoch.accuracy),
    points(SERIES[2], epochs, (epoch) => epoch.valAccuracy),
  ];
  const rates = points(SERIES[0], steps.length > 0 ? steps : epochs, ({ learningRate }) => learningRate);
  return [
    curves("Loss", "cross-entropy + regularizers", "~g", loss),
    curves("Accuracy", "share of samples", "~%", accuracy),
    learningRateChart(rates),
  ];
}

/** Values to show: outliers among the steps shall not flatten the curves of epochs. */
export function valueDomain([steps, ...epochs]: readonly (readonly Point[])[]): readonly [number, number] | undefined {
  const ordered = steps.map(({ value }) => value).sort((a, b) => a - b);
  const cut = Math.floor(ordered.length / 50);
  const values = [...ordered.slice(cut, ordered.length - cut), ...epochs.flat().map(({ value }) => value)];
  return values.length === 0 ? undefined : [Math.min(...values), Math.max(...values)];
}

function curves(title: string, unit: string, format: string, lines: readonly (readonly Point[])[]): Chart {
  const present = SERIES.filter((_, i) => lines[i].length > 0);
  const few = lines[1].length <= FEW_EPOCHS;
  const domain = valueDomain(lines);
  const encoding = {
    x: epochAxis(lines.flat()),
    y: {
      field: "value",
      type: "quantitative",
      title: unit,
      scale: domain === undefined ? {} : { domain: [...domain], nice: true },
      axis: { format },
    },
    color: {
      field: "series",
      type: "nominal",
      title: null,
      scale: { domain: present, range: present.map((series) => COLOURS[SERIES.indexOf(series)]) },
      legend: { orient: "bottom", symbolType: "stroke", symbolStrokeWidth: 3 },
    },
  } as const;
  return {
    title,
    ...SIZE,
    layer: [
      { data: { values: [...lines[0]] }, mark: { type: "line", strokeWidth: 1, clip: true }, encoding },
      {
        data: { values: lines.slice(1).flat() },
        mark: { type: "line", strokeWidth: 2, point: few && { size: 25 } },
        encoding,
      },
    ],
  };
}

function learningRateChart(rates: readonly Point[]): Chart {
  const values = rates.map(({ value }) => value);
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const isLogarithmic = least > 0 && most / least > FAR_APART;
  return {
    title: "Learning rate",
    ...SIZE,
    data: { values: [...rates] },
    mark: { type: "line", strokeWidth: 2, color: "#009e73", point: rates.length <= FEW_EPOCHS && { size: 25 } },
    encoding: {
      x: epochAxis(rates),
      y: {
        field: "value",
        type: "quantitative",
        title: isLogarithmic ? "rate, logarithmic" : "rate",
        scale: isLogarithmic ? { type: "log", nice: true } : { zero: true },
        axis: isLogarithmic ? { format: "~e", values: powersOfTen(least / 10, most * 10) } : { format: "~g" },
      },
    },
  };
}

function powersOfTen(least: number, most: number): number[] {
  return Array.from({ length: 40 }, (_, i) => Number(`1e${i - 30}`)).filter((power) => power >= least && power <= most);
}

function epochAxis(values: readonly Point[]): {
  readonly field: "epoch";
  readonly type: "quantitative";
  readonly title: "epoch";
  readonly scale: { readonly domain: [number, number]; readonly nice: false };
  readonly axis: { readonly tickMinStep: 1; readonly format: "d" };
} {
  const last = values.reduce((most, { epoch }) => Math.max(most, epoch), 1);
  return {
    field: "epoch",
    type: "quantitative",
    title: "epoch",
    scale: { domain: [0, last], nice: false },
    axis: { tickMinStep: 1, format: "d" },
  };
}
