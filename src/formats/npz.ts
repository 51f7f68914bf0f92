/**
 * The npz format: arrays by name, a zip archive with one npy file for each.
 *
 * ```
 * archive.npz = zip { "x.npy": npy, "y.npy": npy, ... }     read as { "x": array, "y": array }
 * ```
 *
 * `numpy.savez` stores, `numpy.savez_compressed` deflates; both are read.
 *
 * @module
 */
import { kindOf } from "../serialization/config.js";
import { checkBytes } from "./byte-reader.js";
import { FormatError, quote } from "./format-error.js";
import { type NpyArray, readNpy, writeNpy } from "./npy.js";
import { readZip, type ZipReadOptions } from "./zip.js";
import { writeZip, type ZipWriteOptions } from "./zip-writer.js";

const SUFFIX = ".npy";

/**
 * The arrays of an archive by name, in its order.
 *
 * @throws FormatError when the archive or one of its arrays is corrupt (the message names it), or holds anything else.
 */
export function readNpz(bytes: Uint8Array, options: ZipReadOptions = {}): Map<string, NpyArray> {
  checkBytes("readNpz", bytes);
  const arrays = new Map<string, NpyArray>();
  for (const [name, entry] of readZip(bytes, options)) {
    if (!name.endsWith(SUFFIX)) {
      throw new FormatError("npz", `every entry must be an array, named with "${SUFFIX}".`, quote(name));
    }
    try {
      arrays.set(name.slice(0, -SUFFIX.length), readNpy(entry.read()));
    } catch (cause) {
      if (!(cause instanceof FormatError)) throw cause;
      throw new FormatError("npz", `the entry ${quote(name)} must be a valid array.`, `"${cause.message}"`, { cause });
    }
  }
  return arrays;
}

/**
 * The bytes of an archive of `arrays`, in their order; equal arrays give equal bytes.
 *
 * @throws RangeError when an array's shape does not fit its data, or the archive would be 4 GiB or larger.
 * @throws TypeError when an array's data is not the typed array of its `dtype`, or `arrays` is no Map.
 */
export function writeNpz(arrays: ReadonlyMap<string, NpyArray>, options: ZipWriteOptions = {}): Uint8Array {
  if (typeof arrays?.get !== "function") {
    throw new TypeError(`writeNpz: \`arrays\` must be a Map of arrays by name. Received ${kindOf(arrays)}.`);
  }
  return writeZip(new Map(Array.from(arrays, ([name, array]) => [name + SUFFIX, writeNpy(array)])), options);
}
