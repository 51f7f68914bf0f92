import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Hdf5Dataset } from "../../../src/formats/hdf5/dataset.js";
import type { Hdf5Options } from "../../../src/formats/hdf5/file.js";
import { openHdf5 } from "../../../src/formats/hdf5/open.js";
import type { Hdf5GroupSpec } from "../../../src/formats/hdf5/spec.js";
import { writeHdf5 } from "../../../src/formats/hdf5/writer.js";
import { fixture } from "../fixture-files.js";
import { assertSurvives, damages } from "../mutations.js";
import { find, patch, picture } from "./walk.js";

const group = (children: Hdf5GroupSpec["children"]): Hdf5GroupSpec => ({ kind: "group", children });
/** A root with the text attribute `t` and the dataset `x` [2, 3] of float32. */
const file = writeHdf5({
  kind: "group",
  attributes: new Map([["t", "hello"]]),
  children: new Map([["x", { kind: "dataset", shape: [2, 3], data: new Float32Array(6) }]]),
});
/** The same without an attribute, under a group `g` with an empty group `h`. */
const nested = writeHdf5(group(new Map([["g", group(new Map([["h", group(new Map())]]))]])));
const latest = fixture("small-latest.h5");
const dense = fixture("dense-latest.h5");
const many = fixture("many-latest.h5");
const chunked = fixture("chunked-earliest.h5");
const paged = fixture("paged-latest.h5");

const longName = writeHdf5(group(new Map([["n".repeat(60), group(new Map())]])));
/** The last tree: that of the root. */
const LONG_TREE = find(longName, "TREE", 1);

const ROOT_HEADER = Number(new DataView(file.buffer).getBigUint64(64, true));
const NESTED_ROOT_HEADER = Number(new DataView(nested.buffer).getBigUint64(64, true));
/** Parts of {@link file}: the dataset's header stands after its 24 bytes of elements, at 96 + 24. */
const X_HEADER = 120;
const DIMENSIONS = X_HEADER + 16 + 8 + 8;
const DATATYPE = DIMENSIONS + 16 + 8;
const TREE = find(file, "TREE");
const SNOD = find(file, "SNOD");
const HEAP = find(file, "HEAP");
const GCOL = find(file, "GCOL");
/** The attribute `t` in the root's header, from its version on: 9 bytes, name of 2, datatype of 16. */
const ATTRIBUTE = ROOT_HEADER + 16 + 24 + 8;

function withDataset(name: string, bytes: Uint8Array): unknown {
  const object = openHdf5(bytes, salvage).get(name);
  assert.ok(object instanceof Hdf5Dataset);
  return object.read();
}
const salvage: Hdf5Options = { maxBytes: 2 ** 20, verifyChecksums: false };
const readAll = (bytes: Uint8Array, options: Hdf5Options = salvage): unknown => picture(openHdf5(bytes, options));

