/**
 * What stands in for Python's objects when a pickle is read: plain records. See pickle.ts.
 *
 * @module
 */
import { FormatError, quote } from "./format-error.js";

/** What stands for `numpy.dtype`: type and size (`f4`), then by BUILD the byte order. */
export class ElementKind {
  /** Type and size, for example `f4`. */
  readonly code: string;
  /** `<`, `>`, or `|` for none. */
  order = "|";

  constructor(code: string) {
    this.code = code;
  }
}

/** What stands for `numpy.ndarray`; BUILD gives it a state. */
export class ArrayRecord {
  /** Its dimensions. */
  shape: readonly number[] = [];
  /** Of what it is. */
  kind: ElementKind = new ElementKind("V");
  /** Whether the first index runs fastest. */
  fortranOrder = false;
  /** Bytes, or the list of objects of an object array. */
  data: Value = null;
}

/** A name that the program may call. */
export class Name {
  /** `numpy.dtype`. */
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }
}

/** What stands for an object of Keras or TensorFlow: the call that would make it, and its state. */
export class Inert {
  /** The name that would be called. */
  readonly path: string;
  /** The state that BUILD gave it. */
  state: Value = null;

  constructor(path: string) {
    this.path = path;
  }
}

/** A value of a pickle. Lists, tuples and sets are all arrays here. */
export type Value =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | Value[]
  | Map<Value, Value>
  | Name
  | Inert
  | ElementKind
  | ArrayRecord;

/** The error of this format. */
export function failPickle(rule: string, received: string): never {
  throw new FormatError("pickle", rule, received);
}

/** `value` as messages say it. */
export function kindOf(value: Value): string {
  if (value === null) return "None";
  if (Array.isArray(value)) return "a list";
  if (value instanceof Uint8Array) return "bytes";
  if (value instanceof Map) return "a dictionary";
  if (value instanceof Name) return `the function ${value.path}`;
  if (value instanceof Inert) return `an object of ${value.path}`;
  if (value instanceof ElementKind) return `the type ${quote(value.code)}`;
  if (value instanceof ArrayRecord) return "an array";
  return typeof value === "string" ? quote(value) : String(value);
}

/** Longest byte string that {@link textOf} takes for text: what Python 2 writes with a length of one byte. */
const MAX_TEXT = 255;

/** `value` as text; the strings of Python 2 are bytes, here Latin-1. Nothing where it is neither, or too long for a name. */
export function textOf(value: Value): string | undefined {
  if (typeof value === "string") return value;
  return value instanceof Uint8Array && value.length <= MAX_TEXT ? String.fromCharCode(...value) : undefined;
}

/** A call of a name. */
export interface Call {
  /** The name. */
  readonly path: string;
  /** The arguments. */
  readonly args: readonly Value[];
  /** Bytes by the text that they were made of, so that a program that repeats itself does not fill the memory. */
  readonly encoded: Map<string, Uint8Array>;
}

function refuseCall({ path, args }: Call): never {
  return failPickle(
    `${path} must be called as NumPy does.`,
    `${args.length} arguments (${args.slice(0, 4).map(kindOf).join(", ")})`,
  );
}

function isSize(value: Value): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function isShape(value: Value): value is number[] {
  return Array.isArray(value) && value.length <= 64 && value.every(isSize);
}

/** `_reconstruct(ndarray, (0,), b"b")`: an array that BUILD will fill. */
function reconstruct(call: Call): ArrayRecord {
  const [type] = call.args;
  return type instanceof Name && type.path === "numpy.ndarray" ? new ArrayRecord() : refuseCall(call);
}

/** `_frombuffer(bytes, dtype, shape, "C" or "F")` of protocol 5: an array in one call. */
function fromBuffer(call: Call): ArrayRecord {
  const [data, kind, shape, order] = call.args;
  if (!(data instanceof Uint8Array && kind instanceof ElementKind && isShape(shape))) return refuseCall(call);
  return Object.assign(new ArrayRecord(), { data, kind, shape, fortranOrder: order === "F" });
}

function dtype(call: Call): ElementKind {
  const code = textOf(call.args[0] ?? null);
  return code === undefined ? refuseCall(call) : new ElementKind(code);
}

/** Protocol 2 has no bytes: each is written as the character of that number, `_codecs.encode("\u00ff", "latin1")`. */
function encode(call: Call): Uint8Array {
  const [text, encoding] = call.args;
  if (typeof text !== "string" || encoding !== "latin1") return refuseCall(call);
  const known = call.encoded.get(text);
  if (known !== undefined) return known;
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    bytes[i] = text.charCodeAt(i);
    if (bytes[i] !== text.charCodeAt(i)) return refuseCall(call);
  }
  call.encoded.set(text, bytes);
  return bytes;
}

/** What a call of each name makes. */
const CONSTRUCTORS: ReadonlyMap<string, (call: Call) => Value> = new Map<string, (call: Call) => Value>([
  ["numpy._core.multiarray._reconstruct", reconstruct],
  ["numpy.core.multiarray._reconstruct", reconstruct],
  ["numpy._core.numeric._frombuffer", fromBuffer],
  ["numpy.core.numeric._frombuffer", fromBuffer],
  ["numpy.ndarray", refuseCall], // only handed to _reconstruct
  ["numpy.dtype", dtype],
  ["_codecs.encode", encode],
  ["__builtin__.bytes", () => new Uint8Array(0)], // protocol 2 for b""
]);

/** Packages whose objects lie in pickles of Keras's variables; what they are does not matter to us. */
const INERT = /^(?:keras|tensorflow)\.|^functools\.partial$/;

/**
 * The name `path`.
 *
 * @throws FormatError when it is none that this reader knows.
 */
export function nameOf(path: string): Name {
  if (!CONSTRUCTORS.has(path) && !INERT.test(path)) {
    failPickle(
      "only arrays of NumPy and variables of Keras are read, and nothing is ever called.",
      `the name ${quote(path)}`,
    );
  }
  return new Name(path);
}

/** The record for the result of a call. */
export function construct(call: Call): Value {
  return CONSTRUCTORS.get(call.path)?.(call) ?? new Inert(call.path);
}

/** The state that BUILD gives to a type, (3, "<", None, None, None, -1, -1, 0), or to an array. */
export function build(target: Value, state: Value): void {
  const order = target instanceof ElementKind && Array.isArray(state) ? textOf(state[1] ?? null) : undefined;
  if (target instanceof ElementKind && order !== undefined) {
    target.order = order;
    return;
  }
  if (target instanceof ArrayRecord && Array.isArray(state) && state.length === 5) {
    const [, shape, kind, fortranOrder, data] = state;
    if (isShape(shape) && kind instanceof ElementKind) {
      Object.assign(target, { shape, kind, fortranOrder: fortranOrder === true, data });
      return;
    }
  }
  if (target instanceof Inert) {
    target.state = state;
    return;
  }
  failPickle("BUILD must give an object its state.", `${kindOf(state)} for ${kindOf(target)}`);
}
