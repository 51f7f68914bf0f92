/**
 * The command line in a process that is kept, for what it refuses: that comes before any work, and half a second to start
 * Node for each of some 170 would be a tenth of all tests. What a command does is tried as a user runs it, in a process
 * of its own (`command-line.ts`).
 *
 * This file is both ends: imported, it starts itself as the process that answers.
 *
 * @module
 */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { runCommand } from "../../src/cli/program.js";

/** What a run left. */
export interface KeptEnded {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

interface Request {
  readonly args: readonly string[];
  readonly cwd: string;
}

let kept: ChildProcess | undefined;
let last: Promise<unknown> = Promise.resolve();

/** Runs `touchstone` with `args` in the folder `cwd`, after all runs before. */
export function runKept(args: readonly string[], cwd: string): Promise<KeptEnded> {
  const run = last.then(() => ask({ args, cwd }));
  last = run.catch(() => {});
  return run;
}

function ask(request: Request): Promise<KeptEnded> {
  const child = (kept ??= fork(fileURLToPath(import.meta.url), [], { execArgv: [] }));
  return new Promise((resolve, reject) => {
    const gone = (code: number | null): void => {
      kept = undefined;
      reject(new Error(`touchstone ${request.args.join(" ")}: ended its process, with code ${code}`));
    };
    // between runs it keeps no test file from ending
    child.ref();
    child.channel?.ref();
    child.once("exit", gone).once("message", (ended: KeptEnded) => {
      child.off("exit", gone);
      child.unref();
      child.channel?.unref();
      resolve(ended);
    });
    child.send(request);
  });
}

async function answer({ args, cwd }: Request): Promise<KeptEnded> {
  process.chdir(cwd);
  process.argv.splice(1, process.argv.length, "touchstone", ...args);
  process.exitCode = undefined;
  const written = { out: "", err: "" };
  const keep = (name: "out" | "err") => (text: string | Uint8Array) => {
    written[name] += typeof text === "string" ? text : Buffer.from(text).toString();
    return true;
  };
  process.stdout.write = keep("out");
  process.stderr.write = keep("err");
  const code = await runCommand();
  return { code, ...written };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.on("message", (request: Request) => {
    void answer(request).then((ended) => process.send?.(ended));
  });
}
