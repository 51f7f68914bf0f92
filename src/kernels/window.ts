/**
 * The geometry of a sliding window: which inputs the window at an output position sees.
 *
 * Along one axis, the tap `k` of the window at output `o` reads input
 *
 *     i = o * stride + k * dilation - padBefore
 *
 * and reads a zero where `i` lies outside [0, input). Layers compute this record once; kernels only loop over it.
 *
 * @module
 */
import { describe } from "../serialization/config.js";
import { formatShape } from "../tensor/shape.js";
import { onceForNumbers } from "./once-for-numbers.js";

/** How the borders are treated: `"valid"` adds nothing, `"same"` pads until output = ceil(input / stride). */
export type Padding = "same" | "valid";

/** A pair [height, width]. */
export type Pair = readonly [height: number, width: number];

/**
 * The geometry of a window that slides over the height and width of an image: sizes of the image, of the window in taps, its
 * steps, the distances of its taps, the zeros around the image, and how many positions there are.
 */
export interface Window2D {
  readonly inputHeight: number;
  readonly inputWidth: number;
  readonly kernelHeight: number;
  readonly kernelWidth: number;
  readonly strideHeight: number;
  readonly strideWidth: number;
  readonly dilationHeight: number;
  readonly dilationWidth: number;
  readonly padTop: number;
  readonly padBottom: number;
  readonly padLeft: number;
  readonly padRight: number;
  readonly outputHeight: number;
  readonly outputWidth: number;
}

/** Pixels with zeros from which on an image with its padding may be too large to be copied. */
const MANY_PIXELS = 65_536;
/** How many times as large as the image that is then. */
const MOSTLY = 16;

/**
 * Whether nearly all that windows see is padding, as it is where dilation goes far beyond the image: what copies an image
 * with its border of zeros would copy little else, with the square of the dilation.
 */
export function isMostlyPadding(window: Window2D): boolean {
  const { inputHeight, inputWidth, padTop, padBottom, padLeft, padRight } = window;
  const padded = (inputHeight + padTop + padBottom) * (inputWidth + padLeft + padRight);
  return padded > MANY_PIXELS && padded > MOSTLY * inputHeight * inputWidth;
}

interface Axis {
  readonly before: number;
  readonly after: number;
  readonly output: number;
}

/** One axis. SAME pads as TensorFlow does: an odd zero goes to the end. */
function slideAlong(input: number, kernel: number, stride: number, padding: Padding, dilation: number): Axis {
  const reach = (kernel - 1) * dilation + 1; // inputs from the first tap to the last
  if (padding === "valid") {
    return { before: 0, after: 0, output: Math.floor((input - reach) / stride) + 1 };
  }
  const output = Math.ceil(input / stride);
  const total = Math.max((output - 1) * stride + reach - input, 0);
  const before = Math.floor(total / 2);
  return { before, after: total - before, output };
}

function expectPair(name: string, pair: Pair): void {
  if (!Array.isArray(pair)) {
    throw new TypeError(`window2D: \`${name}\` must be a pair [height, width]. Received ${name}=${describe(pair)}.`);
  }
  if (pair.length !== 2 || !pair.every((value) => Number.isSafeInteger(value) && value >= 1)) {
    throw new RangeError(
      `window2D: \`${name}\` must be two integers of at least 1. Received ${name}=${formatShape(pair)}.`,
    );
  }
}

/**
 * The geometry of a window of `kernelSize` over an input of `inputSize`, all as [height, width].
 *
 * @throws TypeError when one of them is no pair.
 * @throws RangeError when a size, stride or dilation is not an integer of at least 1, when the padding is neither `"same"`
 *   nor `"valid"`, or when a `"valid"` window is larger than the input.
 */
export function window2D(
  inputSize: Pair,
  kernelSize: Pair,
  strides: Pair,
  padding: Padding,
  dilationRate: Pair,
): Window2D {
  for (const [name, pair] of Object.entries({ inputSize, kernelSize, strides, dilationRate })) expectPair(name, pair);
  if (padding !== "same" && padding !== "valid") {
    throw new RangeError(`window2D: \`padding\` must be "same" or "valid". Received padding=${describe(padding)}.`);
  }
  const vertical = slideAlong(inputSize[0], kernelSize[0], strides[0], padding, dilationRate[0]);
  const horizontal = slideAlong(inputSize[1], kernelSize[1], strides[1], padding, dilationRate[1]);
  if (vertical.output < 1 || horizontal.output < 1) {
    throw new RangeError(
      'window2D: with padding "valid" the window, dilation included, must not be larger than the input. ' +
        `Received kernelSize=${formatShape(kernelSize)}, dilationRate=${formatShape(dilationRate)}, ` +
        `inputSize=${formatShape(inputSize)}.`,
    );
  }
  return {
    inputHeight: inputSize[0],
    inputWidth: inputSize[1],
    kernelHeight: kernelSize[0],
    kernelWidth: kernelSize[1],
    strideHeight: strides[0],
    strideWidth: strides[1],
    dilationHeight: dilationRate[0],
    dilationWidth: dilationRate[1],
    padTop: vertical.before,
    padBottom: vertical.after,
    padLeft: horizontal.before,
    padRight: horizontal.after,
    outputHeight: vertical.output,
    outputWidth: horizontal.output,
  };
}

/** `derive`, worked out once for every window: a layer has the same one in every step. */
export function onceForWindow<T>(derive: (window: Window2D) => T): (window: Window2D) => T {
  const derived = new WeakMap<Window2D, T>();
  return (window) => {
    const known = derived.get(window);
    if (known !== undefined) return known;
    const value = derive(window);
    derived.set(window, value);
    return value;
  };
}

/** The geometry as numbers for a job, to be read back with {@link windowFrom}. */
export function windowNumbers(window: Window2D): number[] {
  return [
    window.inputHeight,
    window.inputWidth,
    window.kernelHeight,
    window.kernelWidth,
    window.strideHeight,
    window.strideWidth,
    window.dilationHeight,
    window.dilationWidth,
    window.padTop,
    window.padBottom,
    window.padLeft,
    window.padRight,
    window.outputHeight,
    window.outputWidth,
  ];
}

/** How many numbers {@link windowNumbers} gives. */
export const WINDOW_NUMBERS = 14;

/** The geometry that {@link windowNumbers} wrote, at index `at` and on. */
export function windowFrom(numbers: readonly number[], at: number): Window2D {
  return {
    inputHeight: numbers[at],
    inputWidth: numbers[at + 1],
    kernelHeight: numbers[at + 2],
    kernelWidth: numbers[at + 3],
    strideHeight: numbers[at + 4],
    strideWidth: numbers[at + 5],
    dilationHeight: numbers[at + 6],
    dilationWidth: numbers[at + 7],
    padTop: numbers[at + 8],
    padBottom: numbers[at + 9],
    padLeft: numbers[at + 10],
    padRight: numbers[at + 11],
    outputHeight: numbers[at + 12],
    outputWidth: numbers[at + 13],
  };
}

/** {@link windowFrom}, but the same one for the same numbers, so that what is derived from it is worked out once. */
export const sameWindow: (numbers: readonly number[], at?: number) => Window2D = onceForNumbers(
  WINDOW_NUMBERS,
  (numbers) => windowFrom(numbers, 0),
);
