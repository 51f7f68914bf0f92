import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { deflateRawSync } from "node:zlib";
import fc from "fast-check";
import { crc32 } from "../../src/formats/crc32.js";
import { readNpz, writeNpz } from "../../src/formats/npz.js";
import { readZip } from "../../src/formats/zip.js";
import { writeZip } from "../../src/formats/zip-writer.js";
import { fixture } from "./fixture-files.js";
import { assertSurvives, damages } from "./mutations.js";

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const unpackAll = (bytes: Uint8Array, maxBytes = 2 ** 20): Map<string, Uint8Array> =>
  new Map(Array.from(readZip(bytes, { maxBytes }), ([name, entry]) => [name, entry.read()]));

/** An archive of one stored entry "a" with content "hello", changed: its layout is 31 + 5 | 47 | 22 bytes. */
const hello = writeZip(new Map([["a", text("hello")]]));
const CENTRAL = 36;
const END = CENTRAL + 47;
function changed(...changes: [at: number, size: number, value: number][]): Uint8Array {
  const copy = hello.slice();
  for (const [at, size, value] of changes)
    for (let i = 0; i < size; i++) copy[at + i] = Math.floor(value / 256 ** i) & 255;
  return copy;
}

describe("crc32", () => {
  it("is cbf43926 for the digits 1 to 9, the check value of its definition", () => {
    assert.equal(crc32(text("123456789")), 0xcbf43926);
  });
});

describe("writeZip and readZip", () => {
  const archives = fc
    .uniqueArray(fc.tuple(fc.string({ unit: "grapheme" }), fc.uint8Array({ maxLength: 300 })), {
      selector: ([name]) => name,
      maxLength: 5,
    })
    .map((entries) => new Map(entries));

  it("are inverse, stored and deflated, whatever the names", () => {
    fc.assert(
      fc.property(archives, fc.boolean(), (entries, deflate) => {
        assert.deepEqual(unpackAll(writeZip(entries, { deflate })), entries);
      }),
    );
  });

  it("keep absolute and parent names as plain keys", () => {
    const entries = new Map([
      ["/etc/passwd", text("a")],
      ["../../b", text("b")],
      ["__proto__", text("c")],
    ]);
    assert.deepEqual([...readZip(writeZip(entries)).keys()], [...entries.keys()]);
  });

  it("give the same bytes every time, dated 1980-01-01", () => {
    assert.deepEqual(writeZip(new Map([["a", text("hello")]])), hello);
    assert.deepEqual([hello[10], hello[11], hello[12], hello[13]], [0, 0, 0x21, 0]);
  });

  it("return a stored entry as a view of the archive", () => {
    const content = readZip(hello).get("a")?.read();
    assert.equal(content?.buffer, hello.buffer);
  });

  it("read an archive with a comment, and an empty one", () => {
    const commented = Uint8Array.from([...changed([END + 20, 2, 3]), ...text("PK!")]);
    assert.deepEqual([...readZip(commented).keys()], ["a"]);
    assert.equal(readZip(writeZip(new Map())).size, 0);
  });

  it("read Zip64 records", () => {
    const { entries, bytes } = zip64();
    assert.deepEqual(unpackAll(bytes), entries);
  });

  it("unpack entries of several slices of compressed data", () => {
    // bytes of a generator that deflate cannot shrink, then ones that it can
    let state = 1;
    const noise = Uint8Array.from({ length: 200_000 }, () => (state = Math.imul(state, 1664525) + 1013904223) >>> 24);
    const content = Uint8Array.from([...noise, ...new Uint8Array(100_000)]);
    assert.deepEqual(unpackAll(writeZip(new Map([["n", content]]), { deflate: true })).get("n"), content);
    assert.deepEqual(unpackAll(deflated(deflateRawSync(content, { level: 0 }), content)).get("a"), content);
  });

  it("reject what cannot be written", () => {
    assert.throws(() => writeZip(new Map([["n".repeat(65536), text("")]])), {
      name: "RangeError",
      message: "writeZip: a name must be at most 65535 bytes long. Received 65536 bytes.",
    });
    const many = new Map(Array.from({ length: 65535 }, (_, i) => [String(i), new Uint8Array(0)]));
    assert.throws(() => writeZip(many), {
      name: "RangeError",
      message: /at most 65534 entries\. Received 65535 entries/,
    });
  });
});

