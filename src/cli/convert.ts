/**
 * `touchstone convert IN OUT`: between `.keras`, `.h5` and `.npz`.
 *
 * @module
 */
import { Command } from "commander";
import { readModel } from "../formats/read-model.js";
import { writeModel } from "../formats/write-model.js";
import { UsageError } from "./errors.js";
import { prepareOutput, readBytes } from "./files.js";

/** The command. */
export function convertCommand(): Command {
  return new Command("convert")
    .description("convert a model between .keras, .h5 and .npz")
    .argument("<in>", "a .keras, .h5 or .npz file")
    .argument("<out>", "a .keras, .h5 or .npz file")
    .action((from: string, to: string) => {
      if (/\.weights\.h5$/i.test(to)) {
        throw new UsageError("<out> must be a whole model, ending in .keras, .h5 or .npz.", to);
      }
      const out = prepareOutput(to, "<out>", [".keras", ".h5", ".hdf5", ".npz"]);
      const model = readModel(readBytes(from), from);
      const bytes = writeModel(model, to);
      out.write(bytes);
      process.stdout.write(`${to}: ${model.countParams()} parameters, ${bytes.length} bytes\n`);
    });
}
