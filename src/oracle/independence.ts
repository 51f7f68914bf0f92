/**
 * Independence: which axes of operands and results an operation treats one index at a time, so that a case can be cut to
 * the index at which it is wrong.
 *
 * Axes are written as letters, one an axis; an axis with the same letter in a result and in operands is cut in all of them. A
 * dot is an axis that stays whole.
 *
 * @module
 */
import type { KerasConfig } from "../serialization/config.js";
import { contiguous, type Tensor } from "../tensor/tensor.js";
import type { Operands } from "./operation.js";

/** Letters by tensor, for one result of an operation. */
export type Axes = Readonly<Record<string, string>>;

const CONVOLUTION = { x: "n..c", kernel: "..cu", bias: "u", dy: "n..u", dx: "n..c", dKernel: "..cu", dBias: "u" };
const IMAGES = { x: "n..c", y: "n..c", dy: "n..c", dx: "n..c" };
const DENSE = { x: "nc", kernel: "cu", bias: "u", y: "nu", dy: "nu", dx: "nc", dKernel: "cu", dBias: "u" };

/** The letters of `operation`; undefined where every result depends on everything. */
export function axesOf(operation: string, operands: Operands, args: KerasConfig): Axes | undefined {
  const base = operation.replace(/-backward$/, "");
  const rank = (Object.values(operands)[0]?.shape ?? []).length;
  const letters = "abdefg".slice(0, rank);
  if (base === "conv2d") {
    return Number(args["groups"] ?? 1) === 1
      ? { ...CONVOLUTION, y: "n..u" }
      : { x: "n...", y: "n...", dy: "n...", dx: "n..." };
  }
  if (base === "depthwise-conv2d") return { x: "n...", y: "n...", dy: "n...", dx: "n..." };
  if (base === "dense" && rank === 2) return DENSE;
  if (base.startsWith("global-")) return { ...IMAGES, ...globalLetters(args) };
  if (base.endsWith("-pooling2d")) return IMAGES;
  if (base.startsWith("batch-normalization")) return normalizationAxes(operation, letters, args);
  if (base === "softmax") {
    return everywhere(replaced(letters, axisAmong(letters, args), "."), operands);
  }
  const isElementwise =
    ["relu", "relu6", "leaky-relu", "sigmoid", "tanh", "add"].includes(base) || base.endsWith("-step");
  return isElementwise ? everywhere(letters, operands) : undefined;
}

function globalLetters({ keepdims }: KerasConfig): Axes {
  return keepdims === true ? { y: "n..c", dy: "n..c" } : { y: "nc", dy: "nc" };
}

function normalizationAxes(operation: string, letters: string, args: KerasConfig): Axes {
  const axis = axisAmong(letters, args);
  const batch = operation.includes("training") || operation.endsWith("-backward");
  const image = batch ? replaced(".".repeat(letters.length), axis, letters[axis]) : letters;
  const channels = ["gamma", "beta", "movingMean", "movingVariance", "dGamma", "dBeta"];
  return {
    ...Object.fromEntries(channels.map((name) => [name, letters[axis]])),
    ...Object.fromEntries(["x", "y", "dy", "dx"].map((name) => [name, image])),
  };
}

/** The argument `axis`, counted from the front of `letters`. */
function axisAmong(letters: string, args: KerasConfig): number {
  const axis = Number(args["axis"] ?? -1);
  return axis < 0 ? letters.length + axis : axis;
}

function replaced(letters: string, at: number, by: string): string {
  return letters.slice(0, at) + by + letters.slice(at + 1);
}

/** The same letters for all tensors, whatever they are called. */
function everywhere(letters: string, operands: Operands): Axes {
  const results = ["y", "dx", ...Object.keys(operands).map((_, i) => `dx${i}`)];
  const names = [...Object.keys(operands), ...results, "weight", "momentum", "velocity", "velocityMax"];
  return Object.fromEntries(names.map((name) => [name, letters]));
}

/** `x` with axes of the given letters cut to one index each. */
export function cut(x: Tensor, letters: string | undefined, at: ReadonlyMap<string, number>): Tensor {
  if (letters === undefined || letters.length !== x.dimension) return x;
  const from = x.shape.map((_, axis) => at.get(letters[axis]) ?? 0);
  const size = x.shape.map((whole, axis) => (at.has(letters[axis]) ? 1 : whole));
  return contiguous(x.lo(...from).hi(...size));
}
