/**
 * docs/continue-in-keras.md: its commands are run as they stand, in a folder with small data. Those that need Keras are run
 * where TOUCHSTONE_PYTHON has it (and TOUCHSTONE_PYTHON_JAX jax as well); else what Keras would have made is a copy.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { randomStream } from "../../src/arithmetic/random.js";
import type { NpyArray } from "../../src/formats/npy.js";
import { Workspace } from "../support/command-line.js";

const root = new URL("../../../", import.meta.url);
const page = readFileSync(new URL("docs/continue-in-keras.md", root), "utf8");
const CONTINUE = ".venv/bin/python ";

/** The lines of all `sh` blocks of the page. */
function commands(): readonly string[] {
  return [...page.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].flatMap(([, block]) => block.trim().split("\n"));
}

/** Images of ten classes: noise, and a brightness of their class. */
function images(purpose: string, samples: number): { readonly x: NpyArray; readonly y: NpyArray } {
  const size = 32 * 32 * 3;
  const stream = randomStream(0, purpose);
  const x = new Uint8Array(samples * size);
  const y = Int32Array.from({ length: samples }, (_, n) => n % 10);
  for (let i = 0; i < x.length; i++) x[i] = 20 * y[Math.floor(i / size)] + stream.integer(i, 60);
  return {
    x: { dtype: "uint8", shape: [samples, 32, 32, 3], data: x },
    y: { dtype: "int32", shape: [samples], data: y },
  };
}

/** Two batches to train on, and a few images beside. */
function data(): Readonly<Record<string, NpyArray>> {
  const test = images("test", 16);
  return { ...images("training", 64), x_test: test.x, y_test: test.y };
}

/** Loss and accuracy as a line of `touchstone evaluate`, or of the program, has them. */
function measured(line: string): { readonly loss: number; readonly accuracy: number } {
  const [, loss, accuracy, percent] = /loss ([\d.]+),? accuracy ([\d.]+)( ?%)?/.exec(line) ?? [];
  assert.ok(loss !== undefined, `no loss in ${JSON.stringify(line)}`);
  return { loss: Number(loss), accuracy: Number(accuracy) / (percent === undefined ? 1 : 100) };
}

/** Half a unit of the last digit that is printed, twice, and what float32 does to a loss of less than 100. */
const PRINTED = 1e-4 + 100 * 2 ** -20;
/** The accuracy is printed in hundredths of a percent. */
const PRINTED_ACCURACY = 1e-4;

function assertSame(a: string, b: string): void {
  const [here, there] = [measured(a), measured(b)];
  assert.ok(Math.abs(here.loss - there.loss) <= PRINTED, `${a} | ${b}`);
  assert.ok(Math.abs(here.accuracy - there.accuracy) <= PRINTED_ACCURACY, `${a} | ${b}`);
}

/** Runs all commands of the page; gives what each printed. */
async function follow(workspace: Workspace, python: string | undefined, env: Readonly<Record<string, string>>) {
  const printed = new Map<string, string>();
  for (const command of commands()) {
    const [program, ...args] = command.split(" ");
    if (command.startsWith("npx touchstone ")) {
      const { code, out, err } = await workspace.touchstone(...args.slice(1));
      assert.equal(code, 0, `${command}: ${err}`);
      printed.set(command, out);
    } else if (program === "cp") {
      for (const file of args.slice(0, -1)) {
        copyFileSync(fileURLToPath(new URL(file, root)), workspace.path(file.split("/").at(-1) ?? file));
      }
    } else if (command.startsWith(CONTINUE)) {
      if (python === undefined) {
        copyFileSync(workspace.path("begun.keras"), workspace.path("continued.keras"));
        continue;
      }
      const { stdout, stderr, status } = spawnSync(python, args, {
        cwd: workspace.folder,
        encoding: "utf8",
        env: { ...process.env, CUDA_VISIBLE_DEVICES: "", TF_CPP_MIN_LOG_LEVEL: "3", ...env },
      });
      assert.equal(status, 0, stderr);
      printed.set(command, stdout);
    } else {
      // the environment is the tester's
      assert.match(command, /^(python3 -m venv|\.venv\/bin\/pip install --requirement continue-requirements\.txt$)/);
    }
  }
  return printed;
}

/** The lines with a loss in what a command printed. */
function losses(printed: ReadonlyMap<string, string>, command: string): readonly string[] {
  const found = commands().find((line) => line.startsWith(command)) ?? "";
  return (printed.get(found) ?? "").split("\n").filter((line) => /loss [\d.]+,? accuracy/.test(line));
}

describe("docs/continue-in-keras.md", () => {
  it("shows commands that run, and a continued model is evaluated and trained here", async (test) => {
    const workspace = new Workspace(test);
    workspace.putArrays("data.npz", data());
    const printed = await follow(workspace, undefined, {});
    const [begun] = losses(printed, "npx touchstone evaluate begun.keras");
    const [continued] = losses(printed, "npx touchstone evaluate continued.keras");
    assert.equal(continued, begun);
    assert.ok(existsSync(workspace.path("again.keras")));
  });

  for (const [variable, backend, shared] of [
    ["TOUCHSTONE_PYTHON", "tensorflow", "MirroredStrategy over 2 devices"],
    ["TOUCHSTONE_PYTHON_JAX", "jax", "DataParallel over 2 devices"],
  ] as const) {
    const python = process.env[variable];
    it(`Keras with ${backend} evaluates the model to the same and trains it on two devices`, {
      skip: python === undefined && `${variable} is not set`,
    }, async (test) => {
      const workspace = new Workspace(test);
      workspace.putArrays("data.npz", data());
      const printed = await follow(workspace, python, { KERAS_BACKEND: backend });
      const [out] = [...printed].filter(([command]) => command.startsWith(CONTINUE)).map(([, text]) => text);
      assert.ok(out.includes(shared), out);
      const [before, after] = losses(printed, CONTINUE);
      assert.match(before, /^Adam after 2 steps: /);
      assert.match(after, /^Adam after 4 steps: /);
      assertSame(before, losses(printed, "npx touchstone evaluate begun.keras")[0]);
      const [ours] = losses(printed, "npx touchstone evaluate continued.keras");
      if (backend === "tensorflow") assertSame(after, ours);
      // with JAX Keras clips what an image adds to the loss
      else
        assert.ok(
          Math.abs(measured(after).accuracy - measured(ours).accuracy) <= PRINTED_ACCURACY,
          `${after} | ${ours}`,
        );
    });
  }

  it("links to files that exist, and pins what it installs", () => {
    const links = [...page.matchAll(/\]\(([^):]+)\)/g)].map(([, link]) => link);
    assert.ok(links.length >= 3);
    for (const link of links) assert.ok(existsSync(new URL(`docs/${link}`, root)), link);
    const pins = readFileSync(new URL("docs/examples/continue-requirements.txt", root), "utf8").trim().split("\n");
    const fixtures = readFileSync(new URL("fixtures/requirements.txt", root), "utf8").split("\n");
    for (const pin of pins) assert.ok(fixtures.includes(pin), `${pin} is that of the fixtures`);
  });
});
