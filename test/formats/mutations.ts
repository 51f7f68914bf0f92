/** Damage for real files: what fuzz tests feed to the parsers. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { FormatError } from "../../src/formats/format-error.js";

type Damage = (bytes: Uint8Array) => Uint8Array;

/** Values that break arithmetic on sizes and offsets. */
const EXTREMES = [
  0n,
  1n,
  0x7fn,
  0xffn,
  0xffffn,
  0x7fffffffn,
  0xffffffffn,
  0x100000000n,
  2n ** 53n,
  2n ** 63n,
  2n ** 64n - 1n,
];

const position = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });
const at = (bytes: Uint8Array, where: number): number => Math.floor(where * bytes.length);

const truncate = position.map<Damage>((end) => (bytes) => bytes.slice(0, at(bytes, end)));
const flip = fc.tuple(position, fc.nat(7)).map<Damage>(([where, bit]) => (bytes) => {
  const copy = bytes.slice();
  copy[at(bytes, where)] ^= 1 << bit;
  return copy;
});
const setByte = fc.tuple(position, fc.nat(255)).map<Damage>(([where, value]) => (bytes) => {
  const copy = bytes.slice();
  copy[at(bytes, where)] = value;
  return copy;
});
const setField = fc
  .tuple(
    position,
    fc.constantFrom(1, 2, 4, 8),
    fc.oneof(fc.constantFrom(...EXTREMES), fc.bigInt({ min: 0n, max: 65536n })),
  )
  .map<Damage>(([where, size, value]) => (bytes) => {
    const copy = bytes.slice();
    const start = at(bytes, where) & ~(size - 1);
    for (let i = 0; i < size; i++)
      if (start + i < copy.length) copy[start + i] = Number((value >> BigInt(8 * i)) & 255n);
    return copy;
  });
/** Copies a piece of the file over another place of it, or inserts it there. */
const splice = fc
  .tuple(position, position, fc.integer({ min: 1, max: 64 }), fc.boolean())
  .map<Damage>(([from, to, length, insert]) => (bytes) => {
    const piece = bytes.slice(at(bytes, from), at(bytes, from) + length);
    const target = at(bytes, to);
    const rest = bytes.subarray(insert ? target : Math.min(bytes.length, target + piece.length));
    return Uint8Array.from([...bytes.subarray(0, target), ...piece, ...rest]);
  });

/** One to four damages, one after the other. */
export const damages: fc.Arbitrary<Damage> = fc
  .array(fc.oneof(truncate, flip, setByte, setField, setField, splice), { minLength: 1, maxLength: 4 })
  .map<Damage>(
    (list) => (bytes) => list.reduce((damaged, damage) => (damaged.length > 0 ? damage(damaged) : damaged), bytes),
  );

/** Runs `read` on damaged bytes: it must return, or throw a FormatError of one line, within `milliseconds`. */
export function assertSurvives(read: () => void, milliseconds: number): void {
  const start = performance.now();
  try {
    read();
  } catch (error) {
    assert.ok(error instanceof FormatError, `leaked ${String(error)}\n${error instanceof Error ? error.stack : ""}`);
    assert.match(error.message, /^[A-Za-z0-9-]+: .+ Received .+\.$/);
  }
  const spent = performance.now() - start;
  assert.ok(spent < milliseconds, `took ${spent} ms of ${milliseconds}`);
}
