/**
 * The files of a training run. Where they go is checked before it begins.
 *
 *     m.keras                          the model, when the run is over
 *     m-checkpoints/last.keras         all of an unfinished run; it goes when the run is over
 *     m-checkpoints/best.keras         the model after its best epoch on validation data
 *     m-checkpoints/log.jsonl          what happened in steps and epochs, if --log does not say where
 *
 * @module
 */
import { mkdirSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { fileError, UsageError } from "./errors.js";
import { exists, type Output, prepareOutput } from "./files.js";

/** What options say of files. */
export interface FileFlags {
  readonly data: string;
  readonly out?: string;
  readonly checkpointDir?: string;
  readonly log?: string;
  readonly csv?: string;
  readonly report?: string;
  readonly resume?: boolean;
}

/** Where everything goes. */
export interface TrainFiles {
  readonly out: Output;
  readonly csv: string | undefined;
  readonly report: Output | undefined;
  /** Makes the folder of checkpoints, when the run begins. @throws UsageError when that is refused. */
  openFolder(): CheckpointFolder;
}

/** What lies in the folder of checkpoints. */
export interface CheckpointFolder {
  readonly last: Output;
  readonly best: Output;
  readonly log: string;
}

/**
 * Checks where files go; makes none.
 *
 * @throws UsageError when something cannot be written, there is an unfinished run that is not to be resumed, or none that is.
 */
export function prepareTrainFiles(model: string, flags: FileFlags): TrainFiles {
  const out = prepareOutput(flags.out ?? `${stem(model)}-${stem(flags.data)}.keras`, "--out", [".keras", ".h5"]);
  const optional = (path: string | undefined, what: string, endings: readonly string[]): Output | undefined =>
    path === undefined ? undefined : prepareOutput(path, what, endings);
  const report = optional(flags.report, "--report", [".html", ".svg"]);
  const csv = optional(flags.csv, "--csv", [".csv"])?.path;
  const log = optional(flags.log, "--log", [".jsonl"])?.path;
  const folder = flags.checkpointDir ?? `${out.path.replace(/\.[^.]*$/, "")}-checkpoints`;
  const [last, best] = [join(folder, "last.keras"), join(folder, "best.keras")];
  if (/\.weights\.h5$/i.test(out.path)) {
    throw new UsageError("--out must be a whole model, ending in .keras or .h5.", out.path);
  }
  checkDistinct([out.path, report?.path, csv, log ?? join(folder, "log.jsonl"), last, best]);
  if (exists(folder) && !statSync(folder).isDirectory()) {
    throw new UsageError("--checkpoint-dir must be a folder, or the name of a new one.", `${folder}, a file`);
  }
  if (flags.resume === true && !exists(last)) {
    throw new UsageError("--resume must find the checkpoint of an unfinished run.", `${last}, where there is none`);
  }
  if (flags.resume !== true && exists(last)) {
    throw new UsageError(
      "a run must not replace an unfinished one: go on with it by --resume, give another --checkpoint-dir, or remove it.",
      last,
    );
  }
  const openFolder = (): CheckpointFolder => {
    try {
      mkdirSync(folder, { recursive: true });
    } catch (error) {
      throw fileError("written", folder, error);
    }
    const within = (name: string): Output =>
      prepareOutput(join(folder, name), "--checkpoint-dir", [".keras", ".jsonl"]);
    return { last: within("last.keras"), best: within("best.keras"), log: log ?? within("log.jsonl").path };
  };
  return { out, report, csv, openFolder };
}

/** @throws UsageError when two of the files of a run are one. */
function checkDistinct(paths: readonly (string | undefined)[]): void {
  const places = paths.flatMap((path) => (path === undefined ? [] : [resolve(path)]));
  const twice = places.find((place, i) => places.indexOf(place) !== i);
  if (twice === undefined) return;
  throw new UsageError(
    "the model, the report, the logs and the checkpoints must be files of their own.",
    `${twice} twice`,
  );
}

/** A path's last part, without its ending: what a model or data in a file is called. */
export function stem(path: string): string {
  return basename(path).replace(/\.(keras|h5|hdf5|npz)$/i, "") || "data";
}
