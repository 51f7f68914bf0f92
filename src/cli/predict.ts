/**
 * `touchstone predict MODEL --input ...`: inference on arrays or images.
 *
 * @module
 */
import { Command, Option } from "commander";
import { writeNpy } from "../formats/npy.js";
import { writeNpz } from "../formats/npz.js";
import { fromTensor } from "../formats/tensors.js";
import { decodePredictions } from "../models/applications/imagenet-utils.js";
import type { Model } from "../models/model.js";
import { predict } from "../models/predict.js";
import { type Tensor, tensor } from "../tensor/tensor.js";
import { listShapes, modelInputs, readArrays } from "./arrays.js";
import { UsageError } from "./errors.js";
import { type Output, prepareOutput } from "./files.js";
import { readImage } from "./images.js";
import { MODEL_HELP, type ModelFlags, modelOptions, resolveModel } from "./models.js";
import { accumulateOption, type ExecutionFlags, threadsOption, wholeNumber, withExecution } from "./options.js";
import { PREPROCESSINGS, type Preprocessing, preprocess, preprocessingOf } from "./preprocessing.js";
import { startProgress } from "./progress.js";

interface Flags extends ModelFlags, ExecutionFlags {
  readonly input: readonly string[];
  readonly out?: string;
  readonly top?: number;
  readonly batchSize: number;
  readonly preprocess?: Preprocessing;
}

/** The command. */
export function predictCommand(): Command {
  const command = new Command("predict")
    .description("run a model on arrays or images")
    .argument("<model>", MODEL_HELP)
    .requiredOption("--input <file...>", "x.npy, x.npz, or PNG and JPEG images")
    .option("--out <y.npy>", "write the outputs (.npy, or .npz for several)")
    .option("--top <k>", "print the k most probable classes of every sample", wholeNumber(1))
    .option("--batch-size <n>", "samples that run at once", wholeNumber(1), 32)
    .addOption(
      new Option("--preprocess <mode>", "what happens to images (default: as the model was trained)").choices(
        PREPROCESSINGS,
      ),
    )
    .addOption(threadsOption())
    .addOption(accumulateOption());
  for (const option of modelOptions()) command.addOption(option);
  return command.action((spec: string, flags: Flags) => {
    const out = flags.out === undefined ? undefined : prepareOutput(flags.out);
    const model = resolveModel(spec, flags);
    const inputs = readInputs(model, spec, flags);
    const progress = startProgress("predict");
    const outputs = withExecution(flags, (execution) =>
      predict(model, inputs, { batchSize: flags.batchSize, execution, onProgress: (done, total) => progress.update(done, total) }),
    );
    progress.end();
    if (out !== undefined) writeOutputs(out, model, outputs);
    if (out === undefined || flags.top !== undefined) printTop(outputs, flags);
  });
}

const IMAGE = /\.(png|jpe?g)$/i;

function readInputs(model: Model, spec: string, flags: Flags): readonly Tensor[] {
  const images = flags.input.filter((path) => IMAGE.test(path));
  if (images.length === 0) {
    if (flags.input.length > 1) {
      throw new UsageError(`--input must be one .npy or .npz file, or images. Received ${flags.input.join(", ")}.`);
    }
    return modelInputs(model, readArrays(flags.input[0]));
  }
  if (images.length < flags.input.length) {
    throw new UsageError(`--input must be either arrays or images. Received ${flags.input.join(", ")}.`);
  }
  return [imageBatch(model, images, flags.preprocess ?? preprocessingOf(model, spec))];
}

/** All images as one batch [N, H, W, 3], of the model's input size. */
function imageBatch(model: Model, paths: readonly string[], mode: Preprocessing): Tensor {
  const [{ shape }] = model.inputs;
  const [, height, width, channels] = shape;
  if (model.inputs.length !== 1 || shape.length !== 4 || channels !== 3 || !height || !width) {
    throw new UsageError(
      `images must go into a model with one input of shape [null, H, W, 3]. Received a model with ` +
        `${model.inputs.map((x) => JSON.stringify(x.shape)).join(", ")}.`,
    );
  }
  const batch = new Float32Array(paths.length * height * width * 3);
  for (const [i, path] of paths.entries()) batch.set(readImage(path, [height, width]).data, i * height * width * 3);
  return preprocess(tensor(batch, [paths.length, height, width, 3]), mode);
}

function writeOutputs(out: Output, model: Model, outputs: readonly Tensor[]): void {
  const single = /\.npy$/i.test(out.path);
  if (!single && !/\.npz$/i.test(out.path)) {
    throw new UsageError(`--out must end in .npy or .npz. Received ${out.path}.`);
  }
  if (single && outputs.length > 1) {
    throw new UsageError(`--out must end in .npz for a model with ${outputs.length} outputs. Received ${out.path}.`);
  }
  const names = model.outputs.map((y) => y.node.layer.name);
  out.write(
    single
      ? writeNpy(fromTensor(outputs[0]))
      : writeNpz(new Map(outputs.map((y, i) => [names[i], fromTensor(y)] as const))),
  );
  process.stdout.write(`${out.path}: ${listShapes(outputs)}\n`);
}

/** The most probable classes of every sample, by their names where they are ImageNet's. */
function printTop(outputs: readonly Tensor[], { top = 5, input }: Flags): void {
  for (const y of outputs) {
    if (y.dimension !== 2) {
      process.stdout.write(`output of shape ${listShapes([y])}; --out writes it to a file\n`);
      continue;
    }
    const [samples, classes] = y.shape;
    for (let n = 0; n < samples; n++) {
      const row = Array.from({ length: classes }, (_, k) => ({ label: String(k), score: y.get(n, k) }));
      const ranked =
        classes === 1000
          ? decodePredictions(y.hi(n + 1, classes).lo(n, 0), top)[0].map(({ className, score }) => ({
              label: className,
              score,
            }))
          : row.sort((a, b) => b.score - a.score || Number(a.label) - Number(b.label)).slice(0, top);
      const name = input.length === samples && IMAGE.test(input[n]) ? input[n] : `sample ${n}`;
      process.stdout.write(`${name}: ${ranked.map(({ label, score }) => `${label} ${score.toFixed(4)}`).join(", ")}\n`);
    }
  }
}
