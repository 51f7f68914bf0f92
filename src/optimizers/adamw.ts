/**
 * AdamW (Loshchilov and Hutter 2019, https://arxiv.org/abs/1711.05101): Adam whose weight decay goes past the moments.
 * Keras: `keras.optimizers.AdamW(learning_rate=0.001, weight_decay=0.004, ...)`.
 *
 * Step:      w = w - weightDecay learningRate w, then the step of `adam.ts`
 *
 * An L2 regularizer instead puts the decay into the gradient, where the root of the velocity divides it away.
 *
 * @module
 */
import type { KerasConfig } from "../serialization/config.js";
import { expectOptions } from "../serialization/options.js";
import type { Tensor } from "../tensor/tensor.js";
import {
  Adam,
  ADAM_OPTIONS,
  type AdamClassOptions,
  type AdamOptions,
  adamOptionsFromConfig,
  type AdamState,
  adamStep,
} from "./adam.js";
import type { Step } from "./optimizer.js";

/** Keras's default decay. */
export const ADAMW_WEIGHT_DECAY = 0.004;

/**
 * One step of AdamW: Adam's options, with a weight decay of 0.004 where none is given.
 *
 * @throws TypeError, RangeError as {@link adamStep}.
 */
export function adamWStep(
  weight: Tensor,
  gradient: Tensor,
  state: AdamState,
  { weightDecay = ADAMW_WEIGHT_DECAY, ...options }: AdamOptions = {},
): Step<AdamState> {
  return adamStep(weight, gradient, state, { ...options, weightDecay });
}

/** AdamW as Keras has it, for all weights of a model: {@link Adam} with a weight decay of 0.004 where none is given. */
export class AdamW extends Adam {
  override readonly className = "AdamW";

  /** @throws TypeError, RangeError as {@link Adam}. */
  constructor(options: AdamClassOptions = {}) {
    expectOptions("AdamW", options, ADAM_OPTIONS);
    const { weightDecay = ADAMW_WEIGHT_DECAY, name = "adam_w" } = options;
    super({ ...options, weightDecay, name }, "AdamW");
  }

  /** Reads the optimizer from Keras's configuration. @throws TypeError, RangeError as {@link Adam.fromConfig}. */
  static override fromConfig(config: KerasConfig): AdamW {
    return new AdamW(adamOptionsFromConfig("AdamW", config));
  }
}
