import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { FormatError } from "../../../src/formats/format-error.js";
import { readTar } from "../../../src/training/data/tar.js";
import { damages } from "../../formats/mutations.js";
import { tar, tarFile } from "./tar-files.js";

async function* inPieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function read(bytes: Uint8Array, size = 700, maxBytes = 5000): Promise<[string, number[]][]> {
  const files: [string, number[]][] = [];
  for await (const { name, content } of readTar(inPieces(bytes, size), maxBytes)) files.push([name, [...content]]);
  return files;
}

const archive = tar(
  tarFile("d/", new Uint8Array(0), "5"),
  tarFile("d/a", Uint8Array.of(1, 2, 3)),
  tarFile("d/link", new Uint8Array(0), "2"),
  tarFile("d/note", new Uint8Array(20), "x"),
  tarFile("d/b", new Uint8Array(512).fill(7), "\0"),
  tarFile("d/empty", new Uint8Array(0)),
);
const files = [
  ["d/a", [1, 2, 3]],
  ["d/b", Array.from({ length: 512 }, () => 7)],
  ["d/empty", []],
];

describe("readTar", () => {
  it("gives ordinary files, in whatever pieces the bytes come", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 3000 }), async (size) => {
        assert.deepEqual(await read(archive, size), files);
      }),
    );
  });

  const withChecksum = tarFile("a", Uint8Array.of(1));
  withChecksum[0]++;
  const refused: [what: string, bytes: Uint8Array, message: string | RegExp][] = [
    [
      "an end in a header",
      archive.subarray(0, 100),
      "tar: the archive must hold 512 bytes for a header. Received an end after 100.",
    ],
    [
      "an end in a file",
      archive.subarray(0, 512 * 2 + 2),
      'tar: the archive must hold 3 bytes for "d/a". Received an end after 2.',
    ],
    ["a larger file", tar(tarFile("a", new Uint8Array(5001))), 'tar: "a" must have at most 5000 bytes. Received 5001.'],
    ["another checksum", tar(withChecksum), /^tar: the header of "b" must have checksum \d+\. Received \d+\.$/],
    ["no checksum", new Uint8Array(512).fill(0x41), /^tar: numbers of "A+" must be octal\. Received "A{8}"\.$/],
  ];
  for (const [what, bytes, message] of refused) {
    it(`refuses ${what}`, async () => {
      await assert.rejects(read(bytes), { name: "FormatError", message });
    });
  }

  it("survives any damage", async () => {
    await fc.assert(
      fc.asyncProperty(damages, async (damage) => {
        try {
          await read(damage(archive));
        } catch (error) {
          assert.ok(error instanceof FormatError, String(error));
        }
      }),
    );
  });
});
