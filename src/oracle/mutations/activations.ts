/**
 * Mistakes in activations.
 *
 * @module
 */
import { exp } from "../../arithmetic/exp.js";
import { sigmoid } from "../../arithmetic/sigmoid.js";
import { tanh } from "../../arithmetic/tanh.js";
import type { KerasConfig } from "../../serialization/config.js";
import { contiguous, type Tensor, tensor } from "../../tensor/tensor.js";
import { type Compute, inArgs, mapped, type Mutant, mutantsOf } from "./mutant.js";
import { INPUT_ROUNDINGS, roundedTensor } from "./precision.js";

/** `f` of every element of x. */
function elementwise(f: (x: number, args: KerasConfig) => number): () => Compute {
  return () =>
    ({ x }, args) => ({ y: mapped(x, (value) => f(value, args)) });
}

/** `f` of every element of x and dy. */
function elementwiseBackward(f: (dy: number, x: number, args: KerasConfig) => number): () => Compute {
  return () =>
    ({ x, dy }, args) => ({ dx: mapped(x, (value, position) => f(dy.get(...position), value, args)) });
}

/** Results in a narrower format. */
function inFloat16(reference: Compute): Compute {
  return (operands, args) => {
    const [[name, result]] = Object.entries(reference(operands, args));
    return { [name]: roundedTensor(result, INPUT_ROUNDINGS["inputs in float16"]) };
  };
}

/** The rows of `x` along `axis`, as [outer, size, inner]. */
function alongAxis(x: Tensor, axis: number): Tensor {
  const at = axis < 0 ? x.dimension + axis : axis;
  const product = (sizes: readonly number[]): number => sizes.reduce((a, b) => a * b, 1);
  const shape = [product(x.shape.slice(0, at)), x.shape[at], product(x.shape.slice(at + 1))];
  return tensor(contiguous(x).data, shape);
}

