import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import fc from "fast-check";
import { readZip } from "../../../src/formats/zip.js";
import { CIFAR10_CLASSES } from "../../../src/training/data/cifar10.js";
import { readCifar10Directory } from "../../../src/training/data/cifar10-directory.js";
import { readPickledBatch } from "../../../src/training/data/cifar10-pickle.js";
import { countRecords, readRecords } from "../../../src/training/data/cifar10-records.js";
import { readPart } from "../../../src/training/data/files.js";
import type { Dataset } from "../../../src/training/dataset.js";
import { fixture } from "../../formats/fixture-files.js";
import { assertSurvives, damages } from "../../formats/mutations.js";
import { folderOf, inFolder } from "./folder.js";

/** Byte `i`, channel-major, of image `n` of batch `b`, and its label: the formula of fixtures/cifar10_python.py. */
const pixel = (b: number, n: number, i: number): number => (7 * i + 31 * n + 101 * b + Math.floor(i / 1024)) % 256;
const label = (b: number, n: number): number => (3 * n + b) % 10;

/** Records of batch `b`. */
function records(b: number, count: number): Uint8Array {
  const bytes = new Uint8Array(count * 3073);
  for (let n = 0; n < count; n++) {
    bytes[n * 3073] = label(b, n);
    for (let i = 0; i < 3072; i++) bytes[n * 3073 + 1 + i] = pixel(b, n, i);
  }
  return bytes;
}

const pickles = Object.fromEntries(
  Array.from(readZip(fixture("cifar-10-python.zip")), ([name, entry]) => [name, entry.read()]),
);
const binaries: Record<string, Uint8Array> = { "test_batch.bin": records(6, 2) };
for (let b = 1; b <= 5; b++) binaries[`data_batch_${b}.bin`] = records(b, 3);

/** Every image of `data` against the formula; `batches` is the batch and the number in it of each. */
function assertImages(data: Dataset | undefined, batches: readonly (readonly [b: number, n: number])[]): void {
  assert.ok(data);
  assert.deepEqual(data.shape, [batches.length, 32, 32, 3]);
  assert.equal(data.classNames, CIFAR10_CLASSES);
  assert.deepEqual(
    [...data.labels],
    batches.map(([b, n]) => label(b, n)),
  );
  batches.forEach(([b, n], sample) => {
    const expected = Uint8Array.from({ length: 3072 }, (_, i) => pixel(b, n, (i % 3) * 1024 + Math.floor(i / 3)));
    const actual = Uint8Array.from(data.images.subarray(sample * 3072, (sample + 1) * 3072));
    assert.deepEqual(actual, expected, `image ${sample}`);
  });
}

const TRAINING = Array.from({ length: 15 }, (_, i) => [Math.floor(i / 3) + 1, i % 3] as const);
const TEST = [[6, 0] as const, [6, 1] as const];

