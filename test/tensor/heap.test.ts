import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Heap, Region, sharedHeap } from "../../src/tensor/heap.js";

describe("Heap", () => {
  it("hands out blocks that start on cache lines, never overlap, and merge again when freed in any order", () => {
    const steps = fc.array(fc.record({ bytes: fc.nat({ max: 5000 }), pick: fc.nat() }), { maxLength: 60 });
    fc.assert(
      fc.property(steps, (actions) => {
        const heap = new Heap();
        const blocks: { offset: number; end: number }[] = [];
        for (const { bytes, pick } of actions) {
          if (pick % 3 === 0 && blocks.length > 0) {
            const [freed] = blocks.splice(pick % blocks.length, 1);
            heap.free(freed.offset);
            continue;
          }
          const offset = heap.allocate(bytes);
          assert.equal(offset % 64, 0);
          const end = offset + Math.max(bytes, 1);
          assert.ok(end <= heap.peak);
          for (const other of blocks) assert.ok(end <= other.offset || offset >= other.end, "blocks overlap");
          blocks.push({ offset, end });
        }
        for (const { offset } of blocks) heap.free(offset);
        assert.equal(heap.used, 0);
        // all is one free range again: the whole of it can be had, from the start, without growing
        const { peak } = heap;
        assert.equal(heap.allocate(peak), 0);
        assert.equal(heap.peak, Math.max(peak, 64));
      }),
      { numRuns: 60 },
    );
  });

  it("keeps values, and owns views of before, when it grows", () => {
    const heap = new Heap();
    const early = heap.view("float32", heap.allocate(8), 2);
    early.set([1.5, -2]);
    const late = heap.view("float64", heap.allocate(2 ** 20), 2 ** 17);
    assert.equal(late[2 ** 17 - 1], 0);
    assert.deepEqual(Array.from(heap.view("float32", early.byteOffset, 2)), [1.5, -2]);
    assert.ok(heap.owns(early) && heap.owns(late));
    assert.ok(!heap.owns(new Float32Array(1)));
    assert.ok(!heap.owns(new Heap().view("float32", 0, 1)));
  });

  it("repeats the addresses of a step that repeats", () => {
    const heap = new Heap();
    const step = (): number[] => {
      const offsets = [100, 5000, 64, 300].map((bytes) => heap.allocate(bytes));
      for (const offset of offsets) heap.free(offset);
      return offsets;
    };
    assert.deepEqual(step(), step());
  });

  it("rejects freeing what is not a block, and freeing twice", () => {
    const heap = new Heap();
    const offset = heap.allocate(10);
    assert.throws(() => heap.free(offset + 64), { message: "internal: heap: no block begins at 64." });
    heap.free(offset);
    assert.throws(() => heap.free(offset), { message: "internal: heap: no block begins at 0." });
  });

  it("says what is in use when memory is full, and stays usable", () => {
    const heap = new Heap();
    heap.allocate(64);
    assert.throws(() => heap.allocate(5 * 2 ** 30), {
      name: "RangeError",
      message:
        "heap: tensors must fit in 4 GiB of shared memory. Received a request that needs 5368709184 bytes " +
        "with 64 in use; a smaller batch needs less.",
    });
    assert.equal(heap.used, 64);
    assert.equal(heap.allocate(64), 64);
  });

  it("blames the system where it gives no more memory, though less than 4 GiB are asked for", (test) => {
    const heap = new Heap();
    test.mock.method(WebAssembly.Memory.prototype, "grow", () => {
      throw new RangeError("WebAssembly.Memory.grow(): Unable to grow instance memory");
    });
    assert.throws(() => heap.allocate(2 ** 20), {
      name: "RangeError",
      message:
        "heap: tensors must fit in the memory that the system gives. Received a request that needs 1048576 bytes " +
        "with 0 in use; a smaller batch needs less.",
    });
  });

  it("is one per thread, and shared with workers where memory can be", () => {
    assert.equal(sharedHeap(), sharedHeap());
    assert.equal(sharedHeap().isShared, true);
    assert.ok(sharedHeap().handle instanceof WebAssembly.Memory);
  });
});

