/**
 * Expectations of the three products of a convolution, for Conv2D (any groups) and DepthwiseConv2D (a group for every
 * channel; its kernel [kH, kW, C, M] has the numbers of [kH, kW, 1, C M] in the same order).
 *
 *     y[n, oh, ow, f]       = sum over kh, kw, c   of  x kernel, and bias       kH kW C / G terms, fewer at the border
 *     dx[n, h, w, c]        = sum over kh, kw, f   of  dy kernel                at most kH kW F / G terms
 *     dKernel[kh, kw, c, f] = sum over n, oh, ow   of  x dy                     at most N oH oW terms
 *     dBias[f]              = sum over n, oh, ow   of  dy                       N oH oW terms, no multiplication
 *
 * A zero of the border adds no rounding, whether it is multiplied or left out, so only real inputs count as terms: `m`
 * of `sums.ts` is their number, and 1 more with a bias, wherever in the order the bias is added.
 *
 * Only where a zero of the border meets a kernel (or dy) that is not finite do the two differ: 0 times infinity is NaN,
 * and nothing is nothing. The reference multiplies, as TensorFlow's im2col does; others leave out. Neither is documented,
 * so elements that see the border are open then.
 *
 * @module
 */
import type { Window2D } from "../../kernels/window.js";
import { contiguous, type Tensor } from "../../tensor/tensor.js";
import type { ArithmeticModel } from "../arithmetic-model.js";
import type { Expectation } from "../expectation.js";
import { allFinite, float64Of, greatestOf } from "../operands.js";
import { expectSums, plainTerms, type Terms } from "../sums.js";
import { countOf, forEachMeeting, type Seen, seenBy } from "./taps.js";

/** A convolution: x [N, H, W, C], kernel [kH, kW, C / groups, F], y and dy [N, oH, oW, F]. */
export interface Convolution {
  readonly window: Window2D;
  readonly batch: number;
  readonly channels: number;
  readonly filters: number;
  readonly groups: number;
}

/** A result of the reference in float64, and of the same operation on magnitudes. */
export interface TruthAndCompanion {
  readonly truth: Tensor;
  readonly companion: Tensor;
}

/** What is expected of y. */
export function expectForward(
  { truth, companion }: TruthAndCompanion,
  [x, kernel, bias]: readonly [x: Tensor, kernel: Tensor, bias: Tensor | undefined],
  convolution: Convolution,
  model: ArithmeticModel,
): Expectation {
  const { window, channels, filters, groups } = convolution;
  const { outputHeight, outputWidth, kernelHeight, kernelWidth } = window;
  const at = seenBy(window, "o");
  const seen = (element: number): Seen => {
    const position = Math.floor(element / filters);
    return at(Math.floor(position / outputWidth) % outputHeight, position % outputWidth);
  };
  const depth = channels / groups;
  const [xs, kernels, biases] = [contiguous(x).data, contiguous(kernel).data, bias && contiguous(bias).data];
  const terms = (element: number): Terms => {
    const f = element % filters;
    const n = Math.floor(element / (filters * outputHeight * outputWidth));
    const first = Math.floor(f / (filters / groups)) * depth;
    const pairs = new Pairs();
    forEachMeeting(seen(element), (row, column) => {
      const pixel = ((n * window.inputHeight + row.i) * window.inputWidth + column.i) * channels + first;
      const tap = (row.k * kernelWidth + column.k) * depth;
      for (let c = 0; c < depth; c++) pairs.add(xs[pixel + c], kernels[(tap + c) * filters + f]);
    });
    if (biases !== undefined) pairs.add(biases[f], 1);
    return pairs.terms();
  };
  const finite = allFinite(kernel);
  const extra = Number(bias !== undefined);
  return expectSums(
    {
      shape: truth.shape,
      truth: float64Of(truth),
      companion: float64Of(companion),
      roundings: Float64Array.from({ length: truth.size }, (_, i) => countOf(seen(i)) * depth + extra),
      factors: [greatestOf(x), greatestOf(kernel)],
      terms,
      open: finite ? undefined : (i) => countOf(seen(i)) < kernelHeight * kernelWidth,
    },
    model,
  );
}

