/**
 * `touchstone summary MODEL`: Keras's table, and the graph as a picture.
 *
 * @module
 */
import { Command } from "commander";
import { plotModel } from "../models/plot.js";
import { type SummaryOptions, summary } from "../models/summary.js";
import { prepareOutput } from "./files.js";
import { MODEL_HELP, type ModelFlags, modelOptions, resolveModel } from "./models.js";
import { wholeNumber } from "./options.js";

interface Flags extends ModelFlags {
  readonly plot?: string;
  readonly lineLength?: number;
}

/** Of what is no terminal. */
const USUAL_COLUMNS = 80;
/** Least width of a table, and most. */
const [LEAST, MOST] = [40, 1000];

/**
 * How wide a table is: as asked for, on a terminal of `columns` or beyond it, where lines are cut off otherwise; else as wide
 * as Keras's there.
 */
export function widthOf(lineLength: number | undefined, columns: number = USUAL_COLUMNS): SummaryOptions {
  const width = Math.max(columns, lineLength ?? LEAST);
  return { columns: width, ...(lineLength !== undefined && { lineLength }) };
}

/** The command. */
export function summaryCommand(): Command {
  const command = new Command("summary")
    .description("print Keras's table of layers, output shapes and parameters")
    .argument("<model>", MODEL_HELP)
    .option("--plot <file.svg>", "also draw the graph")
    .option(
      "--line-length <columns>",
      "width of the table (default: that of Keras's on this terminal)",
      wholeNumber("--line-length", LEAST, MOST),
    );
  for (const option of modelOptions()) command.addOption(option);
  return command.action((spec: string, flags: Flags) => {
    const plot = flags.plot === undefined ? undefined : prepareOutput(flags.plot, "--plot", [".svg"]);
    const model = resolveModel(spec, flags);
    const table = summary(model, widthOf(flags.lineLength, process.stdout.columns));
    plot?.write(plotModel(model));
    process.stdout.write(`${table}\n`);
  });
}
