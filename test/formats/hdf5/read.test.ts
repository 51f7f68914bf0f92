import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { bytesFor } from "../../../src/formats/hdf5/btree2.js";
import { Hdf5Dataset } from "../../../src/formats/hdf5/dataset.js";
import { compareCodePoints } from "../../../src/formats/hdf5/links.js";
import { lookup3 } from "../../../src/formats/hdf5/lookup3.js";
import { openHdf5 } from "../../../src/formats/hdf5/open.js";
import { fixture } from "../fixture-files.js";
import { picture } from "./walk.js";

const read = (name: string, path: string): Hdf5Dataset => {
  const object = openHdf5(fixture(name)).get(path);
  assert.ok(object instanceof Hdf5Dataset, path);
  return object;
};
const plain = (name: string, path: string): unknown[] => Array.from<unknown>(read(name, path).read());
/** 0, 1, ... less half of them, as fixtures/formats.py counts. */
const counted = (n: number): number[] => Array.from({ length: n }, (_, i) => i - Math.floor(n / 2));

for (const version of ["earliest", "latest"]) {
  describe(`openHdf5 on a file that h5py wrote with libver="${version}"`, () => {
    const basic = `basic-${version}.h5`;

    it("reads numbers of all types in both byte orders", () => {
      for (const kind of ["f2", "f4", "f8", "i1", "i2", "i4"]) {
        for (const order of ["little", "big"]) {
          assert.deepEqual(plain(basic, `types/${order}-${kind}`), [-3, -2, -1, 0, 1, 2], order + kind);
        }
      }
      for (const kind of ["u1", "u2", "u4"]) assert.deepEqual(plain(basic, `types/little-${kind}`), [0, 1, 2, 3, 4, 5]);
      assert.deepEqual(read(basic, "types/big-i8").read(), BigInt64Array.of(-3n, -2n, -1n, 0n, 1n, 2n));
      assert.deepEqual(read(basic, "types/little-u8").read(), BigUint64Array.of(0n, 1n, 2n, 3n, 4n, 5n));
    });

    it("tells shapes and types", () => {
      const shapes = ["little-f2", "scalar", "empty", "bool", "text"].map((name) => {
        const { dtype, shape } = read(basic, `types/${name}`);
        return `${name}: ${dtype} [${shape.join(", ")}]`;
      });
      assert.deepEqual(shapes, [
        "little-f2: float16 [2, 3]",
        "scalar: float64 []",
        "empty: float32 [0, 3]",
        "bool: bool [5]",
        "text: string [3]",
      ]);
    });

    it("reads booleans, scalars, empty arrays and texts", () => {
      assert.deepEqual(read(basic, "types/bool").read(), Uint8Array.of(0, 1, 0, 1, 0));
      assert.deepEqual(read(basic, "types/scalar").read(), Float64Array.of(7.5));
      assert.deepEqual(read(basic, "types/empty").read(), new Float32Array(0));
      assert.deepEqual(read(basic, "types/text").read(), ["x", "größe", ""]);
    });

    it("gives elements that were never written their fill value", () => {
      assert.deepEqual(plain(basic, "unwritten"), [-7, -7, -7, -7]);
    });

    it("reads attributes", () => {
      const { attributes } = openHdf5(fixture(basic));
      const value = (name: string): unknown => attributes.get(name)?.read();
      assert.deepEqual(value("title"), ["größe λ"]);
      assert.deepEqual(value("names"), ["conv", "dense"]);
      assert.deepEqual(value("list"), ["a", "bc", ""]);
      assert.deepEqual(value("number"), BigInt64Array.of(7n));
      assert.deepEqual(value("matrix"), Float32Array.from(counted(6)));
      assert.deepEqual(attributes.get("matrix")?.shape, [2, 3]);
      assert.deepEqual(value("flag"), Uint8Array.of(1));
      assert.deepEqual(value("nothing"), new Float32Array(0));
      assert.deepEqual(value("none"), new Float64Array(0));
      assert.deepEqual(value("blank"), ["fixed"]);
    });

    it("lists names by code point and finds them by path", () => {
      const root = openHdf5(fixture(basic));
      assert.deepEqual(root.keys(), ["group", "größe", "soft", "types", "unwritten"]);
      const inner = root.get("/größe");
      assert.ok(inner?.kind === "group");
      assert.deepEqual(inner.keys(), ["λ 😀", "\uffee"].toSorted(compareCodePoints));
      assert.deepEqual(inner.get("λ 😀"), root.get("größe//λ 😀/"));
      for (const missing of ["no", "types/no", "types/bool/no"]) assert.equal(root.get(missing), undefined);
    });

    it("names a type that it cannot read, when the data is asked for", () => {
      const root = openHdf5(fixture(basic));
      assert.equal(root.attributes.get("pair")?.dtype, "compound");
      assert.throws(() => root.attributes.get("pair")?.read(), {
        name: "FormatError",
        message:
          "HDF5: elements must be integers, IEEE floats, booleans or strings. Received elements of type compound.",
      });
      assert.throws(() => read(basic, "types/opaque").read(), /Received elements of type opaque/);
    });

    it("does not follow soft links", () => {
      assert.throws(() => openHdf5(fixture(basic)).get("soft"), {
        name: "FormatError",
        message: 'HDF5: links must be hard links. Received "/soft", a soft link.',
      });
    });

    it("reads chunks, filtered or not, cut at the edges", () => {
      for (const path of ["plain", "gzip", "all", "single"]) {
        const { shape } = read(`chunked-${version}.h5`, path);
        assert.deepEqual(shape, [5, 7]);
        assert.deepEqual(plain(`chunked-${version}.h5`, path), counted(35), path);
      }
    });

    it("gives chunks that were never written their fill value", () => {
      const expected = Array.from({ length: 35 }, (_, i) => {
        const [row, column] = [Math.floor(i / 7), i % 7];
        return row >= 2 && row < 4 && column >= 4 && column < 6 ? 5 : -3;
      });
      assert.deepEqual(plain(`chunked-${version}.h5`, "sparse"), expected);
    });

    it("reads groups and attributes of many nodes, and attributes too large for a node", () => {
      const root = openHdf5(fixture(`many-${version}.h5`));
      assert.deepEqual(root.keys(), Array.from({ length: 70 }, (_, i) => `layer_${i}`).toSorted());
      const layer = root.get("layer_7");
      assert.ok(layer);
      assert.equal(layer, root.get("layer_0"), "one dataset of two names is one object");
      for (let i = 0; i < 30; i++) assert.deepEqual(layer.attributes.get(`attribute_${i}`)?.read(), Int8Array.of(i));
      assert.deepEqual(
        layer.attributes.get("large")?.read(),
        Float32Array.from({ length: 1100 }, (_, i) => i),
      );
    });
  });
}

