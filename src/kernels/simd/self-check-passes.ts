/**
 * Whether the assembled passes in float32, whose vectors V8 may pair too, compute the bits that they must; see
 * `self-check.ts`.
 *
 * @module
 */
import { finishKernels, rectifyKernel, sumKernels } from "./element-kernels.js";
import { PANEL_VECTORS, singles } from "./lanes.js";
import { outerProductKernels } from "./outer-product-kernels.js";
import { firstDifference, type Run, withArrays } from "./self-check-arrays.js";

const FIRST = [1.1, -2.3, -0, 1e-40, Number.NaN, 16777217, 0, -1.4e-45, Number.POSITIVE_INFINITY, 1e20, -0.1];
const SECOND = [0.3, -1.7, -0, 2.9, 4.1, 1e-38, -1e20];

/** Vectors: two together, and one alone. */
const VECTORS = 3;
const LENGTH = 4 * VECTORS;

/** max(value, 0), as a ReLU takes it. */
const positivePart = (value: number): number => (value <= 0 ? 0 : value);

/** The first difference, in words; undefined where there is none. */
export function findPassDifference(run: Run): string | undefined {
  return checkElements(run) ?? checkPacking(run);
}

function checkElements(run: Run): string | undefined {
  return withArrays((make) => {
    const [x, other] = [make(singles, LENGTH, FIRST), make(singles, LENGTH, SECOND)];
    const [sum, rectified, finished] = [0, 1, 2].map(() => make(singles, LENGTH, [Number.NaN]));
    finished.set(x);
    run(sumKernels[1][1], {
      ...{ first: x.byteOffset, second: other.byteOffset, positive: other.byteOffset, to: sum.byteOffset },
      ...{ vectors: VECTORS, start: -0 },
    });
    run(rectifyKernel, { x: x.byteOffset, y: rectified.byteOffset, vectors: VECTORS });
    const places = { y: finished.byteOffset, addend: other.byteOffset };
    run(finishKernels.addRectify, { ...places, vectors: VECTORS, rows: 1, skip: 0 });
    return (
      firstDifference("a masked sum", sum, (i) => (other[i] > 0 ? Math.fround(x[i] + other[i]) : 0)) ??
      firstDifference("a ReLU", rectified, (i) => positivePart(x[i])) ??
      firstDifference("a sum with a ReLU", finished, (i) => positivePart(Math.fround(x[i] + other[i])))
    );
  });
}

/** Two pixels of a whole panel of channels and one of the next. */
function checkPacking(run: Run): string | undefined {
  return withArrays((make) => {
    for (const vectors of PANEL_VECTORS) {
      const { packPanels, width } = outerProductKernels(singles, vectors);
      const channels = width + 1;
      const pixels = make(singles, 2 * channels, FIRST);
      const packed = make(singles, 4 * width, [Number.NaN]);
      run(packPanels, {
        ...{ from: pixels.byteOffset, to: packed.byteOffset, count: 2 },
        ...{ fromStep: 4 * channels, columns: channels, panelBytes: 8 * width },
      });
      const difference = firstDifference(`packing with ${vectors} vectors`, packed, (i) => {
        const pixel = Math.floor(i / width) % 2;
        const channel = (i % width) + (i < 2 * width ? 0 : width);
        return channel < channels ? pixels[pixel * channels + channel] : 0;
      });
      if (difference !== undefined) return difference;
    }
    return undefined;
  });
}
