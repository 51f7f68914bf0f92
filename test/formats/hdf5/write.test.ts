import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { ElementArray } from "../../../src/formats/elements.js";
import { Hdf5Dataset } from "../../../src/formats/hdf5/dataset.js";
import type { Hdf5Group } from "../../../src/formats/hdf5/group.js";
import { openHdf5 } from "../../../src/formats/hdf5/open.js";
import type { Hdf5AttributeSpec, Hdf5DatasetSpec, Hdf5GroupSpec } from "../../../src/formats/hdf5/spec.js";
import { writeHdf5 } from "../../../src/formats/hdf5/writer.js";
import { fixture } from "../fixture-files.js";
import { picture } from "./walk.js";

const group = (
  children: Record<string, Hdf5GroupSpec | Hdf5DatasetSpec> = {},
  attributes: Record<string, Hdf5AttributeSpec> = {},
): Hdf5GroupSpec => ({
  kind: "group",
  children: new Map(Object.entries(children)),
  attributes: new Map(Object.entries(attributes)),
});
const dataset = (shape: readonly number[], data: ElementArray): Hdf5DatasetSpec => ({ kind: "dataset", shape, data });

const numbers: fc.Arbitrary<ElementArray> = fc.oneof(
  fc.float32Array(),
  fc.float64Array(),
  fc.int8Array(),
  fc.uint16Array(),
  fc.int32Array(),
  fc.bigInt64Array(),
  fc.bigUint64Array(),
);
const text = fc.string({ unit: "grapheme", maxLength: 20 }).map((s) => s.replaceAll("\0", ""));
const names = text.filter((name) => name !== "" && name !== "." && !name.includes("/"));
const attributes = fc.dictionary(
  names,
  fc.oneof(
    text,
    fc.array(text, { maxLength: 5 }),
    numbers.map((data) => ({ shape: [data.length], data })),
  ),
  { maxKeys: 4 },
);
const { tree } = fc.letrec<{ tree: Hdf5GroupSpec; node: Hdf5GroupSpec | Hdf5DatasetSpec }>((tie) => ({
  tree: fc.tuple(fc.dictionary(names, tie("node"), { maxKeys: 12 }), attributes).map(([c, a]) => group(c, a)),
  node: fc.oneof(
    { maxDepth: 3 },
    fc.tuple(numbers, attributes).map(
      ([data, a]): Hdf5DatasetSpec => ({
        ...dataset([1, data.length], data),
        attributes: new Map(Object.entries(a)),
      }),
    ),
    tie("tree"),
  ),
}));

function assertEqualTrees(read: Hdf5Group | Hdf5Dataset | undefined, spec: Hdf5GroupSpec | Hdf5DatasetSpec): void {
  assert.ok(read);
  const wanted = [...(spec.attributes ?? [])];
  assert.deepEqual(
    [...read.attributes.keys()],
    wanted.map(([name]) => name),
  );
  for (const [name, value] of wanted) {
    const expected = typeof value === "string" ? [value] : "shape" in value ? value.data : value;
    assert.deepEqual(read.attributes.get(name)?.read(), expected);
  }
  if (spec.kind === "dataset") {
    assert.ok(read instanceof Hdf5Dataset);
    assert.deepEqual([read.shape, read.read()], [spec.shape, spec.data]);
  } else {
    assert.ok(read.kind === "group");
    assert.deepEqual(new Set(read.keys()), new Set(spec.children.keys()));
    for (const [name, child] of spec.children) assertEqualTrees(read.get(name), child);
  }
}

describe("writeHdf5", () => {
  it("writes what openHdf5 reads, whatever the tree", () => {
    fc.assert(fc.property(tree, (spec) => assertEqualTrees(openHdf5(writeHdf5(spec)), spec)));
  });

  it("writes the tree that h5py wrote", () => {
    const spec = group(
      {
        g: {
          ...group({ x: dataset([2, 3], Float32Array.of(-3, -2, -1, 0, 1, 2)) }),
          attributes: new Map([["weight_names", ["kernel:0", "bias:0"]]]),
        },
      },
      { title: "größe" },
    );
    const ours = picture(openHdf5(writeHdf5(spec)));
    const theirs = picture(openHdf5(fixture("small-earliest.h5")));
    for (const path of ["/@title", "/g", "/g@weight_names", "/g/x"]) assert.equal(ours.get(path), theirs.get(path));
  });

  it("splits large groups over the levels of a B-tree: one node, several, several levels", () => {
    const empty = group();
    for (const size of [0, 8, 9, 256, 257, 9000]) {
      const children = Object.fromEntries(Array.from({ length: size }, (_, i) => [`layer_${i}`, empty]));
      const root = openHdf5(writeHdf5(group(children)));
      assert.deepEqual(root.keys(), Object.keys(children).sort());
      if (size > 0) assert.equal(root.get(`layer_${size - 1}`)?.kind, "group");
    }
  });

  it("writes texts of more than 64 KB, many texts, and empty ones", () => {
    const values = {
      config: `{${"x".repeat(300_000)}}`,
      empty: "",
      ...Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`a${i}`, `text ${i}`])),
    };
    const root = openHdf5(writeHdf5(group({}, values)));
    for (const [name, value] of Object.entries(values)) assert.deepEqual(root.attributes.get(name)?.read(), [value]);
  });

  it("gives equal bytes for equal trees, in any order of children", () => {
    const [a, b] = [dataset([1], Float32Array.of(1)), dataset([1], Float32Array.of(2))];
    assert.deepEqual(writeHdf5(group({ a, b })), writeHdf5(group({ b, a })));
  });

  it("rejects what the format cannot hold", () => {
    assert.throws(() => writeHdf5(group({}, { weight_names: Array.from({ length: 700 }, () => "n".repeat(100)) })), {
      name: "RangeError",
      message: 'writeHdf5: an attribute must fit in 65528 bytes. Received "weight_names" of "/" with 70046 bytes.',
    });
    for (const name of ["", ".", "a/b", "a\0"]) {
      assert.throws(() => writeHdf5(group({ g: group({ [name]: group() }) })), {
        name: "RangeError",
        message: `writeHdf5: a name must not be empty or ".", nor have "/" or a zero in it. Received ${JSON.stringify(name)} in "/g".`,
      });
    }
    assert.throws(() => writeHdf5(group({}, { "a\0": "" })), {
      name: "RangeError",
      message: 'writeHdf5: an attribute\'s name must not be empty nor have a zero in it. Received "a\\u0000" of "/".',
    });
    assert.throws(() => writeHdf5(group({ x: dataset([2, 2], new Float32Array(3)) })), {
      name: "RangeError",
      message:
        "writeHdf5: a shape must be at most 32 whole numbers whose product is the number of elements, " +
        '3 for "/x". Received shape=[2, 2].',
    });
    assert.throws(
      () => writeHdf5(group({}, { n: { shape: [-1], data: new Float32Array(1) } })),
      /for "\/@n"\. Received shape=\[-1\]/,
    );
    const many = new Map(Array.from({ length: 65536 }, (_, i): [string, string] => [`a${i}`, ""]));
    assert.throws(() => writeHdf5({ kind: "group", children: new Map(), attributes: many }), {
      name: "RangeError",
      message: "writeHdf5: an object must have at most 65534 attributes. Received 65536.",
    });
  });
});
