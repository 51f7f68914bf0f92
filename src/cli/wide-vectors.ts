/**
 * Wide vectors: V8's revectorizer, which makes one 256-bit register of two 128-bit vectors and so doubles the speed of the
 * assembled kernels on x86-64. It is behind a flag of the process, `--experimental-wasm-revectorize`.
 *
 * A library must not set flags in its host's process; a command line may choose how its own process starts. So the commands
 * that compute replace their process, before any work, by Node with the flag: `execve` keeps the process, its terminal and
 * its signals. Bits do not depend on it, and kernels are checked when they start (`kernels/simd/`).
 *
 * @module
 */
import { Option } from "commander";

/** The flag. */
export const WIDE_VECTORS_FLAG = "--experimental-wasm-revectorize";

/** The first V8 whose revectorizer was measured to be sound and fast, that of Node 24. */
const FIRST_V8 = 13;

/** The commands whose time goes into kernels. */
const COMPUTING: ReadonlySet<string> = new Set(["predict", "trace", "train", "evaluate", "verify", "judge", "conform"]);

/** What of a process decides whether it is started anew. */
export interface StartedProcess {
  readonly arch: string;
  readonly argv: readonly string[];
  readonly execArgv: readonly string[];
  readonly execPath: string;
  readonly v8: string;
}

/** `--no-wide-vectors`, which every command takes. */
export function wideVectorsOption(): Option {
  return new Option(
    "--no-wide-vectors",
    `do not start Node with ${WIDE_VECTORS_FLAG}, which doubles the speed on x86-64 and changes no bit`,
  );
}

/** The command line with which to replace this process; undefined where it is to go on as it is. */
export function wideVectorsCommand(process: StartedProcess): readonly string[] | undefined {
  const { arch, argv, execArgv, execPath, v8 } = process;
  const [, script, ...given] = argv;
  const isAsked = given.some((argument) => COMPUTING.has(argument)) && !given.includes("--no-wide-vectors");
  const isKnown = arch === "x64" && Number.parseInt(v8, 10) >= FIRST_V8;
  const isDecided = execArgv.some((flag) => /wasm-revectorize|^--inspect/.test(flag)); // a debugger stays with its process
  if (!isAsked || !isKnown || isDecided || script === undefined) return undefined;
  return [execPath, WIDE_VECTORS_FLAG, ...execArgv, script, ...given];
}

/** Replaces this process by one with wide vectors, where {@link wideVectorsCommand} says so. */
export function startWithWideVectors(): void {
  const { process } = globalThis;
  const execve: unknown = Reflect.get(process, "execve"); // newer than the oldest Node that is supported
  if (typeof execve !== "function" || process.platform === "win32") return;
  const { arch, argv, execArgv, execPath, versions } = process;
  const command = wideVectorsCommand({ arch, argv, execArgv, execPath, v8: versions.v8 });
  if (command !== undefined) execve.call(process, execPath, command, process.env);
}
