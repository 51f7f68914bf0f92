import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Workspace } from "../support/command-line.js";

describe("touchstone evaluate", () => {
  it("measures a builder's model on the part that is asked for", async (test) => {
    const folder = new Workspace(test);
    const data = {
      x: { dtype: "uint8", shape: [3, 32, 32, 3], data: new Uint8Array(9216).fill(7) },
      y: { dtype: "int64", shape: [3], data: BigInt64Array.of(0n, 1n, 1n) },
    } as const;
    folder.putArrays("data.npz", data);
    // all images are their own mean: zeros go in, and equal probabilities come out
    const out = await folder.succeed("evaluate", "resnet8v1", "--data", "data.npz", "--part", "training");
    assert.match(out, /^data\.npz, training set, 3 images: loss \d\.\d{4}, accuracy 33\.33 %\n$/);
  });

  it("refuses a part that is not there", async (test) => {
    const folder = new Workspace(test);
    folder.putArrays("data.npz", {
      x: { dtype: "uint8", shape: [1, 8, 8, 3], data: new Uint8Array(192) },
      y: { dtype: "int64", shape: [1], data: BigInt64Array.of(0n) },
    });
    await folder.refuse(
      ["evaluate", "resnet8v1", "--data", "data.npz", "--part", "test"],
      "--part test must go with data that have a test set. Received data.npz.",
    );
  });
});
