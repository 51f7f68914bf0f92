/**
 * Dropout: which elements are kept, and what is left of a tensor then.
 *
 *     kept[i] = 1 where u[i] >= rate, and 0 elsewhere      u the numbers in [0, 1) of a stream
 *     y[i]    = x[i] / (1 - rate) where kept[i] is 1, and 0 elsewhere
 *
 * The epoch of the stream is a training step, and stands in memory: a pass that is kept runs again in other steps.
 *
 * @module
 */
import { type BlockStream, streamAt, uniformOf } from "../arithmetic/random.js";
import type { Job } from "../parallel/job.js";
import { allocateInScope } from "../tensor/arena.js";
import type { FloatArray } from "../tensor/dtype.js";
import { contiguous, empty, type Tensor } from "../tensor/tensor.js";
import { elementsPerTile, passRunsSimd, runPass } from "./element-tiles.js";
import { type Execution, runTiles } from "./execution.js";
import { LANES } from "./simd/floats.js";
import { runKernel } from "./simd/thread.js";
import { dropKernel } from "./simd/wide-element-kernels.js";

/** Which stream of random numbers decides: that at {@link streamAt}, but for its epoch. */
export interface DropoutStream {
  readonly seed: number;
  readonly purpose: number;
  /** One number. */
  readonly epoch: FloatArray;
}

/** What was kept, a byte for each element: as floats, which jobs take, and nobody reads as such. */
export type KeptBytes = FloatArray;

function bytesOf(kept: KeptBytes): Uint8Array {
  return new Uint8Array(kept.buffer, kept.byteOffset, kept.byteLength);
}

/** Of `size` elements, those whose number, by `uniform`, is not below `rate`. */
export function keptBy(uniform: (index: number) => number, size: number, rate: number): KeptBytes {
  const kept = new Float32Array(Math.ceil(size / 4));
  const bytes = bytesOf(kept);
  for (let i = 0; i < size; i++) bytes[i] = Number(uniform(i) >= rate);
  return kept;
}

/** The same by the numbers of a stream, which all threads draw. */
export function keptByStream(stream: DropoutStream, size: number, rate: number, execution: Execution): KeptBytes {
  const { seed, purpose, epoch } = stream;
  const kept = allocateInScope("float32", Math.ceil(size / 4));
  const most = elementsPerTile(size, execution);
  runTiles(execution, {
    job: keptJob,
    reads: [epoch],
    writes: [kept],
    numbers: [size, rate, seed, purpose, most],
    tiles: Math.ceil(size / most),
  });
  return kept;
}

/** Some of the elements. */
export const keptJob: Job = {
  name: "kept",
  prepare([[epoch], kept], [size, rate, seed, purpose, most]) {
    const stream = streamAt({ seed, purpose, epoch });
    const bytes = bytesOf(kept);
    return (tile) => keepSome(bytes, stream, rate, tile * most, Math.min((tile + 1) * most, size));
  },
};

/** Decides for the elements `from`, which begins a block of the stream, to `to`. */
function keepSome(bytes: Uint8Array, stream: BlockStream, rate: number, from: number, to: number): void {
  for (let i = from; i < to; i += 4) {
    const words = stream.block(i / 4);
    const end = Math.min(i + 4, to);
    for (let j = i; j < end; j++) bytes[j] = Number(uniformOf(words[j - i]) >= rate);
  }
}

/** What is left of `x`. */
export function dropElements(x: Tensor, kept: KeptBytes, rate: number, execution: Execution): Tensor {
  const y = empty(x.shape, x);
  const most = elementsPerTile(x.size, execution);
  runPass(execution, passRunsSimd(execution, x), {
    job: dropJob,
    reads: [contiguous(x).data, kept],
    writes: [y.data],
    numbers: [rate, most],
    tiles: Math.ceil(x.size / most),
  });
  return y;
}

/** Some of the elements. */
export const dropJob: Job = {
  name: "drop",
  prepare: ([x, kept, y], [rate, most, simd]) => {
    const bytes = bytesOf(kept);
    return (tile) => {
      const begin = tile * most;
      const to = Math.min(begin + most, x.length);
      const vectors = simd === 1 ? Math.floor((to - begin) / LANES) : 0;
      if (vectors > 0) {
        const [xAt, yAt] = [x, y].map((array) => array.byteOffset + 4 * begin);
        runKernel(dropKernel, { x: xAt, kept: bytes.byteOffset + begin, y: yAt, vectors, divisor: 1 - rate });
      }
      for (let i = begin + vectors * LANES; i < to; i++) y[i] = bytes[i] === 1 ? x[i] / (1 - rate) : 0;
    };
  },
};