/** What is expected of dx. */
export function expectInputGradient(
  { truth, companion }: TruthAndCompanion,
  [dy, kernel]: readonly [dy: Tensor, kernel: Tensor],
  convolution: Convolution,
  model: ArithmeticModel,
): Expectation {
  const { window, channels, filters, groups } = convolution;
  const { inputHeight, inputWidth, kernelHeight, kernelWidth } = window;
  const at = seenBy(window, "i");
  const seen = (element: number): Seen => {
    const position = Math.floor(element / channels);
    return at(Math.floor(position / inputWidth) % inputHeight, position % inputWidth);
  };
  const depth = channels / groups;
  const width = filters / groups;
  const [dys, kernels] = [contiguous(dy).data, contiguous(kernel).data];
  const terms = (element: number): Terms => {
    const c = element % channels;
    const n = Math.floor(element / (channels * inputHeight * inputWidth));
    const first = Math.floor(c / depth) * width;
    const pairs = new Pairs();
    forEachMeeting(seen(element), (row, column) => {
      const pixel = ((n * window.outputHeight + row.o) * window.outputWidth + column.o) * filters + first;
      const tap = ((row.k * kernelWidth + column.k) * depth + (c % depth)) * filters + first;
      for (let f = 0; f < width; f++) pairs.add(dys[pixel + f], kernels[tap + f]);
    });
    return pairs.terms();
  };
  const finite = allFinite(kernel);
  return expectSums(
    {
      shape: truth.shape,
      truth: float64Of(truth),
      companion: float64Of(companion),
      roundings: Float64Array.from({ length: truth.size }, (_, i) => countOf(seen(i)) * width),
      factors: [greatestOf(dy), greatestOf(kernel)],
      terms,
      open: finite ? undefined : (i) => countOf(seen(i)) < kernelHeight * kernelWidth,
    },
    model,
  );
}

/** What is expected of dKernel. */
export function expectKernelGradient(
  { truth, companion }: TruthAndCompanion,
  [x, dy]: readonly [x: Tensor, dy: Tensor],
  convolution: Convolution,
  model: ArithmeticModel,
): Expectation {
  const { window, batch, channels, filters, groups } = convolution;
  const { kernelWidth, outputHeight, outputWidth } = window;
  const at = seenBy(window, "k");
  const depth = channels / groups;
  const seen = (element: number): Seen => {
    const tap = Math.floor(element / (depth * filters));
    return at(Math.floor(tap / kernelWidth), tap % kernelWidth);
  };
  const [xs, dys] = [contiguous(x).data, contiguous(dy).data];
  const terms = (element: number): Terms => {
    const f = element % filters;
    const c = (Math.floor(element / filters) % depth) + Math.floor(f / (filters / groups)) * depth;
    const pairs = new Pairs();
    for (let n = 0; n < batch; n++) {
      forEachMeeting(seen(element), (row, column) => {
        const input = (n * window.inputHeight + row.i) * window.inputWidth + column.i;
        const output = (n * outputHeight + row.o) * outputWidth + column.o;
        pairs.add(xs[input * channels + c], dys[output * filters + f]);
      });
    }
    return pairs.terms();
  };
  const finite = allFinite(dy);
  return expectSums(
    {
      shape: truth.shape,
      truth: float64Of(truth),
      companion: float64Of(companion),
      roundings: Float64Array.from({ length: truth.size }, (_, i) => countOf(seen(i)) * batch),
      factors: [greatestOf(x), greatestOf(dy)],
      terms,
      open: finite ? undefined : (i) => countOf(seen(i)) < outputHeight * outputWidth,
    },
    model,
  );
}

/** What is expected of dBias [F], the sum of `dy` [..., F] over all axes but the last. */
export function expectBiasGradient(
  { truth, companion }: TruthAndCompanion,
  dy: Tensor,
  model: ArithmeticModel,
): Expectation {
  const dys = contiguous(dy).data;
  const filters = truth.size;
  const rows = filters === 0 ? 0 : dys.length / filters;
  return expectSums(
    {
      shape: truth.shape,
      truth: float64Of(truth),
      companion: float64Of(companion),
      roundings: new Float64Array(filters).fill(Math.max(0, rows - 1)),
      factors: [greatestOf(dy)],
      terms: (f) => plainTerms(Array.from({ length: rows }, (_, row) => dys[row * filters + f])),
    },
    model,
  );
}

/** Pairs of factors, as they come. */
class Pairs {
  readonly #a: number[] = [];
  readonly #b: number[] = [];

  add(a: number, b: number): void {
    this.#a.push(a);
    this.#b.push(b);
  }

  terms(): Terms {
    return { a: Float64Array.from(this.#a), b: Float64Array.from(this.#b) };
  }
}