describe("readCifar10Directory", () => {
  const forms: [what: string, files: Record<string, Uint8Array>, inner: string][] = [
    ["records", binaries, "cifar-10-batches-bin"],
    ["pickles of Python 2", pickles, "cifar-10-batches-py"],
  ];
  for (const [what, files, inner] of forms) {
    it(`reads ${what}, batch after batch, with the channels last`, (test) => {
      const data = readCifar10Directory(folderOf(test, files));
      assertImages(data?.training, TRAINING);
      assertImages(data?.test, TEST);
    });

    it(`reads ${what} in the folder around ${inner} too`, (test) => {
      const within = Object.fromEntries(Object.entries(files).map(([name, bytes]) => [`${inner}/${name}`, bytes]));
      const data = readCifar10Directory(folderOf(test, within));
      assertImages(data?.training, TRAINING);
      assertImages(data?.test, TEST);
    });
  }

  it("reads one small training batch and a test batch", (test) => {
    const data = readCifar10Directory(
      folderOf(test, { "data_batch_1.bin": records(1, 5), "test_batch.bin": records(6, 1) }),
    );
    assert.deepEqual([data?.training.shape[0], data?.test.shape[0]], [5, 1]);
  });

  it("finds nothing in a directory of something else", (test) => {
    assert.equal(readCifar10Directory(folderOf(test, { "data.txt": new Uint8Array(3) })), undefined);
  });

  const wrongLabel = records(1, 3);
  wrongLabel[3073] = 10;
  const real = new Uint8Array(30730000);
  const refused: [what: string, files: Record<string, Uint8Array | undefined>, message: string][] = [
    [
      "a gap between the batches",
      { "data_batch_1.bin": records(1, 1), "data_batch_3.bin": records(3, 1), "test_batch.bin": records(6, 1) },
      "CIFAR-10: @ must hold its training batches without a gap, and the test batch. " +
        "Received a directory without data_batch_2.bin.",
    ],
    [
      "a batch of a number beyond all files",
      { "data_batch_999999999999.bin": records(1, 1), "test_batch.bin": records(6, 1) },
      "CIFAR-10: @ must hold its training batches without a gap, and the test batch. " +
        "Received a directory without data_batch_1.bin, data_batch_2.bin, data_batch_3.bin.",
    ],
    [
      "a missing test batch",
      { data_batch_1: pickles["data_batch_1"] },
      "CIFAR-10: @ must hold its training batches without a gap, and the test batch. " +
        "Received a directory without test_batch.",
    ],
    [
      "a part of the real set",
      { "data_batch_1.bin": real, "data_batch_2.bin": real, "data_batch_3.bin": real, "test_batch.bin": real },
      "CIFAR-10: @ must hold its training batches without a gap, and the test batch. " +
        "Received a directory without data_batch_4.bin, data_batch_5.bin.",
    ],
    [
      "a batch of the real set that ends after some record",
      { "data_batch_1.bin": real, "data_batch_2.bin": real.subarray(0, 3073 * 7), "test_batch.bin": real },
      "CIFAR-10: @/data_batch_2.bin must have 10000 images, as the batches beside it. Received 7.",
    ],
    [
      "a truncated file",
      { "data_batch_1.bin": records(1, 2).subarray(0, 6000), "test_batch.bin": records(6, 1) },
      "CIFAR-10: @/data_batch_1.bin must hold whole records of 3073 bytes, a label and a 32x32x3 image each. " +
        "Received 6000 bytes, 2927 of them beyond the last record.",
    ],
    [
      "an empty file",
      { "data_batch_1.bin": records(1, 2), "test_batch.bin": new Uint8Array(0) },
      "CIFAR-10: @/test_batch.bin must hold whole records of 3073 bytes, a label and a 32x32x3 image each. " +
        "Received 0 bytes.",
    ],
    [
      "a label above 9",
      { "data_batch_1.bin": wrongLabel, "test_batch.bin": records(6, 1) },
      "CIFAR-10: labels in @/data_batch_1.bin must be from 0 to 9. Received 10 for image 1.",
    ],
    [
      "a folder with the name of a batch",
      { "data_batch_1.bin": undefined, "test_batch.bin": records(6, 1) },
      "data: @/data_batch_1.bin must be a file. Received a directory.",
    ],
    [
      "a pickle that is none",
      { data_batch_1: Uint8Array.of(0x80, 2, 0x51), test_batch: pickles["test_batch"] },
      "@/data_batch_1: pickle: only the opcodes of arrays and variables are read. Received opcode 0x51 at byte 2.",
    ],
  ];
  for (const [what, files, message] of refused) {
    it(`refuses ${what}`, (test) => {
      const folder = folderOf(test, files);
      assert.throws(() => readCifar10Directory(folder), { name: "FormatError", message: inFolder(folder, message) });
    });
  }
});

/** A pickle of a dictionary; keys and bytes become SHORT_BINSTRING, as Python 2 writes them. */
function pickle(entries: Readonly<Record<string, readonly number[]>>): Uint8Array {
  const text = (value: string): number[] => [0x55, value.length, ...new TextEncoder().encode(value)];
  const items = Object.entries(entries).flatMap(([key, value]) => [...text(key), ...value]);
  return Uint8Array.of(0x80, 2, 0x7d, 0x28, ...items, 0x75, 0x2e);
}
const text = (value: string): number[] => [0x55, value.length, ...new TextEncoder().encode(value)];
const named = (name: string): number[] => [0x63, ...new TextEncoder().encode(name)];
/** An array of numpy: its type, its shape, whether it is column-major, and the program that leaves its data. */
function array(kind: string, shape: readonly number[], data: readonly number[], fortran = false): number[] {
  const dimensions = shape.flatMap((size) => [0x4d, size % 256, size >> 8]);
  return [
    ...named("numpy.core.multiarray\n_reconstruct\n"),
    ...[...named("numpy\nndarray\n"), 0x4b, 0, 0x85, ...text("b"), 0x87, 0x52],
    ...[0x28, 0x4b, 1, 0x28, ...dimensions, 0x74],
    ...[...named("numpy\ndtype\n"), ...text(kind), 0x4b, 0, 0x4b, 1, 0x87, 0x52],
    ...[0x28, 0x4b, 3, ...text("|"), 0x74, 0x62],
    ...[fortran ? 0x88 : 0x89, ...data, 0x74, 0x62],
  ];
}
const oneImage = [0x54, 0x00, 0x0c, 0, 0, ...new Uint8Array(3072)];
const list = (...values: readonly number[]): number[] => [0x5d, 0x28, ...values.flatMap((v) => [0x4b, v]), 0x65];

