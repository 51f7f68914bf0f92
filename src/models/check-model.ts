/**
 * Arguments that must be models, or say how they run.
 *
 * @module
 */
import type { Execution } from "../kernels/execution.js";
import { describe, kindOf } from "../serialization/config.js";
import { Model } from "./model.js";

/** @throws TypeError when the argument `model` of the function `caller` is none. */
export function checkModel(caller: string, model: Model): void {
  if (model instanceof Model) return;
  throw new TypeError(`${caller}: \`model\` must be a Model or a Sequential. Received ${kindOf(model)}.`);
}

/** @throws TypeError when the option `execution` of the function `caller` is none: options of one would do nothing. */
export function checkExecution(caller: string, execution: Execution | undefined): void {
  if (execution === undefined || typeof execution?.kernel === "string") return;
  throw new TypeError(
    `${caller}: \`execution\` must be what \`createExecution\` gives. Received ${describe(execution)}.`,
  );
}
