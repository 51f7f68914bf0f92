import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { ones } from "../../src/initializers/initializers.js";
import { Variable } from "../../src/layers/variable.js";
import { Region, sharedHeap } from "../../src/tensor/heap.js";
import { allocatePersistent } from "../../src/tensor/persistent.js";
import type { Tensor } from "../../src/tensor/tensor.js";

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

/** Has the collector run, and tell of what it found: it does so between turns of the event loop. */
async function collect(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) {
    collectGarbage();
    await setTimeout(1);
  }
}

/** A view of the value of a variable that nothing else holds. */
function valueOfNobody(): Tensor {
  const spec = { name: "kernel", shape: [64, 32], initializer: ones() };
  return new Variable(spec, "float32").value.transpose(1, 0);
}

const MEBIBYTE = 2 ** 20;

describe("allocatePersistent", () => {
  it("gives large memory from the shared heap and small memory from outside", () => {
    assert.ok(sharedHeap().owns(allocatePersistent("float32", 1024)));
    assert.ok(!sharedHeap().owns(allocatePersistent("float32", 1023)));
  });

  it("takes it from no region, which might end before it", () => {
    const region = new Region(sharedHeap());
    const data = sharedHeap().within(region, () => allocatePersistent("float32", 2048));
    assert.ok(sharedHeap().owns(data) && !region.holds(data));
  });

  it("keeps what a tensor still shows, though the variable that it was the value of is gone", async () => {
    await collect();
    const view = valueOfNobody();
    const used = sharedHeap().used;
    await collect();
    assert.equal(sharedHeap().used, used);
    assert.ok(view.data.every((value) => value === 1));
  });

  it("gives memory back to the heap when nobody holds it", async () => {
    await collect();
    const before = sharedHeap().used;
    valueOfNobody();
    assert.ok(sharedHeap().used > before);
    await collect();
    assert.equal(sharedHeap().used, before);
  });

  it("gives ordinary memory once the heap holds a gibibyte, so that steps keep room whatever the collector does", () => {
    const small = allocatePersistent("float32", 1024);
    const arrays = Array.from({ length: 20 }, () => allocatePersistent("float64", 8 * MEBIBYTE));
    const inside = arrays.filter((array) => sharedHeap().owns(array));
    assert.ok(sharedHeap().owns(small));
    assert.equal(inside.length, 15, "of 64 MiB each: the small one leaves no room for the 16th");
    assert.ok(arrays.every((array) => array.length === 8 * MEBIBYTE));
    assert.ok(sharedHeap().used <= 1024 * MEBIBYTE);
  });
});
