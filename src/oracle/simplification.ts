/**
 * Simplification: a wrong case made smaller and simpler by asking the candidate again and again.
 *
 * Axes that belong together (the channels of an image and those of a kernel) are cut to their first or second half, then by
 * one; dy is cut to the shape that the smaller case gives. Then blocks of numbers become 0, 1 or whole.
 *
 * @module
 */
import type { KerasConfig } from "../serialization/config.js";
import { shapesAgree } from "../tensor/shape.js";
import { contiguous, type Tensor, tensor } from "../tensor/tensor.js";
import type { Operands } from "./operation.js";
import { operationNamed } from "./operations/table.js";
import type { OperationCase, WrongCase } from "./operation-case.js";

/** What a candidate gets wrong of a case, if anything. */
export type Ask = (asked: OperationCase) => WrongCase | undefined;

/** How often a candidate is asked at most. */
const MOST_QUESTIONS = 2000;

/** Axes by letters; those with the same letter have the same size. Everything else is as long as `x`. */
const LETTERS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  conv2d: { x: "nhwc", kernel: "rscu", bias: "u", dy: "n??u" },
  "depthwise-conv2d": { x: "nhwc", kernel: "rscm", bias: "?", dy: "n???" },
  dense: { x: "nc", kernel: "cu", bias: "u", dy: "nu" },
  "batch-normalization": { x: "nhwc", dy: "nhwc", gamma: "c", beta: "c", movingMean: "c", movingVariance: "c" },
};

function lettersOf(operation: string, name: string, x: Tensor): string {
  const base = operation.replace(/(-training)?(-backward)?$/, "");
  const letters = LETTERS[base]?.[name] ?? (name === "dy" && !isSameShape(base) ? "????" : "nhwcde");
  // rows that are no images: their channels are still the last letter of theirs
  if (base === "batch-normalization" && letters === "nhwc" && x.dimension < 4) {
    return `${"nhw".slice(0, x.dimension - 1)}c`;
  }
  return letters.slice(0, x.dimension);
}

/** Whether y has the shape of x, and so dy. */
function isSameShape(base: string): boolean {
  return !/pooling|padding|flatten|reshape|concatenate/.test(base);
}

class Simplifier {
  #best: WrongCase;
  #left = MOST_QUESTIONS;
  readonly #ask: Ask;

  constructor(wrong: WrongCase, ask: Ask) {
    this.#best = wrong;
    this.#ask = ask;
  }

  get best(): WrongCase {
    return this.#best;
  }

  /** Takes these operands for the best if the candidate still gets them wrong. */
  accept(operands: Operands | undefined, args: KerasConfig = this.#best.args): boolean {
    if (operands === undefined || this.#left-- <= 0) return false;
    const { operation } = this.#best;
    try {
      const wrong = this.#ask({ operation, operands, args });
      if (wrong === undefined) return false;
      this.#best = wrong;
      return true;
    } catch (error) {
      // a window larger than its image
      if (error instanceof RangeError) return false;
      throw error;
    }
  }
}

/** The smallest case that `ask` says is wrong, beginning with `wrong`. */
export function simplified(wrong: WrongCase, ask: Ask): WrongCase {
  const simplifier = new Simplifier(wrong, ask);
  while (shrinkOnce(simplifier)) continue;
  for (const name of wrong.operation.optional) {
    const { [name]: left, ...others } = simplifier.best.operands;
    if (left !== undefined) simplifier.accept(others);
  }
  for (const name of Object.keys(simplifier.best.operands)) simplifyNumbers(simplifier, name);
  return simplifier.best;
}

function shrinkOnce(simplifier: Simplifier): boolean {
  const { operation, operands } = simplifier.best;
  const sizes = new Map<string, number>();
  for (const [name, x] of Object.entries(operands)) {
    const letters = lettersOf(operation.name, name, x);
    x.shape.forEach((size, axis) => sizes.set(letters[axis], size));
  }
  for (const [letter, size] of sizes) {
    if (letter === "?") continue;
    for (const smaller of new Set([1, Math.floor(size / 2), size - 1])) {
      if (smaller < 1 || smaller >= size) continue;
      for (const from of [0, size - smaller]) {
        if (simplifier.accept(shrunk(simplifier.best, letter, from, smaller))) return true;
      }
    }
  }
  return false;
}

/** The operands with all axes of `letter` cut to `size` from `from` on. */
function shrunk(
  { operation, operands, args }: WrongCase,
  letter: string,
  from: number,
  size: number,
): Operands | undefined {
  const cut: Record<string, Tensor> = {};
  for (const [name, x] of Object.entries(operands)) {
    const letters = lettersOf(operation.name, name, x);
    const start = x.shape.map((_, axis) => (letters[axis] === letter ? from : 0));
    const sizes = x.shape.map((whole, axis) => (letters[axis] === letter ? size : whole));
    cut[name] = contiguous(x.lo(...start).hi(...sizes));
  }
  return withCotangent(operation.name, cut, args);
}

/** The operands with dy as large as the result that it is the gradient of. */
function withCotangent(name: string, operands: Operands, args: KerasConfig): Operands | undefined {
  const { dy, ...others } = operands;
  if (dy === undefined) return operands;
  const forward = operationNamed(name.replace(/-backward$/, ""));
  const known = Object.entries(others).filter(([key]) => [...forward.inputs, ...forward.optional].includes(key));
  try {
    const { shape } = forward.run(Object.fromEntries(known), args)["y"];
    if (shapesAgree(shape, dy.shape)) return operands;
    if (shape.length !== dy.dimension || shape.some((size, axis) => size > dy.shape[axis])) return undefined;
    return { ...operands, dy: contiguous(dy.hi(...shape)) };
  } catch (error) {
    if (error instanceof RangeError || error instanceof TypeError) return undefined;
    throw error;
  }
}

/** Simpler numbers, the simplest first. */
const SIMPLER: readonly ((value: number) => number)[] = [() => 0, () => 1, (value) => Math.round(value)];

function simplifyNumbers(simplifier: Simplifier, name: string): void {
  // class numbers and one-hot rows have rules of their own
  if (name === "yTrue") return;
  const { size } = simplifier.best.operands[name] ?? { size: 0 };
  for (let block = size; block >= 1; block = block === 1 ? 0 : Math.ceil(block / 4)) {
    for (let start = 0; start < size; start += block) simplifyBlock(simplifier, name, start, block);
  }
}

function simplifyBlock(simplifier: Simplifier, name: string, start: number, block: number): void {
  for (const simpler of SIMPLER) {
    const { operands } = simplifier.best;
    const x = operands[name];
    if (x === undefined) return;
    const data = Float32Array.from(contiguous(x).data);
    const before = data.slice(start, start + block);
    data.set(before.map(simpler), start);
    if (data.slice(start, start + block).every((value, i) => Object.is(value, before[i]))) return;
    if (simplifier.accept({ ...operands, [name]: tensor(data, x.shape) })) return;
  }
}
