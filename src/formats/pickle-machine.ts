/**
 * The machine that runs a pickle: a stack, a memo, and a table of opcodes. See pickle.ts for why this is safe.
 *
 * @module
 */
import { ByteReader } from "./byte-reader.js";
import { build, construct, failPickle, Inert, kindOf, Name, nameOf, textOf, type Value } from "./pickle-objects.js";

/** The most opcodes of a program. A layer of four variables takes about 600. */
const MAX_OPERATIONS = 65536;
const HIGHEST_PROTOCOL = 5;
const STOP = 0x2e;
const MARK = Symbol("mark");

/** The stack, the memo, and the program. */
class Machine {
  readonly program: ByteReader;
  readonly memo: Map<number, Value> = new Map();
  readonly #stack: (Value | typeof MARK)[] = [];
  readonly #encoded = new Map<string, Uint8Array>();

  constructor(bytes: Uint8Array) {
    this.program = new ByteReader("pickle", "the program", bytes);
  }

  push(value: Value | typeof MARK): void {
    this.#stack.push(value);
  }

  pop(): Value {
    const value = this.#stack.pop();
    if (value === undefined || value === MARK)
      return failPickle("an opcode must find its operands.", "too few on the stack");
    return value;
  }

  /** The value on top, which stays there. */
  top(): Value {
    const value = this.pop();
    this.push(value);
    return value;
  }

  popMany(count: number): Value[] {
    return Array.from({ length: count }, () => this.pop()).reverse();
  }

  /** Everything above the last mark, which goes too. */
  popToMark(): Value[] {
    const at = this.#stack.lastIndexOf(MARK);
    if (at < 0) failPickle("an opcode must find its operands.", "no mark on the stack");
    return this.#stack.splice(at).flatMap((value) => (value === MARK ? [] : [value]));
  }

  put(index: number): void {
    this.memo.set(index, this.top());
  }

  get(index: number): void {
    const value = this.memo.get(index);
    if (value === undefined) failPickle("the memo must hold what is taken from it.", `number ${index}`);
    this.push(value);
  }

  name(module: Value, name: Value): void {
    this.push(nameOf(typeof module === "string" && typeof name === "string" ? `${module}.${name}` : kindOf(module)));
  }