/** An archive of one entry "a" with these deflated bytes, said to hold `content`. */
function deflated(data: Uint8Array, content: Uint8Array): Uint8Array {
  const bytes = writeZip(new Map([["a", data]]));
  const view = new DataView(bytes.buffer);
  const central = 31 + data.length;
  view.setUint16(8, 8, true);
  view.setUint16(central + 10, 8, true);
  view.setUint32(central + 16, crc32(content), true);
  view.setUint32(central + 24, content.length, true);
  return bytes;
}

/** {@link hello} with its sizes and offsets moved to Zip64 records. */
function zip64(): { entries: Map<string, Uint8Array>; bytes: Uint8Array } {
  const bytes = new Uint8Array(END + 28 + 56 + 20 + 22);
  const view = new DataView(bytes.buffer);
  bytes.set(hello.subarray(0, END));
  for (const at of [20, 24, 42]) view.setUint32(CENTRAL + at, 0xffffffff, true);
  view.setUint16(CENTRAL + 30, 28, true);
  view.setUint16(END, 1, true);
  view.setUint16(END + 2, 24, true);
  view.setBigUint64(END + 4, 5n, true);
  view.setBigUint64(END + 12, 5n, true);
  const record = END + 28;
  view.setUint32(record, 0x06064b50, true);
  view.setBigUint64(record + 24, 1n, true);
  view.setBigUint64(record + 32, 1n, true);
  view.setBigUint64(record + 40, 75n, true);
  view.setBigUint64(record + 48, BigInt(CENTRAL), true);
  view.setUint32(record + 56, 0x07064b50, true);
  view.setBigUint64(record + 64, BigInt(record), true);
  view.setUint32(record + 76, 0x06054b50, true);
  bytes.fill(255, record + 84, record + 96);
  return { entries: new Map([["a", text("hello")]]), bytes };
}

describe("readZip", () => {
  const two = writeZip(
    new Map([
      ["a", text("hello")],
      ["b", text("world")],
    ]),
  );
  const zeros = new Uint8Array(100_000);
  const packedZeros = deflateRawSync(zeros);
  const lies: [string, Uint8Array, RegExp][] = [
    ["an empty file", new Uint8Array(0), /must end with the record of its directory\. Received 0 bytes/],
    ["a truncated archive", hello.slice(0, -1), /must end with the record/],
    ["one part of several", changed([END + 4, 2, 1]), /an archive must be one file/],
    [
      "a directory beyond the file",
      changed([END + 16, 4, 0xfffffff0]),
      /the directory must lie before the end record at byte 83/,
    ],
    ["a directory of a wrong signature", changed([CENTRAL, 1, 0]), /must begin with "PK\\1\\2"/],
    ["a count that lies", changed([END + 8, 2, 2], [END + 10, 2, 2]), /must have 2 entries\. Received 1 entries/],
    ["an encrypted entry", changed([CENTRAL + 8, 2, 1]), /must not be encrypted\. Received the encrypted entry "a"/],
    ["a method by its name", changed([CENTRAL + 10, 2, 12]), /Received "a" packed by method 12 \(bzip2\)/],
    ["an unknown method", changed([CENTRAL + 10, 2, 77]), /method 77 \(unknown\)/],
    [
      "a stored entry of two sizes",
      changed([CENTRAL + 20, 4, 4]),
      /a stored entry must have one size\. Received "a" with 4 and 5 bytes/,
    ],
    [
      "an entry beyond the directory",
      changed([CENTRAL + 42, 4, 30]),
      /must begin before the directory at byte 36\. Received byte 30/,
    ],
    [
      "an entry longer than the room",
      changed([CENTRAL + 20, 4, 6], [CENTRAL + 24, 4, 6]),
      /the entry "a" must hold 6 more bytes/,
    ],
    [
      "a local header of another name",
      changed([30, 1, 98]),
      /must lead to a local header that says the same\. Received "b"/,
    ],
    ["a wrong checksum", changed([31, 1, 0]), /the entry "a" must have CRC-32 3610a686/],
    ["a name that is not UTF-8", changed([CENTRAL + 46, 1, 255]), /text in the directory must be UTF-8/],
    [
      "a name twice",
      Uint8Array.from(two, (byte) => (byte === 98 ? 97 : byte)),
      /names must be unique\. Received "a" twice/,
    ],
    ["overlapping entries", overlapping(two), /entries must not overlap/],
    ["a ratio beyond deflate's", deflated(text("x"), new Uint8Array(2000)), /more than deflate can, 1032 to 1/],
    [
      "less data than declared",
      deflated(deflateRawSync(text("hi")), text("high")),
      /must have 4 bytes\. Received 2 bytes/,
    ],
    ["more data than declared", deflated(packedZeros, text("high")), /must have 4 bytes\. Received more/],
    [
      "corrupt deflate data",
      deflated(Uint8Array.of(7, 0, 0), text("high")),
      /must hold valid deflate data\. Received corrupt data/,
    ],
    [
      "truncated deflate data",
      deflated(packedZeros.subarray(0, -9), zeros),
      /must hold valid deflate data|must have 100000 bytes/,
    ],
    [
      "much data after the deflate stream",
      deflated(Uint8Array.from([...deflateRawSync(text("hi")), ...new Uint8Array(200_000)]), text("hi")),
      /must end where its deflate data ends/,
    ],
    ["a Zip64 locator that leads nowhere", zip64().bytes.with(END + 28, 0), /must lead to the Zip64 end record/],
    ["a size above 2^53", zip64().bytes.fill(255, END + 4, END + 12), /must be below 2\^53/],
  ];
  for (const [what, bytes, message] of lies) {
    it(`rejects ${what}`, () => assert.throws(() => unpackAll(bytes), { name: "FormatError", message }));
  }

  it("rejects more declared bytes than `maxBytes` before it unpacks any", () => {
    assert.throws(() => readZip(deflated(packedZeros, zeros), { maxBytes: 99_999 }), {
      name: "FormatError",
      message: "zip: the entries must unpack to at most 99999 bytes. Received 100000 bytes.",
    });
  });

  it("survives damaged archives", () => {
    const archives = [hello, two, zip64().bytes, fixture("stored.npz"), fixture("deflated.npz")];
    fc.assert(
      fc.property(fc.constantFrom(...archives), damages, (archive, damage) => {
        const damaged = damage(archive);
        assertSurvives(() => unpackAll(damaged), 1000);
      }),
      { numRuns: 2000 },
    );
  });
});

