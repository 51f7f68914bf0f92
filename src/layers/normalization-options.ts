/**
 * The options of BatchNormalization: checked, read from a Keras configuration, written to one, and turned into weights.
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
import { type LayerOptions, layerOptionsFromConfig } from "./layer.js";
import type { VariableSpec } from "./variable.js";

/** Options of BatchNormalization, with Keras's defaults. */
export interface BatchNormalizationOptions extends LayerOptions {
  /** The axis of the channels. @defaultValue -1 */
  readonly axis?: number;
  /** The share of the moving statistics that a step keeps. @defaultValue 0.99 */
  readonly momentum?: number;
  /** Added to the variance. @defaultValue 0.001 */
  readonly epsilon?: number;
  /** Whether there is a beta. @defaultValue true */
  readonly center?: boolean;
  /** Whether there is a gamma. @defaultValue true */
  readonly scale?: boolean;
  /** @defaultValue "zeros" */
  readonly betaInitializer?: InitializerConfig | string;
  /** @defaultValue "ones" */
  readonly gammaInitializer?: InitializerConfig | string;
  /** @defaultValue "zeros" */
  readonly movingMeanInitializer?: InitializerConfig | string;
  /** @defaultValue "ones" */
  readonly movingVarianceInitializer?: InitializerConfig | string;
  /** The penalty on beta. @defaultValue none */
  readonly betaRegularizer?: RegularizerOption | undefined;
  /** The penalty on gamma. @defaultValue none */
  readonly gammaRegularizer?: RegularizerOption | undefined;
}

/** The names of {@link BatchNormalizationOptions}, without those of all layers. */
export const NORMALIZATION_OPTIONS: readonly (keyof BatchNormalizationOptions)[] = [
  "axis",
  "momentum",
  "epsilon",
  "center",
  "scale",
  "betaInitializer",
  "gammaInitializer",
  "movingMeanInitializer",
  "movingVarianceInitializer",
  "betaRegularizer",
  "gammaRegularizer",
];

/** The names of the weights. */
type WeightName = "gamma" | "beta" | "moving_mean" | "moving_variance";

/** The same options, each with its value. */
export interface BatchNormalizationSettings {
  readonly axis: number;
  readonly momentum: number;
  readonly epsilon: number;
  readonly center: boolean;
  readonly scale: boolean;
  readonly initializers: Readonly<Record<WeightName, InitializerConfig>>;
  readonly betaRegularizer: Regularizer | undefined;
  readonly gammaRegularizer: Regularizer | undefined;
}

/**
 * `options` with the defaults put in.
 *
 * @throws TypeError when an option is of another type than {@link BatchNormalizationOptions} says.
 * @throws RangeError when epsilon is not positive, momentum is not within [0, 1], or a factor of a regularizer is negative
 *   or not finite.
 */
export function normalizationSettings(options: BatchNormalizationOptions): BatchNormalizationSettings {
  const read = readConfig("BatchNormalization", { ...options });
  const momentum = read.number("momentum", 0.99);
  const epsilon = read.number("epsilon", 1e-3);
  if (!(epsilon > 0)) {
    throw new RangeError(`BatchNormalization: \`epsilon\` must be above 0. Received epsilon=${epsilon}.`);
  }
  if (!(momentum >= 0 && momentum <= 1)) {
    throw new RangeError(`BatchNormalization: \`momentum\` must be between 0 and 1. Received momentum=${momentum}.`);
  }
  return {
    axis: read.integer("axis", Number.MIN_SAFE_INTEGER, -1),
    momentum,
    epsilon,
    center: read.boolean("center", true),
    scale: read.boolean("scale", true),
    initializers: {
      beta: initializerFromConfig(options.betaInitializer ?? "zeros"),
      gamma: initializerFromConfig(options.gammaInitializer ?? "ones"),
      moving_mean: initializerFromConfig(options.movingMeanInitializer ?? "zeros"),
      moving_variance: initializerFromConfig(options.movingVarianceInitializer ?? "ones"),
    },
    betaRegularizer: regularizerOf(options.betaRegularizer, "BatchNormalization: `betaRegularizer`"),
    gammaRegularizer: regularizerOf(options.gammaRegularizer, "BatchNormalization: `gammaRegularizer`"),
  };
}

/**
 * The options in a Keras configuration; Keras 2 writes the axis as a list of one.
 *
 * @throws TypeError when an argument is not as Keras writes it, or is one that this project does not implement.
 */
export function normalizationOptionsFromConfig(config: KerasConfig): BatchNormalizationOptions {
  const listed = config["axis"];
  const axis = Array.isArray(listed) && listed.length === 1 ? listed[0] : listed;
  const read = readConfig("BatchNormalization", { ...config, axis });
  for (const key of ["beta_constraint", "gamma_constraint"]) read.refuse(key);
  read.refuse("renorm", false);
  read.refuse("virtual_batch_size");
  return {
    ...layerOptionsFromConfig("BatchNormalization", config),
    axis: read.integer("axis", Number.MIN_SAFE_INTEGER, -1),
    momentum: read.number("momentum", 0.99),
    epsilon: read.number("epsilon", 1e-3),
    center: read.boolean("center", true),
    scale: read.boolean("scale", true),
    betaInitializer: initializerFromConfig(config["beta_initializer"] ?? "zeros"),
    gammaInitializer: initializerFromConfig(config["gamma_initializer"] ?? "ones"),
    movingMeanInitializer: initializerFromConfig(config["moving_mean_initializer"] ?? "zeros"),
    movingVarianceInitializer: initializerFromConfig(config["moving_variance_initializer"] ?? "ones"),
    betaRegularizer: regularizerFromConfig(config["beta_regularizer"], "BatchNormalization: `beta_regularizer`"),
    gammaRegularizer: regularizerFromConfig(config["gamma_regularizer"], "BatchNormalization: `gamma_regularizer`"),
  };
}

/** The weights, of `shape` each. */
export function normalizationVariables(settings: BatchNormalizationSettings, shape: Shape): readonly VariableSpec[] {
  const { center, scale, initializers, betaRegularizer, gammaRegularizer } = settings;
  const spec = (name: WeightName, regularizer?: Regularizer, trainable = true): VariableSpec => ({
    name,
    shape,
    initializer: initializers[name],
    regularizer,
    trainable,
  });
  return [
    ...(scale ? [spec("gamma", gammaRegularizer)] : []),
    ...(center ? [spec("beta", betaRegularizer)] : []),
    spec("moving_mean", undefined, false),
    spec("moving_variance", undefined, false),
  ];
}

/** The arguments of the layer as Keras's `get_config` gives them. */
export function normalizationArguments(settings: BatchNormalizationSettings): KerasConfig {
  const { axis, momentum, epsilon, center, scale, initializers } = settings;
  return {
    axis,
    momentum,
    epsilon,
    center,
    scale,
    beta_initializer: initializerToConfig(initializers.beta),
    gamma_initializer: initializerToConfig(initializers.gamma),
    moving_mean_initializer: initializerToConfig(initializers.moving_mean),
    moving_variance_initializer: initializerToConfig(initializers.moving_variance),
    beta_regularizer: regularizerToConfig(settings.betaRegularizer),
    gamma_regularizer: regularizerToConfig(settings.gammaRegularizer),
    beta_constraint: null,
    gamma_constraint: null,
    synchronized: false,
  };
}
