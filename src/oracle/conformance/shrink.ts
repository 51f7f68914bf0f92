/**
 * Shrinking: the smallest case that still fails, found by asking the backend again and again.
 *
 * Shapes first, since a small tensor says more than round numbers: every size, and both sides of every square, is tried at
 * 1, at half and at one less, with the tensors cut to fit at either end, and operands that may be missing are left out.
 * Then values: blocks of elements become 0, then 1, then whole numbers, from whole tensors down to single elements. A step
 * is kept where the same kind of fault remains.
 *
 * @module
 */
import { contiguous, tensor, type Tensor } from "../../tensor/tensor.js";
import type { Operands } from "../operation.js";
import { operationNamed } from "../operations/table.js";
import { argsOf, type Case, cropped, partsOf } from "./case.js";
import type { Geometry } from "./problem.js";
import { type Question, tryCase, type Wrong } from "./trial.js";

/** A case that fails, and how. */
export interface Failing {
  readonly failing: Case;
  readonly wrong: Wrong;
}

/** Faults that may stand for each other while shrinking: a judged number is wrong, in whatever way. */
function kindOf({ fault, what }: Wrong): string {
  if (fault === "failure") return what.slice(0, 7);
  return fault === "shape" || fault === "timeout" ? fault : "numbers";
}

class Shrinker {
  #best: Failing;
  #left: number;
  readonly #question: Question;

  constructor(question: Question, failing: Failing, budget: number) {
    this.#question = question;
    this.#best = failing;
    this.#left = budget;
  }

  get best(): Failing {
    return this.#best;
  }

  /** Whether no question is left: then nothing smaller need be made. */
  get isSpent(): boolean {
    return this.#left <= 0;
  }

  /** Takes `smaller` for the best if it fails in the same way. */
  async accept(smaller: Case | undefined): Promise<boolean> {
    if (smaller === undefined || this.isSpent) return false;
    this.#left--;
    try {
      const { wrong } = await tryCase(this.#question, smaller.operands, smaller.args);
      // a backend that hangs is not waited for again
      if (wrong?.fault === "timeout") this.#left = 0;
      if (wrong === undefined || kindOf(wrong) !== kindOf(this.#best.wrong)) return false;
      this.#best = { failing: smaller, wrong };
      return true;
    } catch {
      // an impossible case: a window larger than its image
      return false;
    }
  }
}

/** `from` with another geometry, its tensors cut to fit. */
function withGeometry(from: Case, geometry: Geometry, keep: "first" | "last"): Case | undefined {
  const operands: Record<string, Tensor> = {};
  try {
    for (const { name, shape } of partsOf(from.operation, geometry)) {
      const before = from.operands[name];
      // left out earlier
      if (before === undefined) continue;
      const cut = cropped(before, shape, keep);
      if (cut === undefined) return undefined;
      operands[name] = contiguous(cut);
    }
    return { ...from, geometry, operands, args: argsOf(from.operation, geometry) };
  } catch {
    return undefined;
  }
}

/** The sizes that shrink at a time: both sides of what is square, for a fault that only squares have, else each by itself. */
function sizesTogether(sizes: Geometry["sizes"]): readonly (readonly string[])[] {
  const sides = Object.keys(sizes).flatMap((key) => {
    const other = key.replace(/^height$/, "width").replace(/Height$/, "Width");
    return other !== key && sizes[other] === sizes[key] ? [[key, other]] : [];
  });
  return [...sides, ...Object.keys(sizes).map((key) => [key])];
}

async function shrinkSizes(shrinker: Shrinker): Promise<void> {
  let again = true;
  while (again && !shrinker.isSpent) {
    again = false;
    for (const keys of sizesTogether(shrinker.best.failing.geometry.sizes)) {
      const size = shrinker.best.failing.geometry.sizes[keys[0]];
      for (const smaller of new Set([1, Math.floor(size / 2), size - 1])) {
        if (smaller < 1 || smaller >= size) continue;
        const { failing } = shrinker.best;
        const sizes = { ...failing.geometry.sizes, ...Object.fromEntries(keys.map((key) => [key, smaller])) };
        const geometry = { ...failing.geometry, sizes };
        if (
          (await shrinker.accept(withGeometry(failing, geometry, "first"))) ||
          (await shrinker.accept(withGeometry(failing, geometry, "last")))
        ) {
          again = true;
          break;
        }
      }
    }
  }
}

async function leaveOut(shrinker: Shrinker): Promise<void> {
  for (const name of operationNamed(shrinker.best.failing.operation).optional) {
    const { failing } = shrinker.best;
    if (failing.operands[name] === undefined) continue;
    const { [name]: _left, ...operands } = failing.operands;
    await shrinker.accept({ ...failing, operands });
  }
}

/** Simpler numbers, the simplest first. */
const SIMPLER: readonly ((value: number) => number)[] = [
  () => 0,
  () => 1,
  (value) => Math.round(value),
  (value) => Math.round(value * 256) / 256,
];

async function shrinkValues(shrinker: Shrinker): Promise<void> {
  const { failing } = shrinker.best;
  const parts = partsOf(failing.operation, failing.geometry);
  for (const { name, content = "any" } of parts) {
    if (content !== "any" || failing.operands[name] === undefined) continue;
    for (let block = failing.operands[name].size; block >= 1; block = block === 1 ? 0 : Math.ceil(block / 4)) {
      for (let start = 0; start < failing.operands[name].size && !shrinker.isSpent; start += block) {
        await simplify(shrinker, name, start, block);
      }
    }
  }
}

async function simplify(shrinker: Shrinker, name: string, start: number, block: number): Promise<void> {
  for (const simpler of SIMPLER) {
    const { failing } = shrinker.best;
    const x = failing.operands[name];
    const data = Float32Array.from(contiguous(x).data);
    const before = data.slice(start, start + block);
    data.set(before.map(simpler), start);
    if (data.slice(start, start + block).every((value, i) => Object.is(value, before[i]))) return;
    const operands: Operands = { ...failing.operands, [name]: tensor(data, x.shape) };
    if (await shrinker.accept({ ...failing, operands })) return;
  }
}

/** The smallest case that fails as `failing` does, found within `budget` questions. Cases without a result stay as they are. */
export async function shrink(question: Question, failing: Failing, budget: number): Promise<Failing> {
  if (failing.wrong.fault === "timeout") return failing;
  const shrinker = new Shrinker(question, failing, budget);
  await shrinkSizes(shrinker);
  await leaveOut(shrinker);
  await shrinkValues(shrinker);
  return shrinker.best;
}
