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

/** How many records are in memory at a time. A batch of the real set whole would take 31 MB. */
const PIECE = 1000;

/**
 * The records of a file, a piece at a time: cheap where they are read in order.
 *
 * @param records - Their number, from {@link countRecords}.
 * @param read - Fills `target` with the bytes of the file from `from` on.
 */
export function readRecords(records: number, read: (target: Uint8Array, from: number) => void): Cifar10Batch {
  const piece = new Uint8Array(Math.min(records, PIECE) * RECORD_BYTES);
  let first = -1;
  const record = (n: number): Uint8Array => {
    const wanted = n - (n % PIECE);
    if (wanted !== first) {
      read(piece.subarray(0, Math.min(records - wanted, PIECE) * RECORD_BYTES), wanted * RECORD_BYTES);
      first = wanted;
    }
    return piece.subarray((n - first) * RECORD_BYTES, (n - first + 1) * RECORD_BYTES);
  };
  return { label: (n) => record(n)[0], image: (n) => record(n).subarray(1) };
}
