/**
 * Layers as models use them: applied to symbolic tensors, called, written to a configuration and read again.
 *
 * @module
 */
import assert from "node:assert/strict";
import { input } from "../../src/layers/input-layer.js";
import { type CallContext, inference, type Layer, type LayerPass } from "../../src/layers/layer.js";
import { layerFromConfig } from "../../src/layers/registry.js";
import type { KerasConfig } from "../../src/serialization/config.js";
import { dtypeOf, type Tensor } from "../../src/tensor/tensor.js";
import { assertSameBits } from "./tensors.js";

/**
 * Applies `layer` to symbolic tensors with the shapes of `inputs` (batch open), gives its weights the values in
 * `weights`, and calls it. The output has the shape that the layer had inferred.
 */
export function callLayer(
  layer: Layer,
  inputs: readonly Tensor[],
  weights: Readonly<Record<string, Tensor>> = {},
  context: Partial<CallContext> = {},
): LayerPass {
  const symbolic = inputs.map((x) => input({ shape: x.shape.slice(1), dtype: dtypeOf(x) }));
  const output = layer.apply(symbolic);
  assert.deepEqual(layer.weights.map((weight) => weight.name).toSorted(), Object.keys(weights).toSorted());
  for (const weight of layer.weights) weight.assign(weights[weight.name]);
  const pass = layer.call(inputs, { ...inference, ...context });
  assert.deepEqual([null, ...pass.y.shape.slice(1)], output.shape, `output shape of ${layer.className}`);
  return pass;
}

/** Asserts that backward of `pass` gives these gradients, to the bit, and no others. */
export function assertGradients(
  pass: LayerPass,
  dy: Tensor,
  dInputs: readonly Tensor[],
  dWeights: Readonly<Record<string, Tensor>> = {},
): void {
  const gradients = pass.backward(dy);
  assert.equal(gradients.dInputs.length, dInputs.length);
  gradients.dInputs.forEach((dx, i) => {
    assertSameBits(dx, dInputs[i], `dInputs[${i}]`);
  });
  assert.deepEqual(Object.keys(gradients.dWeights).toSorted(), Object.keys(dWeights).toSorted());
  for (const [name, gradient] of Object.entries(gradients.dWeights)) assertSameBits(gradient, dWeights[name], name);
}

/** What a JSON file would keep of `config`. */
function throughJson(config: KerasConfig): KerasConfig {
  return JSON.parse(JSON.stringify(config));
}

/** Asserts that a layer read from its own configuration has that configuration; returns it, as JSON keeps it. */
export function assertRoundTrip(layer: Layer): KerasConfig {
  const config = throughJson(layer.getConfig());
  const again = layerFromConfig(layer.className, config);
  assert.equal(again.className, layer.className);
  assert.deepEqual(throughJson(again.getConfig()), config);
  return config;
}
