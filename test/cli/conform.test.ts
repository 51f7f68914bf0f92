import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Workspace } from "../support/command-line.js";

const GOOD = `export default { name: "good", version: "2", operations: {
  relu6: ({ x }) => ({ data: x.data.map((v) => Math.min(6, Math.max(v, 0))), shape: x.shape }),
} };`;
const BAD = GOOD.replace("Math.min(6, Math.max(v, 0))", "Math.max(v, 0)");

describe("touchstone conform", () => {
  it("prints a table and succeeds where there is no finding", async (t) => {
    const place = new Workspace(t);
    place.put("good.mjs", GOOD);
    const out = await place.succeed("conform", "good.mjs", "--cases", "16", "--operations", "relu6,tanh");
    assert.match(out, /^good 2 as float32: 16 cases an operation, seed 0\n/);
    assert.match(out, /^relu6 +16 +16 +0 +all$/m);
    assert.match(out, /^not offered: tanh$/m);
    assert.match(out, /^no findings in 1 operation$/m);
  });

  it("ends with 1 where there is a finding, and writes the minimal case in a form that judge reads", async (t) => {
    const place = new Workspace(t);
    place.put("bad.mjs", BAD);
    const args = ["conform", "bad.mjs", "--cases", "16", "--reproduction", "case.npz"];
    const { code, out } = await place.touchstone(...args);
    assert.equal(code, 1);
    assert.match(out, /^relu6 +16 +\d+ +Infinity +\S+ +`y` at \[0[, 0]*\]: [\d.e+]+, not 6; it must be exact/m);
    assert.deepEqual([...place.arrays("case.npz").keys()], ["x", "expected/y", "received/y", "bound/y"]);
  });

  it("ends where a backend hangs", async (t) => {
    const place = new Workspace(t);
    place.put("hangs.mjs", 'export default { name: "hangs", operations: { relu6: () => new Promise(() => {}) } };');
    const { code, out } = await place.touchstone("conform", "hangs.mjs", "--timeout", "1");
    assert.equal(code, 1);
    assert.match(out, /^relu6 +1 +0 .*gave no result within 1 s \(x /m);
  });

  it("says what a backend threw in one line, without what would move a cursor", async (t) => {
    const place = new Workspace(t);
    place.put("lines.mjs", 'export default { name: "x", operations: { relu6: () => { throw "a\\n\\x1b[31mb"; } } };');
    const { out } = await place.touchstone("conform", "lines.mjs", "--cases", "1");
    assert.match(out, /^relu6 +1 +0 .* threw: a \[31mb \(x /m);
  });

  it("ends when its work is done, whatever a backend leaves running", async (t) => {
    const place = new Workspace(t);
    place.put("timer.mjs", `setInterval(() => {}, 1000);\n${GOOD}`);
    const out = await place.succeed("conform", "timer.mjs", "--cases", "2");
    assert.match(out, /no findings in 1 operation\n$/);
  });

  it("refuses a backend that throws where nobody can catch it, or ends the process", async (t) => {
    const place = new Workspace(t);
    const backend = (does: string): string => `export default { name: "x", operations: { relu6: () => { ${does} } } };`;
    const rule = "a backend must throw in its calls only, and leave the process to its end.";
    place.put("stray.mjs", backend('Promise.reject(new Error("lost")); throw new Error("and found");'));
    await place.refuseAlone(["conform", "stray.mjs", "--cases", "2"], `stray.mjs: ${rule} Received "lost".`);
    place.put("exits.mjs", backend("process.exit(0);"));
    await place.refuseAlone(["conform", "exits.mjs"], `exits.mjs: ${rule} Received an exit with code 0.`);
  });

  it("merges the shares of several machines", async (t) => {
    const place = new Workspace(t);
    place.put("bad.mjs", BAD);
    const share = (shard: string, json: string): Promise<unknown> =>
      place.touchstone(
        "conform",
        "bad.mjs",
        "--cases",
        "16",
        "--operations",
        "relu6",
        "--shard",
        shard,
        "--json",
        json,
      );
    await Promise.all([share("1/2", "a.json"), share("2/2", "b.json")]);
    const { code, out } = await place.touchstone("conform", "--merge", "a.json", "b.json");
    assert.equal(code, 1);
    assert.match(out, /, shares 1\/2 2\/2\n/);
    assert.match(out, /^relu6 +16 /m);
  });

  it("says which shares are missing of a whole without findings, and ends with 1", async (t) => {
    const place = new Workspace(t);
    place.put("good.mjs", GOOD);
    const args = ["--cases", "4", "--operations", "relu6", "--shard", "2/3", "--json", "share.json"];
    await place.succeed("conform", "good.mjs", ...args);
    const { code, out } = await place.touchstone("conform", "--merge", "share.json");
    assert.equal(code, 1);
    assert.match(out, /^no findings in 1 operation\nmissing shares: 1\/3 3\/3\n$/m);
  });

  it("refuses options of a run beside --merge, which would do nothing", async (t) => {
    const place = new Workspace(t);
    for (const given of [["--cases", "3"], ["--flush"]]) {
      await place.refuse(
        ["conform", "--merge", "a.json", ...given],
        `${given[0]} must go with a backend. Received --merge, which takes reports.`,
      );
    }
  });

  it("refuses what is no backend and no report", async (t) => {
    const place = new Workspace(t);
    place.put("good.mjs", GOOD);
    place.put("empty.mjs", "");
    place.put("broken.mjs", "export default {");
    place.put("report.json", '{"backend": "a"}');
    place.put("text.json", "no report");
    await place.refuseAlone(["conform", "none.mjs"], /^touchstone: none\.mjs: must be a module that can be imported\./);
    await place.refuseAlone(
      ["conform", "broken.mjs"],
      /^touchstone: broken\.mjs: must be a module that can be imported\./,
    );
    await place.refuseAlone(
      ["conform", "empty.mjs"],
      "empty.mjs: the default export must be a backend. Received no default export.",
    );
    await place.refuseAlone(
      ["conform", "good.mjs", "--operations", "conv2d"],
      /`operations` must offer one of those that are asked for: conv2d\. Received relu6\.$/m,
    );
    await place.refuseAlone(
      ["conform", "good.mjs", "other.mjs"],
      "one backend must be given. Received good.mjs other.mjs.",
    );
    await place.refuseAlone(
      ["conform", "good.mjs", "--shard", "0/2"],
      /`shard` must be i\/n with i from 1 to n\. Received "0\/2"\.$/m,
    );
    await place.refuseAlone(
      ["conform", "good.mjs", "--shard", "5/6", "--cases", "3"],
      /`shard` must have a case: .*\. Received 5\/6 of 3 cases\.$/m,
    );
    await place.refuseAlone(
      ["conform", "--merge", "text.json"],
      'text.json: must be a report that conform --json wrote. Received "no report".',
    );
    await place.refuseAlone(
      ["conform", "--merge", "report.json"],
      "report.json: must be a report that conform --json wrote. Received arithmetic=nothing.",
    );
  });
});
