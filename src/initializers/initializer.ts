/**
 * Initializers: a Keras class name with its arguments, and the first values of a weight that follow from them.
 *
 * A loaded model never needs its initializers, so reading a configuration checks nothing but its form. A class that is
 * not known here is kept as it came and written back unchanged; only {@link initialize} refuses it, by name.
 *
 * The distributions and their arguments are Keras's; the random numbers are our own (`arithmetic/random.ts`): element i
 * of a weight takes number i of its stream. Values are computed in double precision and rounded once.
 *
 * @module
 */
import type { RandomStream } from "../arithmetic/random.js";
import { describe, isKerasConfig } from "../serialization/config.js";
import { type DType, expectDType, type FloatArray, floatArray } from "../tensor/dtype.js";
import { formatShape, type Shape, sizeOf } from "../tensor/shape.js";
import {
  computeFans,
  type FanMode,
  type Fans,
  fillWithVariance,
  type ScalingDistribution,
  scaledVariance,
} from "./variance-scaling.js";

/** How a weight gets its first values. */
export interface InitializerConfig {
  /** Keras's class name, such as "HeNormal". */
  readonly className: string;
  /** The arguments under Keras's names. A `seed` is kept, but the numbers come from the stream in `initialize`. */
  readonly config: Readonly<Record<string, unknown>>;
  /** What the file said, when its class is none that is known here: it is written back as it is. */
  readonly source?: unknown;
}

type Arguments = Readonly<Record<string, unknown>>;

/** What a class does: fills `values`, which are 0, for a weight of `shape`. */
type Filler = (values: FloatArray, stream: RandomStream, initializer: InitializerConfig, shape: Shape) => FloatArray;

/** Every known class with its other names in Keras. */
const CLASSES: Readonly<Record<string, { readonly names: readonly string[]; readonly fill: Filler }>> = {
  Zeros: { names: ["zeros", "zero"], fill: (values) => values },
  Ones: { names: ["ones", "one"], fill: (values) => values.fill(1) },
  Constant: {
    names: ["constant"],
    fill: (values, _, initializer) => values.fill(numberArgument(initializer, "value", 0)),
  },
  RandomUniform: {
    names: ["random_uniform", "uniform"],
    fill: (values, stream, initializer) =>
      stream.fillUniform(
        values,
        numberArgument(initializer, "minval", -0.05),
        numberArgument(initializer, "maxval", 0.05),
      ),
  },
  RandomNormal: {
    names: ["random_normal", "normal"],
    fill: (values, stream, initializer) =>
      stream.fillNormal(values, numberArgument(initializer, "mean", 0), numberArgument(initializer, "stddev", 0.05)),
  },
  TruncatedNormal: {
    names: ["truncated_normal"],
    fill: (values, stream, initializer) =>
      stream.fillTruncatedNormal(
        values,
        numberArgument(initializer, "mean", 0),
        numberArgument(initializer, "stddev", 0.05),
      ),
  },
  VarianceScaling: {
    names: ["variance_scaling"],
    fill: (values, stream, initializer, shape) => {
      const variance = scaledVariance(
        scaleArgument(initializer),
        modeArgument(initializer),
        fansOf(initializer, shape),
      );
      return fillWithVariance(values, stream, variance, distributionArgument(initializer));
    },
  },
  GlorotUniform: { names: ["glorot_uniform"], fill: scaled(1, "fan_avg", "uniform") },
  GlorotNormal: { names: ["glorot_normal"], fill: scaled(1, "fan_avg", "truncated_normal") },
  HeUniform: { names: ["he_uniform"], fill: scaled(2, "fan_in", "uniform") },
  HeNormal: { names: ["he_normal"], fill: scaled(2, "fan_in", "truncated_normal") },
  LecunUniform: { names: ["lecun_uniform"], fill: scaled(1, "fan_in", "uniform") },
  LecunNormal: { names: ["lecun_normal"], fill: scaled(1, "fan_in", "truncated_normal") },
};

const CLASS_NAMES: ReadonlyMap<string, string> = new Map(
  Object.entries(CLASSES).flatMap(([className, { names }]) =>
    [className, ...names].map((name): [string, string] => [name, className]),
  ),
);

/**
 * The first values of a weight of `shape`, row-major; element i takes number i of `stream`.
 *
 * @throws RangeError when the class of `initializer` is not known, or an argument of it has a wrong value.
 * @throws TypeError when an argument of it has a wrong type, or there is no such element type.
 */
