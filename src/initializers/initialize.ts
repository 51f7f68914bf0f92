/**
 * From an initializer and a shape to the first values of a weight.
 *
 * The distributions and their arguments are Keras's; the random numbers are our own (`arithmetic/random.ts`), so that
 * every element has its number whatever the order of the work. Values are computed in double precision and rounded once.
 *
 * @module
 */
import type { RandomStream } from "../arithmetic/random.js";
import { type DType, type FloatArray, floatArray } from "../tensor/dtype.js";
import { formatShape, type Shape, sizeOf } from "../tensor/shape.js";
import type { InitializerConfig } from "./initializer.js";

/** Standard deviation of a standard normal number among those from -2 to 2, with the digits that Keras uses. */
const TRUNCATED_DEVIATION = 0.87962566103423978;

/** How many inputs each output of a weight depends on, and how many outputs each input feeds. */
export interface Fans {
  readonly fanIn: number;
  readonly fanOut: number;
}

/**
 * The fans of a weight of `shape`, as Keras counts them: the last two dimensions are inputs and outputs, the ones before
 * (a kernel's window) multiply both. A vector has its length for both, a scalar 1.
 */
export function computeFans(shape: Shape): Fans {
  if (shape.length === 0) return { fanIn: 1, fanOut: 1 };
  if (shape.length === 1) return { fanIn: shape[0], fanOut: shape[0] };
  const window = sizeOf(shape.slice(0, -2));
  return { fanIn: window * shape[shape.length - 2], fanOut: window * shape[shape.length - 1] };
}

/** The fans of a weight of `shape`: over the axes that the initializer names, where it names both kinds. */
function fansOf({ className, config }: InitializerConfig, shape: Shape): Fans {
  const { input_axes: inputAxes, output_axes: outputAxes } = config;
  if ((inputAxes ?? null) === null || (outputAxes ?? null) === null) return computeFans(shape);
  const productOver = (name: string, axes: unknown): number => {
    if (!Array.isArray(axes) || !axes.every((axis) => Number.isInteger(axis) && shape.at(axis) !== undefined)) {
      throw new RangeError(
        `${className}: \`${name}\` must be a list of axes of the shape ${formatShape(shape)}. ` +
          `Received ${name}=${JSON.stringify(axes)}.`,
      );
    }
    return axes.reduce((product: number, axis: number) => product * (shape.at(axis) ?? 1), 1);
  };
  return { fanIn: productOver("input_axes", inputAxes), fanOut: productOver("output_axes", outputAxes) };
}

/** The named cases of variance scaling: scale, mode, distribution. */
const NAMED_SCALINGS: ReadonlyMap<string, readonly [scale: number, mode: string, distribution: string]> = new Map([
  ["GlorotUniform", [1, "fan_avg", "uniform"]],
  ["GlorotNormal", [1, "fan_avg", "truncated_normal"]],
  ["HeUniform", [2, "fan_in", "uniform"]],
  ["HeNormal", [2, "fan_in", "truncated_normal"]],
  ["LecunUniform", [1, "fan_in", "uniform"]],
  ["LecunNormal", [1, "fan_in", "truncated_normal"]],
]);

/**
 * The first values of a weight of `shape`, row-major; element i takes number i of `stream`.
 *
 * @throws RangeError when the class of `initializer` is not known, or an argument of it has a wrong value.
 * @throws TypeError when an argument of it has a wrong type.
 */
export function initialize(
  initializer: InitializerConfig,
  shape: Shape,
  dtype: DType,
  stream: RandomStream,
): FloatArray {
  const values = floatArray(dtype, sizeOf(shape));
  const { className } = initializer;
  switch (initializer.source === undefined ? className : "") {
    case "Zeros":
      return values;
    case "Ones":
      return values.fill(1);
    case "Constant":
      return values.fill(numberArgument(initializer, "value", 0));
    case "RandomUniform": {
      const minval = numberArgument(initializer, "minval", -0.05);
      return stream.fillUniform(values, minval, numberArgument(initializer, "maxval", 0.05));
    }
    case "RandomNormal": {
      const mean = numberArgument(initializer, "mean", 0);
      return stream.fillNormal(values, mean, numberArgument(initializer, "stddev", 0.05));
    }
    case "TruncatedNormal": {
      const mean = numberArgument(initializer, "mean", 0);
      return stream.fillTruncatedNormal(values, mean, numberArgument(initializer, "stddev", 0.05));
    }
    case "VarianceScaling": {
      const scale = numberArgument(initializer, "scale", 1);
      const mode = initializer.config["mode"] ?? "fan_in";
      const distribution = initializer.config["distribution"] ?? "truncated_normal";
      return fillScaled(values, stream, scaledFan(initializer, shape, scale, mode), distribution);
    }
    default: {
      const scaling = NAMED_SCALINGS.get(className);
      if (scaling === undefined || initializer.source !== undefined) {
        throw new RangeError(
          "initialize: the initializer must be one of Zeros, Ones, Constant, RandomUniform, RandomNormal, " +
            `TruncatedNormal, VarianceScaling, ${[...NAMED_SCALINGS.keys()].join(", ")}. Received "${className}".`,
        );
      }
      const [scale, mode, distribution] = scaling;
      return fillScaled(values, stream, scaledFan(initializer, shape, scale, mode), distribution);
    }
  }
}

/** The variance that variance scaling aims at: scale / max(1, n). */
function scaledFan(initializer: InitializerConfig, shape: Shape, scale: number, mode: unknown): number {
  if (!(scale > 0)) {
    throw new RangeError(`${initializer.className}: \`scale\` must be above 0. Received scale=${scale}.`);
  }
  const { fanIn, fanOut } = fansOf(initializer, shape);
  switch (mode) {
    case "fan_in":
      return scale / Math.max(1, fanIn);
    case "fan_out":
      return scale / Math.max(1, fanOut);
    case "fan_avg":
      return scale / Math.max(1, (fanIn + fanOut) / 2);
    default:
      throw new RangeError(
        `${initializer.className}: \`mode\` must be "fan_in", "fan_out" or "fan_avg". Received mode=${JSON.stringify(mode)}.`,
      );
  }
}

function fillScaled(values: FloatArray, stream: RandomStream, variance: number, distribution: unknown): FloatArray {
  switch (distribution) {
    case "truncated_normal":
    case "normal": // Keras's older name for it
      return stream.fillTruncatedNormal(values, 0, Math.sqrt(variance) / TRUNCATED_DEVIATION);
    case "untruncated_normal":
      return stream.fillNormal(values, 0, Math.sqrt(variance));
    case "uniform": {
      const limit = Math.sqrt(3 * variance);
      return stream.fillUniform(values, -limit, limit);
    }
    default:
      throw new RangeError(
        'VarianceScaling: `distribution` must be "truncated_normal", "untruncated_normal" or "uniform". ' +
          `Received distribution=${JSON.stringify(distribution)}.`,
      );
  }
}

/** The argument `name` of `initializer`, or `fallback` where it is absent. */
function numberArgument(initializer: InitializerConfig, name: string, fallback: number): number {
  const value = initializer.config[name] ?? fallback;
  if (typeof value !== "number") {
    throw new TypeError(
      `${initializer.className}: \`${name}\` must be a number. Received ${name}=${JSON.stringify(value)}.`,
    );
  }
  return value;
}
