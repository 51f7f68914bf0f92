import { after, describe, it } from "node:test";
import fc from "fast-check";
import { rescale } from "../../src/kernels/rescale.js";
import { empty, type Tensor } from "../../src/tensor/tensor.js";
import { assertSameBits, dtypes, fastExecutions, fill, nameOf, seedValues } from "./support.js";

const { executions, closeAll } = fastExecutions();
after(closeAll);

function rescaleNaive(x: Tensor, scale: readonly number[], offset: readonly number[]): Tensor {
  const y = empty(x.shape, x);
  for (let i = 0; i < x.size; i++) y.data[i] = x.data[i] * scale[i % scale.length] + offset[i % scale.length];
  return y;
}

/** One tile, and several, which begin with any channel. */
const shapes = fc.constantFrom(
  [0, 3],
  [3, 0],
  [2, 3],
  [7, 1],
  [7, 6],
  [1500, 2],
  [5, 7, 4],
  [900, 7],
  [1100, 11],
  [2100, 3],
);

describe("rescale", () => {
  it("has the bits of plain loops on any number of threads", () => {
    fc.assert(
      fc.property(shapes, seedValues, seedValues, dtypes, (shape, p, q, dtype) => {
        const x = fill(p, shape, dtype);
        const channels = shape[shape.length - 1];
        const [scale, offset] = [q, q.toReversed()].map((seeds) => [...fill(seeds, [channels], "float64").data]);
        const nothing = new Array<number>(channels).fill(-0);
        for (const execution of executions) {
          assertSameBits(rescale(x, scale, offset, execution), rescaleNaive(x, scale, offset), nameOf(execution));
          assertSameBits(rescale(x, scale, nothing, execution), rescaleNaive(x, scale, nothing), nameOf(execution));
        }
      }),
      { numRuns: 40 },
    );
  });

  it("keeps the sign of zeros where -0 is added", () => {
    const x = fill([-0, 0, -0], [2, 3], "float32");
    for (const execution of executions)
      assertSameBits(rescale(x, [1, 1, 1], [-0, -0, -0], execution), x, nameOf(execution));
  });
});
