/**
 * Diagnosis: which mistake explains what is wrong with a candidate.
 *
 * The reference is run again under every hypothesis (`hypotheses/`), and the candidate judged by what that gives
 * (`explanation.ts`). A mistake explains a result that is wrong if the candidate holds by it, and all other results hold by
 * it or by the truth. Of several the one with the least error left is named; a simpler one, unless its error is
 * {@link CLEARLY} larger. If no mistake explains all wrong results, each is explained by itself. Where there is none, weaker
 * arithmetic is tried, and what remains is described (`difference.ts`).
 *
 * @module
 */
import type { KerasConfig } from "../serialization/config.js";
import { shapesAgree } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { type ArithmeticModel, checkArithmetic } from "./arithmetic-model.js";
import { type Difference, differenceOf, formatRegion } from "./difference.js";
import type { Expectation } from "./expectation.js";
import { judgeMistake } from "./explanation.js";
import { WEAKNESSES } from "./hypotheses/arithmetics.js";
import { hypothesesOf } from "./hypotheses/hypothesis.js";
import { type Judgement, judgeTensor } from "./judgement.js";
import { checkOperation, checkResults, type Operands, type Operation } from "./operation.js";
import type { Expectations } from "./reading.js";
import { short } from "./short-number.js";

/** A mistake that explains results. */
export interface Cause {
  /** The mistake. */
  readonly name: string;
  /** The results that it explains. */
  readonly outputs: readonly string[];
  /** The largest |error| / bound that it leaves. */
  readonly remaining: number;
  /** Other mistakes that explain the same, as far as these numbers tell. */
  readonly others: readonly string[];
}

/** What is wrong with a candidate, as far as it is known. */
export interface Diagnosis {
  /** Nothing is wrong. */
  readonly holds: boolean;
  /** The mistakes that explain what is wrong. */
  readonly causes: readonly Cause[];
  /** What is wrong with results that no mistake explains; those of a wrong shape are not here. */
  readonly unexplained: Readonly<Record<string, Difference>>;
}

/** A mistake, with the results that it leads to. */
export interface Suspect {
  readonly name: string;
  readonly results: () => Operands;
}

/** Expectations if the arithmetic were another one. */
export type Reconsider = (model: ArithmeticModel) => Expectations;

/** By which factor an error must be smaller for a mistake to be named before a simpler one. */
const CLEARLY = 4;
/** Errors below this part of the bound say nothing any more. */
const SMALL = 0.125;
/** Of other explanations so many are named. */
const MOST_OTHERS = 3;

/**
 * Diagnoses the results in `candidate` of `operation` on `operands`, by the bounds of `model`.
 *
 * @throws RangeError, TypeError when operands, arguments or results do not fit.
 */
export function diagnose(
  operation: Operation,
  operands: Operands,
  args: KerasConfig,
  candidate: Operands,
  model: ArithmeticModel,
): Diagnosis {
  checkOperation("diagnose", operation);
  checkArithmetic("diagnose", "model", model);
  checkResults("diagnose", candidate, operation);
  const expectations = operation.expect(operands, args, model);
  // mistakes in arguments are mistakes in those that are left at their defaults, too
  const complete = operation.complete(args);
  const suspects = hypothesesOf(operation, operands).map(({ name, run }) => ({
    name,
    results: () => run(operands, complete),
  }));
  return diagnoseResults(candidate, expectations, suspects, model, (other) => operation.expect(operands, args, other));
}

/** Diagnoses the tensors in `candidate`, of which `expectations` are expected, from the given suspects. */
export function diagnoseResults(
  candidate: Operands,
  expectations: Expectations,
  suspects: readonly Suspect[],
  model: ArithmeticModel,
  reconsider: Reconsider,
): Diagnosis {
  const tried = new Map(
    Object.entries(candidate).flatMap(([name, x]): [string, Trial][] => {
      const expectation = expectations[name];
      return expectation === undefined ? [] : [[name, { x, expectation, judgement: judgeTensor(x, expectation) }]];
    }),
  );
  const wrong = [...tried].flatMap(([name, { judgement }]) => (judgement.holds ? [] : [name]));
  if (wrong.length === 0) return { holds: true, causes: [], unexplained: {} };
  const explanations = suspects.flatMap((suspect): readonly Explanation[] => explain(suspect, tried, wrong));
  const causes = chosen(explanations, wrong);
  const explained = new Set(causes.flatMap(({ outputs }) => outputs));
  const open = new Map([...tried].filter(([name]) => wrong.includes(name) && !explained.has(name)));
  const weak = open.size === 0 ? undefined : weaknessOf(open, model, reconsider);
  if (weak !== undefined) return { holds: false, causes: [...causes, weak], unexplained: {} };
  const unexplained = [...open].flatMap(([name, { x, expectation }]) =>
    shapesAgree(x.shape, expectation.shape) ? [[name, differenceOf(x, expectation)] as const] : [],
  );
  return { holds: false, causes, unexplained: Object.fromEntries(unexplained) };
}

