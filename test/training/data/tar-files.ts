/**
 * Tar archives for tests.
 *
 * @module
 */

/** A file, or with another kind something else, as an archive holds it. */
export function tarFile(name: string, content: Uint8Array, kind = "0"): Uint8Array {
  const bytes = new Uint8Array(512 + Math.ceil(content.length / 512) * 512);
  const put = (at: number, text: string): void => bytes.set(new TextEncoder().encode(text), at);
  put(0, name);
  put(100, "0000644\0");
  put(124, `${content.length.toString(8).padStart(11, "0")}\0`);
  put(148, " ".repeat(8));
  put(156, kind);
  put(257, "ustar\0");
  let sum = 0;
  for (const byte of bytes.subarray(0, 512)) sum += byte;
  put(148, `${sum.toString(8).padStart(6, "0")}\0 `);
  bytes.set(content, 512);
  return bytes;
}

/** An archive. */
export function tar(...files: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat([...files, new Uint8Array(1024)]));
}
