/**
 * What the pooling operations share: their arguments, and where the window and the images lie.
 *
 * @module
 */
import type { Window2D } from "../../kernels/window.js";
import type { Pooling2DConfig } from "../../layers/pooling2d.js";
import { type KerasConfig, readConfig } from "../../serialization/config.js";
import type { Shape } from "../../tensor/shape.js";
import { type Seen, seenBy, type Tap } from "./taps.js";

/** `poolSize`, `strides` and `padding`, with Keras's defaults. */
export function readPooling(name: string, args: KerasConfig): Required<Pooling2DConfig> {
  const read = readConfig(name, args);
  const poolSize = read.pair("poolSize", [2, 2]);
  return {
    poolSize,
    strides: read.pair("strides", poolSize),
    padding: read.oneOf("padding", ["same", "valid"], "valid"),
  };
}

/** `keepdims` of global pooling, with Keras's default. */
export function readKeepdims(name: string, args: KerasConfig): boolean {
  return readConfig(name, args).boolean("keepdims", false);
}

/** Looks up what windows and inputs see, by the row-major index of an element of y or of x, and the offsets of both. */
export interface PoolingPlaces {
  /** What the window of an element of y sees. */
  readonly under: (element: number) => Seen;
  /** The windows that see an element of x. */
  readonly over: (element: number) => Seen;
  /** The offset in x, for a meeting of what `element` of y or x sees. */
  readonly input: (image: number, channel: number, row: Tap, column: Tap) => number;
  /** The offset in y. */
  readonly output: (image: number, channel: number, row: Tap, column: Tap) => number;
  /** Image and channel of an element of y, and of x. */
  readonly ofOutput: (element: number) => readonly [image: number, channel: number];
  readonly ofInput: (element: number) => readonly [image: number, channel: number];
}

/** The places of images of `shape` [N, H, W, C] under `window`. */
export function poolingPlaces([, height, width, channels]: Shape, window: Window2D): PoolingPlaces {
  const { outputHeight, outputWidth } = window;
  const byOutput = seenBy(window, "o");
  const byInput = seenBy(window, "i");
  const look = (seen: typeof byOutput, rows: number, columns: number, element: number): Seen => {
    const position = Math.floor(element / channels);
    return seen(Math.floor(position / columns) % rows, position % columns);
  };
  return {
    under: (element) => look(byOutput, outputHeight, outputWidth, element),
    over: (element) => look(byInput, height, width, element),
    input: (image, channel, row, column) => ((image * height + row.i) * width + column.i) * channels + channel,
    output: (image, channel, row, column) => {
      return ((image * outputHeight + row.o) * outputWidth + column.o) * channels + channel;
    },
    ofOutput: (element) => [Math.floor(element / (channels * outputHeight * outputWidth)), element % channels],
    ofInput: (element) => [Math.floor(element / (channels * height * width)), element % channels],
  };
}

/**
 * Calls `visit` for every window in row-major order, with the offset of its output and those of the elements under it
 * (kh, then kw ascending), all for channel 0. What hangs over the border is left out. The list is used again.
 */
export function forEachWindow(
  [batch, height, width, channels]: Shape,
  window: Window2D,
  visit: (output: number, inputs: readonly number[]) => void,
): void {
  const { strideHeight, strideWidth, kernelHeight, kernelWidth, padTop, padLeft } = window;
  const inputs: number[] = [];
  let output = 0;
  for (let n = 0; n < batch; n++) {
    for (let oh = 0; oh < window.outputHeight; oh++) {
      const top = oh * strideHeight - padTop;
      const bottom = Math.min(top + kernelHeight, height);
      for (let ow = 0; ow < window.outputWidth; ow++, output += channels) {
        const left = ow * strideWidth - padLeft;
        const right = Math.min(left + kernelWidth, width);
        inputs.length = 0;
        for (let h = Math.max(top, 0); h < bottom; h++) {
          for (let w = Math.max(left, 0); w < right; w++) inputs.push(((n * height + h) * width + w) * channels);
        }
        visit(output, inputs);
      }
    }
  }
}
