/**
 * The compiled command line, run as a user runs it: a process of its own, in a folder of its own.
 *
 * @module
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { type NpyArray, readNpy, writeNpy } from "../../src/formats/npy.js";
import { readNpz, writeNpz } from "../../src/formats/npz.js";
import { runKept } from "./kept-process.js";

/** The compiled command line. */
export const MAIN: string = fileURLToPath(new URL("../../src/cli/main.js", import.meta.url));
/** The fixtures of the repository. */
export const FIXTURES: string = fileURLToPath(new URL("../../../fixtures/", import.meta.url));

/** A line of progress on something that is no terminal. */
const PROGRESS = /^[a-z][^\n]* \d+\/\d+, \d+ s(?:, \d+ s left)?\n/gm;

/** What a process left. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly err: string;
}

/** Runs a program to its end. */
export function run(program: string, args: readonly string[], cwd: string): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, stdio: ["ignore", "pipe", "pipe"] });
    let [out, err] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (text: string) => void (out += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => void (err += text));
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code, signal, out, err }));
  });
}

/** A folder that lasts as long as a test. */
export class Workspace {
  /** Where it is. */
  readonly folder: string;

  constructor(test: TestContext) {
    this.folder = mkdtempSync(join(tmpdir(), "touchstone-cli-"));
    test.after(() => rmSync(this.folder, { recursive: true, force: true }));
  }

  /** The path of `name` within. */
  path(name: string): string {
    return join(this.folder, name);
  }

  /** Puts a file there. */
  put(name: string, bytes: Uint8Array | string): void {
    writeFileSync(this.path(name), bytes);
  }

  /** Puts a fixture there, under `name`, changed where a change is given. */
  putFixture(path: string, name: string, change: (bytes: Uint8Array) => Uint8Array = (bytes) => bytes): void {
    this.put(name, change(new Uint8Array(readFileSync(join(FIXTURES, path)))));
  }

  /** Puts arrays there, as .npz or, where there is one array, as .npy. */
  putArrays(name: string, arrays: Readonly<Record<string, NpyArray>>): void {
    const [first] = Object.values(arrays);
    this.put(name, name.endsWith(".npy") ? writeNpy(first) : writeNpz(new Map(Object.entries(arrays))));
  }

  /** The arrays of an .npz file. */
  arrays(name: string): ReadonlyMap<string, NpyArray> {
    return readNpz(new Uint8Array(readFileSync(this.path(name))));
  }

  /** The array of an .npy file. */
  array(name: string): NpyArray {
    return readNpy(new Uint8Array(readFileSync(this.path(name))));
  }

  /** Runs `touchstone` here; `err` is without the progress that is told every ten seconds: a busy machine takes that long. */
  async touchstone(...args: readonly string[]): Promise<Ended> {
    const ended = await run(process.execPath, [MAIN, ...args], this.folder);
    return { ...ended, err: ended.err.replaceAll(PROGRESS, "") };
  }

  /** Runs `touchstone`, which must succeed; returns what it printed. */
  async succeed(...args: readonly string[]): Promise<string> {
    const { code, out, err } = await this.touchstone(...args);
    assert.deepEqual({ code, err }, { code: 0, err: "" }, `touchstone ${args.join(" ")}`);
    return out;
  }

  /**
   * Runs `touchstone`, in a process that is kept, which must refuse: exit code 2, nothing on stdout, on stderr one line that
   * ends in what was received, and not one file here that is new or different.
   */
  refuse(args: readonly string[], line: string | RegExp): Promise<void> {
    return this.#refuse(args, line, () => runKept(args, this.folder));
  }

  /** The same in a process of its own, for what may end it. */
  refuseAlone(args: readonly string[], line: string | RegExp): Promise<void> {
    return this.#refuse(args, line, () => this.touchstone(...args));
  }

  async #refuse(
    args: readonly string[],
    line: string | RegExp,
    ask: () => Promise<{ readonly code: number | null; readonly out: string; readonly err: string }>,
  ): Promise<void> {
    const before = this.#contents();
    const { code, out, err } = await ask();
    assert.deepEqual({ code, out }, { code: 2, out: "" }, `touchstone ${args.join(" ")}: ${err}`);
    assert.match(err, /^touchstone: [^\n]+ Received [^\n]+\.\n$/);
    if (typeof line === "string") assert.equal(err, `touchstone: ${line}\n`);
    else assert.match(err, line);
    assert.deepEqual(this.#contents(), before, "files");
  }

  #contents(): ReadonlyMap<string, string> {
    return new Map(
      readdirSync(this.folder).map((name) => [
        name,
        statSync(this.path(name)).isFile() ? readFileSync(this.path(name), "latin1") : "",
      ]),
    );
  }
}

/** float32 values that count up in quarters, for inputs whose values do not matter. */
export function counting(shape: readonly number[], from = 0): NpyArray {
  const size = shape.reduce((product, dimension) => product * dimension, 1);
  return { dtype: "float32", shape, data: Float32Array.from({ length: size }, (_, i) => ((from + i) % 17) / 4 - 2) };
}

/** Class numbers as int64, as numpy makes them. */
export function labels(...values: readonly number[]): NpyArray {
  return { dtype: "int64", shape: [values.length], data: BigInt64Array.from(values, BigInt) };
}
