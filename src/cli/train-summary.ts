/**
 * What is said, and drawn, of a run that is over.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import type { Execution } from "../kernels/execution.js";
import type { Model } from "../models/model.js";
import type { LossName } from "../models/objective.js";
import { batchSource } from "../training/batches.js";
import type { Dataset } from "../training/dataset.js";
import { weightsSha256 } from "../training/digest.js";
import { type Evaluation, evaluate } from "../training/evaluate.js";
import type { FitResult } from "../training/fit.js";
import type { Preprocessing } from "../training/preprocessing.js";
import { probabilitiesOf } from "../training/report/classify.js";
import { confusionMatrix, mistakes } from "../training/report/confusion.js";
import { parseHistory, type RunHistory } from "../training/report/history.js";
import { pictureOf } from "../training/report/pictures.js";
import { reportHtml, reportSvg } from "../training/report/render.js";
import type { RunReport } from "../training/report/report.js";
import { startProgress } from "./progress.js";
import { sparkline } from "./sparkline.js";
import type { TrainData } from "./train-data.js";
import { type CheckpointFolder, stem, type TrainFiles } from "./train-files.js";
import { oneHotLoss } from "./train-model.js";
import type { Recipe } from "./train-recipe.js";
import { duration, percent } from "./training-progress.js";

/** A run that is over. */
export interface FinishedRun {
  readonly model: Model;
  readonly preprocessing: Preprocessing;
  readonly loss: LossName;
  readonly recipe: Recipe;
  readonly files: TrainFiles;
  readonly folder: CheckpointFolder;
  readonly data: TrainData;
  readonly result: FitResult;
  readonly execution: Execution;
}

/** As many as the grid has room for. */
const PICTURED_MISTAKES = 20;

/** Prints the measures on held-out data, the curves, and where the files are; draws the report that was asked for. */
export async function summarize(run: FinishedRun): Promise<void> {
  const { model, recipe, files, folder, result } = run;
  const title = `${stem(recipe.model)} on ${recipe.data}`;
  const measured = measuredData(run.data);
  const evaluation = await measure(run, measured);
  const history = parseHistory(readFileSync(folder.log, "utf8"));
  const sha256 = await weightsSha256(model);
  const { epoch: epochs, history: records, stopped } = result.state;
  const seconds = records.reduce((sum, record) => sum + record.seconds, 0);
  const done = `${epochs} ${epochs === 1 ? "epoch" : "epochs"}${stopped ? ", stopped early" : ""}, ${duration(1000 * seconds)}`;
  const facts = [
    ["model", `${files.out.path}, weights SHA-256 ${sha256}`],
    ...bestFact(run),
    ["log", [folder.log, ...(files.csv === undefined ? [] : [files.csv])].join(", ")],
  ] as const;
  if (files.report !== undefined) {
    const subtitle = `${measured.name}: ${measures(evaluation)}; ${done}`;
    const report = {
      title,
      subtitle,
      facts: [["command", `touchstone ${process.argv.slice(2).join(" ")}`] as const, ...facts],
      history,
      ...(await judgedSamples(run, measured)),
    };
    files.report.write(await (/\.svg$/i.test(files.report.path) ? reportSvg : reportHtml)(report));
  }
  const lines = [
    ["trained", `${title}, ${done}`],
    [measured.name, measures(evaluation)],
    ...curves(history),
    ...facts,
    ...(files.report === undefined ? [] : [["report", files.report.path] as const]),
  ] as const;
  const width = Math.max(...lines.map(([name]) => name.length));
  for (const [name, text] of lines) process.stdout.write(`${name.padEnd(width)}  ${text}\n`);
}

/** The data that a model is judged by: what it has never seen, where there is any. */
function measuredData({ training, validation, test }: TrainData): Dataset {
  return test ?? validation ?? training;
}

async function measure(run: FinishedRun, data: Dataset): Promise<Evaluation> {
  const { model, preprocessing, loss, recipe, execution } = run;
  const source = batchSource(data, preprocessing, { batchSize: recipe.batchSize, shuffle: false });
  const progress = startProgress(`evaluate on ${data.name}`);
  try {
    return await evaluate(model, source, { loss: oneHotLoss(loss), execution, onProgress: progress.update });
  } finally {
    progress.end();
  }
}

/** The measures of an evaluation in a line. */
export function measures({ loss, accuracy, topFive }: Evaluation): string {
  const top = topFive === undefined ? "" : `, top-5 ${percent(topFive)}`;
  return `loss ${loss.toFixed(4)}, accuracy ${percent(accuracy)}${top}`;
}

/** Where the model of the best epoch is, where one was kept. */
function bestFact({ folder, result }: FinishedRun): readonly (readonly [string, string])[] {
  const { best, bestEpoch } = result.state.callbacks["ModelCheckpoint"] ?? {};
  if (typeof best !== "number" || typeof bestEpoch !== "number" || bestEpoch === 0) return [];
  return [["best", `${folder.best.path}, validation accuracy ${percent(best)} in epoch ${bestEpoch}`]];
}

/** Loss and accuracy of the steps as sparklines. */
function curves({ steps }: RunHistory): readonly (readonly [string, string])[] {
  if (steps.length === 0) return [];
  const [first, last] = [steps[0], steps[steps.length - 1]];
  return [
    ["loss", `${sparkline(steps.map(({ loss }) => loss))}  ${first.loss.toFixed(2)} to ${last.loss.toFixed(2)}`],
    [
      "accuracy",
      `${sparkline(steps.map(({ accuracy }) => accuracy))}  ${percent(first.accuracy)} to ${percent(last.accuracy)}`,
    ],
  ];
}

/** What the report shows of single samples. */
async function judgedSamples(
  { model, preprocessing, recipe, execution }: FinishedRun,
  data: Dataset,
): Promise<Pick<RunReport, "confusion" | "mistakes">> {
  const source = batchSource(data, preprocessing, { batchSize: recipe.batchSize, shuffle: false });
  const progress = startProgress("report");
  try {
    const probabilities = await probabilitiesOf(model, source, { execution, onProgress: progress.update });
    return {
      confusion: confusionMatrix(probabilities, data.labels, data.classNames),
      mistakes: mistakes(probabilities, data.labels)
        .slice(0, PICTURED_MISTAKES)
        .map((mistake) => ({ ...mistake, image: pictureOf(data, mistake.index) })),
    };
  } finally {
    progress.end();
  }
}
