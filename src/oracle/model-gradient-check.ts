/**
 * Gradients of whole models against differences: every input, every trainable weight, through every layer at once.
 *
 * The model is widened to float64, and its loss, regularizers included, is differentiated as `gradient-check.ts` says. The
 * sides of kinks are read off the layers themselves: backward of a ReLU layer or of a maximum is a fixed linear map as long
 * as no side changes, and the sign of a rectified output says its side.
 *
 * @module
 */
import { randomStream } from "../arithmetic/random.js";
import { serial } from "../kernels/execution.js";
import type { CallContext, LayerNode, LayerPass } from "../layers/layer.js";
import { checkModel } from "../models/check-model.js";
import { checkTensor, checkTensors } from "../serialization/tensors.js";
import { inFloat64 } from "../models/in-float64.js";
import type { Model } from "../models/model.js";
import { type LossName, objectiveOf } from "../models/objective.js";
import { backwardPass, type ModelPass, regularizationLosses, withRegularizers } from "../models/passes.js";
import { expectOptions } from "../serialization/options.js";
import { type Tensor, tensor, tensorOf } from "../tensor/tensor.js";
import { checkGradients, type GradientCheckOptions, type GradientReport, type NamedTensors } from "./gradient-check.js";

/** Options of {@link checkModelGradients}. */
export interface ModelGradientCheckOptions
  extends Pick<GradientCheckOptions, "seed" | "directions" | "elements" | "names" | "mayVanish"> {
  /** @defaultValue "categorical_crossentropy" */
  readonly loss?: LossName;
  /** Training mode: batch statistics and dropout. @defaultValue true */
  readonly training?: boolean;
}

const OPTIONS = ["loss", "training", "seed", "directions", "elements", "names", "mayVanish"];

/** What `checkModelGradients` calls the i-th input. */
const inputName = (i: number): string => `inputs/${i}`;

/**
 * Checks the gradients of the loss of `model`, which has one output, for its inputs (`inputs/0`, ...) and trainable weights
 * (by path: `conv2d/kernel`). By default a bias in front of a batch normalization may vanish: in training it has to. A layer
 * that an inner model shares is checked as two, for the widened model is made from a configuration, which cannot say it.
 *
 * @throws RangeError when the model does not have one output, inputs or targets do not fit, or the check would prove
 *   nothing; see {@link checkGradients}.
 * @throws TypeError when an argument is of another type, or an option is none of {@link ModelGradientCheckOptions}.
 */
export async function checkModelGradients(
  model: Model,
  inputs: readonly Tensor[],
  targets: Tensor,
  options: ModelGradientCheckOptions = {},
): Promise<GradientReport> {
  checkModel("checkModelGradients", model);
  checkTensors("checkModelGradients", "inputs", inputs);
  checkTensor("checkModelGradients", "targets", targets);
  expectOptions("checkModelGradients", options, OPTIONS);
  const { loss = "categorical_crossentropy", training = true, ...rest } = options;
  const { seed = 0 } = rest;
  if (model.outputs.length !== 1) {
    throw new RangeError(`checkModelGradients: \`model\` must have one output. Received ${model.outputs.length}.`);
  }
  const wide = inFloat64(model);
  const weights = wide.weightsByPath();
  const trainable = new Set(wide.trainableWeights);
  const values: Record<string, Tensor> = {};
  for (const [i, x] of inputs.entries()) values[inputName(i)] = x;
  for (const [path, weight] of weights) if (trainable.has(weight)) values[path] = weight.read();

  const context: CallContext = { training, execution: serial, seed, step: 0 };
  const run = (at: NamedTensors): ModelPass => {
    for (const [path, weight] of weights) if (trainable.has(weight)) weight.assign(at[path]);
    return wide.forward(
      inputs.map((_, i) => at[inputName(i)]),
      context,
    );
  };
  const objective = (pass: ModelPass): ReturnType<typeof objectiveOf> =>
    objectiveOf(loss, targets, outputPass(wide, pass));
  return checkGradients({
    ...rest,
    inputs: values,
    mayVanish: options.mayVanish ?? (training ? biasesBeforeNormalization(wide) : []),
    forward: (at) => tensorOf([objective(run(at)).loss + regularizationLosses(wide)], [1], "float64"),
    backward(dy, at) {
      const pass = run(at);
      const { dInputs, dWeights } = backwardPass(wide, pass, [objective(pass).gradient]);
      const gradients: Record<string, Tensor> = {};
      for (const [i, dx] of dInputs.entries()) gradients[inputName(i)] = scaled(dx, dy.data[0]);
      for (const [path, dWeight] of withRegularizers(wide, dWeights)) gradients[path] = scaled(dWeight, dy.data[0]);
      return gradients;
    },
    kinks: (at) => sidesOf(run(at)),
  });
}

function outputPass(model: Model, { passes }: ModelPass): LayerPass {
  const pass = passes.get(model.outputs[0].node);
  if (pass === undefined) throw new Error("internal: checkModelGradients: the output has not been computed.");
  return pass;
}

function scaled(x: Tensor, factor: number): Tensor {
  return tensor(
    x.data.map((value) => value * factor),
    x.shape,
  );
}

/** Whether what is constant over the image in the input is so in the output: sums, and 1x1 convolutions. */
function keepsConstants({ layer }: LayerNode): boolean {
  const { kernel_size: size, activation } = layer.getConfig();
  const isPointwise = layer.className === "Conv2D" && String(size) === "1,1" && activation === "linear";
  return isPointwise || layer.className === "Add";
}

/** The biases that batch normalizations take away again, directly or behind what keeps constants. */
function biasesBeforeNormalization(model: Model): readonly string[] {
  const readers = new Map<LayerNode, LayerNode[]>();
  for (const node of model.graphNodes) {
    for (const { node: read } of node.inputs) readers.set(read, [...(readers.get(read) ?? []), node]);
  }
  const known = new Map<LayerNode, boolean>();
  const normalizes = (node: LayerNode): boolean =>
    node.layer.className === "BatchNormalization" && node.layer.trainable;
  // readers run later, so the last nodes are known first
  for (const node of model.graphNodes.toReversed()) {
    const all = readers.get(node) ?? [];
    const swallows = (reader: LayerNode): boolean =>
      normalizes(reader) || (keepsConstants(reader) && known.get(reader) === true);
    known.set(node, all.length > 0 && all.every(swallows));
  }
  return [...known].filter(([, vanishes]) => vanishes).map(([{ layer }]) => `${layer.name}/bias`);
}

/** Layers whose backward pass is a fixed linear map between kinks. */
const PIECEWISE_LINEAR = /^(ReLU|LeakyReLU|MaxPooling2D|GlobalMaxPooling2D)$/;

/** Numbers that stay the same as long as no ReLU and no maximum of a pass changes sides. */
export function sidesOf({ passes }: ModelPass): readonly number[] {
  const sides: number[] = [];
  for (const [{ layer }, pass] of passes) {
    const { y } = pass;
    if (PIECEWISE_LINEAR.test(layer.className)) {
      const probe = randomStream(0, "gradient-check/sides").fillUniform(new Float64Array(y.size), 1, 2);
      for (const value of pass.backward(tensor(probe, y.shape)).dInputs[0].data) sides.push(value);
    } else if (/relu/.test(String(layer.getConfig()["activation"]))) {
      // relu6 has a second kink
      for (const value of y.data) sides.push(value > 0 ? (value < 6 ? 1 : 2) : 0);
    }
  }
  return sides;
}
