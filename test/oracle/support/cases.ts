/**
 * Cases of the linear operations: operands and arguments from a seed, and, written out independently of the oracle, the terms
 * of every element of every result.
 *
 * @module
 */
import { randomStream } from "../../../src/arithmetic/random.js";
import type { Operands } from "../../../src/oracle/operation.js";
import type { KerasConfig } from "../../../src/serialization/config.js";
import { type Shape, sizeOf } from "../../../src/tensor/shape.js";
import type { Tensor } from "../../../src/tensor/tensor.js";
import { geometryOf } from "../../support/windows.js";
import { DATA_SETS, fromDataSet } from "./data-sets.js";

/** The sums that one result is made of: of every element its terms, exact in float64. */
export interface Summed {
  readonly shape: Shape;
  readonly terms: readonly (readonly number[])[];
  /** By what each sum is divided, if it is. */
  readonly divisors?: readonly number[];
}

/** One case. */
export interface LinearCase {
  readonly operation: string;
  readonly args: KerasConfig;
  readonly operands: Operands;
  readonly dataSets: readonly string[];
  readonly results: Readonly<Record<string, Summed>>;
}

/** How large cases are. */
export interface Size {
  /** The most pixels along a side, and channels. */
  readonly most: number;
  /** The inputs of a dense layer; up to the square of `most` without it. */
  readonly depth?: number;
  /** The images of a convolution; up to 3 without it. */
  readonly batch?: number;
}

type Draw = (from: number, to: number) => number;

interface Geometry {
  readonly image: readonly [number, number];
  readonly size: readonly [number, number];
  readonly strides: readonly [number, number];
  readonly padding: "same" | "valid";
  readonly dilationRate: readonly [number, number];
}

function drawGeometry(draw: Draw, most: number, dilation: boolean): Geometry {
  const height = draw(5, most);
  const width = height + draw(1, 2);
  const strides = [draw(1, 2), draw(1, 3)] as const;
  const dilated = dilation && strides[0] === 1 && strides[1] === 1;
  return {
    image: [height, width],
    size: [draw(1, 3), draw(1, 2)],
    strides,
    padding: draw(0, 1) === 0 ? "same" : "valid",
    dilationRate: dilated ? [draw(1, 2), 1] : [1, 1],
  };
}

/** Every way in which an input meets an output: [input row, input column, output row, output column, tap row, tap column]. */
function* meetings(geometry: Geometry): Generator<readonly [number, number, number, number, number, number]> {
  const { output, row, column } = geometryOf(geometry);
  const [height, width] = geometry.image;
  for (let oh = 0; oh < output[0]; oh++) {
    for (let ow = 0; ow < output[1]; ow++) {
      for (let kh = 0; kh < geometry.size[0]; kh++) {
        for (let kw = 0; kw < geometry.size[1]; kw++) {
          const [h, w] = [row(oh, kh), column(ow, kw)];
          if (h >= 0 && h < height && w >= 0 && w < width) yield [h, w, oh, ow, kh, kw];
        }
      }
    }
  }
}

function lists(shape: Shape): { readonly shape: Shape; readonly terms: number[][] } {
  return { shape, terms: Array.from({ length: sizeOf(shape) }, () => []) };
}

interface Drawn {
  readonly draw: Draw;
  readonly size: Size;
  /** A tensor of a data set. */
  readonly fill: (shape: Shape, axis: number, factor: 0 | 1) => Tensor;
}

type Results = Pick<LinearCase, "args" | "operands" | "results">;

/** A convolution in G groups: y, or all three gradients. */
function convolution({ draw, size, fill }: Drawn, kind: "plain" | "depthwise", backward: boolean): Results {
  const geometry = drawGeometry(draw, size.most, true);
  const groups = kind === "depthwise" ? draw(2, size.most) : draw(1, 2);
  const depth = kind === "depthwise" ? 1 : draw(1, size.most);
  const width = draw(1, 4);
  const [batch, channels, filters] = [size.batch ?? draw(1, 3), groups * depth, groups * width];
  const kernelShape = [...geometry.size, depth, filters];
  const x = fill([batch, ...geometry.image, channels], 3, 0);
  const kernel = fill(kind === "depthwise" ? [...geometry.size, groups, width] : kernelShape, 2, 1);
  const { output } = geometryOf(geometry);
  const dy = fill([batch, ...output, filters], 3, backward ? 1 : 0);
  const bias = !backward && draw(0, 1) === 0 ? fill([filters], 0, 1) : undefined;
  const [y, dx, dKernel, dBias] = [lists(dy.shape), lists(x.shape), lists(kernel.shape), lists([filters])];
  for (let n = 0; n < batch; n++) {
    for (const [h, w, oh, ow, kh, kw] of meetings(geometry)) {
      for (let f = 0; f < filters; f++) {
        for (let c = 0; c < depth; c++) {
          const i =
            ((n * geometry.image[0] + h) * geometry.image[1] + w) * channels + Math.floor(f / width) * depth + c;
          const o = ((n * output[0] + oh) * output[1] + ow) * filters + f;
          const k = ((kh * geometry.size[1] + kw) * depth + c) * filters + f;
          if (backward) {
            dx.terms[i].push(dy.data[o] * kernel.data[k]);
            dKernel.terms[k].push(x.data[i] * dy.data[o]);
          } else y.terms[o].push(x.data[i] * kernel.data[k]);
        }
      }
    }
  }
  if (bias !== undefined) y.terms.forEach((terms, o) => terms.push(bias.data[o % filters]));
  dy.data.forEach((value, o) => dBias.terms[o % filters].push(value));
  const { strides, padding, dilationRate } = geometry;
  return {
    args: { strides, padding, dilationRate, ...(kind === "plain" ? { groups } : {}) },
    operands: backward ? { x, kernel, dy } : { x, kernel, ...(bias === undefined ? {} : { bias }) },
    results: backward ? { dx, dKernel, dBias } : { y },
  };
}

