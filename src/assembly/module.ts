/**
 * Functions put together as a module, in the binary format that `WebAssembly.Module` takes.
 *
 *     magic, version | 1: types | 2: imports | 3: type of each function | 7: exports | 10: code
 *
 * A module imports one memory, as `env.memory`, and exports all its functions by name.
 *
 * @module
 */
import type { Code, ValueType, WasmFunction } from "./code.js";
import { list, name, section, unsigned } from "./encoding.js";

const TYPE_CODES: Readonly<Record<ValueType, number>> = { i32: 0x7f, f32: 0x7d, f64: 0x7c, v128: 0x7b };
const UNREACHABLE = 0x00;
const END = 0x0b;
const MAGIC_AND_VERSION = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];

/** The memory that a module asks for, in pages of 64 KiB. An imported memory must not be able to grow further. */
export interface MemoryType {
  readonly minimum: number;
  readonly maximum: number;
  readonly shared: boolean;
}

const typeList = (types: readonly ValueType[]): number[] => list(types.map((type) => [TYPE_CODES[type]]));

/** Writes the code of `caller`, with the numbers of the functions that it calls, behind `bytes`. */
function write(bytes: number[], code: Code, caller: WasmFunction, functions: readonly WasmFunction[]): void {
  for (const item of code) {
    if (typeof item === "number") bytes.push(item);
    else if ("name" in item) bytes.push(...unsigned(numberOf(item, caller, functions)));
    else write(bytes, item, caller, functions);
  }
}

function numberOf(callee: WasmFunction, caller: WasmFunction, functions: readonly WasmFunction[]): number {
  const index = functions.indexOf(callee);
  if (index < 0)
    throw new Error(`internal: assembly: "${caller.name}" calls "${callee.name}", which is not in the module.`);
  return index;
}

/**
 * The module of `functions`.
 *
 * @throws Error when two functions have one name, or a function is called that is not in the list.
 */
export function assemble(functions: readonly WasmFunction[], memory: MemoryType): Uint8Array<ArrayBuffer> {
  const double = functions.find(({ name }, i) => functions.findIndex((other) => other.name === name) !== i);
  if (double !== undefined) throw new Error(`internal: assembly: two functions are called "${double.name}".`);
  const types = functions.map(({ parameters, result }) => [
    0x60,
    ...typeList(parameters),
    ...typeList(result === undefined ? [] : [result]),
  ]);
  const limits = [memory.shared ? 3 : 1, ...unsigned(memory.minimum), ...unsigned(memory.maximum)];
  const bodies = functions.flatMap((f) => {
    const { locals, code } = f.build();
    const body = list(locals.map((type) => [1, TYPE_CODES[type]]));
    const end = f.result === undefined ? [END] : [UNREACHABLE, END]; // every path with a result has returned
    write(body, [code, end], f, functions);
    return [unsigned(body.length), body];
  });
  const code = [unsigned(functions.length), ...bodies];
  return joined([
    MAGIC_AND_VERSION,
    section(1, list(types)),
    section(2, list([[...name("env"), ...name("memory"), 2, ...limits]])),
    section(3, list(functions.map((_, i) => unsigned(i)))),
    section(7, list(functions.map((f, i) => [...name(f.name), 0, ...unsigned(i)]))),
    [10, ...unsigned(lengthOf(code))], // the bodies are most of the module, so they are not copied into a section first
    ...code,
  ]);
}

function lengthOf(parts: readonly (readonly number[])[]): number {
  return parts.reduce((sum, { length }) => sum + length, 0);
}

function joined(parts: readonly (readonly number[])[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(lengthOf(parts));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
