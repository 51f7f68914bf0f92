/**
 * CIFAR-10's binary version: files of records, each a label byte and 3,072 bytes of an image.
 *
 * @module
 */
import { FormatError } from "../../formats/format-error.js";
import { CIFAR10_IMAGE_BYTES, type Cifar10Batch } from "./cifar10.js";

/** Bytes of a label and its image. */
export const RECORD_BYTES: number = 1 + CIFAR10_IMAGE_BYTES;

/**
 * How many records a file of `bytes` bytes has.
 *
 * @param path - What messages call it.
 * @throws FormatError when that is no whole number of at least 1.
 */
export function countRecords(path: string, bytes: number): number {
  if (bytes === 0 || bytes % RECORD_BYTES !== 0) {
    throw new FormatError(
      "CIFAR-10",
      `${path} must hold whole records of ${RECORD_BYTES} bytes, a label and a 32x32x3 image each.`,
      `${bytes} bytes${bytes === 0 ? "" : `, ${bytes % RECORD_BYTES} of them beyond the last record`}`,
    );
  }
  return bytes / RECORD_BYTES;
}

/** The records in `bytes`, whose length {@link countRecords} has checked. */
export function readRecords(bytes: Uint8Array): Cifar10Batch {
  return {
    label: (n) => bytes[n * RECORD_BYTES],
    image: (n) => bytes.subarray(n * RECORD_BYTES + 1, (n + 1) * RECORD_BYTES),
  };
}
