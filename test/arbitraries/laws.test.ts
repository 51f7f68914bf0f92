import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { randomStream } from "../../src/arithmetic/random.js";
import {
  averagePoolingGradientLaws,
  averagePoolingLaws,
  batchNormalizationGradientLaws,
  batchNormalizationLaws,
  type ConcatenateImplementation,
  concatenateLaws,
  convolutionGradientLaws,
  type ConvolutionImplementation,
  convolutionLaws,
  type CrossentropyImplementation,
  crossentropyLaws,
  denseGradientLaws,
  type DenseImplementation,
  denseLaws,
  depthwiseGradientLaws,
  type DepthwiseImplementation,
  depthwiseLaws,
  type DropoutImplementation,
  dropoutLaws,
  type Law,
  maxPoolingGradientLaws,
  maxPoolingLaws,
  type NormalizationImplementation,
  type PoolingImplementation,
  type ReLUImplementation,
  reluLaws,
  type SoftmaxImplementation,
  softmaxLaws,
} from "../../src/arbitraries/main.js";
import { averagePooling2DBackward, averagePooling2DForward } from "../../src/layers/average-pooling2d.js";
import {
  batchNormalizationBackward,
  batchNormalizationForward,
  batchStatistics,
} from "../../src/layers/batch-normalization.js";
import { concatenateBackward, concatenateForward } from "../../src/layers/concatenate.js";
import { conv2DBackward, conv2DForward } from "../../src/layers/conv2d.js";
import { denseBackward, denseForward } from "../../src/layers/dense.js";
import { depthwiseConv2DBackward, depthwiseConv2DForward } from "../../src/layers/depthwise-conv2d.js";
import { dropoutForward } from "../../src/layers/dropout.js";
import { maxPooling2DBackward, maxPooling2DForward } from "../../src/layers/max-pooling2d.js";
import { reluBackward, reluForward } from "../../src/layers/relu.js";
import { softmaxBackward, softmaxForward } from "../../src/layers/softmax.js";
import {
  categoricalCrossentropyBackward,
  categoricalCrossentropyForward,
} from "../../src/losses/categorical-crossentropy.js";
import { type Tensor, tensorOf, zeros } from "../../src/tensor/tensor.js";
import { mapped, permuted, plus } from "../support/tensors.js";

const convolution: ConvolutionImplementation = {
  forward: (x, kernel, bias, config) => conv2DForward(x, { kernel, bias }, config).y,
  backward: (dy, x, kernel, config) => conv2DBackward(dy, conv2DForward(x, { kernel }, config).cache),
};
const depthwise: DepthwiseImplementation = {
  forward: (x, kernel, bias, config) => depthwiseConv2DForward(x, { kernel, bias }, config).y,
  backward: (dy, x, kernel, config) => depthwiseConv2DBackward(dy, depthwiseConv2DForward(x, { kernel }, config).cache),
};
const dense: DenseImplementation = {
  forward: (x, kernel, bias) => denseForward(x, { kernel, bias }).y,
  backward: (dy, x, kernel) => denseBackward(dy, denseForward(x, { kernel }).cache),
};
const maxPooling: PoolingImplementation = {
  forward: (x, config) => maxPooling2DForward(x, config).y,
  backward: (dy, x, config) => maxPooling2DBackward(dy, maxPooling2DForward(x, config).cache),
};
const averagePooling: PoolingImplementation = {
  forward: (x, config) => averagePooling2DForward(x, config).y,
  backward: (dy, x, config) => averagePooling2DBackward(dy, averagePooling2DForward(x, config).cache),
};
const normalization: NormalizationImplementation = {
  forward: (x, weights, { epsilon }) =>
    batchNormalizationForward(x, weights, batchStatistics(x), { epsilon, ofBatch: true }).y,
  backward: (dy, x, weights, { epsilon }) =>
    batchNormalizationBackward(
      dy,
      batchNormalizationForward(x, weights, batchStatistics(x), { epsilon, ofBatch: true }).cache,
    ),
};
const softmax: SoftmaxImplementation = {
  forward: (x) => softmaxForward(x).y,
  backward: (dy, x) => softmaxBackward(dy, softmaxForward(x).cache),
};
const crossentropy: CrossentropyImplementation = {
  forward: (labels, logits) => categoricalCrossentropyForward(labels, logits, { fromLogits: true }).loss,
  backward: (labels, logits) =>
    categoricalCrossentropyBackward(categoricalCrossentropyForward(labels, logits, { fromLogits: true }).cache),
};
const relu: ReLUImplementation = {
  forward: (x) => reluForward(x).y,
  backward: (dy, x) => reluBackward(dy, reluForward(x).cache),
};
const concatenate: ConcatenateImplementation = {
  forward: (inputs, axis) => concatenateForward(inputs, axis).y,
  backward: (dy, inputs, axis) => concatenateBackward(dy, concatenateForward(inputs, axis).cache),
};
const dropout: DropoutImplementation = {
  forward(x, rate, seed) {
    const stream = randomStream(seed, "dropout");
    return dropoutForward(x, rate, (index) => stream.uniform(index)).y;
  },
};

