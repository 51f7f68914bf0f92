import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type ElementArray, type ElementType, elementTypeOf } from "../../src/formats/elements.js";
import { FormatError } from "../../src/formats/format-error.js";
import { readNpy, writeNpy } from "../../src/formats/npy.js";
import { fromTensor } from "../../src/formats/tensors.js";
import { readZip } from "../../src/formats/zip.js";
import { type Tensor, tensorOf } from "../../src/tensor/tensor.js";
import { fixture } from "./fixture-files.js";
import { assertSurvives, damages } from "./mutations.js";

const files = readZip(fixture("npy.zip"));
function file(name: string): Uint8Array {
  const entry = files.get(name);
  assert.ok(entry, name);
  return entry.read().slice();
}
/** A version 1.0 file with this header text. */
function withHeader(text: string, elements = 0): Uint8Array {
  const header = new TextEncoder().encode(text);
  return Uint8Array.from([
    0x93,
    ...new TextEncoder().encode("NUMPY"),
    1,
    0,
    header.length,
    0,
    ...header,
    ...new Uint8Array(elements),
  ]);
}
function plain(data: ElementArray): (number | bigint)[] {
  return Array.from<number | bigint>(data);
}

describe("readNpy", () => {
  const kinds: [string, ElementType, boolean][] = [
    ["f2", "float16", true],
    ["f4", "float32", true],
    ["f8", "float64", true],
    ["i1", "int8", true],
    ["u1", "uint8", false],
    ["i2", "int16", true],
    ["u2", "uint16", false],
    ["i4", "int32", true],
    ["u4", "uint32", false],
    ["i8", "int64", true],
    ["u8", "uint64", false],
  ];
  for (const [kind, dtype, signed] of kinds) {
    for (const order of ["little", "big"]) {
      it(`reads ${order}-endian ${dtype} as numpy wrote it`, () => {
        const array = readNpy(file(`${order}-${kind}`));
        assert.equal(array.dtype, dtype);
        assert.deepEqual(array.shape, [2, 3]);
        const expected = [0, 1, 2, 3, 4, 5].map((i) => (signed ? i - 3 : i));
        assert.deepEqual(plain(array.data), kind.endsWith("8") && kind !== "f8" ? expected.map(BigInt) : expected);
      });
    }
  }

  it("turns Fortran order into row-major order", () => {
    const expected = Array.from({ length: 24 }, (_, i) => i - 12);
    for (const name of ["fortran", "fortran-big"]) {
      const { shape, data } = readNpy(file(name));
      assert.deepEqual(shape, [2, 3, 4]);
      assert.deepEqual(plain(data), expected);
    }
  });

  it("reads booleans, scalars, empty arrays and versions 2.0 and 3.0", () => {
    assert.deepEqual(readNpy(file("bool")), { dtype: "bool", shape: [5], data: Uint8Array.of(0, 1, 0, 1, 0) });
    assert.deepEqual(readNpy(file("scalar")), { dtype: "float64", shape: [], data: Float64Array.of(7.5) });
    assert.deepEqual(readNpy(file("empty")), { dtype: "float32", shape: [0, 3], data: new Float32Array(0) });
    for (const version of [2, 3]) assert.deepEqual(plain(readNpy(file(`version-${version}`)).data), [-1, 0, 1]);
  });

  it("widens float16 exactly: zeros, subnormals, the largest, infinities", () => {
    const third = 1365 / 4096;
    const expected = [0, -0, 1, -2, 65504, 2 ** -24, 1023 * 2 ** -24, Infinity, -Infinity, third];
    assert.deepEqual(plain(readNpy(file("half")).data), expected);
  });

  it("returns a view of an aligned file, not a copy", () => {
    const bytes = file("little-f4");
    assert.equal(readNpy(bytes).data.buffer, bytes.buffer);
  });

  it("reads misaligned bytes, of a Node Buffer too", () => {
    const shifted = Buffer.concat([Buffer.of(0), file("little-f8")]).subarray(1);
    assert.deepEqual(plain(readNpy(shifted).data), [-3, -2, -1, 0, 1, 2]);
  });

  const lies: [string, Uint8Array, RegExp][] = [
    ["an empty file", new Uint8Array(0), /must begin with " NUMPY"\. Received ""/],
    ["another format", new TextEncoder().encode("PK\u0003\u0004abcdefgh"), /must begin with/],
    ["version 4", file("scalar").with(6, 4), /must be 1\.0, 2\.0 or 3\.0\. Received version 4\.0/],
    ["a header longer than the file", file("scalar").with(9, 0xff), /must hold 65\d+ more bytes at byte 10/],
    ["a header that is not UTF-8", file("scalar").with(12, 0xff), /text in the file must be UTF-8/],
    ["pickled objects", file("object"), /Received an array of object elements, descr="\|O"/],
    ["structured elements", file("structured"), /Received a structured array \(descr is a list of fields\)/],
    ["complex numbers", file("complex"), /Received an array of complex elements, descr="<c8"/],
    ["text elements", file("text"), /Received an array of text elements, descr="<U2"/],
    ["missing elements", file("scalar").slice(0, -1), /of float64 must have 8 bytes of elements\. Received 7 bytes/],
    ["surplus elements", Uint8Array.from([...file("scalar"), 0]), /must have 8 bytes of elements\. Received 9 bytes/],
    [
      "a shape beyond every file",
      withHeader("{'descr': '<f8', 'fortran_order': False, 'shape': (9007199254740991,)}"),
      /smaller than 2\^53 bytes/,
    ],
    [
      "a dimension above 2^53",
      withHeader("{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999,)}"),
      /a whole number below 2\^53/,
    ],
    [
      "a negative dimension",
      withHeader("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,)}"),
      /a Python dictionary/,
    ],
    [
      "too many dimensions",
      withHeader(`{'descr':'<f8','fortran_order':False,'shape':(${"1,".repeat(65)})}`, 8),
      /at most 64 dimensions/,
    ],
    ["a missing key", withHeader("{'descr': '<f8', 'shape': (1,)}", 8), /must have the keys 'descr'/],
    [
      "a key twice",
      withHeader("{'descr': '<f8', 'descr': '<f8', 'shape': (1,)}", 8),
      /a key that was not there before/,
    ],
    ["an expression", withHeader("{'descr': '<f8', 'fortran_order': not True, 'shape': (1,)}", 8), /must have '\('/],
    [
      "text after the dictionary",
      withHeader("{'descr': '<f8', 'fortran_order': False, 'shape': ()} 1", 8),
      /the end of the header/,
    ],
    ["an unfinished dictionary", withHeader("{'descr': '<f8'", 8), /must have '}'/],
  ];
  for (const [what, bytes, message] of lies) {
    it(`rejects ${what}`, () => assert.throws(() => readNpy(bytes), { name: "FormatError", message }));
  }

  it("survives damaged files", () => {
    fc.assert(
      fc.property(fc.constantFrom(...files.keys()), damages, (name, damage) => {
        const damaged = damage(file(name));
        assertSurvives(() => readNpy(damaged), 1000);
      }),
      { numRuns: 2000 },
    );
  });
});

