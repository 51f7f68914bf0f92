/**
 * The module of all assembled kernels, compiled when it is first needed.
 *
 * @module
 */
import type { NamedFunction, Signature } from "../../assembly/code.js";
import { assemble } from "../../assembly/module.js";
import { sharedHeap } from "../../tensor/heap.js";
import { outerProductFunctions } from "./outer-product-kernels.js";
import { copyKernels } from "./copy-kernel.js";
import { packKernels } from "./pack-kernel.js";
import { passKernels } from "./pass-kernels.js";
import { productKernels } from "./product-kernel.js";
import { writeTable } from "./table-kernel.js";
import { startThread } from "./thread.js";

/** Every kernel of the library. Kernels that others write join this list. */
const kernels: readonly NamedFunction<Signature>[] = [
  writeTable,
  ...copyKernels,
  ...packKernels,
  ...productKernels,
  ...outerProductFunctions,
  ...passKernels,
];

/** The module; null where it cannot run. */
let compiled: WebAssembly.Module | null | undefined;

/**
 * The compiled module for the workers of a pool, with its kernels started on the calling thread. Undefined where there
 * is no WebAssembly, no shared memory, or no SIMD.
 */
export function simdModule(): WebAssembly.Module | undefined {
  compiled ??= compile() ?? null;
  return compiled ?? undefined;
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
