/**
 * What is done to an image before a convolution reads it: normalization, and perhaps a ReLU, as the layers before would do
 * them (`normalize.ts`).
 *
 * Where windows are of one pixel, every pixel is read by one window at most, and there is no border. Then a tile prepares what
 * it reads, and the result is never in memory. Else it is computed by a pass of its own: the bits are the same.
 *
 * @module
 */
import { withPassing } from "../tensor/arena.js";
import type { Tensor } from "../tensor/tensor.js";
import { passRunsSimd } from "./element-tiles.js";
import type { Execution } from "./execution.js";
import { normalize, type Prologue } from "./normalize.js";
import type { Window2D } from "./window.js";

/** What `use` returns for `x` after the prologue, which exists no longer than that. */
export function withPrepared<Result>(
  x: Tensor,
  { map, rectify }: Prologue,
  execution: Execution,
  use: (image: Tensor) => Result,
): Result {
  return withPassing(() => normalize(x, map, { rectify }, execution), use);
}

/** Whether tiles can prepare what they read of `x`, an image [N, H, W, C]. */
export function isPreparedInTiles(
  x: Tensor,
  { kernelHeight, kernelWidth }: Window2D,
  groups: number,
  execution: Execution,
): boolean {
  return kernelHeight === 1 && kernelWidth === 1 && groups === 1 && passRunsSimd(execution, x, x.shape[3]);
}
