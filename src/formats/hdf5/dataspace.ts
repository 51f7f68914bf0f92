/**
 * Dataspaces: the shape of a dataset or an attribute.
 *
 * ```
 * version 1: 1, rank, flags, 5 reserved                      then rank dimensions,
 * version 2: 2, rank, flags, kind (scalar, simple, null)     then (flag 1) the largest they may become
 * ```
 *
 * @module
 */
import { expectVersion, fail, type Hdf5Reader } from "./file.js";

/** HDF5's own limit. */
const MAX_RANK = 32;
const NULL_KIND = 2;

/** The shape; [] is a scalar, and the null dataspace, which has no elements, is given as [0]. */
export function readDataspace(reader: Hdf5Reader): number[] {
  const version = reader.u8();
  expectVersion("a dataspace", version, [1, 2]);
  const rank = reader.u8();
  if (rank > MAX_RANK) fail(`a shape must have at most ${MAX_RANK} dimensions.`, String(rank));
  reader.skip(1);
  if (version === 1) reader.skip(5);
  else if (reader.u8() === NULL_KIND) return [0];
  const shape = Array.from({ length: rank }, () => reader.length());
  countElements(shape);
  return shape;
}

/** @throws FormatError when `shape` has 2^53 elements or more. */
export function countElements(shape: readonly number[]): number {
  if (shape.includes(0)) return 0;
  const count = shape.reduce((product, size) => product * size, 1);
  if (!Number.isSafeInteger(count)) fail("a shape must have fewer than 2^53 elements.", `[${shape.join(", ")}]`);
  return count;
}
