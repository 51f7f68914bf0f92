/**
 * A model widened to float64: for truth, and for differences that stand for gradients.
 *
 * @module
 */
import { cast } from "../tensor/tensor.js";
import { modelFromConfig } from "./from-config.js";
import { serializeLayer } from "./graph-config.js";
import type { Model } from "./model.js";

/** The same model in float64, with weights of its own. */
export function inFloat64(model: Model): Model {
  const wide = modelFromConfig(serializeLayer(model), { dtype: "float64" });
  const weights = model.weightsByPath();
  for (const [path, weight] of wide.weightsByPath()) {
    const value = weights.get(path)?.value;
    if (value !== undefined) weight.assign(cast(value, "float64"));
  }
  return wide;
}
