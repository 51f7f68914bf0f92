import assert from "node:assert/strict";
import { chmodSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { describe, it } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { counting, MAIN, run, Workspace } from "../support/command-line.js";

const FUNCTIONAL = "files/keras3-functional.keras";
const isWindows = process.platform === "win32";
const isRoot = process.getuid?.() === 0;

/** A workspace with a model and an input for it. */
function prepared(...[test]: ConstructorParameters<typeof Workspace>): Workspace {
  const workspace = new Workspace(test);
  workspace.putFixture(FUNCTIONAL, "m.keras");
  workspace.putArrays("x.npy", { x: counting([2, 8, 7, 2]) });
  return workspace;
}

/** Every command that writes, writing to `out` + an ending of its own. */
const writers: readonly (readonly [what: string, ending: string, args: (out: string) => readonly string[]])[] = [
  ["<out>", ".h5", (out) => ["convert", "m.keras", out]],
  ["--out", ".npz", (out) => ["trace", "m.keras", "--input", "x.npy", "--out", out]],
  ["--out", ".npy", (out) => ["predict", "m.keras", "--input", "x.npy", "--out", out]],
  ["--plot", ".svg", (out) => ["summary", "m.keras", "--plot", out]],
];

describe("an output", { concurrency: 2 }, () => {
  for (const [what, ending, args] of writers) {
    const [command] = args("");

    it(`of ${command} is refused where its folder does not exist`, async (test) => {
      await prepared(test).refuse(
        args(`none/out${ending}`),
        `none/out${ending}: must be a file that can be written. Received "no such file or directory".`,
      );
    });

    it(`of ${command} is refused where a folder has its name`, async (test) => {
      const workspace = prepared(test);
      mkdirSync(workspace.path(`out${ending}`));
      await workspace.refuse(
        args(`out${ending}`),
        `out${ending}: must be a file, or the name of a new one. Received a directory.`,
      );
    });

    it(`of ${command} is refused for its ending before the model is read`, async (test) => {
      const endings = {
        convert: ".keras or .h5 or .hdf5 or .npz",
        trace: ".npz",
        predict: ".npy or .npz",
        summary: ".svg",
      };
      const rule = Object.entries(endings).find(([name]) => name === command)?.[1] ?? "";
      await new Workspace(test).refuse(args("out.txt"), `${what} must end in ${rule}. Received out.txt.`);
    });
  }

  it("of convert is no file of weights alone", async (test) => {
    await new Workspace(test).refuse(
      ["convert", "a.keras", "b.weights.h5"],
      "<out> must be a whole model, ending in .keras, .h5 or .npz. Received b.weights.h5.",
    );
  });

  it("of several arrays is refused as .npy before the work", async (test) => {
    const workspace = new Workspace(test);
    workspace.putFixture("files/keras3-shared.keras", "m.keras");
    await workspace.refuse(
      ["predict", "m.keras", "--input", "not-there.npz", "--out", "y.npy"],
      "--out must end in .npz for a model with 2 outputs. Received y.npy.",
    );
  });

  it("below a file is refused", async (test) => {
    await prepared(test).refuse(
      ["convert", "m.keras", "x.npy/out.h5"],
      'x.npy/out.h5: must be a file that can be written. Received "a part of the path is not a directory".',
    );
  });

  it("with a name that is too long is refused", { skip: isWindows }, async (test) => {
    const name = `${"n".repeat(300)}.h5`;
    await prepared(test).refuse(
      ["convert", "m.keras", name],
      `${name}: must be a file that can be written. Received "the name is too long".`,
    );
  });

  it("that is a device is refused", { skip: isWindows }, async (test) => {
    const workspace = prepared(test);
    symlinkSync("/dev/null", workspace.path("out.h5"));
    await workspace.refuse(
      ["convert", "m.keras", "out.h5"],
      "out.h5: must be a file, or the name of a new one. Received a device or a pipe.",
    );
  });

  it("that is protected, or in a folder that is, is refused", { skip: isWindows || isRoot }, async (test) => {
    const workspace = prepared(test);
    workspace.put("out.h5", "from before");
    chmodSync(workspace.path("out.h5"), 0o444);
    const denied = 'must be a file that can be written. Received "permission denied".';
    await workspace.refuse(["convert", "m.keras", "out.h5"], `out.h5: ${denied}`);
    mkdirSync(workspace.path("closed"));
    chmodSync(workspace.path("closed"), 0o555);
    await workspace.refuse(["convert", "m.keras", "closed/out.h5"], `closed/out.h5: ${denied}`);
  });

  it("that grows beyond what may be written leaves the earlier file and nothing else", {
    skip: isWindows,
  }, async (test) => {
    const workspace = prepared(test);
    workspace.put("out.h5", "from before");
    const before = readdirSync(workspace.folder);
    // files of at most 8 blocks of 512 bytes
    const limited = `ulimit -f 8; exec "$0" "$@"`;
    const args = [process.execPath, MAIN, "convert", "m.keras", "out.h5"];
    const { code, out, err } = await run("/bin/sh", ["-c", limited, ...args], workspace.folder);
    assert.deepEqual(
      { code, out, err },
      {
        code: 2,
        out: "",
        err:
          "touchstone: out.h5: must be a file that can be written. " +
          'Received "the file would be larger than is allowed".\n',
      },
    );
    assert.deepEqual(readdirSync(workspace.folder), before);
    assert.equal(readFileSync(workspace.path("out.h5"), "utf8"), "from before");
  });

  it("may be the input, which is replaced when all is done", async (test) => {
    const workspace = prepared(test);
    const before = await workspace.succeed("summary", "m.keras");
    await workspace.succeed("convert", "m.keras", "m.keras");
    assert.equal(await workspace.succeed("summary", "m.keras"), before);
    await workspace.succeed("predict", "m.keras", "--input", "x.npy", "--out", "x.npy");
    assert.deepEqual(workspace.array("x.npy").shape, [2, 3]);
    assert.deepEqual(readdirSync(workspace.folder).toSorted(), ["m.keras", "x.npy"]);
  });

  it("behind a symbolic link replaces the file, not the link", { skip: isWindows }, async (test) => {
    const workspace = prepared(test);
    mkdirSync(workspace.path("far"));
    workspace.put("far/y.npy", "from before");
    symlinkSync("far/y.npy", workspace.path("y.npy"));
    await workspace.succeed("predict", "m.keras", "--input", "x.npy", "--out", "y.npy");
    assert.deepEqual(workspace.array("far/y.npy").shape, [2, 3]);
    assert.deepEqual(readdirSync(workspace.path("far")), ["y.npy"]);
  });
});

describe("Ctrl-C", { skip: isWindows }, () => {
  /** Interrupts itself as soon as the temporary file is complete, and before it gets its name. */
  const script = (files: string): string => `
    import fs from "node:fs";
    import { syncBuiltinESMExports } from "node:module";
    const { prepareOutput } = await import(${JSON.stringify(files)});
    const out = prepareOutput("out.npy", "--out", [".npy"]);
    const write = fs.writeFileSync;
    fs.writeFileSync = (...args) => { write(...args); process.kill(process.pid, "SIGINT"); };
    syncBuiltinESMExports();
    out.write("new");
    setTimeout(() => {}, 10_000);
  `;

  it("while a file is written leaves no temporary file, and ends the process by the signal", async (test) => {
    const workspace = new Workspace(test);
    workspace.put("out.npy", "from before");
    const files = pathToFileURL(fileURLToPath(new URL("../../src/cli/files.js", import.meta.url))).href;
    const ended = await run(process.execPath, ["--input-type=module", "--eval", script(files)], workspace.folder);
    assert.deepEqual(ended, { code: null, signal: "SIGINT", out: "", err: "" });
    assert.deepEqual(readdirSync(workspace.folder), ["out.npy"]);
    assert.equal(readFileSync(workspace.path("out.npy"), "utf8"), "new");
  });
});

describe("standard output", { skip: isWindows, concurrency: 2 }, () => {
  const shell = (workspace: Workspace, line: string): ReturnType<typeof run> =>
    run("/bin/sh", ["-c", line, process.execPath, MAIN], workspace.folder);

  it("whose reader leaves (`| head`) ends the command without a word", async (test) => {
    const line = '{ "$0" "$1" summary resnet110v2; echo "$?" > code; } | head -c 9 > first';
    const workspace = new Workspace(test);
    const { err } = await shell(workspace, line);
    assert.equal(err, "");
    assert.equal(readFileSync(workspace.path("first"), "utf8"), 'Model: "f');
    assert.match(readFileSync(workspace.path("code"), "utf8"), /^(0|141)\n$/);
  });

  it("whose reader leaves ends a long verify early", async (test) => {
    const line = '{ "$0" "$1" verify --only layers/; echo "$?" > code; } | head -n 1 > first';
    const workspace = new Workspace(test);
    const { err } = await shell(workspace, line);
    assert.equal(err, "");
    assert.equal(readFileSync(workspace.path("code"), "utf8"), "141\n");
  });

  it("that is full is an error", { skip: process.platform !== "linux" }, async (test) => {
    const { code, err } = await shell(new Workspace(test), '"$0" "$1" summary resnet20v1 > /dev/full');
    assert.equal(code, 2);
    assert.equal(
      err,
      'touchstone: standard output: must be a file that can be written. Received "no space left on the device".\n',
    );
  });
});
