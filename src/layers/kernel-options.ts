/**
 * The options that all layers with a kernel share (Conv2D, DepthwiseConv2D, Dense): activation, bias, and how kernel and
 * bias are filled and penalized. Read from a Keras configuration, written to one, and turned into weights.
 *
 * @module
 */
import { type InitializerConfig, initializerFromConfig, initializerToConfig } from "../initializers/initializer.js";
import {
  type Regularizer,
  regularizerFromConfig,
  regularizerOf,
  type RegularizerOption,
  regularizerToConfig,
} from "../regularizers/regularizer.js";
import { type KerasConfig, readConfig } from "../serialization/config.js";
import type { Shape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { type ActivationName, activationFromConfig } from "./activation.js";
import { type LayerOptions, layerOptionsFromConfig, type WeightValues } from "./layer.js";
import type { VariableSpec } from "./variable.js";

/** Options of every layer with a kernel, with Keras's defaults. */
export interface KernelOptions extends LayerOptions {
  /** Applied to the output. @defaultValue "linear" */
  readonly activation?: ActivationName | undefined;
  /** Whether there is a bias. @defaultValue true */
  readonly useBias?: boolean;
  /** How the kernel is first filled. @defaultValue "glorot_uniform" */
  readonly kernelInitializer?: InitializerConfig | string;
  /** How the bias is first filled. @defaultValue "zeros" */
  readonly biasInitializer?: InitializerConfig | string;
  /** The penalty on the kernel. @defaultValue none */
  readonly kernelRegularizer?: RegularizerOption | undefined;
  /** The penalty on the bias. @defaultValue none */
  readonly biasRegularizer?: RegularizerOption | undefined;
}

/** The names of {@link KernelOptions}, without those of all layers. */
export const KERNEL_OPTIONS: readonly (keyof KernelOptions)[] = [
  "activation",
  "useBias",
  "kernelInitializer",
  "biasInitializer",
  "kernelRegularizer",
  "biasRegularizer",
];

/** The same options, each with its value. */
export interface KernelSettings {
  readonly activation: ActivationName;
  readonly useBias: boolean;
  readonly kernelInitializer: InitializerConfig;
  readonly biasInitializer: InitializerConfig;
  readonly kernelRegularizer: Regularizer | undefined;
  readonly biasRegularizer: Regularizer | undefined;
}

/** Keras's prefix of the kernel's arguments: that of DepthwiseConv2D is `depthwise_initializer` and so on. */
type KernelPrefix = "kernel" | "depthwise";

/**
 * `options` with the defaults put in.
 *
 * @throws TypeError when there is no such activation, initializer or regularizer, or `useBias` is no truth value; the
 *   message begins with the class.
 * @throws RangeError when a factor of a regularizer is negative or not finite.
 */
export function kernelSettings(
  className: string,
  options: KernelOptions,
  prefix: KernelPrefix = "kernel",
): KernelSettings {
  return {
    activation: activationFromConfig(options.activation ?? null, `${className}: \`activation\``),
    useBias: readConfig(className, { ...options }).boolean("useBias", true),
    kernelInitializer: initializerFromConfig(options.kernelInitializer ?? "glorot_uniform"),
    biasInitializer: initializerFromConfig(options.biasInitializer ?? "zeros"),
    kernelRegularizer: regularizerOf(options.kernelRegularizer, `${className}: \`${prefix}Regularizer\``),
    biasRegularizer: regularizerOf(options.biasRegularizer, `${className}: \`biasRegularizer\``),
  };
}

/**
 * The shared options, and those of all layers, from a Keras configuration.
 *
 * @throws TypeError when an argument is not as Keras writes it, or is one that this project does not implement.
 */
export function kernelOptionsFromConfig(
  className: string,
  config: KerasConfig,
  prefix: KernelPrefix = "kernel",
): KernelOptions {
  const read = readConfig(className, config);
  for (const key of ["activity_regularizer", `${prefix}_constraint`, "bias_constraint"]) read.refuse(key);
  const regularizer = (key: string): Regularizer | undefined =>
    regularizerFromConfig(config[key], `${className}: \`${key}\``);
  return {
    ...layerOptionsFromConfig(className, config),
    activation: activationFromConfig(config["activation"] ?? null, `${className}: \`activation\``),
    useBias: read.boolean("use_bias", true),
    kernelInitializer: initializerFromConfig(config[`${prefix}_initializer`] ?? "glorot_uniform"),
    biasInitializer: initializerFromConfig(config["bias_initializer"] ?? "zeros"),
    kernelRegularizer: regularizer(`${prefix}_regularizer`),
    biasRegularizer: regularizer("bias_regularizer"),
  };
}

/** The shared options as Keras's `get_config` gives them. */
export function kernelArguments(settings: KernelSettings, prefix: KernelPrefix = "kernel"): KerasConfig {
  return {
    activation: settings.activation,
    use_bias: settings.useBias,
    [`${prefix}_initializer`]: initializerToConfig(settings.kernelInitializer),
    bias_initializer: initializerToConfig(settings.biasInitializer),
    [`${prefix}_regularizer`]: regularizerToConfig(settings.kernelRegularizer),
    bias_regularizer: regularizerToConfig(settings.biasRegularizer),
    activity_regularizer: null,
    [`${prefix}_constraint`]: null,
    bias_constraint: null,
  };
}

/** The weights: a kernel of `shape`, and one bias for every one of `outputs`, if there is a bias. */
export function kernelVariables(settings: KernelSettings, shape: Shape, outputs: number): readonly VariableSpec[] {
  const kernel: VariableSpec = {
    name: "kernel",
    shape,
    initializer: settings.kernelInitializer,
    regularizer: settings.kernelRegularizer,
  };
  const bias: VariableSpec = {
    name: "bias",
    shape: [outputs],
    initializer: settings.biasInitializer,
    regularizer: settings.biasRegularizer,
  };
  return settings.useBias ? [kernel, bias] : [kernel];
}

/** The gradients by weight name; that of the bias only where there is one. */
export function kernelGradients({ useBias }: KernelSettings, dKernel: Tensor, dBias: Tensor): WeightValues {
  return useBias ? { kernel: dKernel, bias: dBias } : { kernel: dKernel };
}
