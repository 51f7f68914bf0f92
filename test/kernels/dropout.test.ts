import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import fc from "fast-check";
import { fnv1a32, randomStream, streamAt } from "../../src/arithmetic/random.js";
import { dropElements, keptBy, keptByStream, keptJob } from "../../src/kernels/dropout.js";
import type { FloatArray } from "../../src/tensor/dtype.js";
import { empty, type Tensor } from "../../src/tensor/tensor.js";
import { assertSameBits, dtypes, fastExecutions, fill, nameOf, seedValues } from "./support.js";

const { executions, closeAll } = fastExecutions();
after(closeAll);

const sizes = fc.oneof(fc.nat({ max: 40 }), fc.integer({ min: 6000, max: 9000 }));
const rates = fc.constantFrom(0, 0.2, 0.5, 0.9, 1);

/** A byte for each of `size` elements. */
function bytesOf(kept: FloatArray, size: number): number[] {
  return [...new Uint8Array(kept.buffer, kept.byteOffset, size)];
}

function dropNaive(x: Tensor, bytes: readonly number[], rate: number): Tensor {
  const y = empty(x.shape, x);
  for (let i = 0; i < x.size; i++) y.data[i] = bytes[i] === 1 ? x.data[i] / (1 - rate) : 0;
  return y;
}

describe("keptByStream", () => {
  it("keeps what the numbers of the stream keep, on any number of threads", () => {
    const words = fc.nat({ max: 2 ** 32 - 1 });
    fc.assert(
      fc.property(sizes, rates, words, words, (size, rate, seed, step) => {
        const stream = randomStream(seed, "dropout/here", step);
        const expected = Array.from({ length: size }, (_, i) => (stream.uniform(i) >= rate ? 1 : 0));
        assert.deepEqual(
          bytesOf(
            keptBy((i) => stream.uniform(i), size, rate),
            size,
          ),
          expected,
        );
        const address = { seed, purpose: fnv1a32("dropout/here"), epoch: Float64Array.of(step) };
        for (const execution of executions) {
          const kept = keptByStream(address, size, rate, execution);
          assert.deepEqual(bytesOf(kept, size), expected, nameOf(execution));
        }
      }),
      { numRuns: 20 },
    );
  });

  it("keeps an element whose number is the rate itself", () => {
    const address = { seed: 3, purpose: 4, epoch: Float64Array.of(5) };
    const rate = streamAt({ ...address, epoch: 5 }).uniform(6);
    for (const execution of executions) {
      assert.equal(bytesOf(keptByStream(address, 7, rate, execution), 7)[6], 1, nameOf(execution));
    }
    assert.deepEqual(
      bytesOf(
        keptBy(() => rate, 2, rate),
        2,
      ),
      [1, 1],
    );
  });

  it("decides in a tile for the elements of that tile alone", () => {
    const kept = new Float32Array(3);
    const bytes = new Uint8Array(kept.buffer).fill(7);
    keptJob.prepare([Float64Array.of(0), kept], [10, 0, 1, 2, 4])(1);
    assert.deepEqual([...bytes], [7, 7, 7, 7, 1, 1, 1, 1, 7, 7, 7, 7]);
    keptJob.prepare([Float64Array.of(0), kept], [10, 0, 1, 2, 4])(2);
    assert.deepEqual([...bytes], [7, 7, 7, 7, 1, 1, 1, 1, 1, 1, 7, 7]);
  });
});

describe("dropElements", () => {
  it("has the bits of plain loops on any number of threads", () => {
    fc.assert(
      fc.property(sizes, rates, seedValues, dtypes, fc.nat(), (size, rate, seeds, dtype, seed) => {
        const x = fill(seeds, [size], dtype);
        const { uniform } = { uniform: (i: number) => randomStream(seed, "any").uniform(i % 97) };
        const kept = keptBy(uniform, size, rate);
        const y = dropNaive(x, bytesOf(kept, size), rate);
        for (const execution of executions)
          assertSameBits(dropElements(x, kept, rate, execution), y, nameOf(execution));
      }),
      { numRuns: 30 },
    );
  });
});
