/**
 * `touchstone judge`: what another backend computed, against the reference.
 *
 *     judge OPERATION --input in.npz --candidate out.npy      one operation, with Keras's arguments as options
 *     judge MODEL     --input in.npz --candidate trace.npz    a whole model, layer by layer on the candidate's own inputs
 *
 * @module
 */
import { basename } from "node:path";
import { Command } from "commander";
import { type ArithmeticModel, MODELS, withFlush, withWgslFunctions } from "../oracle/arithmetic-model.js";
import { writeReproduction } from "../oracle/conformance/reproduction.js";
import { describeDiagnosis, diagnose } from "../oracle/diagnosis.js";
import { judgeTensor } from "../oracle/judgement.js";
import { camelCase } from "../oracle/layer-operations.js";
import { layoutOf } from "../oracle/layout.js";
import type { Operands, Operation } from "../oracle/operation.js";
import type { OperationCase } from "../oracle/operation-case.js";
import { OPERATIONS } from "../oracle/operations/table.js";
import { describeJudgement, describeTrace, jsonLine } from "../oracle/report.js";
import { judgeCommandLine, minimalReproduction, optionOf } from "../oracle/reproduction.js";
import { judgeTrace } from "../oracle/trace-judgement.js";
import { LOSSES, type LossName } from "../models/objective.js";
import type { KerasConfig } from "../serialization/config.js";
import { cast, dtypeOf, type Tensor } from "../tensor/tensor.js";
import { type Arrays, modelInputs, modelTargets, readArrays } from "./arrays.js";
import { EXIT, UsageError } from "./errors.js";
import { exists, type Output, prepareOutput } from "./files.js";
import { MODEL_HELP, type ModelFlags, modelOptions, resolveModel } from "./models.js";
import { choice, givenOption } from "./options.js";
import { shellWord } from "./shell.js";

interface Flags extends ModelFlags {
  readonly input: readonly string[];
  readonly candidate: string;
  readonly arithmetic: string;
  readonly flush?: boolean;
  readonly functions: "library" | "wgsl";
  readonly json?: boolean;
  readonly reproduction?: string;
  readonly all?: boolean;
  readonly training?: boolean;
  readonly loss?: LossName;
}

/** The command. */
export function judgeCommand(): Command {
  const command = new Command("judge")
    .description("judge what another backend computed; exit code 1 where a bound is broken")
    .argument("<operation|model>", `an operation (conv2d, dense-backward, ...), or ${MODEL_HELP}`)
    .argument("[arguments...]", "of an operation, as Keras calls them: --strides 2,1 --padding same --epsilon 1e-3")
    .requiredOption(
      "--input <files...>",
      "operands by name (x, kernel, dy, ...): one .npz, or an .npy each; or what `trace` takes",
    )
    .requiredOption("--candidate <file>", "results: .npy for one, .npz by name; for a model a trace.npz")
    .addOption(choice("--arithmetic <model>", "the candidate's arithmetic", Object.keys(MODELS)).default("float32"))
    .option("--flush", "the candidate may flush subnormal numbers to zero")
    .addOption(choice("--functions <kind>", "its exp, log, sqrt, ...", ["library", "wgsl"]).default("library"))
    .option("--training", "the trace is of training mode")
    .addOption(choice("--loss <loss>", "the loss of the trace (default: cross-entropy)", LOSSES))
    .option("--all", "a line for every tensor of the trace")
    .option("--reproduction <case.npz>", "write the least of the case that is still wrong")
    .option("--json", "JSON instead of text")
    .allowUnknownOption();
  for (const option of modelOptions()) command.addOption(option);
  return command.action((target: string, _arguments: readonly string[], flags: Flags) => {
    const given = readArguments(command.args.slice(1));
    const operation = OPERATIONS.get(target);
    if (operation !== undefined) refuseModelOptions(command);
    const output =
      flags.reproduction === undefined ? undefined : prepareOutput(flags.reproduction, "--reproduction", [".npz"]);
    const holds =
      operation === undefined
        ? judgeModel(target, given, flags, output)
        : judgeOperation(operation, given, flags, output);
    if (!holds) process.exitCode = EXIT.judgementFailed;
  });
}

/** The options that say something of a model, or of its trace. */
const OF_MODELS = ["training", "loss", "all", ...modelOptions().map((option) => option.attributeName())];

function refuseModelOptions(command: Command): void {
  const given = givenOption(command, (name) => OF_MODELS.includes(name));
  if (given === undefined) return;
  throw new UsageError(`${given.long} must go with a model, not with an operation.`, command.args[0]);
}

function arithmeticOf({ arithmetic, flush, functions }: Flags): ArithmeticModel {
  const model = functions === "wgsl" ? withWgslFunctions(MODELS[arithmetic]) : MODELS[arithmetic];
  return flush === true ? withFlush(model) : model;
}

