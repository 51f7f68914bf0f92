/**
 * Minimal reproductions: of a case that is wrong, the least that still is.
 *
 * Where only the candidate's numbers are known, the case is cut around the worst element: to its image and channels
 * (`independence.ts`), and for windows to the patch that the element is made of, with its zeros of padding written out. Where
 * the candidate can be asked again, what is left is made smaller and simpler as long as it fails: rows, columns and channels are
 * left out, then numbers become 0, 1 or whole.
 *
 * @module
 */
import { window2D } from "../kernels/window.js";
import { readMoves } from "../layers/window-shape.js";
import { readConfig } from "../serialization/config.js";
import { contiguous, type Tensor, zeros } from "../tensor/tensor.js";
import { type ArithmeticModel, checkArithmetic } from "./arithmetic-model.js";
import { type Reproduction, reproductionOf } from "./conformance/reproduction.js";
import { axesOf, cut } from "./independence.js";
import { judgeTensor } from "./judgement.js";
import type { Compute } from "./mutations/mutant.js";
import { checkOperation, checkResults, type Operands } from "./operation.js";
import type { OperationCase, WrongCase } from "./operation-case.js";
import { simplified } from "./simplification.js";

/**
 * The least of `given` that `candidate` still gets wrong: its results, or a function that gives them. Undefined where
 * nothing is wrong.
 *
 * @throws RangeError, TypeError when operands, arguments or results do not fit.
 */
export function minimalReproduction(
  given: OperationCase,
  candidate: Operands | Compute,
  model: ArithmeticModel,
): Reproduction | undefined {
  checkOperation("minimalReproduction", given?.operation);
  checkArithmetic("minimalReproduction", "model", model);
  if (typeof candidate !== "function") {
    checkResults("minimalReproduction", candidate, given.operation);
    const wrong = wrongCase(given, candidate, model);
    return wrong && asReproduction(cutAround(wrong, model));
  }
  const ask = (asked: OperationCase): WrongCase | undefined =>
    wrongCase(asked, candidate(asked.operands, asked.args), model);
  const wrong = ask(given);
  return wrong && asReproduction(simplified(wrong, ask));
}

function asReproduction({ operation, operands, args, output, received, expectation }: WrongCase): Reproduction {
  return reproductionOf({
    failing: { operation: operation.name, operands, args },
    wrong: { output, received, expectation },
  });
}

/** The first result of a case that is wrong. */
function wrongCase(given: OperationCase, results: Operands, model: ArithmeticModel): WrongCase | undefined {
  const { operation, operands, args } = given;
  const expectations = operation.expect(operands, args, model);
  for (const [output, received] of Object.entries(results)) {
    const expectation = expectations[output];
    if (expectation === undefined || judgeTensor(received, expectation).holds) continue;
    return { operation, operands, args, output, received, expectation };
  }
  return undefined;
}

/** The case cut to what its worst element is made of; not cut where that loses what is wrong, as statistics do. */
function cutAround(wrong: WrongCase, model: ArithmeticModel): WrongCase {
  const { worst } = judgeTensor(wrong.received, wrong.expectation);
  if (worst === undefined) return wrong;
  for (const smaller of [patchOf(wrong, worst.index), indexOf(wrong, worst.index)]) {
    if (smaller === undefined) continue;
    const found = wrongCase(smaller, { [wrong.output]: smaller.received }, model);
    if (found !== undefined) return found;
  }
  return wrong;
}

type Cut = OperationCase & { readonly received: Tensor };

/** The case at the index, of all axes that are independent of each other. */
function indexOf(wrong: WrongCase, index: readonly number[]): Cut | undefined {
  const { operation, operands, args, output, received } = wrong;
  const axes = axesOf(operation.name, operands, args);
  const own = axes?.[output];
  if (axes === undefined || own === undefined || own.length !== index.length) return undefined;
  const at = new Map(index.map((i, axis) => [own[axis], i] as const).filter(([letter]) => letter !== "."));
  const parts = Object.entries(operands).map(([name, x]) => [name, cut(x, axes[name], at)] as const);
  return { operation, args, operands: Object.fromEntries(parts), received: cut(received, own, at) };
}

/** For windows the patch that the element at `index` of the result is made of, as a window of its own. */
function patchOf(wrong: WrongCase, index: readonly number[]): Cut | undefined {
  const { operation, args } = wrong;
  const { name } = operation;
  const isPooling = name === "max-pooling2d" || name === "average-pooling2d";
  const groups = Number(args["groups"] ?? 1);
  // zeros that are written out count in a maximum and in a mean
  if (isPooling || (name !== "conv2d" && name !== "depthwise-conv2d") || groups !== 1) return undefined;
  const narrow = indexOf(wrong, index);
  if (narrow === undefined) return undefined;
  const { x, kernel } = narrow.operands;
  const moves = readMoves(readConfig(name, args), "dilationRate");
  const pair = (value: number | readonly [number, number]): readonly [number, number] =>
    typeof value === "number" ? [value, value] : value;
  const [height, width] = kernel.shape;
  const dilation = pair(moves.dilationRate);
  const window = window2D([x.shape[1], x.shape[2]], [height, width], pair(moves.strides), moves.padding, dilation);
  const size = [(height - 1) * dilation[0] + 1, (width - 1) * dilation[1] + 1] as const;
  const top = index[1] * window.strideHeight - window.padTop;
  const left = index[2] * window.strideWidth - window.padLeft;
  const patch = zeros([1, size[0], size[1], x.shape[3]], x);
  for (let h = 0; h < size[0]; h++) {
    for (let w = 0; w < size[1]; w++) {
      if (top + h < 0 || top + h >= x.shape[1] || left + w < 0 || left + w >= x.shape[2]) continue;
      for (let c = 0; c < x.shape[3]; c++) patch.set(0, h, w, c, x.get(0, top + h, left + w, c));
    }
  }
  const { received } = narrow;
  const one = contiguous(received.lo(0, index[1], index[2], 0).hi(1, 1, 1, received.shape[3]));
  const { strides: _strides, padding: _padding, ...others } = args;
  return {
    operation,
    args: { ...others, padding: "valid" },
    operands: { ...narrow.operands, x: patch },
    received: one,
  };
}

/** The option of the command line for the argument `name`: `--dilation-rate` for `dilationRate`. */
export function optionOf(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** The command that judges a reproduction again, written to the file `path`. */
export function judgeCommandLine({ operation, args }: Reproduction, path: string): string {
  const words = Object.entries(args).flatMap(([name, value]) => {
    return value === undefined || value === null ? [] : [optionOf(name), wordOf(value)];
  });
  return ["npx touchstone judge", operation, "--input", path, "--candidate", path, ...words].join(" ");
}

/** A value as one word of a shell: a list as `2,1`, a list of lists as quoted JSON, for brackets are patterns there. */
function wordOf(value: unknown): string {
  if (!Array.isArray(value)) return JSON.stringify(value).replaceAll('"', "");
  return value.some(Array.isArray) ? `'${JSON.stringify(value)}'` : value.join(",");
}
