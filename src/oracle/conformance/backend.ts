/**
 * Backends: what is tested. Plain functions on plain typed arrays, synchronous or not, so that an adapter to anything
 * takes a few lines.
 *
 *     export default {
 *       name: "mine", version: "1.2.3",
 *       operations: {
 *         relu: ({ x }) => ({ data: x.data.map((v) => Math.max(v, 0)), shape: x.shape }),
 *         "dense-backward": async ({ x, kernel, dy }) => ({ dx: ..., dKernel: ..., dBias: ... }),
 *       },
 *     };
 *
 * @module
 */
import { oneLine } from "../../formats/format-error.js";
import { describe, type KerasConfig } from "../../serialization/config.js";
import { formatShape, sizeOf } from "../../tensor/shape.js";
import { contiguous, type Tensor, tensor } from "../../tensor/tensor.js";
import type { Operands, Operation } from "../operation.js";
import { OPERATIONS } from "../operations/table.js";

/** A tensor as backends receive it: row-major, images as NHWC, kernels as HWIO. */
export interface PlainTensor {
  /** The elements. */
  readonly data: Float32Array;
  /** The dimensions. */
  readonly shape: readonly number[];
}

/** A tensor as backends may return it. */
export interface PlainResult {
  /** The elements, row-major; big integers are none. */
  readonly data: ArrayLike<number>;
  /** The dimensions, as a plain array. */
  readonly shape: readonly number[];
}

/** Results by name; where an operation has a single one, the result itself will do. */
export type BackendResults = PlainResult | Readonly<Record<string, PlainResult>>;

/** One operation of a backend. Operands are its own to overwrite; arguments are Keras's, in camelCase, all given. */
export type BackendOperation = (
  operands: Readonly<Record<string, PlainTensor>>,
  args: KerasConfig,
) => BackendResults | Promise<BackendResults>;

/** A backend. */
export interface Backend {
  /** What reports call it. */
  readonly name: string;
  /** Of what is tested. */
  readonly version?: string;
  /** By the names of {@link OPERATIONS}, or those in camelCase: `conv2d`, `conv2d-backward` or `conv2dBackward`. */
  readonly operations: Readonly<Record<string, BackendOperation>>;
}

/** What a backend gave, or why that cannot be judged. */
export type Given =
  | { readonly results: Operands }
  | { readonly failure: string; readonly fault: "failure" | "timeout" };

const camelCase = (name: string): string => name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());

/**
 * The operations of `backend` by the names of {@link OPERATIONS}.
 *
 * @throws TypeError when it is no backend, or has an operation that nobody knows.
 */
export function operationsOf(backend: Backend): ReadonlyMap<string, BackendOperation> {
  const value: unknown = backend;
  if (typeof value !== "object" || value === null || typeof backend.name !== "string") {
    throw new TypeError(`checkBackend: \`backend\` must be an object with a name. Received ${describe(value)}.`);
  }
  const { operations }: { readonly operations: unknown } = backend;
  if (typeof operations !== "object" || operations === null) {
    throw new TypeError(
      `checkBackend: \`operations\` must be an object of functions. Received ${describe(operations)}.`,
    );
  }
  const known = new Map([...OPERATIONS.keys()].flatMap((name) => [[name, name] as const, [camelCase(name), name]]));
  return new Map(
    Object.entries(backend.operations).map(([key, run]) => {
      const name = known.get(key);
      if (name === undefined) {
        const names = [...OPERATIONS.keys()].join(", ");
        throw new TypeError(`checkBackend: \`operations\` must be among ${names}. Received ${JSON.stringify(key)}.`);
      }
      if (typeof run !== "function") {
        throw new TypeError(`checkBackend: \`operations.${key}\` must be a function. Received ${describe(run)}.`);
      }
      return [name, run];
    }),
  );
}

/** What stands for results that do not come. */
const LATE = Symbol("late");

/**
 * Asks `run` for the results of `operation`, and waits `timeout` seconds for what it promises. Never throws: what goes wrong
 * is a finding. A function that does not return at all cannot be stopped.
 */
export async function ask(
  run: BackendOperation,
  operation: Operation,
  operands: Operands,
  args: KerasConfig,
  timeout: number,
): Promise<Given> {
  const plain = Object.fromEntries(
    Object.entries(operands).map(([name, x]) => [
      name,
      { data: Float32Array.from(contiguous(x).data), shape: [...x.shape] },
    ]),
  );
  try {
    const returned = await within(run(plain, structuredClone(args)), timeout);
    if (returned === LATE) return { failure: `gave no result within ${timeout} s`, fault: "timeout" };
    const results = resultsOf(returned, operation);
    return typeof results === "string" ? { failure: results, fault: "failure" } : { results };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { failure: `threw: ${oneLine(message)}`, fault: "failure" };
  }
}

/** `promised`, or {@link LATE} after `timeout` seconds. The timer keeps the process alive: nothing else may. */
async function within<T>(promised: T | Promise<T>, timeout: number): Promise<T | typeof LATE> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<typeof LATE>((resolve) => {
    timer = setTimeout(() => resolve(LATE), 1000 * timeout);
  });
  try {
    return await Promise.race([promised, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The results by name, or what is wrong with them. */
function resultsOf(returned: unknown, { outputs }: Operation): Operands | string {
  if (typeof returned !== "object" || returned === null) return `returned ${describe(returned)}`;
  const byName: Readonly<Record<string, unknown>> = isMeantAsOne(returned)
    ? { [outputs[0]]: returned }
    : Object.fromEntries(Object.entries(returned).filter(([, value]) => value !== undefined));
  const results: Record<string, Tensor> = {};
  for (const [name, result] of Object.entries(byName)) {
    if (!outputs.includes(name)) return `returned \`${name}\`, which is none of ${outputs.join(", ")}`;
    if (!isResult(result)) return `must return { data, shape: number[] } for \`${name}\`, returned ${kindOf(result)}`;
    const { data, shape } = result;
    if (!shape.every((size) => Number.isSafeInteger(size) && size >= 0) || data.length !== sizeOf(shape)) {
      return `returned ${data.length} numbers for \`${name}\` of shape ${formatShape(shape)}`;
    }
    // wide enough for what was computed in float64
    results[name] = tensor(Float64Array.from(data), shape);
  }
  return Object.keys(results).length > 0 ? results : "returned nothing";
}

/** Whether `returned` is one tensor, or was to be one, and no record of them by name. */
function isMeantAsOne(returned: object): boolean {
  return isList(returned) || "data" in returned || "shape" in returned;
}

function isResult(value: unknown): value is PlainResult {
  return (
    typeof value === "object" &&
    value !== null &&
    "data" in value &&
    isList(value.data) &&
    "shape" in value &&
    Array.isArray(value.shape)
  );
}

/** Whether `value` is an array that may hold numbers. */
function isList(value: unknown): value is ArrayLike<number> {
  if (Array.isArray(value)) return true;
  const isView = ArrayBuffer.isView(value) && "length" in value;
  return isView && !(value instanceof BigInt64Array || value instanceof BigUint64Array);
}

/** What stands in the place of `{ data, shape: number[] }`. */
function kindOf(value: unknown): string {
  const nameOf = (x: unknown): string =>
    typeof x === "object" && x !== null ? Object.prototype.toString.call(x).slice("[object ".length, -1) : describe(x);
  if (typeof value !== "object" || value === null || !("data" in value || "shape" in value)) return nameOf(value);
  const { data, shape }: { readonly data?: unknown; readonly shape?: unknown } = value;
  return `{ data: ${nameOf(data)}, shape: ${nameOf(shape)} }`;
}
