/**
 * Gradients against differences, in a way that cannot pass by accident.
 *
 * The loss is L = sum r * y with random cotangents r. What backward says of it is held against directional derivatives of
 * forward in float64:
 *
 *     sum dx * v   =   d/dt L(x + t v)  at t = 0
 *
 * along random directions v through one input each, one through all of them, and along single elements.
 *
 * `numeric-derivative.ts` says what d/dt is, and how far off it may be: that is the tolerance.
 *
 * Kinks. Where a ReLU or a maximum changes sides within the step, the difference means nothing. Such a direction is tried
 * again with smaller steps, then rejected: by the caller's `kinks` (signs of ReLUs, argmaxes) where given, else because the
 * slopes ahead and behind do not approach each other. More than half rejected proves too little, and is an error.
 *
 * Vacuous checks. Where forward does not depend on an input, or gradients are 1e-30 of everything else, any backward would
 * pass. So each input must be seen to move L by more than its rounding; else that is an error, unless it is said to vanish.
 *
 * @module
 */
import { randomStream } from "../arithmetic/random.js";
import { isKerasConfig, kindOf } from "../serialization/config.js";
import { expectOptions } from "../serialization/options.js";
import { checkTensor } from "../serialization/tensors.js";
import { formatShape, shapesAgree } from "../tensor/shape.js";
import { cast, contiguous, type Tensor, tensor } from "../tensor/tensor.js";
import { positionOf } from "./judgement.js";
import { type Derivative, derivativeOf, type LossValue } from "./numeric-derivative.js";

/** The largest step, in units of the input's size. Both are powers of two, so that x + h is exact for short x. */
const STEP = 2 ** -7;

/** How often a step is divided by 16, where there is a kink within it or the derivative is not known well. */
const RETRIES = 3;

/** A derivative that is known to this share of the scale is good enough; else a smaller step is tried. */
const GOOD = 2 ** -22;

/** Tensors by name: `x`, `kernel`, `bias`. */
export type NamedTensors = Readonly<Record<string, Tensor>>;

/** What {@link checkGradients} needs. Functions may be asynchronous. */
export interface GradientCheckOptions {
  /** Where gradients are checked. Taken in float64. */
  readonly inputs: NamedTensors;
  /** The output, in float64, for inputs in float64. */
  readonly forward: (inputs: NamedTensors) => Tensor | Promise<Tensor>;
  /** The gradients under test, by the names of the inputs, for a derivative `dy` of the output's shape. */
  readonly backward: (dy: Tensor, inputs: NamedTensors) => NamedTensors | Promise<NamedTensors>;
  /** The inputs to check. @defaultValue all */
  readonly names?: readonly string[];
  /** Inputs whose gradient may be all but zero: a bias that a normalization takes away again. @defaultValue none */
  readonly mayVanish?: readonly string[];
  /** Sides of all ReLUs and maxima: numbers that stay the same as long as no kink is crossed. @defaultValue found by slopes */
  readonly kinks?: (inputs: NamedTensors) => ArrayLike<number> | Promise<ArrayLike<number>>;
  /**
   * How far each element of a gradient may be off by itself, where backward does not run in float64: the bounds of an
   * expectation.
   *
   * @defaultValue nothing
   */
  readonly bounds?: (dy: Tensor) => Readonly<Record<string, ArrayLike<number>>>;
  /** Of cotangents and directions. @defaultValue 0 */
  readonly seed?: number;
  /** Random directions through each input, and through all. @defaultValue 2 */
  readonly directions?: number;
  /** Single elements of each input; all, where it has no more. @defaultValue 12 */
  readonly elements?: number;
}

const OPTIONS = [
  "inputs",
  "forward",
  "backward",
  "names",
  "mayVanish",
  "kinks",
  "bounds",
  "seed",
  "directions",
  "elements",
];

/** One comparison. */
export interface DirectionReport {
  /** The input, or all of them. */
  readonly name: string;
  /** The position of the single element, or undefined for a random direction. */
  readonly index: readonly number[] | undefined;
  /** sum dx * v; for a single element its derivative. */
  readonly backward: number;
  /** d/dt L(x + t v). */
  readonly differences: number;
  /** What |backward - differences| may be. */
  readonly allowed: number;
  /** |backward - differences| / allowed. */
  readonly ratio: number;
}

/** The outcome of a check that proved something. */
export interface GradientReport {
  /** Whether every ratio is at most 1. */
  readonly holds: boolean;
  /** Comparisons made. */
  readonly compared: number;
  /** Directions rejected for a kink. */
  readonly rejected: number;
  /** The comparison with the largest ratio. */
  readonly worst: DirectionReport;
}

/** A direction: for some inputs, how far each of their elements moves. */
interface Direction {
  readonly name: string;
  readonly index: readonly number[] | undefined;
  readonly along: ReadonlyMap<string, Float64Array>;
}

/**
 * Checks backward against differences of forward.
 *
 * @throws RangeError when a gradient is missing or has another shape, when the check would prove nothing (an input hardly
 *   moves the loss, the output is zero or not finite), or when more than half of the directions are at kinks.
 * @throws TypeError when an option is none of {@link GradientCheckOptions} or of another type, or a gradient is float32 and
 *   there are no `bounds` for it.
 */
