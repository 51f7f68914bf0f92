/**
 * Problems without a window: products of matrices, normalization, element-wise functions, losses, steps of optimizers.
 *
 * @module
 */
import type { KerasConfig } from "../../serialization/config.js";
import type { Draw } from "../draw.js";
import { isKnown, knownClasses, knownImage, knownProduct } from "./known-sizes.js";
import type { Geometry, Part, Problem } from "./problem.js";

const DY: Part = { name: "dy", shape: "like y" };

/** A tensor of rank 2 to 4 with different dimensions, the last of at least `leastLast`. */
function sampleShape(draw: Draw, leastLast = 1): Geometry["sizes"] {
  const rank = draw.integer(2, 4);
  const dimensions = draw.distinct([leastLast, 9], [1, 6], [1, 6], [1, 6]);
  return Object.fromEntries(dimensions.slice(0, rank).map((size, i) => [`dimension${rank - 1 - i}`, size]));
}

function shapeOf(sizes: Geometry["sizes"]): readonly number[] {
  return [0, 1, 2, 3].map((axis) => sizes[`dimension${axis}`]).filter((size) => size !== undefined);
}

function elements(sizes: Geometry["sizes"]): number {
  return shapeOf(sizes).reduce((product, size) => product * size, 1);
}

/** A function of every element of `x`, with the arguments that `sampleArgs` draws. */
export function elementwiseProblem(sampleArgs: (draw: Draw) => Geometry["choices"] = () => ({})): Problem {
  return {
    sample: (draw) => ({ sizes: sampleShape(draw), choices: sampleArgs(draw) }),
    args: ({ choices }) => choices,
    terms: ({ sizes }) => elements(sizes),
    parts: ({ sizes }, backward) => [{ name: "x", shape: shapeOf(sizes) }, ...(backward ? [DY] : [])],
  };
}

/** `relu`: plain most of the time. */
export const RELU: Problem = elementwiseProblem((draw) =>
  draw.choice([{}, {}, { maxValue: 6 }, { negativeSlope: 0.2 }, { threshold: 0.5 }]),
);

/** `leaky-relu`. */
export const LEAKY_RELU: Problem = elementwiseProblem((draw) =>
  draw.choice([{ negativeSlope: 0.3 }, { negativeSlope: 0.2 }]),
);

/** `rescaling`. */
export const RESCALING: Problem = elementwiseProblem((draw) =>
  draw.choice([
    { scale: 1 / 255, offset: 0 },
    { scale: 1 / 127.5, offset: -1 },
    { scale: -2, offset: 0.3 },
  ]),
);

/** `softmax`, over the last axis most of the time. */
export const SOFTMAX: Problem = {
  ...elementwiseProblem(),
  sample(draw) {
    const { rows, classes } = knownClasses(draw);
    const sizes = isKnown(draw) ? { dimension0: rows, dimension1: classes } : sampleShape(draw, 2);
    return { sizes, choices: { axis: draw.choice([-1, -1, 1]) } };
  },
};

/** `flatten`: the first axis is the batch. */
export const FLATTEN: Problem = elementwiseProblem();

/** `reshape`: the elements of an example in another order of the same dimensions. */
export const RESHAPE: Problem = {
  ...elementwiseProblem(),
  args: ({ sizes }) => ({ targetShape: shapeOf(sizes).slice(1).toReversed() }),
};

/** `add`: tensors of one shape, two or three. */
export const ADD: Problem = {
  sample: (draw) => ({ sizes: { ...sampleShape(draw), inputs: draw.integer(2, 3) }, choices: {} }),
  args: () => ({}),
  terms: ({ sizes }) => sizes["inputs"],
  parts: ({ sizes }, backward) => [...list(sizes["inputs"], () => shapeOf(sizes)), ...(backward ? [DY] : [])],
};

/** `concatenate`: tensors that differ in one axis. */
export const CONCATENATE: Problem = {
  sample(draw) {
    const sizes = sampleShape(draw);
    const rank = shapeOf(sizes).length;
    const [axis, other] = draw.choice([
      [-1, rank - 1],
      [1, 1],
    ] as const);
    return { sizes: { ...sizes, inputs: draw.integer(2, 3) }, choices: { axis, other } };
  },
  args: ({ choices }) => ({ axis: choices["axis"] }),
  terms: () => 1,
  parts: ({ sizes, choices }, backward) => [
    ...list(sizes["inputs"], (i) => shapeOf(sizes).map((size, axis) => (axis === choices["other"] ? size + i : size))),
    ...(backward ? [DY] : []),
  ],
};

function list(count: number, shape: (i: number) => readonly number[]): readonly Part[] {
  return Array.from({ length: count }, (_, i) => ({ name: `x${i}`, shape: shape(i) }));
}

/** `dense`. */
export const DENSE: Problem = {
  sample(draw) {
    const [rows, inputs, units] = isKnown(draw) ? knownProduct(draw) : draw.distinct([1, 16], [1, 40], [1, 16]);
    return {
      sizes: { rows, inputs, units },
      choices: { bias: !draw.once(3), aim: draw.choice(["dx", "dKernel"]) },
    };
  },
  args: () => ({}),
  terms: ({ sizes }) => Math.max(sizes["rows"], sizes["inputs"], sizes["units"]),
  parts({ sizes: { rows, inputs, units }, choices }, backward) {
    const aimsAtKernel = backward && choices["aim"] === "dKernel";
    const x: Part = { name: "x", shape: [rows, inputs], axis: aimsAtKernel ? 0 : 1 };
    const kernel: Part = {
      name: "kernel",
      shape: [inputs, units],
      role: "second",
      axis: backward && !aimsAtKernel ? 1 : 0,
    };
    if (backward) return [x, kernel, { ...DY, role: aimsAtKernel ? "second" : "first", axis: aimsAtKernel ? 0 : 1 }];
    const bias: Part = { name: "bias", shape: [units], role: "addend" };
    return choices["bias"] === true ? [x, kernel, bias] : [x, kernel];
  },
};

