import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { widthOf } from "../../src/cli/summary.js";
import { Workspace } from "../support/command-line.js";

describe("touchstone summary", () => {
  it("prints whole lines of the length that is asked for, beyond the usual 80 columns too", async (test) => {
    const out = await new Workspace(test).succeed("summary", "resnet8v1", "--line-length", "120");
    const table = out.split("\n").filter((line) => /^[┏┃┡│├└]/.test(line));
    assert.ok(table.length > 30);
    for (const line of table) assert.match(line, /^.{119}[┓┃┩│┤┘]$/);
  });

  it("is as wide as the terminal has it, and never too narrow to be read", () => {
    assert.deepEqual(widthOf(undefined), { columns: 80 });
    assert.deepEqual(widthOf(undefined, 200), { columns: 200 });
    assert.deepEqual(widthOf(undefined, 20), { columns: 40 });
    assert.deepEqual(widthOf(60, 200), { columns: 200, lineLength: 60 });
    assert.deepEqual(widthOf(120, 100), { columns: 120, lineLength: 120 });
  });
});