describe("Region", () => {
  it("hands out again what was freed within it, and the heap hands out none of it, whatever is allocated in between", () => {
    const actions = fc.record({ bytes: fc.nat({ max: 5000 }), pick: fc.nat(), within: fc.boolean() });
    fc.assert(
      fc.property(fc.array(actions, { maxLength: 60 }), (steps) => {
        const heap = new Heap();
        const region = new Region(heap);
        const blocks: { offset: number; end: number; within: boolean }[] = [];
        const freed: { offset: number; end: number }[] = [];
        for (const { bytes, pick, within } of steps) {
          const inPlace = <Result>(use: () => Result): Result => heap.within(within ? region : undefined, use);
          const own = blocks.filter((block) => block.within === within);
          if (pick % 3 === 0 && own.length > 0) {
            const block = own[pick % own.length];
            blocks.splice(blocks.indexOf(block), 1);
            inPlace(() => heap.free(block.offset));
            if (within) freed.push(block);
            continue;
          }
          const offset = inPlace(() => heap.allocate(bytes));
          const end = offset + Math.max(bytes, 1);
          assert.equal(region.holds(heap.view("float32", offset, 1)), within);
          for (const other of blocks) assert.ok(end <= other.offset || offset >= other.end, "blocks overlap");
          if (!within)
            for (const other of freed) assert.ok(end <= other.offset || offset >= other.end, "it was lent out");
          blocks.push({ offset, end, within });
        }
        const outside = blocks.filter((block) => !block.within);
        region.close();
        for (const { offset } of outside) heap.free(offset);
        assert.equal(heap.used, 0);
        assert.equal(heap.allocate(heap.peak), 0); // all is one free range again
      }),
      { numRuns: 60 },
    );
  });

  it("takes no more of the heap for blocks that follow each other than for one of them", () => {
    const heap = new Heap();
    const region = new Region(heap);
    for (const bytes of [5000, 100, 3000]) {
      heap.within(region, () => heap.free(heap.allocate(bytes)));
      assert.equal(heap.used, 5056);
    }
    region.close();
    assert.equal(heap.used, 0);
  });

  it("has a twin of its own memory, where the same lies as far from each other, also across blocks that touch", () => {
    const heap = new Heap();
    const region = new Region(heap);
    const within = (bytes: number): number => heap.within(region, () => heap.allocate(bytes));
    const low = heap.allocate(640);
    const high = within(640);
    heap.free(low);
    assert.equal(within(640), low); // a block before the first
    for (const offset of [low, high]) heap.within(region, () => heap.free(offset));
    const [first, across] = [within(64), within(1152)]; // in one of them, and from there into the other
    heap.allocate(64);
    const last = within(128);
    const hole = heap.allocate(640);
    heap.allocate(4096);
    heap.free(hole); // one of them would fit here
    const used = heap.used;
    const { region: twin, placeOf } = region.twin();
    assert.equal(heap.used - used, 1280 + 128);
    for (const [offset, bytes] of [
      [first, 64],
      [across, 1152],
      [last, 128],
    ] as const) {
      for (const at of [0, bytes - 4]) {
        const data = heap.view("float32", placeOf(offset) + at, 1);
        assert.deepEqual([region.holds(data), twin.holds(data)], [false, true], `${offset} + ${at}`);
      }
    }
    assert.equal(placeOf(across) - placeOf(first), across - first);
    assert.equal(placeOf(hole), hole); // of neither
    twin.close();
    assert.equal(heap.used, used);
  });

  it("leaves blocks from before to the heap, and serves nobody any more when its use is over, even by an error", () => {
    const heap = new Heap();
    const region = new Region(heap);
    const before = heap.allocate(64);
    assert.throws(
      () =>
        heap.within(region, () => {
          heap.free(before);
          throw new Error("over");
        }),
      { message: "over" },
    );
    assert.equal(heap.allocate(64), before);
    assert.equal(region.holds(heap.view("float32", before, 1)), false);
    assert.equal(region.holds(new Float32Array(1)), false);
  });
});