/** `--strides 2,1 --padding same --use-bias` as Keras's arguments in camelCase. */
function readArguments(words: readonly string[]): KerasConfig {
  const args: Record<string, unknown> = {};
  for (let i = 0; i < words.length; i++) {
    const [, name, assigned] = /^--([a-z][\w-]*)(?:=(.*))?$/is.exec(words[i]) ?? [];
    if (name === undefined) {
      throw new UsageError("arguments must be given as --name value, lists as --name 2,1.", JSON.stringify(words[i]));
    }
    const next = words[i + 1];
    const isFlag = assigned === undefined && (next === undefined || next.startsWith("--"));
    args[camelCase(name)] = isFlag ? true : valueOf(assigned ?? words[++i]);
  }
  return args;
}

/** A number, a list of them, a list of lists, true, false, null, or a string. */
function valueOf(text: string): unknown {
  if (text === "true" || text === "false") return text === "true";
  if (text === "null" || text === "None") return null;
  const json = text.replaceAll("(", "[").replaceAll(")", "]");
  if (/^\s*\[\s*\[/.test(json)) return listOfLists(json) ?? text;
  const parts = text.replace(/^[[(](.*)[\])]$/, "$1").split(",");
  const numbers = parts.map(Number);
  if (parts.some((part) => part.trim() === "") || numbers.some(Number.isNaN)) return text;
  return parts.length === 1 && parts[0] === text ? numbers[0] : numbers;
}

/** What `json` says, if it is JSON. */
function listOfLists(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

function judgeOperation(operation: Operation, args: KerasConfig, flags: Flags, output: Output | undefined): boolean {
  const { operands, notes } = singles(readInputs(flags.input));
  refuseUnknown(operation, Object.keys(operands));
  const watched = watch(args);
  const expectations = operation.expect(operands, watched.args, arithmeticOf(flags));
  watched.refuseUnread(operation.name);
  const results = resultsOf(operation, readArrays(flags.candidate), flags.candidate);
  const verdicts = [...results].map(([name, x]) => {
    const expectation = expectations[name];
    const judgement = judgeTensor(x, expectation);
    const hint = judgement.broken.includes("shape") ? layoutOf(expectation.shape, x.shape).description : undefined;
    return { name, judgement, ...(hint !== undefined && { hint }) };
  });
  const holds = verdicts.every(({ judgement }) => judgement.holds);
  const diagnosis = holds
    ? undefined
    : diagnose(operation, operands, args, Object.fromEntries(results), arithmeticOf(flags));
  const missing = operation.outputs.filter((name) => expectations[name] !== undefined && !results.has(name));
  const written = writeReproductionOf({ operation, operands, args }, Object.fromEntries(results), flags, output);
  if (flags.json === true) {
    const arithmetic = arithmeticOf(flags).name;
    const verdict = { operation: operation.name, arithmetic, holds, verdicts, notJudged: missing, notes, diagnosis };
    process.stdout.write(`${jsonLine({ ...verdict, reproduction: written })}\n`);
    return holds;
  }
  const lines = verdicts.flatMap(({ name, judgement, hint }) =>
    describeJudgement(`${operation.name} \`${name}\` (${arithmeticOf(flags).name})`, judgement, { hint }),
  );
  if (diagnosis !== undefined) lines.push(...describeDiagnosis(diagnosis));
  if (missing.length > 0) lines.push(`not judged, for they are not in ${flags.candidate}: ${missing.join(", ")}`);
  if (written !== undefined) lines.push(`to repeat it: ${written}`);
  process.stdout.write(`${[...lines, ...notes].join("\n")}\n`);
  return holds;
}

/** Writes the least of a case that is wrong, if that is wanted; the command that judges it again, by the same bounds. */
function writeReproductionOf(
  given: OperationCase,
  results: Operands,
  flags: Flags,
  output: Output | undefined,
): string | undefined {
  if (output === undefined) return undefined;
  const reproduction = minimalReproduction(given, results, arithmeticOf(flags));
  if (reproduction === undefined) return undefined;
  output.write(writeReproduction(reproduction));
  return [judgeCommandLine(reproduction, shellWord(output.path)), ...arithmeticWords(flags)].join(" ");
}

/** The options that say what the candidate's arithmetic is, where it is not the usual one. */
function arithmeticWords({ arithmetic, flush, functions }: Flags): readonly string[] {
  return [
    ...(arithmetic === "float32" ? [] : ["--arithmetic", arithmetic]),
    ...(flush === true ? ["--flush"] : []),
    ...(functions === "library" ? [] : ["--functions", functions]),
  ];
}

/** What a reproduction holds besides operands. */
const OF_REPRODUCTIONS = /^(?:expected|received|bound)\//;

/** The arrays of an .npz file, or of several files; an .npy file is called as it is named. */
function readInputs(paths: readonly string[]): Arrays {
  return new Map(
    paths.flatMap((path) => {
      const arrays = new Map([...readArrays(path)].filter(([name]) => !OF_REPRODUCTIONS.test(name)));
      return /\.npy$/i.test(path)
        ? [...arrays.values()].map((x) => [basename(path).slice(0, -4), x] as const)
        : [...arrays];
    }),
  );
}

/** Refuses an operand that nobody reads: it is misspelled. One file may serve the forward and the backward pass. */
function refuseUnknown({ name, inputs, optional }: Operation, given: readonly string[]): void {
  const forward = name.replace(/-backward$/, "");
  const passes = [forward, `${forward}-backward`].flatMap((pass) => OPERATIONS.get(pass) ?? []);
  const known = passes.flatMap((pass) => [...pass.inputs, ...pass.optional, ...pass.outputs]);
  const unknown = given.find((operand) => !known.includes(operand));
  if (unknown === undefined) return;
  throw new UsageError(`operands of ${name} must be among ${[...inputs, ...optional].join(", ")}.`, unknown);
}

/** Operands as a float32 candidate receives them. */
function singles(arrays: Arrays): { operands: Readonly<Record<string, Tensor>>; notes: readonly string[] } {
  const notes: string[] = [];
  const operands: Record<string, Tensor> = {};
  for (const [name, x] of arrays) {
    operands[name] = cast(x, "float32");
    if (dtypeOf(x) === "float64" && x.data.some((value) => !Object.is(Math.fround(value), value))) {
      notes.push(`note: \`${name}\` was rounded from float64 to float32 before it was used`);
    }
  }
  return { operands, notes };
}

/** Which of the candidate's arrays is which result. */
function resultsOf({ name, outputs }: Operation, arrays: Arrays, path: string): ReadonlyMap<string, Tensor> {
  const found = new Map(
    [...arrays]
      .map(([key, x]) => [key.replace(/^received\//, ""), x] as const)
      .filter(([key]) => outputs.includes(key)),
  );
  if (found.size > 0) return found;
  const [[only, x]] = arrays.size === 1 ? arrays : [["", undefined]];
  if (x !== undefined && (outputs.length === 1 || only === "x")) {
    if (outputs.length === 1) return new Map([[outputs[0], x]]);
    throw new UsageError(
      `${path}: the results of ${name} must come as an .npz with ${outputs.join(", ")}.`,
      "one array",
    );
  }
  throw new UsageError(`${path}: must hold ${outputs.join(", ")}.`, [...arrays.keys()].join(", ") || "no array");
}

/** Arguments that know which of them were read: one that nobody reads is misspelled. */
function watch(args: KerasConfig): { readonly args: KerasConfig; refuseUnread(operation: string): void } {
  const read = new Set<string>();
  const watched = new Proxy(args, {
    get(target, key) {
      if (typeof key === "string") read.add(key);
      return typeof key === "string" ? target[key] : undefined;
    },
  });
  return {
    args: watched,
    refuseUnread(operation) {
      const unread = Object.keys(args).find((key) => !read.has(key));
      if (unread === undefined) return;
      const list = [...read].sort().map(optionOf).join(", ") || "none";
      throw new UsageError(`arguments of ${operation} must be among ${list}.`, optionOf(unread));
    },
  };
}

function judgeModel(target: string, given: KerasConfig, flags: Flags, output: Output | undefined): boolean {
  if (!isModel(target)) {
    const names = [...OPERATIONS.keys()].filter((name) => !name.endsWith("-backward")).join(", ");
    throw new UsageError(
      `what is judged must be a model, or one of ${names} or its -backward.`,
      JSON.stringify(target),
    );
  }
  const [argument] = Object.keys(given);
  if (argument !== undefined) {
    throw new UsageError("arguments of layers must go with an operation, not with a model.", `--${argument}`);
  }
  const model = resolveModel(target, flags);
  const arrays = readInputs(flags.input);
  const candidate = readArrays(flags.candidate);
  const moving = [...candidate.keys()].find((name) => name.startsWith("moving/"));
  if (moving !== undefined && flags.training !== true) {
    throw new UsageError(
      "--training must be given for a trace of training mode, which has moving/ statistics.",
      moving,
    );
  }
  const judgement = judgeTrace(model, modelInputs(model, arrays), candidate, {
    ...modelTargets(model, arrays, flags.loss),
    training: flags.training ?? false,
    arithmetic: arithmeticOf(flags),
  });
  const { wrongCase, ...verdict } = judgement;
  const written =
    wrongCase && writeReproductionOf(wrongCase, { [wrongCase.output]: wrongCase.received }, flags, output);
  if (flags.json === true) {
    process.stdout.write(`${jsonLine({ ...verdict, reproduction: written })}\n`);
    return judgement.holds;
  }
  const lines = [...describeTrace(judgement, flags.all ?? false)];
  if (written !== undefined) lines.push(`to repeat it: ${written}`);
  else if (output !== undefined && !judgement.holds) {
    lines.push(`no ${output.path}: the first that is not right is not a result of one operation alone`);
  }
  process.stdout.write(`${lines.join("\n")}\n`);
  return judgement.holds;
}

/** Whether `target` is meant as a model: a builder's name, or a file. */
function isModel(target: string): boolean {
  return /^resnet\d/.test(target) || /\.\w+$/.test(target) || exists(target);
}
