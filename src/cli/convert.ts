/**
 * `touchstone convert IN OUT`: between `.keras`, `.h5` and `.npz`.
 *
 * @module
 */
import { Command } from "commander";
import { readModel } from "../formats/read-model.js";
import { writeModel } from "../formats/write-model.js";
import { readZip } from "../formats/zip.js";
import { PREPROCESSING_ENTRY } from "../training/preprocessing.js";
import { UsageError } from "./errors.js";
import { prepareOutput, readBytes } from "./files.js";
import { preprocessingLeftOut } from "./train-model.js";

/** The command. */
export function convertCommand(): Command {
  return new Command("convert")
    .description("convert a model between .keras, .h5 and .npz; an optimizer's state is left out")
    .argument("<in>", "a .keras, .h5 or .npz file")
    .argument("<out>", "a .keras, .h5 or .npz file")
    .action((from: string, to: string) => {
      if (/\.weights\.h5$/i.test(to)) {
        throw new UsageError("<out> must be a whole model, ending in .keras, .h5 or .npz.", to);
      }
      const out = prepareOutput(to, "<out>", [".keras", ".h5", ".hdf5", ".npz"]);
      const source = readBytes(from);
      const model = readModel(source, from);
      const entry = preprocessingEntry(source, from);
      const holdsEntry = /\.keras$/i.test(to);
      const bytes = writeModel(model, to, holdsEntry ? { entries: entry } : {});
      out.write(bytes);
      if (entry !== undefined && !holdsEntry) process.stderr.write(preprocessingLeftOut(to));
      process.stdout.write(`${to}: ${model.countParams()} parameters, ${bytes.length} bytes\n`);
    });
}

/** What pixels go through before the model sees them, where the archive says it. */
function preprocessingEntry(source: Uint8Array, from: string): ReadonlyMap<string, Uint8Array> | undefined {
  if (!/\.keras$/i.test(from)) return undefined;
  const entry = readZip(source).get(PREPROCESSING_ENTRY);
  return entry && new Map([[PREPROCESSING_ENTRY, entry.read()]]);
}