/** One result of the candidate, judged by the truth. */
interface Trial {
  readonly x: Tensor;
  readonly expectation: Expectation;
  readonly judgement: Judgement;
}

/** What one mistake explains. */
interface Explanation {
  readonly name: string;
  readonly ratios: ReadonlyMap<string, number>;
}

function explain(
  suspect: Suspect,
  tried: ReadonlyMap<string, Trial>,
  wrong: readonly string[],
): readonly Explanation[] {
  const results = resultsOf(suspect);
  const ratios = new Map<string, number>();
  for (const name of wrong) {
    const trial = tried.get(name);
    const mistaken = results?.[name];
    if (trial === undefined || mistaken === undefined) continue;
    const judgement = judgeMistake(trial.x, mistaken, trial.expectation);
    if (judgement?.holds === true) ratios.set(name, judgement.worstRatio);
  }
  return ratios.size === 0 ? [] : [{ name: suspect.name, ratios }];
}

/** Its results, if it is possible at all here: other strides than those of the candidate may not even fit the image. */
function resultsOf({ results }: Suspect): Operands | undefined {
  try {
    return results();
  } catch {
    // whatever a hypothesis throws, it must not keep the candidate from its verdict
    return undefined;
  }
}

/** Of all explanations one that explains most; then of what is left, and so on. */
function chosen(explanations: readonly Explanation[], wrong: readonly string[]): readonly Cause[] {
  const causes: Cause[] = [];
  let left: readonly string[] = wrong;
  while (left.length > 0) {
    const covered = ({ ratios }: Explanation): number => left.filter((name) => ratios.has(name)).length;
    const most = Math.max(0, ...explanations.map(covered));
    if (most === 0) break;
    const best = explanations.filter((explanation) => covered(explanation) === most);
    const remaining = ({ ratios }: Explanation): number => Math.max(...left.map((name) => ratios.get(name) ?? 0));
    const limit = CLEARLY * Math.max(SMALL, Math.min(...best.map(remaining)));
    const close = best.filter((explanation) => remaining(explanation) <= limit);
    const [first, ...others] = close;
    const outputs = left.filter((name) => first.ratios.has(name));
    const same = others.filter(({ ratios }) => outputs.every((name) => ratios.has(name)));
    const names = [...new Set(same.map(({ name }) => name))].filter((name) => name !== first.name);
    causes.push({ name: first.name, outputs, remaining: remaining(first), others: names });
    left = left.filter((name) => !outputs.includes(name));
  }
  return causes;
}

/** The weaker arithmetic by which all of `open` would hold, and looks like it. */
function weaknessOf(
  open: ReadonlyMap<string, Trial>,
  model: ArithmeticModel,
  reconsider: Reconsider,
): Cause | undefined {
  const plain = [...open.values()].some(({ x, expectation }) => isPlain(x, expectation));
  for (const { name, weaken, isPlausible, makesZeros } of WEAKNESSES) {
    if (plain && makesZeros !== true) continue;
    const expectations = reconsider(weaken(model));
    let remaining = 0;
    const fits = [...open].every(([output, { x, judgement }]) => {
      const expectation = expectations[output];
      if (expectation === undefined) return false;
      const weaker = judgeTensor(x, expectation);
      remaining = Math.max(remaining, weaker.worstRatio);
      return weaker.holds && isPlausible(x, judgement, weaker, expectation);
    });
    if (fits) return { name, outputs: [...open.keys()], remaining, others: [] };
  }
  return undefined;
}

/** Whether the wrong elements of `x` follow a plain pattern, which roundings do not make. */
function isPlain(x: Tensor, expectation: Expectation): boolean {
  return shapesAgree(x.shape, expectation.shape) && differenceOf(x, expectation).values.length > 0;
}

/** A diagnosis in words, a line for every cause. */
export function describeDiagnosis({ causes, unexplained }: Diagnosis): readonly string[] {
  const lines = causes.map(({ name, outputs, remaining, others }) => {
    const more = others.length > MOST_OTHERS ? ", and more" : "";
    const also = others.length === 0 ? "" : `; or by: ${others.slice(0, MOST_OTHERS).join(", or ")}${more}`;
    return `explained by: ${name} (${outputs.map((output) => `\`${output}\``).join(", ")}; remaining error ${short(remaining)} of the bound)${also}`;
  });
  for (const [name, { region, count, values, places }] of Object.entries(unexplained)) {
    const where = count === 0 ? "no element by itself" : `${count} elements within ${formatRegion(region)}`;
    const patterns = [...values, ...places].map((pattern) => `, ${pattern}`).join("");
    lines.push(`unexplained: \`${name}\`: ${where}${patterns}`);
  }
  return lines;
}
