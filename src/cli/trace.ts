/**
 * `touchstone trace MODEL --input in.npz --out trace.npz`: every layer's output, and with targets every gradient.
 *
 * @module
 */
import { Command } from "commander";
import { writeNpz } from "../formats/npz.js";
import { fromTensor } from "../formats/tensors.js";
import { LOSSES, type LossName } from "../models/objective.js";
import { trace } from "../models/trace.js";
import { modelInputs, modelTargets, readArrays } from "./arrays.js";
import { prepareOutput } from "./files.js";
import { MODEL_HELP, type ModelFlags, modelOptions, resolveModel } from "./models.js";
import { accumulateOption, choice, type ExecutionFlags, threadsOption, withExecution } from "./options.js";

interface Flags extends ModelFlags, ExecutionFlags {
  readonly input: string;
  readonly out: string;
  readonly training?: boolean;
  readonly loss?: LossName;
}

/** The command. */
export function traceCommand(): Command {
  const command = new Command("trace")
    .description("write every layer's output and, where the input has targets, the loss and every gradient")
    .argument("<model>", MODEL_HELP)
    .requiredOption("--input <in.npz>", "arrays `x` (or one for each input layer) and, for gradients, `y` or `dy`")
    .requiredOption("--out <trace.npz>", "where the trace goes")
    .option("--training", "training mode: batch statistics; writes the moving statistics after the step")
    .addOption(choice("--loss <loss>", "the loss (default: cross-entropy)", LOSSES))
    .addOption(threadsOption())
    .addOption(accumulateOption());
  for (const option of modelOptions()) command.addOption(option);
  return command.action(async (spec: string, flags: Flags) => {
    const out = prepareOutput(flags.out, "--out", [".npz"]);
    const arrays = readArrays(flags.input);
    const model = resolveModel(spec, flags);
    const inputs = modelInputs(model, arrays);
    const targets = modelTargets(model, arrays, flags.loss);
    const entries = await withExecution(flags, (execution) =>
      trace(model, inputs, { ...targets, training: flags.training ?? false, execution, seed: flags.seed }),
    );
    out.write(writeNpz(new Map(Array.from(entries, ([key, x]) => [key, fromTensor(x)]))));
    process.stdout.write(`${flags.out}: ${entries.size} arrays\n`);
  });
}
