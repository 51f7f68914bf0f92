/**
 * Optimizers as Keras's files hold them: `{ module, class_name, config, registered_name }`.
 *
 * @module
 */
import { describe, isKerasConfig, type KerasConfig } from "../serialization/config.js";
import { Adam } from "./adam.js";
import { AdamW } from "./adamw.js";
import { checkOptimizer, type Optimizer } from "./optimizer.js";
import { SGD } from "./sgd.js";

const OPTIMIZERS: Readonly<Record<Optimizer["className"], (config: KerasConfig) => Optimizer>> = {
  Adam: (config) => Adam.fromConfig(config),
  AdamW: (config) => AdamW.fromConfig(config),
  SGD: (config) => SGD.fromConfig(config),
};

function isOptimizerName(name: unknown): name is Optimizer["className"] {
  return typeof name === "string" && Object.hasOwn(OPTIMIZERS, name);
}

/**
 * The optimizer of a serialized `{ class_name, config }`, without any state.
 *
 * @throws RangeError when there is no such optimizer here; TypeError when an argument asks for what is not implemented.
 */
export function optimizerFromConfig(serialized: unknown): Optimizer {
  const { class_name: className, config } = isKerasConfig(serialized) ? serialized : {};
  if (!isOptimizerName(className) || !isKerasConfig(config)) {
    throw new RangeError(
      `optimizer: must be one of ${Object.keys(OPTIMIZERS).join(", ")} with its config. Received ${describe(serialized)}.`,
    );
  }
  return OPTIMIZERS[className](config);
}

/** `optimizer` as Keras's files hold it. @throws TypeError when it is none. */
export function serializeOptimizer(optimizer: Optimizer): KerasConfig {
  checkOptimizer("serializeOptimizer", optimizer);
  return {
    module: "keras.optimizers",
    class_name: optimizer.className,
    config: optimizer.getConfig(),
    registered_name: null,
  };
}
