/**
 * `touchstone evaluate MODEL --data DATA`: loss and accuracy.
 *
 * @module
 */
import { Command, Option } from "commander";
import { batchSource } from "../training/batches.js";
import { evaluate } from "../training/evaluate.js";
import { UsageError } from "./errors.js";
import { MODEL_HELP } from "./models.js";
import { accumulateOption, choice, type ExecutionFlags, threadsOption, wholeNumber, withExecution } from "./options.js";
import { startProgress } from "./progress.js";
import { type DataFlags, readData } from "./train-data.js";
import { lossOf, modelForData, oneHotLoss } from "./train-model.js";
import { dataOptions } from "./train-options.js";
import { measures } from "./train-summary.js";

interface Flags extends DataFlags, ExecutionFlags {
  readonly weights?: string;
  readonly part?: "test" | "training";
  readonly batchSize: number;
  readonly subtractMean: boolean;
  readonly seed: number;
}

/** The command. */
export function evaluateCommand(): Command {
  const command = new Command("evaluate")
    .description("measure loss and accuracy of a model on labelled images")
    .argument("<model>", MODEL_HELP)
    .option("--weights <file>", "weights for the model (.h5, .keras or .npz)")
    .addOption(new Option("--seed <n>", "seed of a builder's weights").argParser(wholeNumber("--seed", 0)).default(0))
    .addOption(choice("--part <part>", "(default: test, where there is one)", ["test", "training"]))
    .option("--batch-size <n>", "samples that run at once", wholeNumber("--batch-size", 1), 32)
    .option(
      "--no-subtract-mean",
      "for a file that does not say what pixels go through: the mean of the training set is not subtracted",
    );
  for (const option of dataOptions()) command.addOption(option);
  return command
    .addOption(threadsOption())
    .addOption(accumulateOption())
    .action(async (spec: string, flags: Flags) => {
      const { training, test } = await readData(flags);
      const data = flags.part === "training" ? training : flags.part === "test" ? test : (test ?? training);
      if (data === undefined) throw new UsageError("--part test must go with data that have a test set.", flags.data);
      const { model, preprocessing } = modelForData(spec, training, flags);
      const loss = oneHotLoss(lossOf(spec));
      const source = batchSource(data, preprocessing, { batchSize: flags.batchSize, shuffle: false });
      const progress = startProgress("evaluate");
      const evaluation = await withExecution(flags, (execution) =>
        evaluate(model, source, { loss, execution, onProgress: progress.update }),
      ).finally(progress.end);
      process.stdout.write(`${data.name}, ${source.samples} images: ${measures(evaluation)}\n`);
    });
}