const nowhere = 2n ** 64n - 1n;
const lies: [string, Uint8Array, RegExp][] = [
  ["an empty file", new Uint8Array(0), /a file must begin with "\\x89HDF/],
  ["a truncated file", file.slice(0, -1), /the file must be whole.*so it was truncated/],
  ["a superblock cut short", file.slice(0, 20), /the superblock must hold 24 more bytes at byte 0/],
  ["an unknown superblock", patch(file, 8, 1, 9), /version of the superblock must be one of 0, 1, 2, 3\. Received 9/],
  ["offsets of 3 bytes", patch(file, 13, 1, 3), /must have 2, 4 or 8 bytes\. Received 3 bytes/],
  ["a base elsewhere", patch(file, 24, 8, 8), /the base address must be that of the superblock, 0\. Received 8/],
  ["a root nowhere", patch(file, 64, 8, nowhere), /a link must lead to an object\. Received no address/],
  ["a root beyond the file", patch(file, 64, 8, 2 ** 40), /an object header must lie inside the file/],
  ["an address above 2^53", patch(file, 64, 8, 2n ** 60n), /must be below 2\^53/],
  ["a root that is a dataset", patch(file, 64, 8, X_HEADER), /the root of a file must be a group\. Received a dataset/],
  [
    "an unknown object header",
    patch(file, ROOT_HEADER, 1, 7),
    /version of an object header must be one of 1\. Received 7/,
  ],
  [
    "an object without a purpose",
    patch(file, ROOT_HEADER + 16, 2, 0),
    /an object must be a group or a dataset\. Received neither/,
  ],
  [
    "messages longer than the file",
    patch(file, ROOT_HEADER + 8, 4, 0xffffffff),
    /an object header must lie inside the file/,
  ],
  ["a message longer than its header", patch(file, ROOT_HEADER + 18, 2, 0xffff), /must hold 65535 more bytes/],
  [
    "a shared message",
    patch(file, ROOT_HEADER + 20, 1, 2),
    /must stand in the object that they describe\. Received a shared message of type 17/,
  ],
  [
    "a header that continues in itself",
    patch(
      patch(patch(file, ROOT_HEADER + 16, 2, 0x10), ROOT_HEADER + 24, 8, ROOT_HEADER + 16),
      ROOT_HEADER + 32,
      8,
      24,
    ),
    /structures must not overlap or contain themselves\. Received the continuation of an object header/,
  ],
  ["a tree of another kind", patch(file, TREE + 4, 1, 1), /a B-tree node must be of kind 0\. Received kind 1/],
  [
    "a tree that contains itself",
    patch(patch(file, TREE + 5, 1, 1), TREE + 32, 8, TREE),
    /must be one level below its parent, on level 0\. Received level 1/,
  ],
  ["a tree with more children than bytes", patch(file, TREE + 6, 2, 0xffff), /a B-tree node must lie inside the file/],
  ["a tree of something else", patch(file, TREE, 1, 0x58), /a B-tree node must begin with "TREE"\. Received "XREE"/],
  ["more links than bytes", patch(file, SNOD + 6, 2, 0xffff), /a symbol table node must lie inside the file/],
  [
    "a node of links twice",
    patch(patch(file, TREE + 6, 2, 2), TREE + 48, 8, SNOD),
    /names in a group must be unique\. Received "x" twice/,
  ],
  [
    "names that overlap",
    patch(patch(longName, LONG_TREE + 6, 2, 2), LONG_TREE + 48, 8, find(longName, "SNOD", 0)),
    /names must not overlap/,
  ],
  [
    "a name beyond its heap",
    patch(file, SNOD + 8, 8, 4096),
    /a name must end inside its heap of 16 bytes\. Received one at offset 4096/,
  ],
  ["a heap beyond the file", patch(file, HEAP + 8, 8, 2 ** 40), /the local heap of a group must lie inside the file/],
  [
    "a group that contains itself",
    patch(nested, find(nested, "SNOD", 1) + 16, 8, NESTED_ROOT_HEADER),
    /a group must have one parent\. Received "\/g", which is also "\/"/,
  ],
  [
    "a name that is not UTF-8",
    patch(file, find(file, "x\0"), 1, 0xff),
    /text in the local heap of a group must be UTF-8/,
  ],
  ["a shape beyond the file", patch(file, DIMENSIONS, 8, 2 ** 40), /the elements of \/x must lie inside the file/],
  ["a shape beyond 2^53", patch(file, DIMENSIONS, 8, 2 ** 52), /must have fewer than 2\^53 elements/],
  ["too many dimensions", patch(file, DIMENSIONS - 7, 1, 33), /at most 32 dimensions\. Received 33/],
  [
    "elements without bytes",
    patch(file, DATATYPE + 4, 4, 0),
    /an element must have at least one byte\. Received a floating-point type of size 0/,
  ],
  [
    "a float of strange bits",
    patch(file, DATATYPE + 12, 1, 22),
    /Received elements of type 32-bit float with 8 exponent and 23 mantissa bits/,
  ],
  [
    "a layout of no kind",
    patch(file, find(file, "\x03\x01\x60\0"), 2, 0x0303),
    /must be compact, contiguous or chunked\. Received a virtual dataset/,
  ],
  [
    "a global heap beyond the file",
    patch(file, GCOL + 8, 8, 2 ** 40),
    /a global heap collection must lie inside the file/,
  ],
  ["an object beyond its heap", patch(file, GCOL + 24, 8, 2 ** 40), /objects must lie inside their global heap/],
  ["a text that is not in its heap", patch(file, GCOL + 16, 2, 5), /must have 5 bytes\. Received no such object/],
  ["a text longer than its object", patch(file, GCOL + 24, 8, 4), /must have 5 bytes\. Received 4 bytes/],
  [
    "a long text that is not there",
    patch(file, ATTRIBUTE + 9 + 2 + 16 + 8, 4, 0xffffffff),
    /a file must unpack to at most 1048576 bytes/,
  ],
  ["an attribute's shape that lies", patch(file, ATTRIBUTE + 9 + 2 + 16 + 1, 1, 1), /"t" must hold 8 more bytes/],
  [
    "an attribute of an unknown version",
    patch(file, ATTRIBUTE, 1, 9),
    /version of an attribute must be one of 1, 2, 3\. Received 9/,
  ],
  [
    "an attribute that shares its type",
    patch(file, ATTRIBUTE + 1, 1, 1),
    /must hold their type and shape themselves\. Received "t"/,
  ],
  [
    "a B-tree of endless depth",
    patch(dense, find(dense, "BTHD") + 12, 2, 0xffff),
    /at most 24 levels deep\. Received depth 65535/,
  ],
  ["a B-tree without record size", patch(dense, find(dense, "BTHD") + 10, 2, 0), /records of at least one byte/],
  [
    "a B-tree of other records",
    patch(dense, find(dense, "BTHD") + 5, 1, 99),
    /records of type \d here\. Received type 99/,
  ],
  [
    "more records than bytes",
    patch(dense, find(dense, "BTHD") + 24, 2, 0xffff),
    /a version 2 B-tree must lie inside the file/,
  ],
  [
    "a heap of no width",
    patch(dense, find(dense, "FRHP") + 110, 2, 0),
    /must have rows, block sizes that are powers of two/,
  ],
  ["a heap of odd blocks", patch(dense, find(dense, "FRHP") + 112, 8, 1000), /sizes 1000 and/],
  ["a compressed heap", patch(dense, find(dense, "FRHP") + 7, 2, 8), /must not be compressed/],
  [
    "an id of a strange kind",
    patch(dense, find(dense, "BTLF") + 10, 1, 0x30),
    /must be managed, huge or tiny|a heap object must/,
  ],
  ["an object beyond its block", patch(dense, find(dense, "BTLF") + 11, 4, 0x7fffffff), /a heap object must/],
  [
    "the same heap object twice",
    dense.slice().copyWithin(find(dense, "BTLF") + 21, find(dense, "BTLF") + 10, find(dense, "BTLF") + 17),
    /must be unique|must have unique names/,
  ],
  [
    "a huge object without its tree",
    patch(many, find(many, "FRHP", 1) + 22, 8, nowhere),
    /a version 2 B-tree must lie inside the file/,
  ],
  [
    "a wrong chunk address",
    patch(chunked, find(chunked, "TREE\x01") + 24 + 32, 8, 2 ** 40),
    /a chunk must lie inside the file/,
  ],
  [
    "a chunk outside the shape",
    patch(chunked, find(chunked, "TREE\x01") + 24 + 8, 8, 2 ** 40),
    /a chunk must begin inside the shape/,
  ],
  [
    "a chunk between others",
    patch(chunked, find(chunked, "TREE\x01") + 24 + 8, 8, 1),
    /at a multiple of \[2, [24]\]\. Received 1 in dimension 0/,
  ],
];

describe("openHdf5 on a file that lies", () => {
  for (const [what, bytes, message] of lies) {
    it(`rejects ${what}`, () => assert.throws(() => readAll(bytes), { name: "FormatError", message }));
  }

  it("rejects a fixed array of another length than its dataset", () => {
    const bytes = patch(paged, find(paged, "FAHD") + 8, 8, 2 ** 40);
    assert.throws(
      () => readAll(bytes),
      /a fixed array must fit the 1030 chunks of its dataset\. Received 1099511627776 entries of 8 bytes/,
    );
  });

  it("rejects a chunk that is stored twice", () => {
    // key 1 of the chunks' B-tree becomes key 0: sizes and 3 offsets, 32 bytes, then an address
    const first = find(chunked, "TREE\x01") + 24;
    assert.throws(
      () => readAll(chunked.slice().copyWithin(first + 40, first, first + 32)),
      /a chunk must be stored once/,
    );
  });

  it("rejects a shape that would be filled beyond `maxBytes`, before it allocates", () => {
    const basic = fixture("basic-earliest.h5");
    const dimensions = find(basic, "\x01\x02\x01\0\0\0\0\0\x02\0\0\0\0\0\0\0\x02") + 8;
    assert.throws(() => withDataset("unwritten", patch(basic, dimensions, 8, 2 ** 45)), {
      name: "FormatError",
      message: `HDF5: a file must unpack to at most 1048576 bytes. Received ${2 ** 48} bytes with /unwritten.`,
    });
  });

  it("rejects chunks that would unpack beyond `maxBytes`", () => {
    // the fourth dataset, of a single chunk
    const sizes = find(chunked, "\x03\x02\x03", 3) + 11;
    const grown = patch(patch(chunked, sizes, 4, 2 ** 24), sizes + 4, 4, 2 ** 20);
    assert.throws(() => readAll(grown), /the chunks of a dataset must unpack to at most 1048576 bytes/);
  });

  it("rejects a child without a name, which could be the root under its own path, and a name that is a path", () => {
    const bytes = writeHdf5(group(new Map([["name", group(new Map())]])));
    const at = find(bytes, "name\0");
    const message = /names in a group must be neither empty nor paths\. Received ""/;
    assert.throws(() => readAll(patch(bytes, at, 4, 0)), { name: "FormatError", message });
    assert.throws(() => readAll(patch(bytes, at + 1, 1, 0x2f)), /neither empty nor paths\. Received "n\/me"/);
  });

  it("rejects groups nested deeper than a walk should go", () => {
    let spec = group(new Map());
    for (let i = 0; i < 130; i++) spec = group(new Map([["g", spec]]));
    assert.throws(() => readAll(writeHdf5(spec)), /groups must nest at most 128 deep\. Received an object 129 deep/);
  });

  it("verifies the checksums of newer metadata, unless it is told to salvage", () => {
    const places: [bytes: Uint8Array, signature: string, offset: number][] = [
      [latest, "OHDR", 20],
      [dense, "BTHD", 37],
      [dense, "BTLF", 10],
      [dense, "FRHP", 60],
      [paged, "FAHD", 27],
      [paged, "FADB", 15],
    ];
    for (const [bytes, signature, offset] of places) {
      const damaged = bytes.slice();
      damaged[find(bytes, signature) + offset] ^= 1;
      const message = /must have the checksum [0-9a-f]+\. Received [0-9a-f]+/;
      assert.throws(() => readAll(damaged, {}), { name: "FormatError", message }, signature);
    }
    assert.throws(() => openHdf5(patch(latest, 45, 1, 9), {}), /the superblock must have the checksum/);
  });
});

describe("openHdf5 on damaged files", () => {
  const names = [
    "basic-earliest",
    "basic-latest",
    "chunked-earliest",
    "chunked-latest",
    "many-earliest",
    "many-latest",
  ];
  const small = ["small-earliest", "small-latest", "dense-latest", "paged-latest", "userblock", "bfloat16"];
  const files = new Map([...names, ...small].map((name) => [name, fixture(`${name}.h5`)]));
  files.set("written", file);
  files.set("nested", nested);

  for (const verifyChecksums of [true, false]) {
    it(`returns or throws a FormatError ${verifyChecksums ? "with" : "without"} checksums`, () => {
      fc.assert(
        fc.property(fc.constantFrom(...files.keys()), damages, fc.boolean(), (name, damage, firstError) => {
          const damaged = damage(files.get(name) ?? file);
          const options = { maxBytes: 2 ** 20, verifyChecksums };
          // either up to the first error, or everything that can still be read
          assertSurvives(() => picture(openHdf5(damaged, options), firstError ? "throw" : "picture"), 2000);
        }),
        { numRuns: verifyChecksums ? 500 : 2500 },
      );
    });
  }
});