/** Our layer keeps every law. */
function keeps<Implementation>(name: string, mine: Implementation, laws: readonly Law<Implementation>[]): void {
  for (const law of laws) it(`${name} ${law.name}`, () => law.check(mine, { numRuns: 25 }));
}

describe("our layers keep the laws:", () => {
  keeps("a convolution", convolution, [...convolutionLaws, ...convolutionGradientLaws]);
  keeps("a depthwise convolution", depthwise, [...depthwiseLaws, ...depthwiseGradientLaws]);
  keeps("a dense layer", dense, [...denseLaws, ...denseGradientLaws]);
  keeps("max pooling", maxPooling, [...maxPoolingLaws, ...maxPoolingGradientLaws]);
  keeps("average pooling", averagePooling, [...averagePoolingLaws, ...averagePoolingGradientLaws]);
  keeps("batch normalization", normalization, [...batchNormalizationLaws, ...batchNormalizationGradientLaws]);
  keeps("softmax", softmax, softmaxLaws());
  keeps("cross-entropy", crossentropy, crossentropyLaws());
  keeps("ReLU", relu, reluLaws);
  keeps("concatenation", concatenate, concatenateLaws);
  keeps("dropout", dropout, dropoutLaws);
});

/** A wrong layer breaks this law. */
function breaks<Implementation>(
  mistake: string,
  wrong: Implementation,
  laws: readonly Law<Implementation>[],
  name: RegExp,
): void {
  it(`${mistake} is caught: ${name.source}`, async () => {
    const law = laws.find((candidate) => name.test(candidate.name));
    assert.ok(law !== undefined, `no law is called ${name.source}`);
    await assert.rejects(law.check(wrong, { numRuns: 200, seed: 1 }), (error: Error) => {
      assert.match(error.message, /Property failed after/);
      // a law says so with a plain Error; anything else would be a mistake of this test
      assert.ok(error.cause instanceof Error && error.cause.name === "Error", String(error.cause));
      return true;
    });
  });
}

const times = (x: Tensor, factor: number): Tensor => mapped(x, (value) => value * factor);
const reversed = (x: Tensor, axis: number): Tensor =>
  permuted(
    x,
    axis,
    Array.from({ length: x.shape[axis] }, (_, i) => x.shape[axis] - 1 - i),
  );

