/**
 * Diagnosis of one layer of a model: the mistakes that its operation may have made of what it read, and those that are made
 * around it: an activation forgotten, or one too many, a gradient that does not pass through it.
 *
 * Results have Keras's names, as in `layer-expectations.ts`: `y` and moving statistics forward, `dInput0`, `dInput1`, ... and the
 * weights backward.
 *
 * @module
 */
import type { Layer } from "../layers/layer.js";
import { cast, contiguous, type Tensor, tensor } from "../tensor/tensor.js";
import type { Suspect } from "./diagnosis.js";
import { hypothesesOf } from "./hypotheses/hypothesis.js";
import { GRADIENTS, type LayerCotangent, type LayerMode, MOVING, readingsOf } from "./layer-expectations.js";
import { activationOperation, type LayerOperation, operationOf } from "./layer-operations.js";
import type { Compute } from "./mutations/mutant.js";
import type { ResultCase } from "./inquiry.js";
import type { Operands, Operation } from "./operation.js";
import { mapRecord, type Reading } from "./reading.js";

/** What readings are, in float32 as the layer gets them. */
function operandsOf(readings: Readonly<Record<string, Reading>>): Operands {
  return mapRecord(readings, ({ value }) => cast(contiguous(value), "float32"));
}

/** Results under Keras's names, of which others keep their own. */
function named(results: Operands, names: Readonly<Record<string, string>>): Operands {
  return Object.fromEntries(Object.entries(results).map(([name, x]) => [names[name] ?? name, x]));
}

/** The results of `layer`, applied to `inputs`, without any mistake; of one that is no operation its input. */
export function forwardResults(layer: Layer, inputs: readonly Reading[], training: boolean): Operands {
  const applied = operationOf(layer, training);
  if (applied === undefined) return { y: inputs[0].value };
  const results = applied.operation.run(operandsOf(readingsOf(applied, inputs, "forward")), applied.args);
  const after = activationOperation(applied.activation);
  const y = after === undefined ? results["y"] : after.operation.run({ x: results["y"] }, after.args)["y"];
  return named({ ...results, y }, MOVING);
}

/** Mistakes of `layer`, applied to `inputs`. */
export function forwardSuspects(layer: Layer, inputs: readonly Reading[], training: boolean): readonly Suspect[] {
  const applied = operationOf(layer, training);
  if (applied === undefined) return [];
  const { operation, args, activation } = applied;
  const operands = operandsOf(readingsOf(applied, inputs, "forward"));
  const after = activationOperation(activation);
  const through =
    (run: Compute, finish: (y: Tensor) => Tensor): Suspect["results"] =>
    () => {
      const results = run(operands, args);
      return named({ ...results, y: finish(results["y"]) }, MOVING);
    };
  const activate = (y: Tensor): Tensor => (after === undefined ? y : after.operation.run({ x: y }, after.args)["y"]);
  const reference: Compute = (x, of) => operation.run(x, of);
  return [
    ...(after === undefined
      ? [{ name: "a ReLU that is not there", results: through(reference, rectified) }]
      : [
          { name: `activation ${activation} missing`, results: through(reference, (y) => y) },
          ...hypothesesOf(after.operation, { x: operands["x"] }).map(({ name, run }) => ({
            name: `activation ${activation}: ${name}`,
            results: through(reference, (y) => run({ x: y }, after.args)["y"]),
          })),
        ]),
    ...hypothesesOf(operation, operands).map(({ name, run }) => ({ name, results: through(run, activate) })),
  ];
}

/** The result `output` of `layer` as one of a single operation, of operands that are all known. */
export function forwardCase(
  layer: Layer,
  inputs: readonly Reading[],
  training: boolean,
  output: string,
): ResultCase | undefined {
  const applied = operationOf(layer, training);
  if (applied === undefined || applied.activation !== "linear") return undefined;
  return caseOf(applied.operation, readingsOf(applied, inputs, "forward"), applied, nameIn(MOVING, output));
}

/** The gradient `output` of `layer` as one of a single operation, of operands that are all known. */
export function backwardCase(
  layer: Layer,
  inputs: readonly Reading[],
  { dy, atLogits }: LayerCotangent,
  training: boolean,
  output: string,
): ResultCase | undefined {
  const applied = operationOf(layer, training);
  if (applied === undefined || atLogits || applied.activation !== "linear") return undefined;
  const readings = { ...readingsOf(applied, inputs, "backward"), dy };
  const input = output.replace(/^dInput/, "dx");
  const name = input === "dx0" && !applied.takesList ? "dx" : nameIn(GRADIENTS, input);
  return caseOf(applied.backward, readings, applied, name);
}

function caseOf(
  operation: Operation,
  readings: Readonly<Record<string, Reading>>,
  { args }: LayerOperation,
  output: string,
): ResultCase | undefined {
  if (Object.values(readings).some(({ doubt }) => doubt !== undefined)) return undefined;
  return { operation, operands: operandsOf(readings), args, output };
}

/** The name of a result that Keras calls `name`. */
function nameIn(names: Readonly<Record<string, string>>, name: string): string {
  return Object.keys(names).find((key) => names[key] === name) ?? name;
}

function rectified(y: Tensor): Tensor {
  return tensor(
    Float32Array.from(contiguous(y).data, (value) => (value > 0 ? value : 0)),
    y.shape,
  );
}

/** Mistakes of `layer` in its gradients. */
export function backwardSuspects(
  layer: Layer,
  inputs: readonly Reading[],
  { dy, atLogits }: LayerCotangent,
  { training, beforeActivation }: LayerMode,
): readonly Suspect[] {
  const applied = operationOf(layer, training);
  if (applied === undefined) return [];
  const { backward, args } = applied;
  const others = readingsOf(applied, inputs, "backward");
  const activation = atLogits ? undefined : activationOperation(applied.activation);
  const read = operandsOf({ dy, ...(beforeActivation && { x: beforeActivation }) });
  const cotangent = (run: Compute): Tensor => run(read, activation?.args ?? {})["dx"];
  const isActive = activation !== undefined && read["x"] !== undefined;
  const right = isActive ? cotangent((x, of) => activation.backward.run(x, of)) : read["dy"];
  const operands = (of: Tensor): Operands => ({ ...operandsOf(others), dy: of });
  const through =
    (run: Compute, of: () => Tensor): Suspect["results"] =>
    () =>
      gradientsNamed(run(operands(of()), args), applied);
  const reference: Compute = (x, of) => backward.run(x, of);
  const aroundIt: readonly Suspect[] = isActive
    ? [
        { name: `derivative of ${applied.activation} missing`, results: through(reference, () => read["dy"]) },
        ...hypothesesOf(activation.backward, read).map(({ name, run }) => ({
          name: `derivative of ${applied.activation}: ${name}`,
          results: through(reference, () => cotangent(run)),
        })),
      ]
    : [];
  return [
    ...aroundIt,
    ...hypothesesOf(backward, operands(right)).map(({ name, run }) => ({ name, results: through(run, () => right) })),
  ];
}

function gradientsNamed(results: Operands, { takesList }: LayerOperation): Operands {
  const names: Record<string, string> = { ...GRADIENTS, dx: "dInput0" };
  if (takesList) Object.keys(results).forEach((name, i) => (names[name] = `dInput${i}`));
  return named(results, names);
}
