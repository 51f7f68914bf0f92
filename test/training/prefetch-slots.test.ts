import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Slots } from "../../src/training/prefetch-slots.js";

const layout = { slots: 3, batchSize: 2, imageSize: 5 };

/** Serves what is requested until `count` batches are made, on this thread; a batch is its epoch and index. */
function serve(slots: Slots, count: number, meanwhile: () => void = () => {}): [epoch: number, index: number][] {
  const made: [number, number][] = [];
  slots.serve((epoch, index, images, labels) => {
    meanwhile();
    images.fill(epoch);
    labels.fill(index);
    made.push([epoch, index]);
    if (made.length === count) slots.close();
  });
  return made;
}

describe("Slots", () => {
  it("gives what was requested first to be made first, and hands it over", () => {
    const slots = new Slots(layout);
    const other = new Slots(layout, slots.buffer); // as the worker sees them
    for (const [slot, index] of [
      [2, 7],
      [0, 8],
      [1, 9],
    ]) {
      assert.equal(slots.request(slot, 4, index), true);
    }
    assert.deepEqual(serve(other, 3), [
      [4, 7],
      [4, 8],
      [4, 9],
    ]);
    assert.deepEqual(
      [7, 8, 9, 10].map((index) => slots.find(4, index)),
      [2, 0, 1, -1],
    );
    assert.equal(slots.await(0, 1000), "ready");
    assert.deepEqual(Array.from(slots.images(0)), new Array<number>(10).fill(4));
    assert.deepEqual(Array.from(slots.labels(0)), [8, 8]);
    slots.release(0);
    assert.equal(slots.find(4, 8), -1);
  });

  it("knows epochs up to the largest", () => {
    const slots = new Slots(layout);
    slots.request(0, 2 ** 32 - 1, 3);
    assert.deepEqual(serve(slots, 1), [[2 ** 32 - 1, 3]]);
    assert.equal(slots.find(2 ** 32 - 1, 3), 0);
  });

  it("leaves to the trainer what the worker has not begun", () => {
    const slots = new Slots(layout);
    slots.request(0, 0, 0);
    slots.request(1, 0, 1);
    assert.equal(slots.await(0, 1000), "not made");
    assert.equal(slots.find(0, 0), -1);
    assert.deepEqual(serve(slots, 1), [[0, 1]]);
  });

  it("takes a slot back for another batch, but not from under a worker that is at it", () => {
    const slots = new Slots(layout);
    slots.request(0, 0, 0);
    assert.equal(slots.request(0, 0, 5), true);
    let isFree = true;
    assert.deepEqual(
      serve(slots, 1, () => {
        isFree = slots.request(0, 0, 6);
      }),
      [[0, 5]],
    );
    assert.equal(isFree, false);
    assert.equal(slots.request(0, 0, 6), true);
  });

  it("says so when a worker that is at a batch does not answer", () => {
    const slots = new Slots(layout);
    slots.request(0, 0, 0);
    let answer = "";
    serve(slots, 1, () => {
      answer = slots.await(0, 5);
    });
    assert.equal(answer, "no answer");
    assert.equal(slots.await(0, 5), "ready");
  });

  it("leaves to the trainer what the worker has failed to make", () => {
    const slots = new Slots(layout);
    slots.request(0, 0, 0);
    const fail = (): void => {
      throw new Error("cannot be made");
    };
    assert.throws(() => serve(slots, 1, fail), { message: "cannot be made" });
    assert.equal(slots.find(0, 0), -1);
    assert.equal(slots.await(0, 1000), "not made");
    assert.equal(slots.request(0, 0, 1), true);
  });
});