describe("a wrong convolution:", () => {
  const forward: ConvolutionImplementation["forward"] = (...operands) => convolution.forward(...operands);
  const backward: ConvolutionImplementation["backward"] = (...operands) => convolution.backward(...operands);
  const wrong = (change: Partial<ConvolutionImplementation>): ConvolutionImplementation => ({
    ...convolution,
    ...change,
  });
  const saturating = wrong({
    forward: async (x, kernel, bias, config) =>
      mapped(await forward(x, kernel, bias, config), (value) => Math.min(value, 100)),
  });
  breaks("an output clipped at 100", saturating, convolutionLaws, /additive in the input/);
  breaks("an output clipped at 100", saturating, convolutionLaws, /additive in the kernel/);
  breaks(
    "a bias that is left out",
    wrong({ forward: (x, kernel, _, config) => forward(x, kernel, undefined, config) }),
    convolutionLaws,
    /adds the bias/,
  );
  breaks(
    "a batch of which only the first image is read",
    wrong({
      forward: (x, kernel, bias, config) =>
        forward(
          permuted(
            x,
            0,
            Array.from({ length: x.shape[0] }, () => 0),
          ),
          kernel,
          bias,
          config,
        ),
    }),
    convolutionLaws,
    /order of the input/,
  );
  breaks(
    "products rounded to multiples of 2^-12",
    wrong({
      forward: async (x, kernel, bias, config) =>
        mapped(await forward(x, kernel, bias, config), (value) => Math.round(value * 4096) / 4096),
    }),
    convolutionLaws,
    /powers of two/,
  );
  breaks(
    "filters that are sorted backwards for some kernels only",
    wrong({
      forward: (x, kernel, bias, config) =>
        kernel.get(0, 0, 0, 0) > 0 ? forward(x, reversed(kernel, 3), bias, config) : forward(x, kernel, bias, config),
    }),
    convolutionLaws,
    /order of the kernel/,
  );
  breaks(
    "a k loop that stops one channel short",
    wrong({
      forward: (x, kernel, bias, config) => {
        const short = mapped(kernel, (value) => value);
        for (let f = 0; f < kernel.shape[3]; f++) short.set(0, 0, kernel.shape[2] - 1, f, 0);
        return forward(x, short, bias, config);
      },
    }),
    convolutionLaws,
    /order of channels/,
  );
  breaks(
    "an output whose corner is zero",
    wrong({
      forward: async (x, kernel, bias, config) => {
        const y = await forward(x, kernel, bias, config);
        for (let n = 0; n < y.shape[0]; n++) y.set(n, 0, 0, 0, 0);
        return y;
      },
    }),
    convolutionLaws,
    /moves with the image/,
  );
  breaks(
    "a kernel that is flipped",
    wrong({ forward: (x, kernel, bias, config) => forward(x, reversed(kernel, 0), bias, config) }),
    convolutionLaws,
    /single 1/,
  );
  breaks(
    "groups that deal out their filters by turns",
    wrong({
      forward: async (x, kernel, bias, config) => {
        const ofGroup = kernel.shape[3] / config.groups;
        const places = Array.from({ length: kernel.shape[3] }, (_, f) => f);
        const dealt = places.map((f) => (f % ofGroup) * config.groups + Math.floor(f / ofGroup));
        const y = await forward(x, permuted(kernel, 3, dealt), bias, config);
        return permuted(
          y,
          3,
          places.map((f) => dealt.indexOf(f)),
        );
      },
    }),
    convolutionLaws,
    /single 1/,
  );
  breaks(
    "an input gradient without the flip",
    wrong({ backward: (dy, x, kernel, config) => backward(dy, x, reversed(kernel, 1), config) }),
    convolutionGradientLaws,
    /input gradient/,
  );
  breaks(
    "a kernel gradient of the mean",
    wrong({
      backward: async (dy, x, kernel, config) => {
        const gradients = await backward(dy, x, kernel, config);
        return { ...gradients, dKernel: times(gradients.dKernel, 1 / x.shape[0]) };
      },
    }),
    convolutionGradientLaws,
    /kernel gradient/,
  );
  breaks(
    "a bias gradient of the mean",
    wrong({
      backward: async (dy, x, kernel, config) => {
        const gradients = await backward(dy, x, kernel, config);
        return { ...gradients, dBias: times(gradients.dBias, 1 / x.shape[0]) };
      },
    }),
    convolutionGradientLaws,
    /bias gradient/,
  );
});

describe("a wrong depthwise convolution or dense layer:", () => {
  breaks(
    "channel and multiplier swapped in the output",
    {
      ...depthwise,
      forward: async (x, kernel, bias, config) => {
        const y = await depthwise.forward(x, kernel, bias, config);
        const [channels, multiplier] = [kernel.shape[2], kernel.shape[3]];
        const order = Array.from({ length: channels * multiplier }, (_, i) => {
          return (i % channels) * multiplier + Math.floor(i / channels);
        });
        return permuted(y, 3, order);
      },
    },
    depthwiseLaws,
    /single 1/,
  );
  breaks(
    "a dense layer that multiplies by the kernel's mirror image",
    { ...dense, forward: (x, kernel, bias) => dense.forward(x, reversed(kernel, 1), bias, undefined) },
    denseLaws,
    /identity/,
  );
  breaks(
    "a dense layer's input gradient by the mirror image",
    { ...dense, backward: (dy, x, kernel) => dense.backward(dy, x, reversed(kernel, 0), undefined) },
    denseGradientLaws,
    /input gradient/,
  );
});

