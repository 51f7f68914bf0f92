/**
 * The header of an npy file: a Python dictionary with exactly the keys `descr`, `fortran_order` and `shape`.
 *
 * ```
 * header  = "{" [ pair { "," pair } [ "," ] ] "}"
 * pair    = string ":" ( string | "True" | "False" | tuple )
 * tuple   = "(" [ number { "," number } [ "," ] ] ")"
 * ```
 *
 * Numpy hands this text to Python's own parser. We accept this grammar and nothing more, in one pass.
 *
 * @module
 */
import { FormatError, quote } from "./format-error.js";

/** What the header says. */
export interface NpyHeader {
  /** Byte order, kind and size of an element, for example `<f4`. */
  readonly descr: string;
  readonly fortranOrder: boolean;
  readonly shape: readonly number[];
}

/** Numpy's own limit is 64 dimensions. */
const MAX_RANK = 64;
/** A token: a quoted string, a number, a word, or one sign. Each alternative is linear in the length of the text. */
const TOKEN = /\s*(?:'([^'\\]*)'|"([^"\\]*)"|(\d+)|([A-Za-z_]+)|([{}():,[\]]))/y;

type Token = { kind: "string" | "number" | "word" | "sign"; text: string } | { kind: "end"; text: "" };
type Value = string | boolean | readonly number[];

/** @throws FormatError when `text` is not such a dictionary. */
export function parseNpyHeader(text: string): NpyHeader {
  const entries = new HeaderParser(text).dictionary();
  const descr = entries.get("descr");
  const fortranOrder = entries.get("fortran_order");
  const shape = entries.get("shape");
  if (entries.size !== 3 || typeof descr !== "string" || typeof fortranOrder !== "boolean" || !Array.isArray(shape)) {
    throw new FormatError(
      "npy",
      "the header must have the keys 'descr' (a string), 'fortran_order' (True or False) and 'shape' (a tuple).",
      quote(text.trimEnd()),
    );
  }
  return { descr, fortranOrder, shape };
}

class HeaderParser {
  readonly #text: string;
  #position = 0;
  #token: Token;

  constructor(text: string) {
    this.#text = text.trimEnd();
    this.#token = this.#scan();
  }

  dictionary(): Map<string, Value> {
    const entries = new Map<string, Value>();
    this.#expect("{");
    while (!this.#accept("}")) {
      const { kind, text: key } = this.#token;
      if (kind !== "string" || entries.has(key)) this.#fail("a key that was not there before");
      this.#next();
      this.#expect(":");
      entries.set(key, this.#value());
      if (!this.#accept(",")) {
        this.#expect("}");
        break;
      }
    }
    if (this.#token.kind !== "end") this.#fail("the end of the header");
    return entries;
  }

  #value(): Value {
    const { kind, text } = this.#token;
    if (kind === "string" || text === "True" || text === "False") {
      this.#next();
      return kind === "string" ? text : text === "True";
    }
    if (text === "[") {
      throw new FormatError("npy", "elements must be plain numbers.", "a structured array (descr is a list of fields)");
    }
    this.#expect("(");
    const shape: number[] = [];
    while (!this.#accept(")")) {
      const size = Number(this.#token.text);
      if (this.#token.kind !== "number" || !Number.isSafeInteger(size)) this.#fail("a whole number below 2^53");
      if (shape.push(size) > MAX_RANK) this.#fail(`at most ${MAX_RANK} dimensions`);
      this.#next();
      if (!this.#accept(",")) {
        this.#expect(")");
        break;
      }
    }
    return shape;
  }

  #accept(sign: string): boolean {
    if (this.#token.kind !== "sign" || this.#token.text !== sign) return false;
    this.#next();
    return true;
  }

  #expect(sign: string): void {
    if (!this.#accept(sign)) this.#fail(`'${sign}'`);
  }

  #next(): void {
    this.#token = this.#scan();
  }

  #scan(): Token {
    if (this.#position === this.#text.length) return { kind: "end", text: "" };
    TOKEN.lastIndex = this.#position;
    const match = TOKEN.exec(this.#text);
    if (match === null) return this.#fail("a Python dictionary");
    this.#position = TOKEN.lastIndex;
    const [, single, double, number, word, sign] = match;
    if (number !== undefined) return { kind: "number", text: number };
    if (word !== undefined) return { kind: "word", text: word };
    if (sign !== undefined) return { kind: "sign", text: sign };
    return { kind: "string", text: single ?? double };
  }

  #fail(wanted: string): never {
    throw new FormatError("npy", `the header must have ${wanted} before byte ${this.#position}.`, quote(this.#text));
  }
}
