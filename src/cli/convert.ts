/**
 * `touchstone convert IN OUT`: between `.keras`, `.h5` and `.npz`.
 *
 * @module
 */
import { Command } from "commander";
import { readModel } from "../formats/read-model.js";
import { writeModel } from "../formats/write-model.js";
import { prepareOutput, readBytes } from "./files.js";

/** The command. */
export function convertCommand(): Command {
  return new Command("convert")
    .description("convert a model between .keras, .h5 and .npz")
    .argument("<in>", "a .keras, .h5 or .npz file")
    .argument("<out>", "a .keras, .h5 or .npz file")
    .action((from: string, to: string) => {
      const out = prepareOutput(to);
      const model = readModel(readBytes(from), from);
      const bytes = writeModel(model, to);
      out.write(bytes);
      process.stdout.write(`${to}: ${model.countParams()} parameters, ${bytes.length} bytes\n`);
    });
}