describe("readPickledBatch", () => {
  it("reads one image, assembled by hand", () => {
    const batch = readPickledBatch("b", pickle({ data: array("u1", [1, 3072], oneImage), labels: list(7) }));
    assert.deepEqual([batch.count, batch.label(0), batch.image(0)], [1, 7, new Uint8Array(3072)]);
  });

  const good = array("u1", [1, 3072], oneImage);
  const refused: [what: string, bytes: Uint8Array, message: string][] = [
    ["a list", Uint8Array.of(0x80, 2, 0x5d, 0x2e), "CIFAR-10: b must be a dictionary. Received a list."],
    ["no data", pickle({ labels: list(1) }), "CIFAR-10: b must hold an array `data`. Received None."],
    [
      "data of another type",
      pickle({ data: array("f4", [1, 768], oneImage), labels: list(1) }),
      'CIFAR-10: b must hold bytes [N, 3072] as `data`, row-major. Received elements of type "f4", shape [1, 768].',
    ],
    [
      "data that are column-major",
      pickle({ data: array("u1", [1, 3072], oneImage, true), labels: list(1) }),
      "CIFAR-10: b must hold bytes [N, 3072] as `data`, row-major. " +
        'Received elements of type "u1", shape [1, 3072], column-major.',
    ],
    [
      "fewer bytes than the shape tells",
      pickle({ data: array("u1", [2, 3072], oneImage), labels: list(1, 2) }),
      "CIFAR-10: b must hold 6144 bytes for `data` of shape [2, 3072]. Received 3072 bytes.",
    ],
    [
      "no bytes at all",
      pickle({ data: array("u1", [1, 3072], [0x4e]), labels: list(1) }),
      "CIFAR-10: b must hold 3072 bytes for `data` of shape [1, 3072]. Received None.",
    ],
    ["no labels", pickle({ data: good }), "CIFAR-10: b must hold a list `labels`. Received None."],
    [
      "too few labels",
      pickle({ data: good, labels: list() }),
      "CIFAR-10: b must hold a label for each of its 1 images. Received 0 labels.",
    ],
  ];
  for (const [what, bytes, message] of refused) {
    it(`refuses ${what}`, () => assert.throws(() => readPickledBatch("b", bytes), { name: "FormatError", message }));
  }

  it("refuses a label that is no number", () => {
    const batch = readPickledBatch("b", pickle({ data: good, labels: [0x5d, 0x28, 0x4e, 0x65] }));
    assert.throws(() => batch.label(0), {
      name: "FormatError",
      message: "CIFAR-10: b must hold labels that are numbers. Received None.",
    });
  });

  it("survives any damage", () => {
    fc.assert(
      fc.property(fc.constantFrom("data_batch_1", "test_batch", "batches.meta"), damages, (name, damage) => {
        assertSurvives(() => {
          const batch = readPickledBatch("batch", damage(pickles[name].slice()));
          for (let n = 0; n < Math.min(batch.count, 3); n++) batch.label(n);
        }, 1000);
      }),
      { numRuns: 500 },
    );
  });
});

describe("countRecords", () => {
  it("takes whole records only", () => {
    fc.assert(
      fc.property(fc.nat(100), fc.nat(3072), (whole, rest) => {
        const bytes = whole * 3073 + rest;
        if (rest === 0 && whole > 0) assert.equal(countRecords("f", bytes), whole);
        else assert.throws(() => countRecords("f", bytes), { name: "FormatError", message: /^CIFAR-10: f must hold/ });
      }),
    );
  });
});

describe("readRecords", () => {
  it("reads a thousand at a time, and gives any", () => {
    const file = new Uint8Array(2345 * 3073);
    for (let n = 0; n < 2345; n++) file.set([n % 10, n % 256, n >> 8], n * 3073);
    const reads: [from: number, length: number][] = [];
    const { label, image } = readRecords(2345, (target, from) => {
      reads.push([from / 3073, target.length / 3073]);
      target.set(file.subarray(from, from + target.length));
    });
    for (let n = 0; n < 2345; n++) {
      assert.equal(label(n), n % 10);
      assert.deepEqual([...image(n).subarray(0, 2), image(n).length], [n % 256, n >> 8, 3072]);
    }
    assert.deepEqual(reads, [
      [0, 1000],
      [1000, 1000],
      [2000, 345],
    ]);
    assert.equal(label(3), 3);
  });
});

describe("readPart", () => {
  it("refuses a file that has become shorter", (test) => {
    const path = join(folderOf(test, { "a.bin": new Uint8Array(10) }), "a.bin");
    const target = new Uint8Array(8);
    readPart(path, target, 2);
    assert.throws(() => readPart(path, target, 3), {
      name: "FormatError",
      message: `data: ${path} must have 11 bytes. Received 10.`,
    });
  });
});
