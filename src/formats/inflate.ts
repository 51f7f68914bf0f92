/**
 * Deflate with a bound: decompression that knows how many bytes must come out, and stops at the first one too many.
 *
 * `fflate` does the work. It is fed in slices: a slice of 64 KiB yields at most 67 MB (a deflate bit pattern repeats at
 * most 258 bytes for 2 bits, a ratio of 1032), and the sum is checked after each, so a bomb is dropped early.
 *
 * @module
 */
import { Inflate } from "fflate";
import { FormatError } from "./format-error.js";

/** The largest ratio that deflate can reach: 258 bytes for two bits. */
const MAX_RATIO = 1032;
const SLICE = 65536;

/**
 * Decompresses a raw deflate stream to exactly `size` bytes.
 *
 * @param what - What errors name, for example `the entry "config.json"`.
 * @throws FormatError when the stream is corrupt or yields another number of bytes.
 */
export function inflateExactly(format: string, what: string, compressed: Uint8Array, size: number): Uint8Array {
  if (size > compressed.length * MAX_RATIO) {
    throw new FormatError(
      format,
      `${what} must not expand more than deflate can, ${MAX_RATIO} to 1.`,
      `${compressed.length} compressed bytes for ${size}`,
    );
  }
  const output = new Uint8Array(size);
  let length = 0;
  let idle = 0;
  const stream = new Inflate((chunk) => {
    idle = chunk.length === 0 ? idle + 1 : 0;
    if (length + chunk.length > size) throw new FormatError(format, `${what} must have ${size} bytes.`, "more");
    output.set(chunk, length);
    length += chunk.length;
  });
  for (let at = 0; at < compressed.length; at += SLICE) {
    const isLast = at + SLICE >= compressed.length;
    try {
      stream.push(compressed.subarray(at, at + SLICE), isLast);
    } catch (cause) {
      if (cause instanceof FormatError) throw cause;
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new FormatError(format, `${what} must hold valid deflate data.`, `corrupt data (${reason})`, { cause });
    }
    // a stored block may need two slices, nothing needs three: the stream has ended before its data
    if (idle > 1) throw new FormatError(format, `${what} must end where its deflate data ends.`, "data after the end");
  }
  if (length !== size) throw new FormatError(format, `${what} must have ${size} bytes.`, `${length} bytes`);
  return output;
}