/** A function of rows. */
function rows(name: "y" | "dx", f: (x: readonly number[], dy: readonly number[]) => readonly number[]): () => Compute {
  return () =>
    ({ x, dy }, args) => {
      const [xs, dys] = [x, dy ?? x].map((operand) => alongAxis(operand, Number(args["axis"])));
      const result = tensor(new Float32Array(x.size), xs.shape);
      const [outer, size, inner] = xs.shape;
      const read = (from: Tensor, o: number, i: number): number[] =>
        Array.from({ length: size }, (_, k) => from.get(o, k, i));
      for (let o = 0; o < outer; o++) {
        for (let i = 0; i < inner; i++)
          f(read(xs, o, i), read(dys, o, i)).forEach((value, k) => result.set(o, k, i, value));
      }
      return { [name]: tensor(result.data, x.shape) };
    };
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

function softmaxOf(x: readonly number[]): readonly number[] {
  const most = Math.max(...x);
  const powers = x.map((value) => exp(value - most));
  const total = sum(powers);
  return powers.map((power) => power / total);
}

function dotOf(y: readonly number[], dy: readonly number[]): number {
  return sum(y.map((value, k) => value * dy[k]));
}

/** All of them. */
export const ACTIVATION_MUTANTS: readonly Mutant[] = [
  ...mutantsOf("relu", {
    "maxValue ignored": inArgs(() => ({ maxValue: null })),
    "negativeSlope ignored": inArgs(() => ({ negativeSlope: 0 })),
    "threshold ignored": inArgs(() => ({ threshold: 0 })),
    "an absolute value": elementwise((x) => Math.abs(x)),
    "results in float16": inFloat16,
  }),
  ...mutantsOf(
    "relu",
    {
      "-0 for what is negative": (reference) => (operands, args) => ({
        y: mapped(reference(operands, args)["y"], (y) => (y === 0 ? -0 : y)),
      }),
    },
    true,
  ),
  ...mutantsOf("relu-backward", {
    "maxValue ignored": inArgs(() => ({ maxValue: null })),
    "negativeSlope ignored": inArgs(() => ({ negativeSlope: 0 })),
    "dy everywhere": elementwiseBackward((dy) => dy),
    "of dy, not of x": elementwiseBackward((dy) => Math.max(dy, 0)),
  }),
  ...mutantsOf(
    "relu-backward",
    {
      "slope 1 at the kink": (reference) => (operands, args) => {
        const plain = Object.keys(args).length === 0;
        const atKink = elementwiseBackward((dy, x) => (x >= 0 ? dy : 0))();
        return plain ? atKink(operands, args) : reference(operands, args);
      },
    },
    true,
  ),
  ...mutantsOf("relu6", { "without the 6": elementwise((x) => Math.max(x, 0)) }),
  ...mutantsOf("relu6-backward", { "without the 6": elementwiseBackward((dy, x) => (x > 0 ? dy : 0)) }),
  ...mutantsOf("leaky-relu", {
    "slope 0.2 for 0.3": elementwise((x) => (x > 0 ? x : 0.2 * x)),
    "slope of PyTorch": elementwise((x) => (x > 0 ? x : 0.01 * x)),
    "divides by the slope": elementwise((x, { negativeSlope }) => (x > 0 ? x : x / Number(negativeSlope))),
  }),
  ...mutantsOf("leaky-relu-backward", {
    "slope 0.2 for 0.3": elementwiseBackward((dy, x) => (x > 0 ? dy : 0.2 * dy)),
    "slope missing": elementwiseBackward((dy, x) => (x > 0 ? dy : 0)),
  }),
  ...mutantsOf("sigmoid", {
    "hard sigmoid": elementwise((x) => Math.min(1, Math.max(0, x / 6 + 0.5))),
    "sign of x": elementwise((x) => sigmoid(-x)),
    "results in float16": inFloat16,
  }),
  ...mutantsOf("sigmoid-backward", {
    "1 - y missing": elementwiseBackward((dy, x) => dy * sigmoid(x)),
    "taken of x": elementwiseBackward((dy, x) => dy * x * (1 - x)),
  }),
  ...mutantsOf("tanh", {
    sigmoid: elementwise((x) => sigmoid(x)),
    "cut at 1": elementwise((x) => Math.min(1, Math.max(-1, x))),
    "results in float16": inFloat16,
  }),
  ...mutantsOf("tanh-backward", { "square missing": elementwiseBackward((dy, x) => dy * (1 - tanh(x))) }),
  ...mutantsOf("softmax", {
    "axis is another": inArgs(({ axis }) => ({ axis: axis === -1 ? 0 : -1 })),
    "maximum not subtracted": rows("y", (x) => {
      const powers = x.map((value) => Math.fround(exp(value)));
      const total = sum(powers);
      return powers.map((power) => power / total);
    }),
    "not normalized": rows("y", (x) => x.map((value) => exp(value - Math.max(...x)))),
    "results in float16": inFloat16,
  }),
  ...mutantsOf("softmax", { "the formula as it stands": rows("y", softmaxOf) }, true),
  ...mutantsOf("softmax-backward", {
    "axis is another": inArgs(({ axis }) => ({ axis: axis === -1 ? 0 : -1 })),
    "term of the row missing": rows("dx", (x, dy) => softmaxOf(x).map((y, k) => y * dy[k])),
    "diagonal only": rows("dx", (x, dy) => softmaxOf(x).map((y, k) => y * (1 - y) * dy[k])),
    "y missing before the bracket": rows("dx", (x, dy) => {
      const dot = dotOf(softmaxOf(x), dy);
      return dy.map((value) => value - dot);
    }),
  }),
  ...mutantsOf(
    "softmax-backward",
    {
      "the formula as it stands": rows("dx", (x, dy) => {
        const y = softmaxOf(x);
        const dot = dotOf(y, dy);
        return y.map((value, k) => value * (dy[k] - dot));
      }),
    },
    true,
  ),
];
