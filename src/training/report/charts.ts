/**
 * The report as one drawing. Vega-Lite draws it (https://vega.github.io/vega-lite/): a chart is a plain object that says
 * what is shown how, and the drawing is made without a browser. It is an optional peer, loaded when a report is made.
 *
 * @module
 */
import type { TopLevelSpec } from "vega-lite";
import { curveCharts } from "./curves.js";
import { confusionChart, mistakesChart } from "./mistake-charts.js";
import type { RunReport } from "./report.js";

/** One chart, as Vega-Lite specifies it. */
export type Chart = Extract<TopLevelSpec, { vconcat: unknown }>["vconcat"][number];

/** One of several drawings over each other. */
export type ChartLayer = Extract<Chart, { layer: unknown }>["layer"][number];

const FONT = "system-ui, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif";

/** All charts of a report. */
export function reportChart(report: RunReport): TopLevelSpec {
  const [loss, accuracy, learningRate] = curveCharts(report.history);
  const { classNames, counts } = report.confusion;
  const total = counts.reduce((sum, row, k) => sum + row.reduce((all, count) => all + count, 0) - row[k], 0);
  return {
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    background: "#ffffff",
    padding: 16,
    title: {
      text: report.title,
      subtitle: report.subtitle,
      anchor: "start",
      fontSize: 20,
      subtitleFontSize: 13,
      offset: 20,
    },
    spacing: 36,
    vconcat: [
      { hconcat: [loss, accuracy, learningRate], spacing: 32 },
      { hconcat: [confusionChart(report.confusion), mistakesChart(report.mistakes, classNames, total)], spacing: 48 },
    ],
    resolve: { scale: { color: "independent" }, legend: { color: "independent" } },
    config: {
      font: FONT,
      title: { anchor: "start", frame: "group", fontSize: 14, offset: 8 },
      axis: { labelFontSize: 11, titleFontSize: 11, titleFontWeight: "normal", gridColor: "#e8ecf0" },
      legend: { labelFontSize: 11, titleFontSize: 11, titleFontWeight: "normal" },
      view: { stroke: "#c8d0d8" },
    },
  };
}
