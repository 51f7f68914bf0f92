/**
 * The files of a tar archive, one after the other as its bytes come.
 *
 * ```
 * [header | content | zeros up to a multiple of 512] ... [512 zeros]
 *    512    name at 0 (100 bytes), size at 124 and checksum at 148 as octal digits, kind at 156
 * ```
 *
 * The checksum is the sum of the bytes of the header, its own eight counted as spaces. Names are given as they are: who
 * writes files must not take them for paths.
 *
 * @module
 */
import { FormatError } from "../../formats/format-error.js";

/** One file. */
export interface TarEntry {
  readonly name: string;
  readonly content: Uint8Array;
}

const BLOCK = 512;
const SIZE_AT = 124;
const CHECKSUM_AT = 148;
const KIND_AT = 156;
/** The kinds of an ordinary file, `0` and, of old, nothing. */
const FILE_KINDS = [0x30, 0];
const SPACE = 0x20;

/**
 * The ordinary files in the archive that `chunks` make together; directories, links and notes are left out.
 *
 * Memory: one file at a time.
 *
 * @param maxBytes - The largest file that is allowed.
 * @throws FormatError when the archive is damaged, ends too early, or has a larger file.
 */
export async function* readTar(chunks: AsyncIterable<Uint8Array>, maxBytes: number): AsyncGenerator<TarEntry> {
  const stream = new ByteStream(chunks);
  for (;;) {
    const header = await stream.read(BLOCK, "a header");
    if (header.every((byte) => byte === 0)) return;
    const name = textAt(header, 0, 100);
    checkSum(name, header);
    const size = octalAt(name, header, SIZE_AT, 12);
    if (size > maxBytes) {
      throw new FormatError("tar", `${JSON.stringify(name)} must have at most ${maxBytes} bytes.`, `${size}`);
    }
    const content = await stream.read(size, JSON.stringify(name));
    await stream.read((BLOCK - (size % BLOCK)) % BLOCK, JSON.stringify(name));
    if (FILE_KINDS.includes(header[KIND_AT])) yield { name, content };
  }
}

/** Pieces of any size, read in sizes that are asked for. */
class ByteStream {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  async read(length: number, what: string): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; ) {
      if (this.#rest.length === 0) {
        const next = await this.#chunks.next();
        if (next.done === true) {
          throw new FormatError("tar", `the archive must hold ${length} bytes for ${what}.`, `an end after ${at}`);
        }
        this.#rest = next.value;
      }
      const piece = this.#rest.subarray(0, length - at);
      bytes.set(piece, at);
      at += piece.length;
      this.#rest = this.#rest.subarray(piece.length);
    }
    return bytes;
  }
}

/** Text up to a zero or the end of its field. */
function textAt(header: Uint8Array, at: number, length: number): string {
  const field = header.subarray(at, at + length);
  const end = field.indexOf(0);
  return String.fromCharCode(...field.subarray(0, end < 0 ? length : end));
}

function octalAt(name: string, header: Uint8Array, at: number, length: number): number {
  const digits = textAt(header, at, length).trim();
  if (!/^[0-7]+$/.test(digits)) {
    throw new FormatError("tar", `numbers of ${JSON.stringify(name)} must be octal.`, JSON.stringify(digits));
  }
  return Number.parseInt(digits, 8);
}

function checkSum(name: string, header: Uint8Array): void {
  const expected = octalAt(name, header, CHECKSUM_AT, 8);
  let sum = 0;
  header.forEach((byte, i) => {
    sum += i >= CHECKSUM_AT && i < CHECKSUM_AT + 8 ? SPACE : byte;
  });
  if (sum !== expected) {
    throw new FormatError("tar", `the header of ${JSON.stringify(name)} must have checksum ${expected}.`, `${sum}`);
  }
}
