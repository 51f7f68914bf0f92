/**
 * `touchstone/arbitraries`: random tensors, layers and networks for fast-check, and laws that right layers keep.
 *
 * Needs fast-check (version 4) next to it. A property of your own:
 *
 *     import assert from "node:assert/strict";
 *     import fc from "fast-check";
 *     import { conv2DForward } from "touchstone";
 *     import { convolutions } from "touchstone/arbitraries";
 *
 *     fc.assert(
 *       fc.property(convolutions({ regime: "integers" }), ({ x, kernel, bias, config }) => {
 *         const { y } = conv2DForward(x, { kernel, bias }, config);
 *         assert.deepEqual(myConvolution(x, kernel, bias, config), y.data);
 *       }),
 *     );
 *
 * Where it fails, fast-check prints the smallest case that still does, as code: first every size that can shrink has shrunk,
 * then every value. A convolution that pads a "same" window on the wrong side ends as one pixel under a kernel of two taps:
 *
 *     { config: { strides: [1, 1], padding: "same", dilationRate: [1, 1], groups: 1 },
 *       x: tensorOf([1], [1, 1, 1, 1], "float32"), kernel: tensorOf([1,0], [2, 1, 1, 1], "float32"), ... }
 *
 * Laws need nothing to compare with:
 *
 *     for (const law of convolutionLaws) it(law.name, () => law.check({ forward: myConvolution }));
 *
 * @module
 */
export {
  type BatchNormalizationArbitraryOptions,
  type BatchNormalizationCase,
  batchNormalizations,
} from "./batch-normalizations.js";
export { type ConvolutionCase, type ConvolutionOptions, convolutions } from "./convolutions.js";
export { type DenseArbitraryOptions, type DenseCase, denses } from "./denses.js";
export {
  type DepthwiseConvolutionCase,
  type DepthwiseConvolutionOptions,
  depthwiseConvolutions,
} from "./depthwise-convolutions.js";
export { type GraphOptions, graphs } from "./graphs.js";
export type { ModelCase } from "./model-cases.js";
export { type PoolingCase, type PoolingOptions, poolings } from "./poolings.js";
export { type Regime, REGIMES, type RegimeName } from "./regimes.js";
export { type ResidualNetworkOptions, residualNetworks } from "./residual-networks.js";
export { type TensorOptions, tensors } from "./tensors.js";
export type { DistinctOptions } from "./cases.js";
export type { WindowOptions } from "./window-cases.js";

export {
  batchNormalizationGradientLaws,
  batchNormalizationLaws,
  type NormalizationForward,
  type NormalizationImplementation,
  type NormalizationWeights,
} from "./laws/batch-normalization.js";
export type { KernelForward, KernelImplementation } from "./laws/bilinear.js";
export {
  convolutionGradientLaws,
  type ConvolutionImplementation,
  convolutionLaws,
  depthwiseGradientLaws,
  type DepthwiseImplementation,
  depthwiseLaws,
} from "./laws/convolution.js";
export { denseGradientLaws, type DenseImplementation, denseLaws } from "./laws/dense.js";
export {
  type ConcatenateImplementation,
  concatenateLaws,
  type DropoutImplementation,
  dropoutLaws,
  type ReLUImplementation,
  reluLaws,
} from "./laws/elementwise.js";
export type { Awaitable, Law, LawParameters } from "./laws/law.js";
export {
  averagePoolingGradientLaws,
  averagePoolingLaws,
  maxPoolingGradientLaws,
  maxPoolingLaws,
  type PoolingForward,
  type PoolingImplementation,
} from "./laws/pooling.js";
export {
  type CrossentropyImplementation,
  crossentropyLaws,
  type SoftmaxImplementation,
  softmaxLaws,
} from "./laws/softmax.js";
