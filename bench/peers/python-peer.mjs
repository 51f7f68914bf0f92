/**
 * A peer in Python: one process that answers requests, operands and results going through `.npz` files.
 *
 * The interpreter is that of the peer's own environment variable (TOUCHSTONE_PYTHON_PYTORCH), or of TOUCHSTONE_PYTHON, else
 * `python3`.
 *
 * @module
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { readNpz, writeNpz } from "../../build/src/formats/npz.js";
import { NotOffered } from "./peer.mjs";

/** Starts the Python file `script` and gives the peer `name`. */
export async function openPython(name, script) {
  const own = process.env[`TOUCHSTONE_PYTHON_${name.toUpperCase()}`];
  const python = own ?? process.env.TOUCHSTONE_PYTHON ?? "python3";
  const child = spawn(python, [fileURLToPath(new URL(script, import.meta.url))], {
    stdio: ["pipe", "pipe", "ignore"],
  });
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async () => {
    const { value, done } = await answers.next();
    if (done) throw new Error(`${name}: Python ended`);
    return JSON.parse(value);
  };
  const folder = mkdtempSync(join(tmpdir(), "touchstone-peer-"));
  const [given, taken] = [join(folder, "operands.npz"), join(folder, "results.npz")];
  let busy = Promise.resolve();

  async function ask(operation, operands, args) {
    const arrays = Object.entries(operands).map(([key, { data, shape }]) => [key, { dtype: "float32", shape, data }]);
    writeFileSync(given, writeNpz(new Map(arrays)));
    child.stdin.write(`${JSON.stringify({ operation, args, operands: given, results: taken })}\n`);
    const { ok, notOffered, error } = await answer();
    if (notOffered !== undefined) throw new NotOffered(notOffered);
    if (!ok) throw new Error(error);
    return Object.fromEntries(readNpz(readFileSync(taken)));
  }

  const { version, runsOn, operations, notOffered } = await answer();
  const functions = operations.map((operation) => [
    operation,
    (operands, args) => {
      const result = busy.then(() => ask(operation, operands, args));
      busy = result.catch(() => undefined);
      return result;
    },
  ]);
  return {
    name,
    version,
    runsOn,
    operations: Object.fromEntries(functions),
    notOffered,
    close() {
      child.stdin.end();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
