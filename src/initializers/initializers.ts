/**
 * Keras's initializers by name, as plain configurations for the layers' `kernelInitializer` and its like.
 *
 * @module
 */
import { expectOptions } from "../serialization/options.js";
import type { InitializerConfig } from "./initializer.js";
import type { FanMode, ScalingDistribution } from "./variance-scaling.js";

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
  expectOptions("varianceScaling", options, ["scale", "mode", "distribution"]);
  const { scale = 1, mode = "fan_in", distribution = "truncated_normal" } = options;
  return { className: "VarianceScaling", config: { seed: null, scale, mode, distribution } };
}

/** {@link varianceScaling} with scale 1, "fan_avg", "uniform": what Keras's layers use where nothing is said. */
export function glorotUniform(): InitializerConfig {
  return { className: "GlorotUniform", config: { seed: null } };
}

/** {@link varianceScaling} with scale 1, "fan_avg", "truncated_normal". */
export function glorotNormal(): InitializerConfig {
  return { className: "GlorotNormal", config: { seed: null } };
}

/** {@link varianceScaling} with scale 2, "fan_in", "uniform". */
export function heUniform(): InitializerConfig {
  return { className: "HeUniform", config: { seed: null } };
}

/** {@link varianceScaling} with scale 2, "fan_in", "truncated_normal": for layers that a ReLU follows. */
export function heNormal(): InitializerConfig {
  return { className: "HeNormal", config: { seed: null } };
}

/** {@link varianceScaling} with scale 1, "fan_in", "uniform". */
export function lecunUniform(): InitializerConfig {
  return { className: "LecunUniform", config: { seed: null } };
}

/** {@link varianceScaling} with scale 1, "fan_in", "truncated_normal". */
export function lecunNormal(): InitializerConfig {
  return { className: "LecunNormal", config: { seed: null } };
}
