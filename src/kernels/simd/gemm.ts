/**
 * The product of two matrices on assembled kernels; `../gemm.ts` says what it computes.
 *
 * b is packed. Rows of a are read where they lie; they are copied to scratch memory where their values are not side by
 * side, or must be widened for float64 sums.
 *
 * @module
 */
import type { Job } from "../../parallel/job.js";
import type { Tensor } from "../../tensor/tensor.js";
import { biasData, type Execution, threadsOf } from "../execution.js";
import { blockOf, type Split } from "../split.js";
import { copyKernel } from "./copy-kernel.js";
import { type Lanes, lanesOf } from "./lanes.js";
import { multiplyTiles, TileScratch } from "./multiply.js";
import { LAYOUT_NUMBERS, layoutFrom, layoutNumbers, panelsOf, withPacked } from "./panels.js";
import { planTiles } from "./plan.js";
import { runSimd, scratchAddress } from "./run.js";
import { runKernel } from "./thread.js";

/** Writes the product of `a` [M, K] and `b` [K, N], plus `bias` [N], to `c`; K is at least 1. */
export function gemmSimd(a: Tensor, b: Tensor, bias: Tensor | undefined, c: Tensor, execution: Execution): void {
  const [rows, depth] = a.shape;
  const columns = b.shape[1];
  const lanes = lanesOf(execution.accumulate);
  const right = {
    ...{
      data: b.data,
      offset: b.offset,
      groups: 1,
      groupStride: 0,
      outer: 1,
      outerStride: 0,
      inner: 1,
      innerStride: 0,
    },
    ...{ depth, depthStride: b.stride[0], columns, columnStride: b.stride[1] },
  };
  withPacked(execution, lanes, right, biasData(bias), (layout, packed) => {
    const bytesPerUnit = depth * lanes.bytes;
    const panels = panelsOf(lanes, columns, layout.vectors).length;
    const plan = planTiles({ units: rows, rowsPerUnit: 1, bytesPerUnit, panels }, threadsOf(execution));
    const copied = isCopied(lanes, a.stride[1]) ? plan.units * bytesPerUnit : 0;
    runSimd(execution, {
      job: gemmSimdJob,
      reads: [a.data, packed],
      writes: [c.data],
      numbers: [...layoutNumbers(layout), rows, plan.units, plan.panels, a.offset, ...a.stride],
      tiles: Math.ceil(rows / plan.units) * Math.ceil(panels / plan.panels),
      scratch: TileScratch.bytes(plan.units, 1) + copied,
    });
  });
}

/** Whether rows, whose values are `stride` apart, must be copied. */
function isCopied(lanes: Lanes, stride: number): boolean {
  return lanes.name === "float64" || stride !== 1;
}

/** Some rows times some panels. */
export const gemmSimdJob: Job = {
  name: "gemmSimd",
  run([a, packed, scratchMemory, c], numbers, tile) {
    const layout = layoutFrom(numbers);
    const { lanes, depth, columns } = layout;
    const [rows, tileRows, tilePanels, aOffset, aRow, aColumn] = numbers.slice(LAYOUT_NUMBERS);
    const across = Math.ceil(panelsOf(lanes, columns, layout.vectors).length / tilePanels);
    const split: Split = { total: rows, size: tileRows, count: Math.ceil(rows / tileRows) };
    const { from, to } = blockOf(split, Math.floor(tile / across));
    const firstPanel = (tile % across) * tilePanels;

    const scratch = new TileScratch(scratchAddress(scratchMemory, numbers), tileRows, 1);
    scratch.setSegments(1, 0, 1, 0);
    let first = a.byteOffset + 4 * (aOffset + from * aRow);
    let stride = 4 * aRow;
    if (isCopied(lanes, aColumn)) {
      const sideBySide = aColumn === 1;
      runKernel(copyKernel(lanes), {
        ...{ from: first, to: scratch.end, before: 0, after: 0, rows: to - from, rowStride: stride },
        ...{ runs: sideBySide ? 1 : depth, runStride: 4 * aColumn, runLength: sideBySide ? depth : 1 },
      });
      first = scratch.end;
      stride = depth * lanes.bytes;
    }
    const result = { first: c.byteOffset + 4 * from * columns, lineStride: 0, stride: 4 * columns };
    scratch.addRows(1, to - from, { first, lineStride: 0, stride }, result);
    const range = { group: 0, from: firstPanel, to: firstPanel + tilePanels };
    multiplyTiles(scratch, scratch.fillUp(), 1, depth, layout, packed, range);
  },
};