function dense({ draw, size, fill }: Drawn, backward: boolean): Results {
  const [rows, units] = [draw(5, 2 * size.most), draw(4, 2 * size.most)];
  const inputs = size.depth ?? draw(1, size.most * size.most);
  const x = fill([rows, inputs], 1, 0);
  const kernel = fill([inputs, units], 0, 1);
  const dy = fill([rows, units], 1, 1);
  const bias = draw(0, 1) === 0 ? fill([units], 0, 1) : undefined;
  const [y, dx, dKernel, dBias] = [lists(dy.shape), lists(x.shape), lists(kernel.shape), lists([units])];
  for (let m = 0; m < rows; m++) {
    for (let k = 0; k < inputs; k++) {
      for (let u = 0; u < units; u++) {
        const [i, o, w] = [m * inputs + k, m * units + u, k * units + u];
        y.terms[o].push(x.data[i] * kernel.data[w]);
        dx.terms[i].push(dy.data[o] * kernel.data[w]);
        dKernel.terms[w].push(x.data[i] * dy.data[o]);
      }
    }
  }
  if (backward) {
    dy.data.forEach((value, o) => dBias.terms[o % units].push(value));
    return { args: {}, operands: { x, kernel, dy }, results: { dx, dKernel, dBias } };
  }
  if (bias !== undefined) y.terms.forEach((terms, o) => terms.push(bias.data[o % units]));
  return { args: {}, operands: { x, kernel, ...(bias === undefined ? {} : { bias }) }, results: { y } };
}

/** Pools of windows, or of whole images. */
function pooling({ draw, size, fill }: Drawn, kind: "average" | "max", whole: boolean, backward: boolean): Results {
  const drawn = drawGeometry(draw, size.most, false);
  const geometry: Geometry = whole
    ? { ...drawn, size: drawn.image, strides: drawn.image, padding: "valid" }
    : { ...drawn, size: [draw(1, 3), draw(2, 3)] };
  const [batch, channels] = [draw(1, 3), draw(2, size.most + 3)];
  const x = fill([batch, ...geometry.image, channels], 3, 0);
  const { output } = geometryOf(geometry);
  const outputShape = [batch, ...output, channels];
  const dy = fill(whole ? [batch, channels] : outputShape, whole ? 1 : 3, 1);
  const under = lists(outputShape); // places of x under every window
  for (let n = 0; n < batch; n++) {
    for (const [h, w, oh, ow] of meetings(geometry)) {
      for (let c = 0; c < channels; c++) {
        const o = ((n * output[0] + oh) * output[1] + ow) * channels + c;
        under.terms[o].push(((n * geometry.image[0] + h) * geometry.image[1] + w) * channels + c);
      }
    }
  }
  const dx = lists(x.shape);
  under.terms.forEach((places, o) => {
    const largest = Math.max(...places.map((i) => x.data[i]));
    const last = places.findLast((i) => x.data[i] === largest); // the reference takes the first
    for (const i of places) {
      if (kind === "average") dx.terms[i].push(dy.data[o] / places.length);
      else if (i === last) dx.terms[i].push(dy.data[o]);
    }
  });
  const values = under.terms.map((places) => places.map((i) => x.data[i]));
  const y: Summed =
    kind === "average"
      ? { shape: dy.shape, terms: values, divisors: values.map((terms) => terms.length) }
      : { shape: dy.shape, terms: values.map((terms) => [Math.max(...terms)]) };
  const { size: poolSize, strides, padding } = geometry;
  return {
    args: whole ? {} : { poolSize, strides, padding },
    operands: backward ? { x, dy } : { x },
    results: backward ? { dx } : { y },
  };
}

