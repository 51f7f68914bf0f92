import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { counting, Workspace } from "../support/command-line.js";

describe("touchstone convert", () => {
  it("leads from format to format and back to the same predictions and bytes", async (test) => {
    const workspace = new Workspace(test);
    workspace.putFixture("files/keras3-functional.keras", "m.keras");
    workspace.putArrays("x.npy", { x: counting([2, 8, 7, 2]) });
    const predict = (model: string): Promise<string> => workspace.succeed("predict", model, "--input", "x.npy");
    const before = await predict("m.keras");
    const chain = ["m.keras", "a.h5", "b.npz", "c.keras", "d.hdf5", "e.keras"];
    for (const [i, to] of chain.slice(1).entries()) {
      const out = await workspace.succeed("convert", chain[i], to);
      assert.match(out, new RegExp(`^${to}: 155 parameters, ${readFileSync(workspace.path(to)).length} bytes\n$`));
      assert.equal(await predict(to), before, to);
    }
    assert.deepEqual(readFileSync(workspace.path("e.keras")), readFileSync(workspace.path("c.keras")));
  });
});
