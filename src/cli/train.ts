/**
 * `touchstone train MODEL --data DATA`: the training program of the Keras CIFAR-10 ResNets.
 *
 *     data, model  ->  fit, with its callbacks  ->  the model's file  ->  its measures on held-out data
 *
 * @module
 */
import { Command } from "commander";
import type { Training } from "../formats/training-config.js";
import { withKerasNames } from "../formats/write-model.js";
import type { Execution } from "../kernels/execution.js";
import type { Model } from "../models/model.js";
import type { Optimizer } from "../optimizers/optimizer.js";
import { type BatchSource, batchSource } from "../training/batches.js";
import type { Callback } from "../training/callback.js";
import { EarlyStopping } from "../training/callbacks/early-stopping.js";
import { LearningRateScheduler } from "../training/callbacks/learning-rate-scheduler.js";
import { CSVLog, JsonLinesLog } from "../training/callbacks/logs.js";
import { ModelCheckpoint } from "../training/callbacks/model-checkpoint.js";
import { ReduceLROnPlateau, ROOT_OF_A_TENTH } from "../training/callbacks/reduce-lr-on-plateau.js";
import { readCheckpoint } from "../training/checkpoint.js";
import { checkpointFile } from "../training/checkpoint-file.js";
import { imageShapeOf } from "../training/dataset.js";
import { logFile } from "../training/files.js";
import { type FitResult, fit } from "../training/fit.js";
import { NonFiniteError } from "../training/non-finite.js";
import type { TrainingState } from "../training/state.js";
import { loadDrawing } from "../training/report/render.js";
import { EXIT, UsageError } from "./errors.js";
import { exists, readBytes } from "./files.js";
import { Interruption } from "./interruption.js";
import { MODEL_HELP } from "./models.js";
import { withExecution } from "./options.js";
import { shellWord } from "./shell.js";
import { loadTrainData, type TrainData } from "./train-data.js";
import { type CheckpointFolder, prepareTrainFiles, type TrainFiles } from "./train-files.js";
import {
  lossOf,
  modelForData,
  oneHotLoss,
  optimizerOfFile,
  preprocessingEntries,
  preprocessingLeftOut,
  type TrainableModel,
  trainedModelFile,
} from "./train-model.js";
import { addTrainOptions, type TrainFlags } from "./train-options.js";
import { fingerprintOf, optimizerOf, type Recipe, recipeOf, scheduleOf } from "./train-recipe.js";
import { summarize } from "./train-summary.js";
import { TrainingProgress } from "./training-progress.js";

/** The command. */
export function trainCommand(): Command {
  const command = new Command("train").description("train a model").argument("<model>", MODEL_HELP);
  return addTrainOptions(command).action(train);
}

/** A run, made ready. */
interface Run extends TrainableModel, Training {
  readonly recipe: Recipe;
  readonly files: TrainFiles;
  readonly folder: CheckpointFolder;
  readonly data: TrainData;
  readonly flags: TrainFlags;
}

async function train(spec: string, flags: TrainFlags): Promise<void> {
  const recipe = recipeOf(spec, flags);
  const files = prepareTrainFiles(spec, flags);
  if (files.report !== undefined) await loadDrawing();
  const data = await loadTrainData(flags);
  checkMonitoring(recipe, data);
  const made = modelForData(spec, data.training, recipe);
  withKerasNames(made.model); // checkpoints are files of Keras
  const optimizer = optimizerFor(spec, made.model, recipe, flags);
  const loss = lossOf(spec);
  const run: Run = { ...made, recipe, files, folder: files.openFolder(), data, optimizer, loss, flags };
  await withExecution({ threads: flags.threads, accumulate: recipe.accumulate }, async (execution) => {
    const result = await learn(run, execution);
    if (result === undefined) return;
    files.out.write(trainedModelFile(files.out.path, run, imageShapeOf(data.training)));
    if (!/\.keras$/i.test(files.out.path)) process.stderr.write(preprocessingLeftOut(files.out.path));
    await summarize({ ...run, result, execution });
    run.folder.last.remove();
  });
}

/** A model that was trained goes on with the optimizer in its file, unless another is asked for. */
function optimizerFor(spec: string, model: Model, recipe: Recipe, flags: TrainFlags): Optimizer {
  const saved = flags.optimizer === undefined ? optimizerOfFile(spec, model) : undefined;
  if (saved === undefined) return optimizerOf(recipe);
  if (flags.weightDecay !== undefined) {
    throw new UsageError(`--weight-decay must go with --optimizer for a model with one.`, `${spec}, which has one`);
  }
  if (flags.learningRate !== undefined) saved.learningRate = flags.learningRate;
  return saved;
}

/** What watches validation needs some. */
function checkMonitoring({ earlyStopping, reduceOnPlateau }: Recipe, { validation }: TrainData): void {
  if (validation !== undefined) return;
  const rule = "must have data to watch: a test set, or --validation-split";
  if (earlyStopping !== undefined) throw new UsageError(`--early-stopping ${rule}.`, "data with neither");
  if (!reduceOnPlateau) return;
  throw new UsageError(
    `--reduce-on-plateau, the default, ${rule}; --no-reduce-on-plateau does without.`,
    "data with neither",
  );
}