export async function checkGradients(options: GradientCheckOptions): Promise<GradientReport> {
  expectOptions("checkGradients", options, OPTIONS);
  const { forward, backward, seed = 0, mayVanish = [] } = options;
  if (typeof forward !== "function" || typeof backward !== "function") {
    const received = `${typeof forward} and ${typeof backward}`;
    throw new TypeError(`checkGradients: \`forward\` and \`backward\` must be functions. Received ${received}.`);
  }
  for (const [name, x] of Object.entries(options.inputs ?? {})) checkTensor("checkGradients", `inputs.${name}`, x);
  const inputs = mapTensors(options.inputs, (x) => contiguous(cast(x, "float64")));
  const names = options.names ?? Object.keys(inputs);
  const unknown = names.find((name) => inputs[name] === undefined);
  if (unknown !== undefined) {
    throw new RangeError(
      `checkGradients: \`names\` must be among the inputs ${Object.keys(inputs).join(", ")}. Received ${unknown}.`,
    );
  }
  const given = await forward(inputs);
  checkTensor("checkGradients", "forward(inputs)", given);
  const y = contiguous(given);
  const r = tensor(randomStream(seed, "gradient-check/cotangent").fillNormal(new Float64Array(y.size)), y.shape);
  const lossOf = async (at: NamedTensors): Promise<LossValue> => weighted(r, contiguous(await forward(at)));
  const center = weighted(r, y);
  if (!(center.scale > 0 && center.scale < Number.POSITIVE_INFINITY)) {
    throw new RangeError(
      `checkGradients: the output must be finite and not all zero. Received sum |r * y|=${center.scale}.`,
    );
  }
  const gradients = await backward(r, inputs);
  const bounds = options.bounds?.(r) ?? {};
  if (!isKerasConfig(gradients)) {
    throw new TypeError(
      `checkGradients: backward must give an object of gradients, by input. Received ${kindOf(gradients)}.`,
    );
  }
  for (const name of names) expectGradient(name, inputs[name], gradients[name], bounds[name]);

  const reports: DirectionReport[] = [];
  const moved = new Set<string>(mayVanish);
  let rejected = 0;
  for (const direction of directionsOf(names, inputs, options)) {
    const numeric = await differentiate(direction, inputs, center, lossOf, options.kinks);
    if (numeric === undefined) {
      rejected++;
      continue;
    }
    if (Math.abs(numeric.value) > 2 * numeric.error) moved.add(direction.name);
    reports.push(compare(direction, numeric, gradients, bounds));
  }
  const all = reports.length + rejected;
  if (2 * rejected > all) {
    throw new RangeError(
      `checkGradients: at least half of the directions must stay clear of kinks. Received ${rejected} of ${all} at kinks.`,
    );
  }
  const still = names.filter((name) => !moved.has(name));
  if (still.length > 0) {
    throw new RangeError(
      "checkGradients: every input must move the loss by more than its rounding, or the check is vacuous; name those " +
        `that do not in \`mayVanish\`. Received ${still.join(", ")} with gradients all but zero.`,
    );
  }
  const worst = reports.reduce((a, b) => (b.ratio > a.ratio || Number.isNaN(b.ratio) ? b : a));
  return { holds: reports.every(({ ratio }) => ratio <= 1), compared: reports.length, rejected, worst };
}

/** One line that says where backward and differences are furthest apart. */
export function describeGradientReport({ holds, compared, rejected, worst }: GradientReport): string {
  const where =
    worst.index === undefined ? `${worst.name} along a random direction` : `${worst.name}${formatShape(worst.index)}`;
  return (
    `${holds ? "holds" : "does not hold"}: ${where}: backward ${worst.backward}, differences ${worst.differences}, ` +
    `allowed ${worst.allowed}: ${worst.ratio} times that (${compared} directions, ${rejected} more at kinks)`
  );
}

function weighted(r: Tensor, y: Tensor): LossValue {
  let [value, scale] = [0, 0];
  for (let i = 0; i < r.size; i++) {
    const term = r.data[i] * y.data[i];
    value += term;
    scale += Math.abs(term);
  }
  return { value, scale };
}

function mapTensors(tensors: NamedTensors, f: (x: Tensor, name: string) => Tensor): NamedTensors {
  return Object.fromEntries(Object.entries(tensors).map(([name, x]) => [name, f(x, name)]));
}

function expectGradient(
  name: string,
  x: Tensor,
  gradient: Tensor | undefined,
  bound: ArrayLike<number> | undefined,
): void {
  if (gradient !== undefined) checkTensor("checkGradients", `backward(dy, inputs).${name}`, gradient);
  if (gradient === undefined || !shapesAgree(gradient.shape, x.shape)) {
    throw new RangeError(
      `checkGradients: backward must give a gradient of shape ${formatShape(x.shape)} for \`${name}\`. ` +
        `Received ${gradient === undefined ? "none" : `shape ${formatShape(gradient.shape)}`}.`,
    );
  }
  if (gradient.data instanceof Float32Array && bound === undefined) {
    throw new TypeError(
      `checkGradients: a float32 gradient must come with \`bounds\` that say how far it may be off. Received none for \`${name}\`.`,
    );
  }
}