/** Batch normalization; with `inTraining` the statistics are those of the batch. */
export function normalizationProblem(inTraining: boolean): Problem {
  return {
    sample(draw) {
      const [channels, height, width, batch] = draw.distinct([1, 6], [1, 7], [1, 7], [1, 5]);
      return {
        sizes: isKnown(draw) ? knownImage(draw, 1) : { batch, height, width, channels },
        choices: {
          momentum: draw.choice([0.99, 0.9]),
          epsilon: draw.choice([1e-3, 1.001e-5]),
          affine: !draw.once(4),
          axis: draw.choice([-1, -1, -1, 1]),
        },
      };
    },
    args: ({ choices: { momentum, epsilon, axis } }) => ({ axis, momentum, epsilon }),
    terms: ({ sizes }) => sizes["batch"] * sizes["height"] * sizes["width"] * sizes["channels"],
    parts({ sizes: { batch, height, width, channels }, choices }, backward) {
      const shape = [batch, height, width, channels];
      const perChannel = [choices["axis"] === 1 ? height : channels];
      const weights: Part[] = [{ name: "gamma", shape: perChannel, role: "second" }];
      if (!backward) weights.push({ name: "beta", shape: perChannel, role: "addend" });
      const moving: Part[] = [
        { name: "movingMean", shape: perChannel },
        { name: "movingVariance", shape: perChannel, content: "positive" },
      ];
      return [
        { name: "x", shape },
        ...(choices["affine"] === true ? weights : []),
        ...(inTraining && backward ? [] : moving),
        ...(backward ? [{ ...DY, role: "second" } as const] : []),
      ];
    },
  };
}

/** Cross-entropy of rows of classes; sparse where the truth is class numbers. */
export function crossEntropyProblem(sparse: boolean): Problem {
  return {
    sample(draw) {
      const [classes, rows] = draw.distinct([2, 11], [1, 9]);
      const sizes = isKnown(draw) ? knownClasses(draw) : { rows, classes };
      const smooths = !sparse && draw.once(3);
      return {
        sizes,
        choices: {
          fromLogits: draw.choice([true, false]),
          ...(sparse ? {} : { labelSmoothing: smooths ? 0.1 : 0 }),
          soft: !sparse && draw.once(3),
        },
      };
    },
    args: ({ choices: { soft: _soft, ...args } }) => args,
    terms: ({ sizes }) => sizes["rows"] * sizes["classes"],
    parts({ sizes: { rows, classes }, choices }) {
      const yTrue: Part = sparse
        ? { name: "yTrue", shape: [rows], content: "labels", classes }
        : { name: "yTrue", shape: [rows, classes], content: choices["soft"] === true ? "probabilities" : "one-hot" };
      const content = choices["fromLogits"] === true ? "any" : "probabilities";
      return [yTrue, { name: "yPred", shape: [rows, classes], content }];
    },
  };
}

/** `mean-squared-error`. */
export const MEAN_SQUARED_ERROR: Problem = {
  sample: (draw) => ({ sizes: sampleShape(draw), choices: {} }),
  args: () => ({}),
  terms: ({ sizes }) => 4 * elements(sizes),
  parts: ({ sizes }) => [
    { name: "yTrue", shape: shapeOf(sizes) },
    { name: "yPred", shape: shapeOf(sizes) },
  ],
};

/** One step of an optimizer whose arguments `sampleArgs` draws, with a state of the tensors `state`. */
export function optimizerProblem(
  state: (args: KerasConfig) => readonly Part["name"][],
  sampleArgs: (draw: Draw) => Geometry["choices"],
): Problem {
  return {
    sample: (draw) => ({ sizes: sampleShape(draw), choices: sampleArgs(draw) }),
    args: ({ choices }) => choices,
    terms: ({ sizes }) => elements(sizes),
    parts: ({ sizes, choices }) =>
      ["weight", "gradient", ...state(choices)].map((name) => ({
        name,
        shape: shapeOf(sizes),
        content: name.startsWith("velocity") ? "positive" : "any",
      })),
  };
}

/** `sgd-step`. */
export const SGD: Problem = optimizerProblem(
  ({ momentum }) => (momentum === 0 ? [] : ["momentum"]),
  (draw) => ({
    learningRate: draw.choice([0.01, 0.1]),
    momentum: draw.choice([0, 0.9]),
    nesterov: draw.choice([true, false]),
    weightDecay: draw.choice([0, 1e-2]),
  }),
);

/** `adam-step` and `adamw-step`. */
export const ADAM: Problem = optimizerProblem(
  ({ amsgrad }) => ["momentum", "velocity", ...(amsgrad === true ? ["velocityMax"] : [])],
  (draw) => ({
    learningRate: draw.choice([1e-3, 1e-1]),
    beta1: 0.9,
    beta2: draw.choice([0.999, 0.99]),
    epsilon: draw.choice([1e-7, 1e-3]),
    amsgrad: draw.once(3),
    weightDecay: draw.choice([0, 0.004]),
    iterations: draw.choice([0, 1, 9, 999]),
  }),
);
