/**
 * `touchstone verify`: this installation against the Keras fixtures.
 *
 * @module
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { ratioOf } from "../verification/compare.js";
import type { FixtureFiles } from "../verification/fixtures.js";
import { type Result, verify } from "../verification/verify.js";
import { EXIT, fileError, UsageError } from "./errors.js";
import { accumulateOption, type ExecutionFlags, threadsOption, withExecution } from "./options.js";

interface Flags extends ExecutionFlags {
  readonly fixtures?: string;
  readonly only?: string;
  readonly tensors?: boolean;
  readonly json?: boolean;
}

/** The fixtures that come with the package. */
const SHIPPED = fileURLToPath(new URL("../../../fixtures/", import.meta.url));

/** The command. */
export function verifyCommand(): Command {
  return new Command("verify")
    .description("compare this installation with what Keras computed; exit code 1 where a bound is broken")
    .option("--fixtures <folder>", "a folder with layers/, files/ and models/ (default: those of the package)")
    .option("--only <part>", "only fixtures whose name contains this")
    .option("--tensors", "a line for every tensor")
    .option("--json", "one JSON object a line instead of the table; with --tensors, each has `comparisons`")
    .addOption(threadsOption())
    .addOption(accumulateOption())
    .action(async (flags: Flags) => {
      const start = performance.now();
      const folder = flags.fixtures ?? SHIPPED;
      const everyTensor = flags.tensors ?? false;
      const results: Result[] = [];
      await withExecution(flags, async (execution) => {
        for (const result of verify(fixtureFiles(folder), execution, flags.only)) {
          if (results.length === 0 && flags.json !== true) process.stdout.write(HEADER);
          results.push(result);
          process.stdout.write(flags.json === true ? jsonLine(result, everyTensor) : tableLines(result, everyTensor));
          // lets a reader who has left (`| head`) end the work
          await setImmediate();
        }
      });
      if (results.length === 0) {
        throw new UsageError(
          `${folder} must hold a fixture whose name contains what --only says.`,
          flags.only ?? "no fixture",
        );
      }
      const broken = results.filter(({ verdict }) => !verdict.holds);
      if (flags.json !== true) process.stdout.write(conclusion(results, broken, performance.now() - start));
      if (broken.length > 0) process.exitCode = EXIT.judgementFailed;
    });
}

function fixtureFiles(folder: string): FixtureFiles {
  const attempt = <Value>(path: string, read: (path: string) => Value): Value => {
    try {
      return read(path);
    } catch (error) {
      throw fileError("read", path, error);
    }
  };
  return {
    list: (name) => attempt(join(folder, name), (path) => readdirSync(path)),
    read: (path) => attempt(join(folder, path), (file) => readFileSync(file)),
  };
}

const HEADER = [
  "error / bound   the worst tensor: largest |ours - truth| in units of its bound, 2 |Keras's - truth| + 4 u |truth|",
  "of Keras's      our error as a share of that of Keras in float32 (root mean square over all tensors)",
  "",
  `${"fixture".padEnd(50)} tensors  error / bound  of Keras's  worst tensor`,
  "",
].join("\n");

function tableLines({ kind, name, verdict, comparisons, kinks }: Result, everyTensor: boolean): string {
  const { worst, worstRatio, ofKeras, holds, tensors } = verdict;
  const share = Number.isFinite(ofKeras) ? ofKeras.toFixed(2) : "-";
  const line = [
    `${kind}/${name}`.padEnd(50),
    String(tensors).padStart(7),
    worstRatio.toFixed(2).padStart(14),
    share.padStart(11),
    ` ${worst.key}${holds ? "" : "  BROKEN"}`,
  ].join(" ");
  const details = everyTensor
    ? comparisons.map((comparison) => `  ${comparison.key.padEnd(70)} ${ratioOf(comparison).toFixed(3)}\n`).join("")
    : "";
  const sides = kinks > 0 ? `  with ${kinks} ReLUs, at zero up to rounding, taken on our side\n` : "";
  const { ours, truth, index } = worst.element;
  const reason = holds
    ? ""
    : `  element ${index}: ours ${ours}, truth ${truth}, error ${worst.error.toExponential(2)}, ` +
      `bound ${worst.allowed.toExponential(2)}, Keras's error ${worst.kerasError.toExponential(2)}\n`;
  return `${line}\n${sides}${reason}${details}`;
}

function jsonLine({ kind, name, verdict, kinks, comparisons }: Result, everyTensor: boolean): string {
  const { worst, worstRatio, ofKeras, holds, tensors } = verdict;
  const result = { kind, name, tensors, holds, errorOverBound: worstRatio, ofKeras, kinks, worst };
  return `${JSON.stringify(everyTensor ? { ...result, comparisons } : result, (_key, value: unknown) => jsonNumber(value))}\n`;
}

/** JSON has no NaN and no infinities: they become strings. */
function jsonNumber(value: unknown): unknown {
  return typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
}

function conclusion(results: readonly Result[], broken: readonly Result[], ms: number): string {
  const tensors = results.reduce((sum, { verdict }) => sum + verdict.tensors, 0);
  const what = `${results.length} fixtures, ${tensors} tensors, ${(ms / 1000).toFixed(1)} s`;
  if (broken.length === 0) return `\nall bounds hold: ${what}\n`;
  return `\n${broken.length} of ${what}: bounds broken in ${broken.map(({ name }) => name).join(", ")}\n`;
}
