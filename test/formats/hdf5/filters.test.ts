import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { deflateSync } from "node:zlib";
import fc from "fast-check";
import { undoFilters } from "../../../src/formats/hdf5/filters.js";

const [DEFLATE, SHUFFLE, FLETCHER32, LZF] = [1, 2, 3, 32000];
const text = new TextEncoder().encode("abcdefg");
const deflated = new Uint8Array(deflateSync(text));

/** By its definition: byte b of element i goes to b * count + i. */
function shuffle(data: Uint8Array, size: number): Uint8Array {
  const count = Math.floor(data.length / size);
  const result = data.slice();
  for (let i = 0; i < count; i++) for (let b = 0; b < size; b++) result[b * count + i] = data[i * size + b];
  return result;
}

describe("undoFilters", () => {
  it("undoes shuffle and deflate from the last to the first, for any element size", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.integer({ min: 1, max: 9 }), (data, size) => {
        const stored = new Uint8Array(deflateSync(shuffle(data, size)));
        assert.deepEqual(undoFilters(stored, [SHUFFLE, DEFLATE], 0, data.length, size), data);
      }),
    );
  });

  it("leaves out the filters that were skipped for the chunk", () => {
    assert.deepEqual(undoFilters(text, [SHUFFLE, DEFLATE], 3, 7, 2), text);
    assert.deepEqual(undoFilters(deflated, [SHUFFLE, DEFLATE], 1, 7, 2), text);
  });

  it("checks the Fletcher sum of big-endian words: of 1 and 2, it is 3 and 4", () => {
    const stored = Uint8Array.of(0, 1, 0, 2, 3, 0, 4, 0);
    assert.deepEqual(undoFilters(stored, [FLETCHER32], 0, 4, 1), Uint8Array.of(0, 1, 0, 2));
  });

  const lies: [string, () => unknown, RegExp][] = [
    [
      "a wrong Fletcher sum",
      () => undoFilters(Uint8Array.of(0, 1, 0, 2, 3, 0, 5, 0), [FLETCHER32], 0, 4, 1),
      /must have the Fletcher checksum 50003\. Received 40003/,
    ],
    [
      "no room for a sum",
      () => undoFilters(Uint8Array.of(0), [FLETCHER32], 0, 4, 1),
      /at least 4 bytes\. Received 1 bytes/,
    ],
    [
      "a wrong Adler-32",
      () => undoFilters(deflated.with(-1, 0), [DEFLATE], 0, 7, 1),
      /must have Adler-32 [0-9a-f]+\. Received/,
    ],
    ["no zlib header", () => undoFilters(deflated.with(0, 0), [DEFLATE], 0, 7, 1), /must be a zlib stream/],
    ["a corrupt stream", () => undoFilters(deflated.with(2, 7), [DEFLATE], 0, 7, 1), /must hold valid deflate data/],
    [
      "more than a chunk",
      () => undoFilters(deflated, [DEFLATE], 0, 6, 1),
      /a deflated chunk must have 6 bytes\. Received more/,
    ],
    [
      "less than a chunk",
      () => undoFilters(deflated, [DEFLATE], 0, 8, 1),
      /a deflated chunk must have 8 bytes\. Received 7 bytes/,
    ],
    [
      "another size without filters",
      () => undoFilters(text, [], 0, 8, 1),
      /a chunk must have 8 bytes\. Received 7 bytes/,
    ],
    [
      "two deflates",
      () => undoFilters(deflated, [DEFLATE, DEFLATE], 0, 7, 1),
      /must be deflated once\. Received two deflates/,
    ],
    ["an unknown filter", () => undoFilters(text, [LZF], 0, 7, 1), /Received filter 32000 \(LZF\)/],
  ];
  for (const [what, undo, message] of lies) {
    it(`rejects ${what}`, () => assert.throws(undo, { name: "FormatError", message }));
  }
});
