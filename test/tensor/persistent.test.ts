import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { sharedHeap } from "../../src/tensor/heap.js";
import { allocateFor } from "../../src/tensor/persistent.js";

const MEBIBYTE = 2 ** 20;

describe("allocateFor", () => {
  it("gives large memory from the shared heap and small memory from outside", () => {
    const owner = {};
    assert.ok(sharedHeap().owns(allocateFor(owner, "float32", 1024)));
    assert.ok(!sharedHeap().owns(allocateFor(owner, "float32", 1023)));
  });

  it("gives ordinary memory once the heap holds a gibibyte, so that steps keep room whatever the collector does", () => {
    const owners = Array.from({ length: 20 }, () => ({}));
    const arrays = owners.map((owner) => allocateFor(owner, "float64", 8 * MEBIBYTE));
    const inside = arrays.filter((array) => sharedHeap().owns(array));
    assert.ok(inside.length >= 15 && inside.length < 16, `${inside.length} of 64 MiB lie in the heap`);
    assert.ok(arrays.every((array) => array.length === 8 * MEBIBYTE));
    assert.ok(sharedHeap().used <= 1024 * MEBIBYTE);
  });
});
