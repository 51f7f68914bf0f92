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

const isCode = (item: WasmFunction | Code): item is Code => Array.isArray(item);

/** Writes code, byte by byte, into memory that grows: the bodies of a module have some hundred thousand. */
class CodeWriter {
  readonly #functions: readonly WasmFunction[];
  #bytes = new Uint8Array(65_536);
  #length = 0;

  /** For functions that call each other by their place in `functions`. */
  constructor(functions: readonly WasmFunction[]) {
    this.#functions = functions;
  }

  /** Appends the code of `caller`. */
  write(code: Code, caller: WasmFunction): void {
    for (let i = 0; i < code.length; i++) {
      const item = code[i];
      if (typeof item === "number") this.#push(item);
      else if (isCode(item)) this.write(item, caller);
      else this.write(unsigned(numberOf(item, caller, this.#functions)), caller);
    }
  }

  #push(byte: number): void {
    if (this.#length === this.#bytes.length) {
      const more = new Uint8Array(2 * this.#length);
      more.set(this.#bytes);
      this.#bytes = more;
    }
    this.#bytes[this.#length++] = byte;
  }

  /** What has been written since the last call. */
  take(): Uint8Array {
    const taken = this.#bytes.slice(0, this.#length);
    this.#length = 0;
    return taken;
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
  const writer = new CodeWriter(functions);
  const bodies = functions.flatMap((f) => {
    const { locals, code } = f.build();
    const end = f.result === undefined ? [END] : [UNREACHABLE, END]; // every path with a result has returned
    writer.write([list(locals.map((type) => [1, TYPE_CODES[type]])), code, end], f);
    const body = writer.take();
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

/** Bytes that follow each other. */
type Part = readonly number[] | Uint8Array;

function lengthOf(parts: readonly Part[]): number {
  return parts.reduce((sum, { length }) => sum + length, 0);
}

function joined(parts: readonly Part[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(lengthOf(parts));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
