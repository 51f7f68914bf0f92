/**
 * Laws of dense layers: x [N, K], kernel [K, U].
 *
 * @module
 */
import { denses } from "../denses.js";
import { expectSame, generated } from "./algebra.js";
import {
  bilinearGradientLaws,
  bilinearLaws,
  channelOrderLaw,
  type KernelForward,
  type KernelImplementation,
  outputOrderLaw,
} from "./bilinear.js";
import { type Law, lawOf } from "./law.js";

const withoutConfig = <Case extends object>(example: Case): Case & { readonly config: undefined } => ({
  ...example,
  config: undefined,
});
const whole = denses({ regime: "integers" }).map(withoutConfig);
const ordinary = denses().map(withoutConfig);

/** A dense layer. There is nothing to configure. */
export type DenseImplementation = KernelImplementation<undefined>;

/** Laws of a dense layer's forward pass. */
export const denseLaws: readonly Law<KernelForward<undefined>>[] = [
  ...bilinearLaws(whole, ordinary),
  outputOrderLaw(whole),
  channelOrderLaw(whole, 0),
  lawOf("leaves the input as it is under an identity kernel", ordinary, async (mine, { x }) => {
    const [, inputs] = x.shape;
    const identity = generated([inputs, inputs], x, (i, j) => (i === j ? 1 : 0));
    expectSame("y", await mine.forward(x, identity, undefined, undefined), x);
  }),
];

/** Laws of a dense layer's gradients. */
export const denseGradientLaws: readonly Law<DenseImplementation>[] = bilinearGradientLaws(whole);
