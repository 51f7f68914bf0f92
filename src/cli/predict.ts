/**
 * `touchstone predict MODEL --input ...`: inference on arrays or images.
 *
 * @module
 */
import { Command } from "commander";
import { writeNpy } from "../formats/npy.js";
import { writeNpz } from "../formats/npz.js";
import { fromTensor } from "../formats/tensors.js";
import { decodePredictions } from "../models/applications/imagenet-utils.js";
import type { Model } from "../models/model.js";
import { tensorNames } from "../models/node-names.js";
import { predict } from "../models/predict.js";
import { formatShape } from "../tensor/shape.js";
import { type Tensor, tensor } from "../tensor/tensor.js";
import { listShapes, modelInputs, readArrays } from "./arrays.js";
import { UsageError } from "./errors.js";
import { prepareOutput } from "./files.js";
import { readImage } from "./images.js";
import { isBuilder, MODEL_HELP, type ModelFlags, modelOptions, resolveModel } from "./models.js";
import { accumulateOption, choice, type ExecutionFlags, threadsOption, wholeNumber, withExecution } from "./options.js";
import { PREPROCESSINGS, type Preprocessing, preprocess, preprocessingOf } from "./preprocessing.js";
import { startProgress } from "./progress.js";
import { preprocessingOfFile } from "./train-model.js";

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
    .requiredOption("--input <file...>", "x.npy, x.npz, or PNG and JPEG images, which are brought to the model's size")
    .option("--out <y.npy>", "write the outputs (.npy, or .npz for several)")
    .option("--top <k>", "print the k most probable classes of every sample", wholeNumber("--top", 1))
    .option("--batch-size <n>", "samples that run at once", wholeNumber("--batch-size", 1), 32)
    .addOption(
      choice(
        "--preprocess <mode>",
        "what happens to pixels (default: to images what the model was trained with, to arrays nothing)",
        PREPROCESSINGS,
      ),
    )
    .addOption(threadsOption())
    .addOption(accumulateOption());
  for (const option of modelOptions()) command.addOption(option);
  return command.action(async (spec: string, flags: Flags) => {
    const out = flags.out === undefined ? undefined : prepareOutput(flags.out, "--out", [".npy", ".npz"]);
    const model = resolveModel(spec, flags);
    const isSingle = /\.npy$/i.test(out?.path ?? "");
    if (isSingle && model.outputs.length > 1) {
      throw new UsageError(`--out must end in .npz for a model with ${model.outputs.length} outputs.`, flags.out ?? "");
    }
    const inputs = readInputs(model, spec, flags);
    const progress = startProgress("predict");
    const outputs = await withExecution(flags, (execution) =>
      predict(model, inputs, { batchSize: flags.batchSize, execution, onProgress: progress.update }),
    ).finally(progress.end);
    const named = new Map(tensorNames(model, model.outputs).map((name, i) => [name, outputs[i]]));
    if (out !== undefined) {
      const arrays = new Map(Array.from(named, ([name, y]) => [name, fromTensor(y)]));
      out.write(isSingle ? writeNpy(fromTensor(outputs[0])) : writeNpz(arrays));
      process.stdout.write(`${out.path}: ${listShapes(outputs)}\n`);
    }
    if (out === undefined || flags.top !== undefined) {
      printTop(named, flags);
      if (isBuilder(spec) && flags.weights === undefined && outputs.some(isOfImageNet)) {
        process.stderr.write(
          `note: the weights of ${spec} are random, from seed ${flags.seed}; --weights reads others\n`,
        );
      }
    }
  });
}

const IMAGE = /\.(png|jpe?g)$/i;

