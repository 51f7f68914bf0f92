/**
 * Initializers as Keras writes them: a class name and its arguments.
 *
 * A loaded model never needs its initializers, so reading a configuration checks nothing but its form. A class that is
 * not known here is kept as it came and written back unchanged; only `initialize` refuses it, by name.
 *
 * @module
 */

/** How a weight gets its first values. */
export interface InitializerConfig {
  /** Keras's class name, such as "HeNormal". */
  readonly className: string;
  /** The arguments under Keras's names. A `seed` is kept, but the numbers come from the stream given to `initialize`. */
  readonly config: Readonly<Record<string, unknown>>;
  /** What the file said, when its class is not one of Keras's below: it is written back as it is. */
  readonly source?: unknown;
}

/** Which fan scales {@link varianceScaling}. */
export type FanMode = "fan_in" | "fan_out" | "fan_avg";

/** The shape of the numbers of {@link varianceScaling}. */
export type ScalingDistribution = "truncated_normal" | "untruncated_normal" | "uniform";

/** Arguments of {@link varianceScaling}. */
export interface VarianceScalingOptions {
  /** @defaultValue 1 */
  readonly scale?: number;
  /** @defaultValue "fan_in" */
  readonly mode?: FanMode;
  /** @defaultValue "truncated_normal" */
  readonly distribution?: ScalingDistribution;
}

/** All 0. */
export function zeros(): InitializerConfig {
  return { className: "Zeros", config: {} };
}

/** All 1. */
export function ones(): InitializerConfig {
  return { className: "Ones", config: {} };
}

/** All `value`. */
export function constant(value = 0): InitializerConfig {
  return { className: "Constant", config: { value } };
}

/** Uniform from `minval` to `maxval`. */
export function randomUniform(minval = -0.05, maxval = 0.05): InitializerConfig {
  return { className: "RandomUniform", config: { seed: null, minval, maxval } };
}

/** Normal with the given mean and standard deviation. */
export function randomNormal(mean = 0, stddev = 0.05): InitializerConfig {
  return { className: "RandomNormal", config: { seed: null, mean, stddev } };
}

/** Normal, without what lies more than two standard deviations from the mean. */
export function truncatedNormal(mean = 0, stddev = 0.05): InitializerConfig {
  return { className: "TruncatedNormal", config: { seed: null, mean, stddev } };
}

/** Mean 0 and variance scale / n, where n is the number of inputs or outputs of a unit, or the average of both. */
export function varianceScaling(options: VarianceScalingOptions = {}): InitializerConfig {
  const { scale = 1, mode = "fan_in", distribution = "truncated_normal" } = options;
  return { className: "VarianceScaling", config: { seed: null, scale, mode, distribution } };
}

/** {@link varianceScaling} with scale 1, "fan_avg", "uniform": what Keras's layers use where nothing is said. */
export function glorotUniform(): InitializerConfig {
  return named("GlorotUniform");
}

/** {@link varianceScaling} with scale 1, "fan_avg", "truncated_normal". */
export function glorotNormal(): InitializerConfig {
  return named("GlorotNormal");
}

/** {@link varianceScaling} with scale 2, "fan_in", "uniform". */
export function heUniform(): InitializerConfig {
  return named("HeUniform");
}

/** {@link varianceScaling} with scale 2, "fan_in", "truncated_normal": for layers that a ReLU follows. */
export function heNormal(): InitializerConfig {
  return named("HeNormal");
}

/** {@link varianceScaling} with scale 1, "fan_in", "uniform". */
export function lecunUniform(): InitializerConfig {
  return named("LecunUniform");
}

/** {@link varianceScaling} with scale 1, "fan_in", "truncated_normal". */
export function lecunNormal(): InitializerConfig {
  return named("LecunNormal");
}

function named(className: string): InitializerConfig {
  return { className, config: { seed: null } };
}

/** Every name that Keras accepts for a class that we know; the class's own name is one of them. */
const CLASS_NAMES: ReadonlyMap<string, string> = new Map([
  ...[
    ["Zeros", "zeros", "zero"],
    ["Ones", "ones", "one"],
    ["Constant", "constant"],
    ["RandomUniform", "random_uniform", "uniform"],
    ["RandomNormal", "random_normal", "normal"],
    ["TruncatedNormal", "truncated_normal"],
    ["VarianceScaling", "variance_scaling"],
    ["GlorotUniform", "glorot_uniform"],
    ["GlorotNormal", "glorot_normal"],
    ["HeUniform", "he_uniform"],
    ["HeNormal", "he_normal"],
    ["LecunUniform", "lecun_uniform"],
    ["LecunNormal", "lecun_normal"],
  ].flatMap((names) => names.map((name): [string, string] => [name, names[0]])),
]);

/**
 * Reads an initializer from a Keras configuration: Keras 3's or Keras 2's object, or a name such as "he_normal".
 * `null` is Keras's default for weights, GlorotUniform.
 *
 * @throws TypeError when `config` is none of these.
 */
export function initializerFromConfig(config: unknown): InitializerConfig {
  if (config === null) return glorotUniform();
  const { name, settings, foreign } = readForm(config);
  const className = CLASS_NAMES.get(name);
  if (className === undefined || foreign) return { className: name, config: settings, source: config };
  // Keras 2 also wrote the element type, which Keras 3 refuses
  const { dtype: _, ...rest } = settings;
  return { className, config: rest };
}

/** Writes `initializer` as Keras 3 does; one of an unknown class comes back as it was read. */
export function initializerToConfig(initializer: InitializerConfig): unknown {
  if (initializer.source !== undefined) return initializer.source;
  return {
    module: "keras.initializers",
    class_name: initializer.className,
    config: { ...initializer.config },
    registered_name: null,
  };
}

interface SerializedForm {
  readonly name: string;
  readonly settings: Readonly<Record<string, unknown>>;
  /** Whether the class is from a package other than Keras, and may share no more than the name. */
  readonly foreign: boolean;
}

function readForm(config: unknown): SerializedForm {
  if (typeof config === "string") return { name: config, settings: {}, foreign: false };
  if (isRecord(config)) {
    const { class_name: name, config: settings = {}, module } = config;
    if (typeof name === "string" && isRecord(settings)) {
      const foreign = typeof module === "string" && !/^(tensorflow\.|tf_)?keras\b/.test(module);
      return { name, settings, foreign };
    }
  }
  throw new TypeError(
    "initializer: a configuration must be a name, null, or an object with `class_name` and `config`. " +
      `Received ${JSON.stringify(config)}.`,
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