describe("writeNpy", () => {
  const arrays = fc.oneof(
    fc.float32Array(),
    fc.float64Array(),
    fc.int8Array(),
    fc.uint8Array(),
    fc.int16Array(),
    fc.uint16Array(),
    fc.int32Array(),
    fc.uint32Array(),
    fc.bigInt64Array(),
    fc.bigUint64Array(),
  );

  it("is undone by readNpy for every type", () => {
    fc.assert(
      fc.property(arrays, fc.boolean(), (data, row) => {
        const array = { dtype: elementTypeOf(data), shape: row ? [1, data.length] : [data.length], data };
        assert.deepEqual(readNpy(writeNpy(array)), array);
      }),
    );
  });

  it("gives the bytes that numpy gives", () => {
    for (const name of ["little-f4", "little-f2", "little-i8", "little-u1", "bool", "scalar", "empty", "half"]) {
      assert.deepEqual(writeNpy(readNpy(file(name))), file(name), name);
    }
  });

  it("rounds float16 to nearest, ties to even", () => {
    const cases: [number, number][] = [
      [65519.99609375, 65504],
      [65520, Infinity],
      [1 + 2 ** -11, 1],
      [1 + 3 * 2 ** -11, 1 + 2 ** -9],
      [2 ** -25, 0],
      [1.5 * 2 ** -24, 2 ** -23],
      [-(2 ** -14 - 2 ** -26), -(2 ** -14)],
      [NaN, NaN],
    ];
    const data = Float32Array.from(cases, ([value]) => value);
    const read = readNpy(writeNpy({ dtype: "float16", shape: [data.length], data })).data;
    assert.deepEqual(
      plain(read),
      cases.map(([, rounded]) => rounded),
    );
  });

  it("writes booleans as booleans", () => {
    const array = { dtype: "bool", shape: [2], data: Uint8Array.of(1, 0) } as const;
    assert.deepEqual(readNpy(writeNpy(array)), array);
  });

  it("rejects a shape that does not fit the data, and data of another type", () => {
    assert.throws(() => writeNpy({ dtype: "float32", shape: [2, 2], data: new Float32Array(3) }), {
      name: "RangeError",
      message: "writeNpy: `shape` must be whole numbers whose product is data.length=3. Received shape=[2, 2].",
    });
    assert.throws(() => writeNpy({ dtype: "float32", shape: [3], data: new Float64Array(3) }), {
      name: "TypeError",
      message: "writeNpy: `data` must be the typed array that holds float32. Received Float64Array.",
    });
  });
});

describe("FormatError", () => {
  it("is one line whatever the file says", () => {
    assert.equal(new FormatError("x", "a rule\n.", "\u0000\u2028y").message, "x: a rule . Received  y.");
  });
});

describe("fromTensor", () => {
  it("writes the elements of a transposed, stepped or shifted tensor in the order of its own shape", () => {
    const x = tensorOf([1, 2, 3, 4, 5, 6], [2, 3]);
    assert.equal(fromTensor(x).data, x.data, "shares contiguous memory");
    const views: [Tensor, number[]][] = [
      [x.transpose(1, 0), [1, 4, 2, 5, 3, 6]],
      [x.step(1, -1), [3, 2, 1, 6, 5, 4]],
      [x.lo(1, 1), [5, 6]],
    ];
    for (const [view, expected] of views) {
      const { shape, data } = readNpy(writeNpy(fromTensor(view)));
      assert.deepEqual([shape, plain(data)], [view.shape, expected]);
    }
  });
});