export function initialize(
  initializer: InitializerConfig,
  shape: Shape,
  dtype: DType,
  stream: RandomStream,
): FloatArray {
  const { className, source } = initializer;
  if (source !== undefined || !Object.hasOwn(CLASSES, className)) {
    throw new RangeError(
      `initialize: the initializer must be one of ${Object.keys(CLASSES).join(", ")}. Received "${className}".`,
    );
  }
  const values = floatArray(expectDType("initialize", dtype), sizeOf(shape));
  return CLASSES[className].fill(values, stream, initializer, shape);
}

/**
 * Reads an initializer from a Keras configuration: Keras 3's or Keras 2's object, or a name such as "he_normal"; one
 * that is read already passes. `null` is GlorotUniform, what Keras fills a weight with when nothing is said.
 *
 * @throws TypeError when `config` is none of these.
 */
export function initializerFromConfig(config: unknown): InitializerConfig {
  if (config === null) return { className: "GlorotUniform", config: { seed: null } };
  if (typeof config === "string") return fromNameAndArguments(config, {}, config);
  if (isKerasConfig(config)) {
    const { className, class_name: name, config: settings = {}, module, source } = config;
    if (typeof className === "string" && isKerasConfig(settings)) {
      return { className, config: settings, ...(source === undefined ? {} : { source }) };
    }
    if (typeof name === "string" && isKerasConfig(settings)) {
      // a class of another package may share no more than the name
      const isKeras = typeof module !== "string" || /^(tensorflow\.|tf_)?keras\b/.test(module);
      return isKeras
        ? fromNameAndArguments(name, settings, config)
        : { className: name, config: settings, source: config };
    }
  }
  throw new TypeError(
    "initializer: a configuration must be a name, null, or an object with `class_name` and `config`. " +
      `Received ${describe(config)}.`,
  );
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

function fromNameAndArguments(name: string, settings: Arguments, source: unknown): InitializerConfig {
  const className = CLASS_NAMES.get(name);
  if (className === undefined) return { className: name, config: settings, source };
  // Keras 2 also wrote the element type, which Keras 3 refuses
  const { dtype: _, ...config } = settings;
  return { className, config };
}

/** The filler of a named case of variance scaling. */
function scaled(scale: number, mode: FanMode, distribution: ScalingDistribution): Filler {
  return (values, stream, initializer, shape) =>
    fillWithVariance(values, stream, scaledVariance(scale, mode, fansOf(initializer, shape)), distribution);
}

/** The fans of a weight of `shape`: over the axes that the initializer names, where it names both kinds. */
function fansOf({ className, config }: InitializerConfig, shape: Shape): Fans {
  const { input_axes: inputAxes, output_axes: outputAxes } = config;
  if ((inputAxes ?? null) === null || (outputAxes ?? null) === null) return computeFans(shape);
  const productOver = (name: string, axes: unknown): number => {
    if (!Array.isArray(axes) || !axes.every((axis) => Number.isInteger(axis) && shape.at(axis) !== undefined)) {
      throw new RangeError(
        `${className}: \`${name}\` must be a list of axes of the shape ${formatShape(shape)}. ` +
          `Received ${name}=${describe(axes)}.`,
      );
    }
    return sizeOf(axes.map((axis: number) => shape.at(axis) ?? 1));
  };
  return { fanIn: productOver("input_axes", inputAxes), fanOut: productOver("output_axes", outputAxes) };
}

/** The argument `name` of `initializer`, or `fallback` where it is absent. */
function numberArgument({ className, config }: InitializerConfig, name: string, fallback: number): number {
  const value = config[name] ?? fallback;
  if (typeof value !== "number" || !Number.isFinite(value)) {
    throw new TypeError(`${className}: \`${name}\` must be a finite number. Received ${name}=${describe(value)}.`);
  }
  return value;
}

function scaleArgument(initializer: InitializerConfig): number {
  const scale = numberArgument(initializer, "scale", 1);
  if (scale <= 0) throw new RangeError(`VarianceScaling: \`scale\` must be above 0. Received scale=${scale}.`);
  return scale;
}

function modeArgument({ config }: InitializerConfig): FanMode {
  const mode = config["mode"] ?? "fan_in";
  if (mode === "fan_in" || mode === "fan_out" || mode === "fan_avg") return mode;
  throw new RangeError(
    `VarianceScaling: \`mode\` must be "fan_in", "fan_out" or "fan_avg". Received mode=${describe(mode)}.`,
  );
}

function distributionArgument({ config }: InitializerConfig): ScalingDistribution {
  const distribution = config["distribution"] ?? "truncated_normal";
  if (distribution === "normal") return "truncated_normal"; // Keras's older name for it
  if (distribution === "truncated_normal" || distribution === "untruncated_normal" || distribution === "uniform") {
    return distribution;
  }
  throw new RangeError(
    'VarianceScaling: `distribution` must be "truncated_normal", "untruncated_normal" or "uniform". ' +
      `Received distribution=${describe(distribution)}.`,
  );
}
