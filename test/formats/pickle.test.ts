import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { npyArray, splitNpy } from "../../src/formats/npy.js";
import { type PickledArray, readPickledArrays } from "../../src/formats/pickle.js";
import { readZip } from "../../src/formats/zip.js";
import { fixture, kerasFixture } from "./fixture-files.js";
import { assertSurvives, damages } from "./mutations.js";

const pickles = readZip(fixture("pickles.zip"));
const npz = readZip(
  readZip(kerasFixture("files/keras3-functional-npz-weights.keras")).get("model.weights.npz")?.read() ??
    new Uint8Array(),
);

function program(name: string): Uint8Array {
  const entry = pickles.get(name);
  assert.ok(entry, name);
  return entry.read().slice();
}

function values(arrays: ReadonlyMap<string, PickledArray>, key: string): { shape: readonly number[]; data: unknown[] } {
  const array = arrays.get(key);
  assert.ok(array, key);
  const { shape, data } = npyArray(array, array.content);
  return { shape, data: Array.from<unknown>(data) };
}

/** A program of opcodes and texts; a text becomes SHORT_BINUNICODE. */
function assemble(...parts: (number | string | readonly number[])[]): Uint8Array {
  const text = (part: string): number[] => [0x8c, part.length, ...new TextEncoder().encode(part)];
  return Uint8Array.from(
    parts.flatMap((part) => (typeof part === "string" ? text(part) : typeof part === "number" ? [part] : [...part])),
  );
}
const [GLOBAL, REDUCE, BUILD, EMPTY_TUPLE, EMPTY_DICT, STOP] = [0x93, 0x52, 0x62, 0x29, 0x7d, 0x2e];

describe("readPickledArrays", () => {
  for (const name of pickles.keys()) {
    if (!name.includes("protocol")) continue;
    it(`reads a dictionary of arrays as NumPy pickles it: ${name}`, () => {
      const arrays = readPickledArrays(program(name));
      assert.deepEqual([...arrays.keys()], ["0", "1", "fortran", "empty", "scalar", "half", "bool", "long"]);
      assert.deepEqual(values(arrays, "0"), { shape: [2, 3], data: [-3, -2, -1, 0, 1, 2] });
      assert.deepEqual(values(arrays, "1"), { shape: [2], data: [-1, 0] });
      assert.deepEqual(values(arrays, "fortran"), { shape: [2, 3], data: [-3, -2, -1, 0, 1, 2] });
      assert.deepEqual(values(arrays, "empty"), { shape: [0, 3], data: [] });
      assert.deepEqual(values(arrays, "scalar"), { shape: [], data: [7n] });
      assert.deepEqual(values(arrays, "half"), { shape: [3], data: [-1, 0, 1] });
      assert.deepEqual(values(arrays, "bool"), { shape: [2], data: [0, 1] });
      assert.deepEqual(
        values(arrays, "long").data,
        Array.from({ length: 300 }, (_, i) => i - 150),
      );
    });
  }

  it("finds the arrays inside the variables of Keras", () => {
    const { content } = splitNpy(npz.get("layers/batch_normalization.npy")?.read() ?? new Uint8Array());
    const arrays = readPickledArrays(content);
    assert.deepEqual([...arrays.keys()], ["0", "1", "2", "3"]);
    for (const { shape, descr } of arrays.values()) assert.deepEqual([shape, descr], [[4], "<f4"]);
  });

  it("finds the array in a variable of Keras on NumPy", () => {
    assert.deepEqual(values(readPickledArrays(program("variable")), "0"), {
      shape: [2, 3],
      data: [-3, -2, -1, 0, 1, 2],
    });
  });

  it("calls nothing, and names what it was asked to call", () => {
    assert.throws(() => readPickledArrays(program("command")), {
      name: "FormatError",
      message:
        "pickle: only arrays of NumPy and variables of Keras are read, and nothing is ever called. " +
        'Received the name "posix.system".',
    });
  });

  const refused: [string, Uint8Array, RegExp][] = [
    [
      "an opcode of another use",
      assemble(0x80, 4, 0x51),
      /^pickle: only the opcodes .* Received opcode 0x51 at byte 2\.$/,
    ],
    ["protocol 0", assemble(0x80, 0), /^pickle: the protocol must be 2 to 5\. Received protocol 0\.$/],
    ["an empty stack", assemble(STOP), /^pickle: an opcode must find its operands\. Received too few on the stack\.$/],
    ["a missing mark", assemble(0x74), /Received no mark on the stack\.$/],
    ["an empty memo", assemble(0x68, 3), /^pickle: the memo must hold what is taken from it\. Received number 3\.$/],
    [
      "text where an array should be",
      assemble("x", STOP),
      /^pickle: the object must be a dictionary\. Received "x"\.$/,
    ],
    ["a bare dictionary", assemble(EMPTY_DICT, STOP), /must be a dictionary\. Received a dictionary/],
    [
      "a call of a number",
      assemble(0x4b, 1, EMPTY_TUPLE, REDUCE),
      /^pickle: a call must be of a name with a tuple\. Received 1 with a list\.$/,
    ],
    [
      "a call without arguments",
      assemble("numpy", "dtype", GLOBAL, EMPTY_TUPLE, REDUCE),
      /^pickle: numpy\.dtype must be called as NumPy does\. Received 0 arguments \(\)\.$/,
    ],
    [
      "a call of ndarray",
      assemble("numpy", "ndarray", GLOBAL, EMPTY_TUPLE, REDUCE),
      /numpy\.ndarray must be called as NumPy does/,
    ],
    [
      "a state for a number",
      assemble(0x4b, 1, 0x4e, BUILD),
      /^pickle: BUILD must give an object its state\. Received None for 1\.$/,
    ],
    [
      "an item for a list",
      assemble(0x5d, "a", "b", 0x73),
      /^pickle: SETITEMS must set pairs in a dictionary\. Received 2 values for a list\.$/,
    ],
    [
      "an append to a dictionary",
      assemble(EMPTY_DICT, "a", 0x61),
      /^pickle: APPEND must append to a list\. Received a dictionary\.$/,
    ],
    ["a name that is no text", assemble(0x4e, 0x4e, GLOBAL), /Received the name "None"\.$/],
    [
      "a name whose line does not end",
      assemble(0x63, [0x6e, 0x75]),
      /^pickle: a name must end with its line\. Received the end of the program\.$/,
    ],
    [
      "bytes beyond the end",
      assemble(0x42, [0xff, 0xff, 0xff, 0x7f]),
      /^pickle: the program must hold 2147483647 more bytes/,
    ],
  ];
  for (const [what, bytes, message] of refused) {
    it(`refuses ${what}`, () => assert.throws(() => readPickledArrays(bytes), { name: "FormatError", message }));
  }

  it("stops a program that does not end, at 65536 opcodes", () => {
    assert.throws(() => readPickledArrays(new Uint8Array(1 << 20).fill(EMPTY_TUPLE)), {
      message: "pickle: a dictionary of variables must take at most 65536 opcodes. Received more.",
    });
  });

  it("survives any damage", () => {
    const names = [...pickles.keys()];
    fc.assert(
      fc.property(fc.constantFrom(...names), damages, (name, damage) => {
        assertSurvives(() => {
          for (const array of readPickledArrays(damage(program(name))).values()) npyArray(array, array.content);
        }, 1000);
      }),
      { numRuns: 2000 },
    );
  });
});