/** Random directions through every input and through all of them, then single elements. */
function* directionsOf(
  names: readonly string[],
  inputs: NamedTensors,
  { seed = 0, directions = 2, elements = 12 }: GradientCheckOptions,
): Generator<Direction> {
  const random = (name: string, i: number): Float64Array => {
    const unit = unitOf(inputs[name]);
    const stream = randomStream(seed, `gradient-check/direction/${name}`, i);
    return stream.fillUniform(new Float64Array(inputs[name].size), -unit, unit);
  };
  for (let i = 0; i < directions; i++) {
    for (const name of names) yield { name, index: undefined, along: new Map([[name, random(name, i)]]) };
    if (names.length > 1) {
      const along = new Map(names.map((name) => [name, random(name, directions + i)]));
      yield { name: names.join(", "), index: undefined, along };
    }
  }
  for (const name of names) {
    const { size, shape } = inputs[name];
    for (const at of chosen(size, elements, seed, name)) {
      const along = new Map([[name, new Float64Array(size)]]);
      along.get(name)?.fill(unitOf(inputs[name]), at, at + 1);
      yield { name, index: positionOf(at, shape), along };
    }
  }
}

/** The size of an input: the power of two below its largest absolute value; 1 for zeros. */
function unitOf(x: Tensor): number {
  let largest = 0;
  for (const value of x.data) largest = Math.max(largest, Math.abs(value));
  if (!(largest > 0 && largest < Number.POSITIVE_INFINITY)) return 1;
  let unit = 1;
  while (unit > largest) unit /= 2;
  while (2 * unit <= largest) unit *= 2;
  return unit;
}

/** `count` distinct numbers below `size`, the first of a shuffle; all of them where there are no more. */
function chosen(size: number, count: number, seed: number, name: string): readonly number[] {
  const order = Array.from({ length: size }, (_, i) => i);
  const stream = randomStream(seed, `gradient-check/element/${name}`);
  for (let i = 0; i < Math.min(count, size - 1); i++) {
    const j = i + stream.integer(i, size - i);
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order.slice(0, count);
}

/** `inputs` moved by `t` along a direction. */
function movedBy(inputs: NamedTensors, { along }: Direction, t: number): NamedTensors {
  return mapTensors(inputs, (x, name) => {
    const v = along.get(name);
    if (v === undefined) return x;
    return tensor(
      new Float64Array(x.data).map((value, i) => value + t * v[i]),
      x.shape,
    );
  });
}

/** The derivative along a direction, best known of steps that cross no kink; undefined where the smallest does. */
async function differentiate(
  direction: Direction,
  inputs: NamedTensors,
  center: LossValue,
  lossOf: (at: NamedTensors) => Promise<LossValue>,
  kinks: GradientCheckOptions["kinks"],
): Promise<Derivative | undefined> {
  const sides = kinks && (await kinks(inputs));
  let best: Derivative | undefined;
  for (let retry = 0, step = STEP; retry <= RETRIES; retry++, step /= 16) {
    const at = (t: number): NamedTensors => movedBy(inputs, direction, t);
    if (kinks !== undefined && sides !== undefined) {
      const same = async (t: number): Promise<boolean> => sameNumbers(sides, await kinks(at(t)));
      if (!((await same(step)) && (await same(-step)))) continue;
    }
    const [ahead, behind]: [LossValue[], LossValue[]] = [[], []];
    for (const h of [step, step / 2, step / 4]) {
      ahead.push(await lossOf(at(h)));
      behind.push(await lossOf(at(-h)));
    }
    const derivative = derivativeOf({ center, ahead, behind }, step);
    if (derivative !== undefined && !(best !== undefined && best.error <= derivative.error)) best = derivative;
    if (best !== undefined && best.error <= GOOD * best.scale) break;
  }
  return best;
}

function sameNumbers(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Backward's own derivative along a direction, and how far it is from `numeric`. */
function compare(
  { name, index, along }: Direction,
  numeric: Derivative,
  gradients: NamedTensors,
  bounds: Readonly<Record<string, ArrayLike<number>>>,
): DirectionReport {
  let [backward, allowed] = [0, numeric.error];
  for (const [input, v] of along) {
    const { data } = contiguous(gradients[input]);
    const bound = bounds[input];
    for (let i = 0; i < v.length; i++) {
      if (v[i] === 0) continue;
      backward += data[i] * v[i];
      if (bound !== undefined) allowed += bound[i] * Math.abs(v[i]);
    }
  }
  const distance = Math.abs(backward - numeric.value);
  const ratio = Number.isNaN(distance) ? Number.POSITIVE_INFINITY : distance / allowed;
  // for a single element the derivative itself, without the power of two that it moved by
  const unit = index === undefined ? 1 : Math.max(...[...along.values()].map((v) => v.reduce((a, b) => a + b, 0)));
  return { name, index, backward: backward / unit, differences: numeric.value / unit, allowed: allowed / unit, ratio };
}