/** Both entries of {@link two} at the first one's offset. */
function overlapping(two: Uint8Array): Uint8Array {
  const copy = two.slice();
  copy[72 + 47 + 42] = 0;
  return copy;
}

describe("npz", () => {
  it("reads what numpy stored and deflated", () => {
    const stored = readNpz(fixture("stored.npz"));
    assert.deepEqual([...stored.keys()], ["x", "größe/λ"]);
    assert.deepEqual(stored.get("x"), { dtype: "float32", shape: [2, 3], data: Float32Array.of(-3, -2, -1, 0, 1, 2) });
    const packed = readNpz(fixture("deflated.npz"));
    assert.deepEqual(packed.get("größe/λ")?.data, BigInt64Array.of(-2n, -1n, 0n, 1n));
    assert.deepEqual(packed.get("zeros"), { dtype: "float64", shape: [40, 25], data: new Float64Array(1000) });
  });

  it("reads back what it writes", () => {
    const arrays = readNpz(fixture("deflated.npz"));
    for (const deflate of [false, true]) assert.deepEqual(readNpz(writeNpz(arrays, { deflate })), arrays);
  });

  it("names the entry that is no array, or a broken one", () => {
    assert.throws(() => readNpz(hello), {
      name: "FormatError",
      message: 'npz: every entry must be an array, named with ".npy". Received "a".',
    });
    assert.throws(() => readNpz(writeZip(new Map([["a.npy", text("no")]]))), {
      name: "FormatError",
      message: /^npz: the entry "a\.npy" must be a valid array\. Received "npy: a file must begin with/,
    });
  });

  it("survives damaged archives", () => {
    fc.assert(
      fc.property(fc.constantFrom("stored.npz", "deflated.npz"), damages, (name, damage) => {
        const damaged = damage(fixture(name));
        assertSurvives(() => readNpz(damaged, { maxBytes: 2 ** 20 }), 1000);
      }),
      { numRuns: 500 },
    );
  });
});