/** Trains the model; nothing is returned when the run did not come to its end. */
async function learn(run: Run, execution: Execution): Promise<FitResult | undefined> {
  const { model, optimizer, loss, recipe, folder, data, preprocessing, flags } = run;
  const { batchSize, shuffle, seed, augment, epochs } = recipe;
  const augmentation = augment === false ? undefined : augment;
  const source = batchSource(data.training, preprocessing, { batchSize, shuffle, seed, augmentation });
  const validation = data.validation && batchSource(data.validation, preprocessing, { batchSize, shuffle: false });
  const progress = new TrainingProgress({ samples: source.samples });
  const entries = preprocessingEntries(preprocessing, imageShapeOf(data.training));
  const parts = { model, optimizer, loss, fingerprint: fingerprintOf(recipe, data), entries };
  const state =
    flags.resume === true ? readCheckpoint(readBytes(folder.last.path), folder.last.path, parts) : undefined;
  const partEnd = endOfPart(flags.stopAfter, state);
  const interruption = new Interruption(() => {
    progress.clear();
    process.stderr.write("finishing this step, then writing a checkpoint; Ctrl-C again ends at once\n");
  });
  try {
    const result = await fit(model, source, {
      epochs,
      optimizer,
      loss: oneHotLoss(loss),
      validation,
      callbacks: [...callbacksOf(run, validation), progress, partEnd],
      execution,
      seed,
      state,
      signal: AbortSignal.any([interruption.signal, partEnd.signal]),
      checkpoint: checkpointFile(folder.last.path, { ...parts, everySteps: flags.checkpointEvery }),
    });
    if (result.outcome !== "aborted") return result;
    const where = partEnd.signal.aborted ? `ended after epoch ${flags.stopAfter}` : whereItStopped(result, source);
    process.stderr.write(`${where}; to go on to the same bits:\n${resumeCommand()}\n`);
    process.exitCode = interruption.exitCode;
  } catch (error) {
    progress.clear();
    if (!(error instanceof NonFiniteError)) throw error;
    process.stderr.write(`touchstone: ${error.message}\n`);
    if (exists(folder.last.path)) process.stderr.write(`the last epoch's checkpoint is ${folder.last.path}\n`);
    process.exitCode = EXIT.judgementFailed;
  } finally {
    interruption.end();
    source.close();
    validation?.close();
  }
  return undefined;
}

/** As the Keras program has them, in its order: the best model, the plateau, the schedule. */
function callbacksOf(run: Run, validation: BatchSource | undefined): readonly Callback[] {
  const { recipe, files, folder, data } = run;
  const { path } = folder.best;
  const saveBest = (): void => folder.best.write(trainedModelFile(path, run, imageShapeOf(data.training)));
  const { reduceOnPlateau, earlyStopping } = recipe;
  const schedule = scheduleOf(recipe);
  return [
    ...(validation === undefined ? [] : [new ModelCheckpoint({ save: saveBest })]),
    ...(reduceOnPlateau
      ? [new ReduceLROnPlateau({ factor: ROOT_OF_A_TENTH, patience: 5, cooldown: 0, minLr: 0.5e-6 })]
      : []),
    ...(schedule === undefined ? [] : [new LearningRateScheduler(schedule)]),
    ...(earlyStopping === undefined ? [] : [new EarlyStopping({ patience: earlyStopping })]),
    new JsonLinesLog(logFile(folder.log)),
    ...(files.csv === undefined ? [] : [new CSVLog(logFile(files.csv))]),
  ];
}

/** A callback whose `signal` is aborted after epoch `last`, from 1; never where that is undefined. */
function endOfPart(last: number | undefined, state: TrainingState | undefined): Callback & { signal: AbortSignal } {
  if (last !== undefined && state !== undefined && state.epoch >= last) {
    throw new UsageError(`--stop-after must be above the ${state.epoch} epochs that are done.`, `${last}`);
  }
  const end = new AbortController();
  return {
    signal: end.signal,
    onEpochEnd: ({ epoch }) => {
      if (epoch === last) end.abort();
    },
  };
}

function whereItStopped({ state }: FitResult, { batchesPerEpoch }: BatchSource): string {
  return `interrupted in epoch ${state.epoch + 1}, after ${state.step} of its ${batchesPerEpoch} steps`;
}

/** The command that was given, so that a shell understands it, with `--resume`, and to the end of the run. */
function resumeCommand(): string {
  const given = process.argv.slice(2).filter((word) => word !== "--resume");
  const words = given.filter((word, i) => !/^--stop-after(=|$)/.test(word) && given[i - 1] !== "--stop-after");
  return ["  npx touchstone", ...words.map(shellWord), "--resume"].join(" ");
}
