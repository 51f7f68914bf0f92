/**
 * `touchstone conform backend.mjs`: runs the conformance kit on a backend; `--merge` joins the reports of several machines.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { Command } from "commander";
import { MODELS, withFlush } from "../oracle/arithmetic-model.js";
import type { Backend } from "../oracle/conformance/backend.js";
import { checkBackend } from "../oracle/conformance/check-backend.js";
import { conforms, formatReport, mergeReports, missingShards, type Report } from "../oracle/conformance/report.js";
import { asReport } from "../oracle/conformance/report-check.js";
import { writeReproduction } from "../oracle/conformance/reproduction.js";
import { describe } from "../serialization/config.js";
import { EXIT, fileError, UsageError } from "./errors.js";
import { type Output, prepareOutput } from "./files.js";
import { choice, givenOption, wholeNumber } from "./options.js";
import { startProgress } from "./progress.js";

interface Flags {
  readonly merge?: boolean;
  readonly shard: string;
  readonly cases: number;
  readonly seed: number;
  readonly operations?: readonly string[];
  readonly arithmetic: string;
  readonly timeout: number;
  readonly flush?: boolean;
  readonly json?: string;
  readonly reproduction?: string;
}

const MOST_CASES = 1_000_000;
/** A day. */
const MOST_SECONDS = 86_400;

/** The command. */
export function conformCommand(): Command {
  return new Command("conform")
    .description("run the conformance kit on a backend; exit code 1 where there is a finding")
    .argument("<files...>", "a module whose default export is the backend; with --merge, reports")
    .option("--merge", "join the reports that --json wrote on several machines; exit code 1 where a share is missing")
    .option("--shard <i/n>", "do the i-th of n shares of the cases", "1/1")
    .option("--cases <n>", "cases an operation", wholeNumber("--cases", 1, MOST_CASES), 120)
    .option("--seed <n>", "what the cases grow from", wholeNumber("--seed", 0), 0)
    .option("--operations <names>", "only these: conv2d,conv2d-backward", (text: string) => text.split(","))
    .addOption(choice("--arithmetic <model>", "what the backend claims", Object.keys(MODELS)).default("float32"))
    .option("--flush", "the backend may flush subnormal numbers to zero")
    .option("--timeout <seconds>", "what one call may take", wholeNumber("--timeout", 1, MOST_SECONDS), 60)
    .option("--json <report.json>", "write the report, with every minimal reproduction")
    .option("--reproduction <case.npz>", "write the first finding's minimal case")
    .action(async (files: readonly string[], flags: Flags, command: Command) => {
      if (flags.merge === true) refuseRunOptions(command);
      const json = flags.json === undefined ? undefined : prepareOutput(flags.json, "--json", [".json"]);
      const reproduction =
        flags.reproduction === undefined ? undefined : prepareOutput(flags.reproduction, "--reproduction", [".npz"]);
      const report =
        flags.merge === true
          ? mergeReports(files.map(readReport))
          : await besideBackend(files[0], () => conform(files, flags));
      json?.write(`${JSON.stringify(report, null, 1)}\n`);
      writeFirst(reproduction, report);
      process.stdout.write(formatReport(report));
      // a share by itself lacks the others on purpose, a whole does not
      const missing = flags.merge === true ? missingShards(report) : [];
      if (missing.length > 0) process.stdout.write(`missing shares: ${missing.join(" ")}\n`);
      if (!conforms(report) || missing.length > 0) process.exitCode = EXIT.judgementFailed;
    });
}

/**
 * `work` with the backend in `file`, whose code shares this process. What it throws outside of the calls, in a timer or in a
 * promise that nobody awaits, and an end of the process, are errors too; and what it leaves behind, timers or workers, does
 * not keep the process.
 */
async function besideBackend<Result>(file: string, work: () => Promise<Result>): Promise<Result> {
  const rule = `${file}: a backend must throw in its calls only, and leave the process to its end.`;
  const strayed = new Promise<never>((_resolve, reject) => {
    process.on("uncaughtException", (error: unknown) => {
      reject(new UsageError(rule, JSON.stringify(error instanceof Error ? error.message : String(error))));
    });
  });
  const refuseExit = (code: number): void => {
    if (code === EXIT.brokenPipe) return; // that is this command's own
    process.stderr.write(`touchstone: ${rule} Received an exit with code ${code}.\n`);
    process.exitCode = EXIT.badInput;
  };
  process.once("exit", refuseExit);
  try {
    const result = await Promise.race([work(), strayed]);
    await Promise.race([nextTurn(), strayed]); // in which a promise that failed in the last calls is reported
    return result;
  } finally {
    process.off("exit", refuseExit);
    // when all has been said, and has left
    setImmediate(() => process.stdout.write("", () => process.stderr.write("", () => process.exit())));
  }
}

/** What goes with --merge: the others say how a backend is run. */
const OF_REPORTS = ["merge", "json", "reproduction"];

function refuseRunOptions(command: Command): void {
  const given = givenOption(command, (name) => !OF_REPORTS.includes(name));
  if (given === undefined) return;
  throw new UsageError(`${given.long} must go with a backend.`, "--merge, which takes reports");
}

function writeFirst(output: Output | undefined, { operations }: Report): void {
  const finding = operations.flatMap((operation) => operation.finding ?? [])[0];
  if (finding !== undefined) output?.write(writeReproduction(finding.reproduction));
}

async function conform(files: readonly string[], flags: Flags): Promise<Report> {
  const [file, ...others] = files;
  if (others.length > 0) throw new UsageError("one backend must be given.", files.join(" "));
  const backend = await importBackend(file);
  const model = MODELS[flags.arithmetic];
  const progress = startProgress("conform");
  try {
    return await checkBackend(backend, {
      ...(flags.operations && { operations: flags.operations }),
      arithmetic: flags.flush === true ? withFlush(model) : model,
      cases: flags.cases,
      seed: flags.seed,
      shard: flags.shard,
      timeout: flags.timeout,
      onProgress: progress.update,
    });
  } finally {
    progress.end();
  }
}

/** The default export of a module; what it really is, `checkBackend` finds out. */
async function importBackend(file: string): Promise<Backend> {
  let module: { readonly default?: Backend };
  try {
    module = await import(pathToFileURL(resolve(file)).href);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new UsageError(`${file}: must be a module that can be imported.`, JSON.stringify(message));
  }
  if (module.default === undefined) {
    throw new UsageError(`${file}: the default export must be a backend.`, "no default export");
  }
  return module.default;
}

function readReport(path: string): Report {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw fileError("read", path, error);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  const read = asReport(value);
  if ("report" in read) return read.report;
  const { path: field, found } = read.odd;
  throw new UsageError(
    `${path}: must be a report that conform --json wrote.`,
    field === "" ? JSON.stringify(text.slice(0, 40)) : `${field}=${describe(found)}`,
  );
}
