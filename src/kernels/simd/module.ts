/**
 * The module of all assembled kernels, compiled when it is first needed.
 *
 * @module
 */
import type { NamedFunction, Signature } from "../../assembly/code.js";
import { assemble } from "../../assembly/module.js";
import { sharedHeap } from "../../tensor/heap.js";
import { aheadKernels } from "./ahead-kernel.js";
import { copyKernels } from "./copy-kernel.js";
import { depthwiseFunctions } from "./depthwise-kernels.js";
import { fewFiltersFunctions } from "./few-filters-kernels.js";
import { fetchLines } from "./fetch-kernel.js";
import { sumOfNothing } from "./finite-kernel.js";
import { inPlaceKernels } from "./depthwise-in-place-kernel.js";
import { productsInPlaceKernels } from "./depthwise-products-kernel.js";
import { outerProductFunctions } from "./outer-product-kernels.js";
import { packKernels } from "./pack-kernel.js";
import { passKernels } from "./pass-kernels.js";
import { productKernels } from "./product-kernel.js";
import { findDifference } from "./self-check.js";
import { writeRowKind, writeTable } from "./table-kernel.js";
import { startThread } from "./thread.js";

/** Every kernel of the library. Kernels that others write join this list. */
const kernels: readonly NamedFunction<Signature>[] = [
  writeTable,
  writeRowKind,
  sumOfNothing,
  fetchLines,
  ...copyKernels,
  ...packKernels,
  ...productKernels,
  ...aheadKernels,
  ...outerProductFunctions,
  ...depthwiseFunctions,
  ...inPlaceKernels,
  ...productsInPlaceKernels,
  ...fewFiltersFunctions,
  ...passKernels,
];

/** The module; null where it cannot run, or is not trusted. */
let compiled: WebAssembly.Module | null | undefined;

/** Jobs that have been run, and after how many of them the kernels are compared again; see `self-check.ts`. */
let jobs = 0;
const CHECK_AFTER: readonly number[] = [16, 256, 4096, 65536];

/**
 * The compiled module for the workers of a pool, with its kernels started on the calling thread. Undefined where there
 * is no WebAssembly, no shared memory, or no SIMD, and where a kernel gave a wrong bit.
 */
export function simdModule(): WebAssembly.Module | undefined {
  if (compiled === undefined) {
    compiled = compile() ?? null;
    checkKernels();
  }
  return compiled ?? undefined;
}

/** Counts jobs that are about to run on the kernels, and compares these again from time to time. */
export function countJobs(count: number): void {
  const before = jobs;
  jobs += count;
  if (CHECK_AFTER.some((after) => before < after && after <= jobs)) checkKernels();
}

/** Gives the kernels up, with a warning, where `find` finds a difference between their bits and those of plain loops. */
export function checkKernels(find: () => string | undefined = findDifference): void {
  if (compiled === undefined || compiled === null) return;
  const difference = find();
  if (difference === undefined) return;
  compiled = null;
  warn(
    `touchstone: the assembled kernels do not compute the bits that they must: ${difference}. ` +
      "The scalar path is taken from now on; results that were computed before may be wrong in the last bits.",
  );
}

function warn(message: string): void {
  if (globalThis.process?.emitWarning === undefined) console.warn(message);
  else globalThis.process.emitWarning(message);
}

function compile(): WebAssembly.Module | undefined {
  if (typeof WebAssembly !== "object") return undefined;
  const memory = sharedHeap().handle;
  if (!(memory instanceof WebAssembly.Memory)) return undefined;
  const bytes = assemble(kernels, { minimum: 1, maximum: 65536, shared: true });
  if (!WebAssembly.validate(bytes)) return undefined;
  const module = new WebAssembly.Module(bytes);
  startThread(module, memory, 0);
  return module;
}
