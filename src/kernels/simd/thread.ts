/**
 * The assembled kernels as one thread sees them: an instance of the module of kernels over the memory of the heap.
 *
 * Kernels take addresses: the `byteOffset` of an array in the shared heap, which is the same on every thread.
 *
 * @module
 */
import type { NamedFunction, Signature } from "../../assembly/code.js";

/** A kernel on this thread, and the names of its parameters, in order; filled up with the first for {@link call}. */
interface Callee {
  readonly run: KernelFunction;
  readonly names: readonly string[];
}

interface Thread {
  readonly number: number;
  readonly exports: WebAssembly.Exports;
  /** The kernels that have been called, and those that have been asked for. */
  readonly callees: Map<NamedFunction<Signature>, Callee>;
  readonly functions: Map<NamedFunction<Signature>, KernelFunction>;
}

/** A kernel, which takes its parameters in order. */
type KernelFunction = (...values: number[]) => void;

let current: Thread | undefined;

/** Makes the kernels of `module` run on this thread, number `thread` of its pool, over `memory`. */
export function startThread(module: WebAssembly.Module, memory: WebAssembly.Memory, thread: number): void {
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  current = { number: thread, exports, callees: new Map(), functions: new Map() };
}

function thisThread(): Thread {
  if (current === undefined) throw new Error("internal: simd: the kernels have not been started on this thread.");
  return current;
}

/** The number of this thread in its pool; the calling thread is 0. */
export function threadNumber(): number {
  return thisThread().number;
}

/** What `use` returns, run as if this thread were the calling one, and alone: jobs find scratch memory at the start of theirs. */
export function asOnlyThread<Result>(use: () => Result): Result {
  const outer = thisThread();
  current = { ...outer, number: 0 };
  try {
    return use();
  } finally {
    current = outer;
  }
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
  call(thisThread().callees.get(kernel) ?? callee(kernel), values);
}

/** Finds `kernel` for the calls to come. */
function callee(kernel: NamedFunction<Signature>): Callee {
  const names = Object.keys(kernel.signature);
  const count = ARGUMENT_COUNTS.find((most) => names.length <= most) ?? names.length;
  const more = Array.from({ length: count - names.length }, () => names[0]);
  const found = { run: kernelFunction(kernel), names: [...names, ...more] };
  thisThread().callees.set(kernel, found);
  return found;
}

/** With how many arguments {@link call} calls. */
const ARGUMENT_COUNTS = [6, 11] as const;

/**
 * The call, spelled out: thousands are made in a step, and a call with an array of values takes twenty times as long.
 * What is handed over beyond the parameters is not looked at.
 */
function call({ run, names: n }: Callee, v: Readonly<Record<string, number>>): void {
  if (n.length === 6) {
    run(v[n[0]], v[n[1]], v[n[2]], v[n[3]], v[n[4]], v[n[5]]);
  } else if (n.length === 11) {
    run(v[n[0]], v[n[1]], v[n[2]], v[n[3]], v[n[4]], v[n[5]], v[n[6]], v[n[7]], v[n[8]], v[n[9]], v[n[10]]);
  } else {
    run(...n.map((name) => v[name]));
  }
}

/**
 * The function of `kernel` on this thread, which takes its parameters in order.
 *
 * @throws Error when kernels have not been started on this thread, or `kernel` is not in their module.
 */
export function kernelFunction(kernel: NamedFunction<Signature>): KernelFunction {
  const { exports, functions } = thisThread();
  const known = functions.get(kernel);
  if (known !== undefined) return known;
  const run: unknown = exports[kernel.name];
  if (!isKernelFunction(run)) throw new Error(`internal: simd: the module has no kernel "${kernel.name}".`);
  functions.set(kernel, run);
  return run;
}

function isKernelFunction(value: unknown): value is KernelFunction {
  return typeof value === "function";
}