  call(): void {
    const args = this.pop();
    const callee = this.pop();
    // the call of a functools.partial, whose record serves for the result
    if (callee instanceof Inert && Array.isArray(args)) return this.push(callee);
    if (!(callee instanceof Name) || !Array.isArray(args)) {
      return failPickle("a call must be of a name with a tuple.", `${kindOf(callee)} with ${kindOf(args)}`);
    }
    this.push(construct({ path: callee.path, args, encoded: this.#encoded }));
  }

  /** Keys that are bytes become text: a dictionary of ours finds bytes by identity only. */
  setItems(pairs: readonly Value[]): void {
    const target = this.top();
    if (!(target instanceof Map) || pairs.length % 2 !== 0) {
      return failPickle("SETITEMS must set pairs in a dictionary.", `${pairs.length} values for ${kindOf(target)}`);
    }
    for (let i = 0; i < pairs.length; i += 2) target.set(textOf(pairs[i]) ?? pairs[i], pairs[i + 1]);
  }

  append(values: readonly Value[]): void {
    const target = this.top();
    if (!Array.isArray(target)) return failPickle("APPEND must append to a list.", kindOf(target));
    for (const value of values) target.push(value);
  }

  /** Text up to the end of the line. */
  line(): string {
    const { bytes, position } = this.program;
    const end = bytes.indexOf(0x0a, position);
    if (end < 0) failPickle("a name must end with its line.", "the end of the program");
    const text = this.program.text(end - position);
    this.program.skip(1);
    return text;
  }
}

/** The opcodes, by number; STOP is not among them. */
const OPCODES: ReadonlyMap<number, (machine: Machine) => void> = new Map<number, (machine: Machine) => void>([
  [0x80, (m) => checkProtocol(m.program.u8())], // PROTO
  [0x95, (m) => m.program.skip(8)], // FRAME: how much a reader should buffer
  // constants
  [0x4e, (m) => m.push(null)], // NONE
  [0x88, (m) => m.push(true)], // NEWTRUE
  [0x89, (m) => m.push(false)], // NEWFALSE
  [0x4b, (m) => m.push(m.program.u8())], // BININT1
  [0x4d, (m) => m.push(m.program.u16())], // BININT2
  [0x4a, (m) => m.push(m.program.u32() | 0)], // BININT, signed
  [0x47, (m) => m.push(bigEndianDouble(m.program.take(8)))], // BINFLOAT
  [0x8c, (m) => m.push(m.program.text(m.program.u8()))], // SHORT_BINUNICODE
  [0x58, (m) => m.push(m.program.text(m.program.u32()))], // BINUNICODE
  [0x55, (m) => m.push(m.program.take(m.program.u8()))], // SHORT_BINSTRING: a string of Python 2 is bytes
  [0x54, (m) => m.push(m.program.take(m.program.u32()))], // BINSTRING
  [0x43, (m) => m.push(m.program.take(m.program.u8()))], // SHORT_BINBYTES
  [0x42, (m) => m.push(m.program.take(m.program.u32()))], // BINBYTES
  [0x8e, (m) => m.push(m.program.take(m.program.uint(8)))], // BINBYTES8
  [0x96, (m) => m.push(m.program.take(m.program.uint(8)))], // BYTEARRAY8
  // collections
  [0x28, (m) => m.push(MARK)], // MARK
  [0x29, (m) => m.push([])], // EMPTY_TUPLE
  [0x85, (m) => m.push(m.popMany(1))], // TUPLE1
  [0x86, (m) => m.push(m.popMany(2))], // TUPLE2
  [0x87, (m) => m.push(m.popMany(3))], // TUPLE3
  [0x74, (m) => m.push(m.popToMark())], // TUPLE
  [0x5d, (m) => m.push([])], // EMPTY_LIST
  [0x61, (m) => m.append([m.pop()])], // APPEND
  [0x65, (m) => m.append(m.popToMark())], // APPENDS
  [0x8f, (m) => m.push([])], // EMPTY_SET
  [0x90, (m) => m.append(m.popToMark())], // ADDITEMS
  [0x7d, (m) => m.push(new Map())], // EMPTY_DICT
  [0x73, (m) => m.setItems(m.popMany(2))], // SETITEM
  [0x75, (m) => m.setItems(m.popToMark())], // SETITEMS
  // memo
  [0x94, (m) => m.put(m.memo.size)], // MEMOIZE
  [0x71, (m) => m.put(m.program.u8())], // BINPUT
  [0x72, (m) => m.put(m.program.u32())], // LONG_BINPUT
  [0x68, (m) => m.get(m.program.u8())], // BINGET
  [0x6a, (m) => m.get(m.program.u32())], // LONG_BINGET
  // names and calls
  [0x63, (m) => m.name(m.line(), m.line())], // GLOBAL
  [0x93, nameFromStack], // STACK_GLOBAL
  [0x52, (m) => m.call()], // REDUCE
  [0x81, (m) => m.call()], // NEWOBJ
  [0x62, buildTop], // BUILD
]);

function checkProtocol(protocol: number): void {
  if (protocol < 2 || protocol > HIGHEST_PROTOCOL) failPickle("the protocol must be 2 to 5.", `protocol ${protocol}`);
}

function bigEndianDouble(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, 8).getFloat64(0);
}

function nameFromStack(machine: Machine): void {
  const [module, name] = machine.popMany(2);
  machine.name(module, name);
}

function buildTop(machine: Machine): void {
  const state = machine.pop();
  build(machine.top(), state);
}

/**
 * Runs the program in `bytes`.
 *
 * @returns The one value that it leaves.
 * @throws FormatError when it names, or asks for, anything that variables do not need.
 */
export function runPickle(bytes: Uint8Array): Value {
  const machine = new Machine(bytes);
  for (let operations = 0; operations < MAX_OPERATIONS; operations++) {
    const at = machine.program.position;
    const opcode = machine.program.u8();
    if (opcode === STOP) return machine.pop();
    const operation = OPCODES.get(opcode);
    if (operation === undefined) {
      return failPickle(
        "only the opcodes of arrays and variables are read.",
        `opcode 0x${opcode.toString(16)} at byte ${at}`,
      );
    }
    operation(machine);
  }
  return failPickle(`a dictionary of variables must take at most ${MAX_OPERATIONS} opcodes.`, "more");
}