describe("a wrong pooling:", () => {
  breaks(
    "the larger absolute value",
    { ...maxPooling, forward: (x, c) => maxPooling.forward(mapped(x, Math.abs), c) },
    maxPoolingLaws,
    /monotone/,
  );
  breaks(
    "a mean for a maximum",
    { ...maxPooling, forward: (x, c) => averagePooling.forward(x, c) },
    maxPoolingLaws,
    /numbers of the image/,
  );
  breaks(
    "the least for the greatest",
    { ...maxPooling, forward: async (x, c) => times(await maxPooling.forward(x, c), -1) },
    maxPoolingLaws,
    /repetition/,
  );
  /** Takes one pixel for each "same" window. */
  const sampling = (pooling: PoolingImplementation): PoolingImplementation => ({
    ...pooling,
    forward: (x, c) => pooling.forward(x, c.padding === "same" ? { ...c, poolSize: [1, 1] } : c),
  });
  breaks("a maximum of one pixel of the window", sampling(maxPooling), maxPoolingLaws, /single 1/);
  breaks("a mean of one pixel of the window", sampling(averagePooling), averagePoolingLaws, /single 1/);
  breaks(
    "a gradient that goes to every tied maximum",
    {
      ...maxPooling,
      backward: async (dy, x, c) =>
        plus(await maxPooling.backward(dy, x, c), times(await averagePooling.backward(dy, x, c), 0.5)),
    },
    maxPoolingGradientLaws,
    /all of dy/,
  );
  breaks(
    "a mean that counts the padding",
    {
      ...averagePooling,
      forward: (x, { poolSize, strides, padding }) => {
        const share = 1 / (poolSize[0] * poolSize[1]);
        const kernel = mapped(zeros([...poolSize, x.shape[3], 1], x), () => share);
        return depthwise.forward(x, kernel, undefined, { strides, padding, dilationRate: [1, 1] });
      },
    },
    averagePoolingLaws,
    /constant/,
  );
  breaks(
    "a maximum for a mean",
    { ...averagePooling, forward: (x, c) => maxPooling.forward(x, c) },
    averagePoolingLaws,
    /additive/,
  );
  breaks(
    "a gradient that is not shared",
    { ...averagePooling, backward: (dy, x, c) => maxPooling.backward(dy, x, c) },
    averagePoolingGradientLaws,
    /adjoint/,
  );
});

describe("a wrong batch normalization:", () => {
  const forward: NormalizationImplementation["forward"] = (...operands) => normalization.forward(...operands);
  const backward: NormalizationImplementation["backward"] = (...operands) => normalization.backward(...operands);
  breaks(
    "beta left out",
    { forward: (x, { gamma }, c) => forward(x, { ...(gamma && { gamma }) }, c) },
    batchNormalizationLaws,
    /mean beta/,
  );
  breaks(
    "gamma with the opposite sign",
    {
      forward: (x, { gamma, beta }, c) => {
        const [, , , channels] = x.shape;
        const ones = tensorOf(
          Array.from({ length: channels }, () => 1),
          [channels],
        );
        return forward(x, { ...(beta && { beta }), gamma: times(gamma ?? ones, -1) }, c);
      },
    },
    batchNormalizationLaws,
    /deviation/,
  );
  breaks(
    "Bessel's correction",
    {
      forward: (x, weights, { epsilon }) => {
        const { mean, variance } = batchStatistics(x);
        const rows = x.size / x.shape[3];
        const sample = { mean, variance: variance.map((value) => (value * rows) / (rows - 1)) };
        return batchNormalizationForward(x, weights, sample, { epsilon, ofBatch: true }).y;
      },
    },
    batchNormalizationLaws,
    /variance/,
  );
  breaks(
    "epsilon of 1e-5 for any",
    { forward: (x, weights) => forward(x, weights, { epsilon: 1e-5 }) },
    batchNormalizationLaws,
    /variance/,
  );
  breaks(
    "dx without its last two terms",
    {
      ...normalization,
      backward: async (dy, x, weights, { epsilon }) => {
        const { cache } = batchNormalizationForward(x, weights, batchStatistics(x), { epsilon, ofBatch: true });
        return batchNormalizationBackward(dy, { ...cache, ofBatch: false });
      },
    },
    batchNormalizationGradientLaws,
    /orthogonal/,
  );
  breaks(
    "an input gradient of zeros",
    {
      ...normalization,
      backward: async (dy, x, weights, config) => ({ ...(await backward(dy, x, weights, config)), dx: times(x, 0) }),
    },
    batchNormalizationGradientLaws,
    /part along xHat/,
  );
  breaks(
    "gamma's gradient with another epsilon",
    {
      ...normalization,
      backward: async (dy, x, weights, config) => ({
        ...(await backward(dy, x, weights, config)),
        dGamma: (await backward(dy, x, weights, { epsilon: 1 + config.epsilon })).dGamma,
      }),
    },
    batchNormalizationGradientLaws,
    /dy xHat/,
  );
});

