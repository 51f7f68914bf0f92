/**
 * `touchstone summary MODEL`: Keras's table, and the graph as a picture.
 *
 * @module
 */
import { Command } from "commander";
import { plotModel } from "../models/plot.js";
import { summary } from "../models/summary.js";
import { prepareOutput } from "./files.js";
import { MODEL_HELP, type ModelFlags, modelOptions, resolveModel } from "./models.js";
import { wholeNumber } from "./options.js";

interface Flags extends ModelFlags {
  readonly plot?: string;
  readonly lineLength?: number;
}

/** The command. */
export function summaryCommand(): Command {
  const command = new Command("summary")
    .description("print Keras's table of layers, output shapes and parameters")
    .argument("<model>", MODEL_HELP)
    .option("--plot <file.svg>", "also draw the graph")
    .option("--line-length <columns>", "width of the table", wholeNumber("--line-length", 40, 1000));
  for (const option of modelOptions()) command.addOption(option);
  return command.action((spec: string, flags: Flags) => {
    const plot = flags.plot === undefined ? undefined : prepareOutput(flags.plot, "--plot", [".svg"]);
    const model = resolveModel(spec, flags);
    const table = summary(model, flags.lineLength === undefined ? {} : { lineLength: flags.lineLength });
    plot?.write(plotModel(model));
    process.stdout.write(`${table}\n`);
  });
}
