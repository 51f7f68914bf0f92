import assert from "node:assert/strict";
import { cpSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { readNpz, writeNpz } from "../../src/formats/npz.js";
import { FIXTURES, Workspace } from "../support/command-line.js";

/** A workspace with a few of the fixtures in `f/`. */
function prepared(test: TestContext): Workspace {
  const workspace = new Workspace(test);
  for (const folder of ["layers", "files", "models"]) mkdirSync(workspace.path(`f/${folder}`), { recursive: true });
  const names = ["layers/dense.keras", "layers/dense.npz", "layers/add-2.keras", "layers/add-2.npz"];
  const [file, predictions] = ["keras3-sequential.keras", "keras3-sequential.npz"];
  for (const name of [...names, `files/${file}`, `files/${predictions}`]) {
    cpSync(join(FIXTURES, name), workspace.path(`f/${name}`));
  }
  workspace.put("f/files/files.json", JSON.stringify([{ file, predictions }]));
  return workspace;
}

/** Replaces element 1 of what a fixture has for `key`: of the truth, and of Keras's own result, which sets the bound. */
function change(workspace: Workspace, file: string, key: string, value: (was: number) => number): void {
  const arrays = readNpz(new Uint8Array(readFileSync(workspace.path(file))));
  for (const source of ["truth", "keras"]) {
    const data = arrays.get(`${source}/${key}`)?.data;
    assert.ok(data instanceof Float64Array || data instanceof Float32Array, key);
    data[1] = value(data[1]);
  }
  workspace.put(file, writeNpz(arrays));
}

const VERIFY = ["verify", "--fixtures", "f", "--threads", "1"];

describe("touchstone verify", { concurrency: 2 }, () => {
  it("finds the fixtures of the package, in every folder, and holds", async (test) => {
    const out = await new Workspace(test).succeed("verify", "--only", "sequential");
    assert.match(out, /^layers\/nested-sequential-in-sequential +\d+ +0\.\d\d +\d+\.\d\d /m);
    assert.match(out, /^files\/keras2-sequential\.h5 /m);
    assert.match(out, /\nall bounds hold: \d+ fixtures, \d+ tensors, \d+\.\d s\n$/);
  });

  it("ends with exit code 1 where one number is wrong, and says which, by how much and what was allowed", async (test) => {
    const workspace = prepared(test);
    change(workspace, "f/layers/dense.npz", "training/gradWeight/dense/kernel", (was) => was + 0.125);
    const { code, out, err } = await workspace.touchstone(...VERIFY);
    assert.deepEqual({ code, err }, { code: 1, err: "" });
    const line = /^layers\/dense +7 .* training\/gradWeight\/dense\/kernel {2}BROKEN\n(.*)\n/m;
    const [, found] = line.exec(out) ?? [];
    assert.ok(found !== undefined, out);
    assert.match(found, /^ {2}element 1: ours \S+, truth \S+, error 1\.25e-1, bound \S+, Keras's error \S+$/);
    assert.match(out, /^layers\/add-2 .*(?<!BROKEN)$/m);
    assert.match(out, /\n1 of 3 fixtures, \d+ tensors, \d+\.\d s: bounds broken in dense\n$/);
  });

  it("says of a fixture that lacks something, or has too much, which it is", async (test) => {
    const workspace = prepared(test);
    const arrays = readNpz(new Uint8Array(readFileSync(workspace.path("f/layers/dense.npz"))));
    const bias = "training/gradWeight/dense/bias";
    const refused = async (kept: (key: string) => string | undefined, message: RegExp): Promise<void> => {
      const renamed = [...arrays].flatMap(([key, array]) => {
        const name = kept(key);
        return name === undefined ? [] : ([[name, array]] as const);
      });
      workspace.put("f/layers/dense.npz", writeNpz(new Map(renamed)));
      await workspace.refuse([...VERIFY, "--only", "layers/dense"], message);
    };
    await refused(
      (key) => (/^(truth|keras)/.test(key) ? undefined : key),
      /layers\/dense\.npz: there must be arrays truth\/inference\/\.\.\. or .+ Received none\.$/m,
    );
    await refused(
      (key) => key.replace(bias, `${bias}es`),
      /layers\/dense\.npz: truth\/training\/gradWeight\/dense\/biases must be of a tensor in our trace\. Received .+\.$/m,
    );
  });

  it("prints one JSON object a line with --json, and nothing else", async (test) => {
    const workspace = prepared(test);
    change(workspace, "f/layers/add-2.npz", "inference/output/add", () => Number.NaN);
    const { code, out } = await workspace.touchstone(...VERIFY, "--json");
    assert.equal(code, 1);
    const lines = out
      .trimEnd()
      .split("\n")
      .map((line): Record<string, unknown> => JSON.parse(line));
    assert.deepEqual(
      lines.map(({ kind, name, holds }) => ({ kind, name, holds })),
      [
        { kind: "layers", name: "add-2", holds: false },
        { kind: "layers", name: "dense", holds: true },
        { kind: "files", name: "keras3-sequential.keras", holds: true },
      ],
    );
    for (const { tensors, errorOverBound } of lines) {
      assert.ok(typeof tensors === "number" && (typeof errorOverBound === "number" || errorOverBound === "Infinity"));
    }
  });

  it("prints a line for every tensor with --tensors, and has them in JSON", async (test) => {
    const workspace = prepared(test);
    const json = await workspace.succeed(...VERIFY, "--tensors", "--json", "--only", "layers/dense");
    const { tensors, comparisons }: { tensors: number; comparisons: { key: string }[] } = JSON.parse(json);
    assert.equal(comparisons.length, tensors);
    assert.ok(comparisons.some(({ key }) => key === "training/gradWeight/dense/kernel"));
    const out = await workspace.succeed(...VERIFY, "--tensors", "--only", "layers/dense");
    assert.match(out, /^ {2}training\/gradWeight\/dense\/kernel +0\.\d{3}$/m);
    assert.match(out, /^ {2}inference\/output\/dense +0\.\d{3}$/m);
  });

  it("refuses folders that are not there, or hold nothing of that name, or are corrupt", async (test) => {
    const workspace = prepared(test);
    await workspace.refuse(
      ["verify", "--fixtures", "none"],
      'none/layers: must be a file that can be read. Received "no such file or directory".',
    );
    await workspace.refuse(
      [...VERIFY, "--only", "lstm"],
      "f must hold a fixture whose name contains what --only says. Received lstm.",
    );
    rmSync(workspace.path("f/layers/add-2.keras"));
    await workspace.refuse(
      VERIFY,
      'f/layers/add-2.keras: must be a file that can be read. Received "no such file or directory".',
    );
    workspace.put("f/layers/add-2.npz", "PK");
    await workspace.refuse(VERIFY, /^touchstone: layers\/add-2\.npz: zip: .+ Received .+\.$/m);
    workspace.put("f/files/files.json", "[");
    await workspace.refuse(
      [...VERIFY, "--only", "files/"],
      /^touchstone: files\/files\.json: the file must be JSON\. Received "\["\.$/m,
    );
  });
});
