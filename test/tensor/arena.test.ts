import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Arena, withPassing } from "../../src/tensor/arena.js";
import { sharedHeap } from "../../src/tensor/heap.js";
import { detach, empty, zeros } from "../../src/tensor/tensor.js";

describe("Arena", () => {
  it("takes tensors made in its step from the heap, and gives them back when the step ends", () => {
    const before = sharedHeap().used;
    const arena = new Arena();
    const x = arena.run(() => zeros([30, 50], "float64"));
    assert.ok(sharedHeap().owns(x.data));
    assert.equal(x.data.constructor, Float64Array);
    assert.ok(sharedHeap().used >= before + 12_000);
    arena.reset();
    assert.equal(sharedHeap().used, before);
    arena.reset(); // there is nothing left to give back
    assert.equal(sharedHeap().used, before);
    for (let step = 0; step < 2; step++) {
      arena.run(() => zeros([2], "float32"));
      assert.ok(sharedHeap().used > before, "the page of the step before is not this one's");
      arena.reset();
    }
  });

  it("cuts small tensors from pages, apart from each other, and gives the pages back when the step ends", () => {
    const before = sharedHeap().used;
    const arena = new Arena();
    const small = arena.run(() => Array.from({ length: 300 }, (_, i) => empty([1 + (i % 97), 5], "float64")));
    const places = small.map(({ data }) => ({ from: data.byteOffset, to: data.byteOffset + data.byteLength }));
    places.sort((a, b) => a.from - b.from);
    for (const [i, { from, to }] of places.entries()) {
      assert.equal(from % 64, 0); // no two in one cache line
      assert.ok(i === 299 || to <= places[i + 1].from);
    }
    const taken = sharedHeap().used - before;
    assert.ok(taken < 2 * 300 * 49 * 40, `${taken} bytes`);
    arena.release(small[0].data); // stays
    assert.equal(sharedHeap().used - before, taken);
    arena.reset();
    assert.equal(sharedHeap().used, before);
  });

  it("gives back in the middle of a step what is but a means, but not what was made with it", () => {
    const outer = new Arena();
    const before = sharedHeap().used;
    const [made, kept] = outer.run(() => {
      const result = withPassing(
        () => zeros([50, 70], "float64"),
        (x) => {
          assert.ok(sharedHeap().used >= before + x.data.byteLength);
          return [x, zeros([40, 60], "float64")];
        },
      );
      assert.ok(sharedHeap().used < before + result[0].data.byteLength);
      assert.throws(
        () =>
          withPassing(
            () => zeros([50, 70], "float64"),
            () => assert.fail("no"),
          ), // given back then, too
        { message: "no" },
      );
      return result;
    });
    assert.equal(sharedHeap().used, before + kept.data.byteLength);
    outer.reset();
    assert.equal(sharedHeap().used, before);
    assert.ok(sharedHeap().owns(made.data));
    assert.ok(
      !sharedHeap().owns(
        withPassing(
          () => zeros([3], "float32"),
          (x) => x,
        ).data,
      ),
      "where no step runs",
    );
  });

  it("clears zeros, whatever the memory held", () => {
    const arena = new Arena();
    arena.run(() => empty([7], "float32").data.fill(9));
    arena.reset();
    arena.run(() => assert.deepEqual(Array.from(zeros([7], "float32").data), [0, 0, 0, 0, 0, 0, 0]));
    arena.reset();
  });

  it("is put aside by an inner arena, and comes back when that is done or throws", () => {
    const [outer, inner] = [new Arena(), new Arena()];
    const before = sharedHeap().used;
    outer.run(() => {
      zeros([2], "float32");
      const page = sharedHeap().used - before;
      assert.throws(() =>
        inner.run(() => {
          zeros([3], "float32");
          throw new Error("step");
        }),
      );
      inner.reset();
      assert.equal(sharedHeap().used, before + page);
      assert.ok(sharedHeap().owns(zeros([2], "float32").data));
    });
    outer.reset();
    assert.equal(sharedHeap().used, before);
    assert.ok(!sharedHeap().owns(zeros([2], "float32").data));
  });

  it("releases single blocks early, once, and leaves memory of others alone", () => {
    const before = sharedHeap().used;
    const arena = new Arena();
    const x = arena.run(() => zeros([4, 700], "float32"));
    arena.release(x.data);
    arena.release(x.data);
    arena.release(new Float32Array(1));
    assert.equal(sharedHeap().used, before);
    arena.reset();
    assert.equal(sharedHeap().used, before);
  });

  it("lets a detached copy outlive the step", () => {
    const arena = new Arena();
    const kept = arena.run(() => {
      const x = zeros([2, 3], "float32");
      x.data.set([1, 2, 3, 4, 5, 6]);
      return detach(x.transpose(1, 0));
    });
    arena.reset();
    assert.ok(!sharedHeap().owns(kept.data));
    assert.deepEqual(Array.from(kept.data), [1, 4, 2, 5, 3, 6]);
  });
});
