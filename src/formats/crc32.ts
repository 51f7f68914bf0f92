/**
 * CRC-32, the checksum of zip and gzip: the remainder of the message, read as a polynomial over two elements, after
 * division by x^32 + x^26 + x^23 + ... + 1. Bits are taken lowest first, so the polynomial appears mirrored.
 *
 * @module
 */

const POLYNOMIAL = 0xedb88320;
let tables: Uint32Array | undefined;

/**
 * Four tables of 256: table k holds the remainder of each byte followed by k zero bytes, so that four bytes of the
 * message are divided at once.
 */
function remainders(): Uint32Array {
  const made = new Uint32Array(1024);
  for (let byte = 0; byte < 256; byte++) {
    let remainder = byte;
    for (let bit = 0; bit < 8; bit++) remainder = (remainder >>> 1) ^ (remainder & 1 ? POLYNOMIAL : 0);
    made[byte] = remainder;
  }
  for (let i = 256; i < 1024; i++) made[i] = (made[i - 256] >>> 8) ^ made[made[i - 256] & 255];
  return made;
}

/** The CRC-32 of `bytes`, as an unsigned number. */
export function crc32(bytes: Uint8Array): number {
  tables ??= remainders();
  const t = tables;
  let crc = -1;
  let i = 0;
  for (const end = bytes.length - 3; i < end; i += 4) {
    crc ^= bytes[i] | (bytes[i + 1] << 8) | (bytes[i + 2] << 16) | (bytes[i + 3] << 24);
    crc = t[768 + (crc & 255)] ^ t[512 + ((crc >>> 8) & 255)] ^ t[256 + ((crc >>> 16) & 255)] ^ t[crc >>> 24];
  }
  for (; i < bytes.length; i++) crc = t[(crc ^ bytes[i]) & 255] ^ (crc >>> 8);
  return ~crc >>> 0;
}