function add({ draw, size, fill }: Drawn, backward: boolean): Results {
  const shape = [draw(2, 4), draw(4, size.most), draw(2, 3), draw(5, 9)];
  const flat = [shape[0], 1, 1, shape[3]]; // repeated over the image
  const inputs = [fill(shape, 3, 0), fill(shape, 3, 1), ...(draw(0, 1) === 0 ? [fill(flat, 3, 0)] : [])];
  const dy = fill(shape, 3, 1);
  const operands = Object.fromEntries(inputs.map((x, i) => [`x${i}`, x]));
  const pixels = shape[1] * shape[2];
  const flatPlace = (at: number): number => Math.floor(at / (pixels * shape[3])) * shape[3] + (at % shape[3]);
  const place = (x: Tensor, at: number): number => (x.size === dy.size ? at : flatPlace(at));
  if (!backward) {
    const terms = Array.from(dy.data, (_, at) => inputs.map((x) => x.data[place(x, at)]));
    return { args: {}, operands, results: { y: { shape, terms } } };
  }
  const results = inputs.map((x) => lists(x.shape));
  dy.data.forEach((value, at) => results.forEach(({ terms }, i) => terms[place(inputs[i], at)].push(value)));
  return {
    args: {},
    operands: { ...operands, dy },
    results: Object.fromEntries(results.map((dx, i) => [`dx${i}`, dx])),
  };
}

function rescaling({ draw, size, fill }: Drawn, backward: boolean): Results {
  const x = fill([draw(2, 3), draw(4, size.most), 5], 2, 0);
  const dy = fill(x.shape, 2, 0);
  const scale = [1 / 255, 2, -0.3][draw(0, 2)];
  const offset = draw(0, 1) === 0 ? 0 : -0.7;
  const source = backward ? dy : x;
  const terms = Array.from(source.data, (value) => {
    const product = value * Math.fround(scale);
    return backward || offset === 0 ? [product] : [product, Math.fround(offset)];
  });
  return {
    args: { scale, offset },
    operands: backward ? { x, dy } : { x },
    results: { [backward ? "dx" : "y"]: { shape: x.shape, terms } },
  };
}

const MAKERS: Readonly<Record<string, (drawn: Drawn) => Results>> = {
  conv2d: (drawn) => convolution(drawn, "plain", false),
  "conv2d-backward": (drawn) => convolution(drawn, "plain", true),
  "depthwise-conv2d": (drawn) => convolution(drawn, "depthwise", false),
  "depthwise-conv2d-backward": (drawn) => convolution(drawn, "depthwise", true),
  dense: (drawn) => dense(drawn, false),
  "dense-backward": (drawn) => dense(drawn, true),
  "average-pooling2d": (drawn) => pooling(drawn, "average", false, false),
  "average-pooling2d-backward": (drawn) => pooling(drawn, "average", false, true),
  "global-average-pooling2d": (drawn) => pooling(drawn, "average", true, false),
  "global-average-pooling2d-backward": (drawn) => pooling(drawn, "average", true, true),
  "max-pooling2d": (drawn) => pooling(drawn, "max", false, false),
  "max-pooling2d-backward": (drawn) => pooling(drawn, "max", false, true),
  "global-max-pooling2d": (drawn) => pooling(drawn, "max", true, false),
  "global-max-pooling2d-backward": (drawn) => pooling(drawn, "max", true, true),
  add: (drawn) => add(drawn, false),
  "add-backward": (drawn) => add(drawn, true),
  rescaling: (drawn) => rescaling(drawn, false),
  "rescaling-backward": (drawn) => rescaling(drawn, true),
};

/** The operations that have cases. */
export const CASE_OPERATIONS: readonly string[] = Object.keys(MAKERS);

/** The case of `operation` with this seed. Without `dataSets` every tensor draws its own; with them, the two factors have them. */
export function linearCase(
  operation: string,
  seed: number,
  size: Size = { most: 6 },
  dataSets?: readonly [string, string],
): LinearCase {
  const random = randomStream(seed, operation);
  let drawn = 0;
  const draw: Draw = (from, to) => from + (random.bits(drawn++) % (to - from + 1));
  const names = Object.keys(DATA_SETS);
  const used: string[] = [];
  const fill = (shape: Shape, axis: number, factor: 0 | 1): Tensor => {
    const name = dataSets === undefined ? names[draw(0, names.length - 1)] : dataSets[factor];
    used.push(name);
    return fromDataSet(name, shape, axis, factor, seed + drawn);
  };
  return { operation, dataSets: used, ...MAKERS[operation]({ draw, size, fill }) };
}