describe("a wrong softmax, loss or ReLU:", () => {
  /** exp(x) / sum exp(x) as written, in float32. */
  const naive = (x: Tensor): Tensor => {
    const [rows, classes] = x.shape;
    const e = Float32Array.from(x.data, Math.exp);
    const sums = Array.from({ length: rows }, (_, n) =>
      e.subarray(n * classes, (n + 1) * classes).reduce((a, b) => a + b, 0),
    );
    return tensorOf(
      e.map((value, i) => value / sums[Math.floor(i / classes)]),
      x.shape,
    );
  };
  breaks("exponentials that overflow", { ...softmax, forward: naive }, softmaxLaws(), /constant is added/);
  breaks(
    "probabilities that are a thousandth too large",
    { ...softmax, forward: async (x) => mapped(await softmax.forward(x), (v) => v * 1.001) },
    softmaxLaws(),
    /sum to one/,
  );
  breaks("a gradient without the sum", { ...softmax, backward: (dy) => dy }, softmaxLaws(), /sum to zero/);
  breaks("powers of two", { ...softmax, forward: (x) => softmax.forward(times(x, Math.LN2)) }, softmaxLaws(), /e\^x/);
  breaks("a gradient of zeros", { ...softmax, backward: (_, x) => times(x, 0) }, softmaxLaws(), /y \(dy - sum y dy\)/);
  breaks(
    "a loss that is the sum over the batch",
    { ...crossentropy, forward: async (l, x) => (await crossentropy.forward(l, x)) * x.shape[0] },
    crossentropyLaws(),
    /log K/,
  );
  breaks(
    "a gradient of half the loss",
    { ...crossentropy, backward: async (l, x) => times(await crossentropy.backward(l, x), 0.5) },
    crossentropyLaws(),
    /log K/,
  );
  breaks(
    "log of the sum without the maximum",
    { ...crossentropy, forward: (labels, logits) => -Math.log(naive(logits).data[labels.data.indexOf(1)]) },
    crossentropyLaws(),
    /constant is added/,
  );
  breaks(
    "the sign of the loss",
    { ...crossentropy, forward: async (l, x) => -(await crossentropy.forward(l, x)) },
    crossentropyLaws(),
    /not negative/,
  );
  breaks(
    "labels left out of the gradient",
    { ...crossentropy, backward: (_, x) => naive(x) },
    crossentropyLaws(),
    /rows sum to zero/,
  );
  breaks(
    "the sign of the gradient",
    { ...crossentropy, backward: async (l, x) => times(await crossentropy.backward(l, x), -1) },
    crossentropyLaws(),
    /pulls the label/,
  );
  breaks("the identity", { ...relu, forward: (x) => x }, reluLaws, /never negative/);
  breaks(
    "one above the ReLU",
    { ...relu, forward: (x) => mapped(x, (v) => Math.max(v, 0) + (v > 0 ? 1 : 0)) },
    reluLaws,
    /idempotent/,
  );
  breaks("a ReLU6", { ...relu, forward: (x) => mapped(x, (v) => Math.min(Math.max(v, 0), 6)) }, reluLaws, /splits x/);
  breaks(
    "dy by the sign of dy",
    { ...relu, backward: (dy) => mapped(dy, (v) => Math.max(v, 0)) },
    reluLaws,
    /passes dy/,
  );
});

describe("a wrong concatenation or dropout:", () => {
  breaks(
    "the inputs in the opposite order",
    { ...concatenate, forward: (xs, axis) => concatenate.forward(xs.toReversed(), axis) },
    concatenateLaws,
    /back into/,
  );
  breaks(
    "gradients of zeros",
    { ...concatenate, backward: (_, inputs) => inputs.map((x) => zeros(x.shape, x)) },
    concatenateLaws,
    /splits dy/,
  );
  breaks(
    "no scaling",
    { forward: async (x, rate, seed) => mapped(await dropout.forward(x, rate, seed), (v) => v * (1 - rate)) },
    dropoutLaws,
    /gives nothing/,
  );
  breaks(
    "a smaller rate",
    { forward: (x, rate, seed) => dropout.forward(x, rate > 0.5 ? rate : 0.9 * rate, seed) },
    dropoutLaws,
    /share/,
  );
});

describe("a law", () => {
  it("is not broken by an implementation that is none", async () => {
    const [law] = reluLaws;
    for (const [implementation, received] of [
      [() => [], "function"],
      [{}, "another object"],
      [undefined, "nothing"],
    ] as const) {
      await assert.rejects(async () => Reflect.apply(Reflect.get(law, "check"), law, [implementation]), {
        name: "TypeError",
        message: `law "${law.name}": \`implementation\` must be an object with a function forward. Received ${received}.`,
      });
    }
  });
});
