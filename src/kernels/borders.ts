/**
 * Zeros around images, and images without what is around them: whole lines are copied.
 *
 *     inner [N, H, W, C]    outer [N, top + H + bottom, left + W + right, C]
 *
 * @module
 */
import type { Job } from "../parallel/job.js";
import type { Shape } from "../tensor/shape.js";
import { contiguous, empty, type Tensor } from "../tensor/tensor.js";
import { type Execution, runTiles } from "./execution.js";

/** How many rows and columns of zeros go before and after the image. */
export type Borders = readonly [readonly [top: number, bottom: number], readonly [left: number, right: number]];

/** `x` [N, H, W, C] with zeros around it. */
export function addBorders(x: Tensor, [[top, bottom], [left, right]]: Borders, execution: Execution): Tensor {
  const [batch, height, width, channels] = x.shape;
  const outerHeight = top + height + bottom;
  const y = empty([batch, outerHeight, left + width + right, channels], x);
  runTiles(execution, {
    job: addBordersJob,
    reads: [contiguous(x).data],
    writes: [y.data],
    numbers: [height, top, outerHeight, width * channels, left * channels, (left + width + right) * channels],
    tiles: batch * outerHeight,
  });
  return y;
}

/** One line of the outer image. */
export const addBordersJob: Job = {
  name: "addBorders",
  prepare:
    ([inner, outer], [height, top, outerHeight, line, before, outerLine]) =>
    (tile) => {
      const n = Math.floor(tile / outerHeight);
      const h = tile - n * outerHeight - top;
      const to = tile * outerLine;
      if (h < 0 || h >= height) {
        outer.fill(0, to, to + outerLine);
        return;
      }
      const from = (n * height + h) * line;
      outer.fill(0, to, to + before);
      outer.set(inner.subarray(from, from + line), to + before);
      outer.fill(0, to + before + line, to + outerLine);
    },
};

/** The part of `dy` that is not within `borders`, of `shape` [N, H, W, C]. */
export function removeBorders(
  dy: Tensor,
  [[top, bottom], [left, right]]: Borders,
  shape: Shape,
  execution: Execution,
): Tensor {
  const [batch, height, width, channels] = shape;
  const dx = empty(shape, dy);
  runTiles(execution, {
    job: removeBordersJob,
    reads: [contiguous(dy).data],
    writes: [dx.data],
    numbers: [height, top, top + height + bottom, width * channels, left * channels, (left + width + right) * channels],
    tiles: batch * height,
  });
  return dx;
}

/** One line of the inner image. */
export const removeBordersJob: Job = {
  name: "removeBorders",
  prepare:
    ([outer, inner], [height, top, outerHeight, line, before, outerLine]) =>
    (tile) => {
      const n = Math.floor(tile / height);
      const from = (n * outerHeight + top + (tile - n * height)) * outerLine + before;
      inner.set(outer.subarray(from, from + line), tile * line);
    },
};
