/**
 * How the WebAssembly binary format writes numbers, names and lists.
 *
 * Integers are written in LEB128: seven bits a byte, lowest first, with the top bit set on all bytes but the last. A
 * signed integer ends as soon as all that is left is copies of its sign.
 *
 * @module
 */

/** `value`, from 0 to 2^32 - 1, as unsigned LEB128. */
export function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let rest = value >>> 0;
  while (rest > 127) {
    bytes.push((rest & 127) | 128);
    rest >>>= 7;
  }
  bytes.push(rest);
  return bytes;
}

/** `value`, from -2^31 to 2^31 - 1 (or to 2^32 - 1, which means the same bits), as signed LEB128. */
export function signed(value: number): number[] {
  const bytes: number[] = [];
  let rest = value | 0;
  while (rest > 63 || rest < -64) {
    bytes.push((rest & 127) | 128);
    rest >>= 7;
  }
  bytes.push(rest & 127);
  return bytes;
}

/** `items`, preceded by how many there are. */
export function list(items: readonly (readonly number[])[]): number[] {
  const bytes = unsigned(items.length);
  for (const item of items) {
    for (const byte of item) bytes.push(byte);
  }
  return bytes;
}

/** An ASCII name, preceded by its length. */
export function name(text: string): number[] {
  return [...unsigned(text.length), ...Array.from(text, (letter) => letter.charCodeAt(0))];
}

/** A section of a module: its number, its length in bytes, its content. */
export function section(id: number, content: readonly number[]): number[] {
  return [id, ...unsigned(content.length), ...content];
}

/** The bytes of `value` in memory, lowest first. */
export function littleEndian(value: number, type: "f32" | "f64"): number[] {
  const view = new DataView(new ArrayBuffer(type === "f32" ? 4 : 8));
  if (type === "f32") view.setFloat32(0, value, true);
  else view.setFloat64(0, value, true);
  return Array.from(new Uint8Array(view.buffer));
}
