/**
 * The assembled kernels as one thread sees them: an instance of the module of kernels over the memory of the heap.
 *
 * Kernels take addresses: the `byteOffset` of an array in the shared heap, which is the same on every thread.
 *
 * @module
 */
import type { NamedFunction, Signature } from "../../assembly/code.js";

interface Thread {
  readonly number: number;
  readonly exports: WebAssembly.Exports;
}

let current: Thread | undefined;

/** Makes the kernels of `module` run on this thread, number `thread` of its pool, over `memory`. */
export function startThread(module: WebAssembly.Module, memory: WebAssembly.Memory, thread: number): void {
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  current = { number: thread, exports };
}

function thisThread(): Thread {
  if (current === undefined) throw new Error("internal: simd: the kernels have not been started on this thread.");
  return current;
}

/** The number of this thread in its pool; the calling thread is 0. */
export function threadNumber(): number {
  return thisThread().number;
}

/**
 * Runs `kernel` with its parameters by name.
 *
 * @throws Error when kernels have not been started on this thread, or `kernel` is not in their module.
 */
export function runKernel<P extends Signature>(
  kernel: NamedFunction<P>,
  values: { readonly [K in keyof P]: number },
): void {
  const run = thisThread().exports[kernel.name];
  if (typeof run !== "function") throw new Error(`internal: simd: the module has no kernel "${kernel.name}".`);
  const inOrder: number[] = [];
  for (const name in kernel.signature) inOrder.push(values[name]);
  run(...inOrder);
}

/**
 * The function of `kernel` on this thread, which takes its parameters in order: for the few that are called so often
 * that looking them up by name would be felt.
 *
 * @throws Error when kernels have not been started on this thread, or `kernel` is not in their module.
 */
export function kernelFunction(kernel: NamedFunction<Signature>): (...values: number[]) => void {
  const run: unknown = thisThread().exports[kernel.name];
  if (!isKernelFunction(run)) throw new Error(`internal: simd: the module has no kernel "${kernel.name}".`);
  return run;
}

function isKernelFunction(value: unknown): value is (...values: number[]) => void {
  return typeof value === "function";
}