describe("openHdf5", () => {
  it("sees the same tree whichever version wrote it", () => {
    const [earliest, latest] = ["earliest", "latest"].map((version) =>
      [...picture(openHdf5(fixture(`basic-${version}.h5`)), "picture")].toSorted(([a], [b]) => compareCodePoints(a, b)),
    );
    assert.deepEqual(latest, earliest);
  });

  it("reads many groups by dense links", () => {
    const root = openHdf5(fixture("dense-latest.h5"));
    assert.equal(root.keys().length, 12);
    assert.equal(root.attributes.size, 12);
    assert.equal(root.get("g11")?.kind, "group");
  });

  it("reads the pages of a large fixed array", () => {
    const expected = new Int8Array(1030).fill(1);
    expected.set([2, 3, 4], 1025);
    assert.deepEqual(read("paged-latest.h5", "pages").read(), expected);
  });

  it("reads an odd number of bytes with a Fletcher checksum", () => {
    assert.deepEqual(plain("chunked-latest.h5", "odd"), counted(9));
  });

  it("finds a superblock behind a block of the user's", () => {
    const tree = picture(openHdf5(fixture("userblock.h5")));
    assert.deepEqual(tree, picture(openHdf5(fixture("small-earliest.h5"))));
    assert.equal(tree.get("/g@weight_names"), "string [2] kernel:0 bias:0");
  });

  it("returns a view of contiguous, aligned elements, and a copy of others", () => {
    const bytes = fixture("small-earliest.h5");
    const x = openHdf5(bytes).get("g/x");
    assert.ok(x instanceof Hdf5Dataset);
    const data = x.read();
    assert.ok(data instanceof Float32Array);
    assert.equal(data.buffer, bytes.buffer);

    const shifted = Buffer.concat([Buffer.of(0), bytes]).subarray(1);
    const copy = openHdf5(shifted).get("g/x");
    assert.ok(copy instanceof Hdf5Dataset);
    assert.deepEqual(copy.read(), data);
  });

  it("names bfloat16, filters and chunk indexes that it cannot read", () => {
    assert.throws(() => read("bfloat16.h5", "x").read(), /Received elements of type bfloat16/);
    assert.throws(
      () => read("chunked-latest.h5", "lzf").read(),
      /must be deflate, shuffle or fletcher32\. Received filter 32000 \(LZF\)/,
    );
    assert.throws(() => read("chunked-latest.h5", "resizable").read(), /Received an extensible array/);
  });
});

describe("lookup3", () => {
  it("gives the values of its author's self-test", () => {
    const hash = (text: string): string => lookup3(new TextEncoder().encode(text)).toString(16);
    assert.equal(hash(""), "deadbeef");
    assert.equal(hash("Four score and seven years ago"), "17770551");
  });
});

describe("compareCodePoints", () => {
  it("puts characters beyond the first plane behind all of it", () => {
    const names = ["\u{1f600}", "\uffee", "b", "a", "ab", "\ud7ff", ""];
    assert.deepEqual(names.sort(compareCodePoints), ["", "a", "ab", "b", "\ud7ff", "\uffee", "\u{1f600}"]);
  });
});

describe("bytesFor", () => {
  it("counts the bytes of the largest number", () => {
    assert.deepEqual([0, 255, 256, 65535, 65536, 2 ** 40].map(bytesFor), [1, 1, 2, 2, 3, 6]);
  });
});
