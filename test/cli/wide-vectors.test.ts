import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type StartedProcess, WIDE_VECTORS_FLAG, wideVectorsCommand } from "../../src/cli/wide-vectors.js";

const node26: StartedProcess = {
  arch: "x64",
  argv: ["node", "main.js", "train", "resnet20v1"],
  execArgv: ["--max-old-space-size=500"],
  execPath: "/bin/node",
  v8: "14.6.202.34-node.34",
};

describe("wide vectors", () => {
  test("a command that computes is started again with the flag, and with all that was given", () => {
    assert.deepEqual(wideVectorsCommand(node26), [
      "/bin/node",
      WIDE_VECTORS_FLAG,
      "--max-old-space-size=500",
      "main.js",
      "train",
      "resnet20v1",
    ]);
  });

  const reasons: readonly [string, Partial<StartedProcess>][] = [
    ["it has the flag already", { execArgv: [WIDE_VECTORS_FLAG] }],
    ["the flag was turned off", { execArgv: ["--no-experimental-wasm-revectorize"] }],
    ["a debugger is attached", { execArgv: ["--inspect-brk=9229"] }],
    ["the option turns it off", { argv: ["node", "main.js", "train", "resnet20v1", "--no-wide-vectors"] }],
    ["the command computes nothing", { argv: ["node", "main.js", "summary", "resnet20v1"] }],
    ["the processor is another", { arch: "arm64" }],
    ["V8 is that of Node 22", { v8: "12.4.254.21-node.57" }],
  ];
  for (const [reason, change] of reasons) {
    test(`the process goes on as it is where ${reason}`, () => {
      assert.equal(wideVectorsCommand({ ...node26, ...change }), undefined);
    });
  }

  test("every command takes --no-wide-vectors", () => {
    const main = fileURLToPath(new URL("../../src/cli/main.js", import.meta.url));
    const { status, stdout } = spawnSync(process.execPath, [main, "summary", "resnet20v1", "--no-wide-vectors"], {
      encoding: "utf8",
    });
    assert.equal(status, 0);
    assert.match(stdout, /Total params: 274,442/);
  });
});
