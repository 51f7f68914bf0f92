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
import { blockOf } from "../split.js";
import { copyFunction } from "./copy-kernel.js";
import { type Lanes, lanesOf } from "./lanes.js";
import { TileScratch, tileMultiplier } from "./multiply.js";
import { panelBytes, RIGHT_NUMBERS, rightFrom, rightLayout, rightNumbers } from "./panels.js";
import { planTiles, splitUnits } from "./plan.js";
import { packingFrom, packingNumber, scratchPanelBytes, withRight } from "./right-arrays.js";
import { runSimd, scratchAddress } from "./run.js";
import { panelVectors } from "./wide.js";

/** Writes the product of `a` [M, K] and `b` [K, N], plus `bias` [N], to `c`; K is at least 1. */
export function gemmSimd(a: Tensor, b: Tensor, bias: Tensor | undefined, c: Tensor, execution: Execution): void {
  const [rows, depth] = a.shape;
  const columns = b.shape[1];
  const lanes = lanesOf(execution.accumulate);
  const layout = rightLayout(lanes, panelVectors(), {
    offset: b.offset,
    groups: 1,
    groupStride: 0,
    outer: 1,
    outerStride: 0,
    inner: 1,
    innerStride: 0,
    depth,
    depthStride: b.stride[0],
    columns,
    columnStride: b.stride[1],
  });
  const panels = layout.panels.length;
  const bytesPerUnit = depth * lanes.bytes;
  const work = { units: rows, rowsPerUnit: 1, bytesPerUnit, panels, bytesPerPanel: panelBytes(layout) };
  const threads = threadsOf(execution);
  const plan = planTiles(work, threads);
  const tilesDown = splitUnits(rows, plan.units, threads).count;
  const copied = isCopied(lanes, a.stride[1]) ? plan.units * bytesPerUnit : 0;
  withRight(execution, layout, tilesDown > 1, b.data, biasData(bias), ({ packing, right, bias: biases }) => {
    runSimd(execution, {
      job: gemmSimdJob,
      reads: [a.data, right, biases],
      writes: [c.data],
      numbers: [
        ...rightNumbers(layout),
        packingNumber(packing),
        rows,
        plan.units,
        plan.panels,
        threads,
        a.offset,
        ...a.stride,
      ],
      tiles: tilesDown * Math.ceil(panels / plan.panels),
      scratch: new TileScratch(0, plan.units, 1, 1, scratchPanelBytes(layout, packing)).end + copied,
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
  prepare([a, right, bias, scratchMemory, c], numbers) {
    const layout = rightFrom(numbers);
    const { lanes, columns, terms: depth } = layout;
    const [packingIs, rows, tileRows, tilePanels, threads, aOffset, aRow, aColumn] = numbers.slice(RIGHT_NUMBERS);
    const packing = packingFrom(packingIs);
    const across = Math.ceil(layout.panels.length / tilePanels);
    const split = splitUnits(rows, tileRows, threads);

    const address = scratchAddress(scratchMemory, numbers);
    const scratch = new TileScratch(address, tileRows, 1, 1, scratchPanelBytes(layout, packing));
    scratch.setSegments(1, 0, 1, 0);
    const whole = { firstSegment: 0, segmentCount: 1, first: 0, length: depth };
    const copied = isCopied(lanes, aColumn);
    const sideBySide = aColumn === 1;
    const copy = copyFunction(lanes);
    const multiply = tileMultiplier(scratch, depth, layout, { packing, right, bias }, rows);
    let prepared = 0; // rows in the tables
    return (tile) => {
      const { from, to } = blockOf(split, Math.floor(tile / across));
      let first = a.byteOffset + 4 * (aOffset + from * aRow);
      if (copied) {
        copy({
          from: first,
          to: scratch.end,
          before: 0,
          after: 0,
          rows: to - from,
          rowStride: 4 * aRow,
          runs: sideBySide ? 1 : depth,
          runStride: 4 * aColumn,
          runLength: sideBySide ? depth : 1,
        });
        first = scratch.end;
      }
      if (to - from !== prepared) {
        const left = { first: 0, lineStride: 0, stride: copied ? depth * lanes.bytes : 4 * aRow };
        scratch.clearRows();
        scratch.addRows(1, to - from, left, { first: 0, lineStride: 0, stride: 4 * columns });
        scratch.endKind(whole);
        prepared = to - from;
      }
      const firstPanel = (tile % across) * tilePanels;
      multiply(0, firstPanel, firstPanel + tilePanels, first, c.byteOffset + 4 * from * columns);
    };
  },
};
