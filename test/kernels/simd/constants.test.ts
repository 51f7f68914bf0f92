import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { PackedConstants } from "../../../src/kernels/simd/constants.js";
import { sharedHeap } from "../../../src/tensor/heap.js";

const noPacking = (): void => {};

describe("PackedConstants", () => {
  it("has all copies in one block, which it reserves before the first or with it, and gives back when it is closed", () => {
    const [a, b] = [new Float32Array(40), new Float32Array(100)];
    for (const early of [true, false]) {
      const before = sharedHeap().used;
      const constants = new PackedConstants([a, b]);
      if (early) constants.makeRoom();
      assert.equal(sharedHeap().used > before, early);
      const first = constants.find(a, [1], 48, (to) => void to.fill(7));
      const reserved = sharedHeap().used;
      const second = constants.find(b, [1], 104, (to) => void to.fill(8), "float64");
      assert.equal(sharedHeap().used, reserved);
      assert.ok(first !== undefined && second instanceof Float64Array);
      assert.ok(first.every((value) => value === 7) && second.every((value) => value === 8));
      assert.equal(constants.find(a, [1], 48, noPacking), first);
      constants.close();
      assert.equal(sharedHeap().used, before);
    }
  });

  it("has a block more for a copy that there is no room for, and none once it is closed", () => {
    const a = new Float32Array(40);
    const before = sharedHeap().used;
    const constants = new PackedConstants([a]);
    const copies = [1, 2, 3].map((layout) => constants.find(a, [layout], 48, (to) => void to.fill(layout), "float64"));
    for (const [i, copy] of copies.entries()) assert.ok(copy?.every((value) => value === i + 1));
    constants.close();
    assert.equal(constants.find(a, [1], 48, noPacking), undefined);
    constants.makeRoom();
    assert.equal(sharedHeap().used, before);
  });

  it("knows no copy of an array that may change", () => {
    assert.equal(new PackedConstants([]).find(new Float32Array(3), [1], 3, noPacking), undefined);
  });
});