function readInputs(model: Model, spec: string, flags: Flags): readonly Tensor[] {
  const images = flags.input.filter((path) => IMAGE.test(path));
  const trained = preprocessingOfFile(spec);
  const usual = preprocessingOf(model, spec, trained);
  if (images.length === 0) {
    if (flags.input.length > 1) {
      throw new UsageError("--input must be one .npy or .npz file, or images.", flags.input.join(", "));
    }
    const inputs = modelInputs(model, readArrays(flags.input[0]));
    if (flags.preprocess !== undefined) return [preprocess(pixelsOf(inputs), flags.preprocess, trained)];
    if (usual !== "none" && inputs.length === 1 && arePixels(inputs[0])) {
      process.stderr.write(
        `note: ${flags.input[0]} holds pixels from 0 to 255, and goes into the model as it is; images would go through --preprocess ${usual}\n`,
      );
    }
    return inputs;
  }
  if (images.length < flags.input.length) {
    throw new UsageError("--input must be either arrays or images.", flags.input.join(", "));
  }
  return [preprocess(imageBatch(model, images), flags.preprocess ?? usual, trained)];
}

/** The only input, which must be a batch of images. */
function pixelsOf(inputs: readonly Tensor[]): Tensor {
  const [x] = inputs;
  if (inputs.length === 1 && x.dimension === 4 && x.shape[3] === 3) return x;
  throw new UsageError("--preprocess must go with images, or one array [N, H, W, 3] of pixels.", listShapes(inputs));
}

/** Whether `x` can hardly be anything but colours as bytes. */
function arePixels(x: Tensor): boolean {
  const isImage = x.dimension === 4 && x.shape[3] === 3;
  const isByte = (value: number): boolean => Number.isInteger(value) && value >= 0 && value <= 255;
  return isImage && x.data.every(isByte) && x.data.some((value) => value > 1);
}

/** All images as one batch of pixels [N, H, W, 3], of the model's input size. */
function imageBatch(model: Model, paths: readonly string[]): Tensor {
  const [{ shape }] = model.inputs;
  const [, height, width, channels] = shape;
  if (model.inputs.length !== 1 || shape.length !== 4 || channels !== 3 || !height || !width) {
    throw new UsageError(
      "images must go into a model with one input of shape [null, H, W, 3], H and W known.",
      model.inputs.map((x) => formatShape(x.shape)).join(", "),
    );
  }
  const batch = new Float32Array(paths.length * height * width * 3);
  for (const [i, path] of paths.entries()) batch.set(readImage(path, [height, width]).data, i * height * width * 3);
  return tensor(batch, [paths.length, height, width, 3]);
}

/** The most probable classes of every sample, by their names where they are ImageNet's. */
function printTop(outputs: ReadonlyMap<string, Tensor>, { top = 5, input }: Flags): void {
  for (const [output, y] of outputs) {
    const prefix = outputs.size > 1 ? `${output}, ` : "";
    if (y.dimension !== 2) {
      process.stdout.write(`${prefix}output of shape ${listShapes([y])}; --out writes it to a file\n`);
      continue;
    }
    const [samples, classes] = y.shape;
    for (let n = 0; n < samples; n++) {
      const row = y.hi(n + 1, classes).lo(n, 0);
      const ranked = isOfImageNet(y) ? topImageNet(row, top) : topNumbers(row, top);
      const name = input.length === samples && IMAGE.test(input[n]) ? input[n] : `sample ${n}`;
      process.stdout.write(
        `${prefix}${name}: ${ranked.map(({ label, score }) => `${label} ${score.toFixed(4)}`).join(", ")}\n`,
      );
    }
  }
}

/** Whether the classes of `y` [N, classes] are taken for ImageNet's. */
function isOfImageNet(y: Tensor): boolean {
  return y.dimension === 2 && y.shape[1] === 1000;
}

interface Ranked {
  readonly label: string;
  readonly score: number;
}

function topImageNet(row: Tensor, top: number): readonly Ranked[] {
  return decodePredictions(row, top)[0].map(({ className, score }) => ({ label: className, score }));
}

/** Class numbers; of equal scores the lower one first, and NaN before all, so that it is seen. */
function topNumbers(row: Tensor, top: number): readonly Ranked[] {
  const scores = Array.from({ length: row.size }, (_, k) => ({ label: String(k), score: row.get(0, k) }));
  const isAhead = (a: number, b: number): boolean => a > b || (Number.isNaN(a) && !Number.isNaN(b));
  return scores.sort(({ score: a }, { score: b }) => Number(isAhead(b, a)) - Number(isAhead(a, b))).slice(0, top);
}
