/**
 * The report as a file: one `.svg` drawing, or one `.html` page around it. Both hold all that they show.
 *
 * @module
 */

import type * as Vega from "vega";
import type * as VegaLite from "vega-lite";
import type { EpochRecord } from "../callback.js";
import { reportChart } from "./charts.js";
import type { RunReport } from "./report.js";

/** The libraries that draw. */
interface Drawing {
  readonly vega: typeof Vega;
  readonly vegaLite: typeof VegaLite;
}

/**
 * Loads Vega and Vega-Lite, which are optional peers: nothing else needs them.
 *
 * @throws Error when they are not installed.
 */
export async function loadDrawing(): Promise<Drawing> {
  try {
    const [vega, vegaLite] = await Promise.all([import("vega"), import("vega-lite")]);
    return { vega, vegaLite };
  } catch (error) {
    throw new Error(
      "report: the packages `vega` and `vega-lite` must be installed beside this one. " +
        `Received "${error instanceof Error ? error.message : String(error)}".`,
    );
  }
}

/** The report as an SVG drawing. @throws Error when the libraries that draw are not installed. */
export async function reportSvg(report: RunReport): Promise<string> {
  const { vega, vegaLite } = await loadDrawing();
  // what Vega has to say of a chart (an axis without data) is for its author
  const quiet = { level: vega.Error };
  const { spec } = vegaLite.compile(reportChart(report), { logger: vega.logger(quiet.level) });
  const view = new vega.View(vega.parse(spec), { renderer: "none", logLevel: quiet.level });
  try {
    return withShortPaths(await view.toSVG());
  } finally {
    view.finalize();
  }
}

/** `svg` with hundredths of a pixel in its paths, where Vega writes 17 digits: half as long, and the same to see. */
function withShortPaths(svg: string): string {
  return svg.replace(/ d="[^"]*"/g, (path) =>
    path.replace(/\d+\.\d{3,}/g, (digits) => String(Number(Number(digits).toFixed(2)))),
  );
}

/** The report as a page: the drawing, and what it shows as text. @throws Error as {@link reportSvg}. */
export async function reportHtml(report: RunReport): Promise<string> {
  const svg = await reportSvg(report);
  const { title, facts, history } = report;
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escapeHtml(title)}</title>
<style>
body { margin: 0 auto; max-width: 1060px; padding: 16px; background: #fff; color: #1a1a1a; font: 14px/1.45 system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif }
svg { max-width: 100%; height: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: 2px 14px 2px 0; text-align: left; vertical-align: top; font-weight: normal }
th { color: #56616b }
.numbers td, .numbers th { text-align: right }
code { font: 12px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere }
summary { cursor: pointer; margin: 16px 0 8px }
</style>
</head>
<body>
<main>
${svg}
<table>
${facts.map(([name, value]) => `<tr><th scope="row">${escapeHtml(name)}</th><td><code>${escapeHtml(value)}</code></td></tr>`).join("\n")}
</table>
<details>
<summary>All epochs as numbers</summary>
<table class="numbers">
<tr>${["epoch", "loss", "accuracy", "validation loss", "validation accuracy", "learning rate", "seconds"].map((name) => `<th scope="col">${name}</th>`).join("")}</tr>
${history.epochs.map(epochRow).join("\n")}
</table>
</details>
</main>
</body>
</html>
`;
}

function epochRow({ epoch, loss, accuracy, valLoss, valAccuracy, learningRate, seconds }: EpochRecord): string {
  const cells = [
    String(epoch),
    loss.toFixed(4),
    percent(accuracy),
    valLoss?.toFixed(4) ?? "",
    valAccuracy === undefined ? "" : percent(valAccuracy),
    String(learningRate),
    seconds.toFixed(1),
  ];
  return `<tr>${cells.map((cell) => `<td>${cell}</td>`).join("")}</tr>`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`;
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
