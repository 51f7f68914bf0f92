import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Arena } from "../../src/tensor/arena.js";
import { sharedHeap } from "../../src/tensor/heap.js";
import type { Augmentation } from "../../src/training/augmentation.js";
import { type Batch, type BatchOptions, type BatchSource, batchSource } from "../../src/training/batches.js";
import { type Dataset, dataset, imageBytes } from "../../src/training/dataset.js";
import { type Preprocessing, preprocessImage, preprocessingFor } from "../../src/training/preprocessing.js";
import { shuffled } from "../../src/training/shuffle.js";

const [HEIGHT, WIDTH, CHANNELS] = [5, 4, 3];
const SIZE = HEIGHT * WIDTH * CHANNELS;

/** Images of bytes without a pattern; image n is of class n mod `classes`. */
function example(samples: number, classes = 2, images: Uint8Array = imageBytes(samples * SIZE)): Dataset {
  return dataset({
    name: "example",
    images: images.map((_, i) => (Math.imul(i + 1, 0x9e3779b1) >>> 16) & 255),
    shape: [samples, HEIGHT, WIDTH, CHANNELS],
    labels: Int32Array.from({ length: samples }, (_, n) => n % classes),
    classNames: Array.from({ length: classes }, (_, n) => `class ${n}`),
  });
}

const EVERYTHING: Augmentation = {
  rotationRange: 20,
  widthShiftRange: 0.2,
  heightShiftRange: 0.3,
  zoomRange: 0.1,
  horizontalFlip: true,
  verticalFlip: true,
  fillMode: "reflect",
};

/** Uses a source, and closes it. */
function withSource<Result>(
  options: BatchOptions,
  use: (source: BatchSource) => Result,
  data: Dataset = example(23),
): Result {
  const source = batchSource(data, preprocessingFor(data), options);
  try {
    return use(source);
  } finally {
    source.close();
  }
}

function textOf({ x, yTrue, labels }: Batch): string {
  return [x.shape, x.data, yTrue.shape, yTrue.data, labels].map((part) => part.join()).join(";");
}

function textsOf(options: BatchOptions, wanted: readonly (readonly [epoch: number, index: number])[]): string[] {
  return withSource(options, (source) => wanted.map(([epoch, index]) => textOf(source.batch(epoch, index))));
}

describe("batchSource", () => {
  it("cuts an epoch into batches, the last one smaller, with one-hot targets", () => {
    withSource({ batchSize: 8, shuffle: false }, (source) => {
      assert.deepEqual([source.batchesPerEpoch, source.samples, source.classes, source.batchSize], [3, 23, 2, 8]);
      const batches = [0, 1, 2].map((index) => source.batch(0, index));
      assert.deepEqual(
        batches.map(({ x }) => x.shape),
        [
          [8, HEIGHT, WIDTH, CHANNELS],
          [8, HEIGHT, WIDTH, CHANNELS],
          [7, HEIGHT, WIDTH, CHANNELS],
        ],
      );
      assert.deepEqual(Array.from(batches[2].labels), [0, 1, 0, 1, 0, 1, 0]);
      assert.deepEqual(batches[2].yTrue.shape, [7, 2]);
      assert.deepEqual(Array.from(batches[2].yTrue.data), [1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0]);
    });
  });

  it("gives every image of the epoch once, preprocessed, in the order of the shuffle", () => {
    const data = example(23, 5);
    const preprocessing: Preprocessing = preprocessingFor(data);
    withSource(
      { batchSize: 6, seed: 9 },
      (source) => {
        const order = shuffled(23, 9, 4);
        for (let at = 0; at < 23; at++) {
          const { x, labels } = source.batch(4, Math.floor(at / 6));
          const image = new Float32Array(SIZE);
          preprocessImage(image, 0, data.images, order[at] * SIZE, SIZE, preprocessing);
          const n = at % 6;
          assert.deepEqual(x.data.slice(n * SIZE, (n + 1) * SIZE), image);
          assert.equal(labels[n], data.labels[order[at]]);
        }
      },
      data,
    );
  });

  it("takes memory for all samples at most, however large a batch is asked for", () => {
    const data = example(23);
    const source = batchSource(data, preprocessingFor(data), {
      batchSize: 1e12,
      augmentation: { horizontalFlip: true },
    });
    assert.deepEqual([source.batchSize, source.batchesPerEpoch, source.batch(0, 0).x.shape[0]], [23, 1, 23]);
    source.close();
  });

  it("changes a sample the same way wherever in the epoch it is seen, and differently in another epoch", () => {
    const seen = (options: BatchOptions, epoch: number): Map<string, string> =>
      withSource({ ...options, seed: 3, augmentation: EVERYTHING, prefetch: false }, (source) => {
        const images: [string, string][] = [];
        const order = options.shuffle === false ? undefined : shuffled(23, 3, epoch);
        for (let at = 0; at < 23; at++) {
          const { x } = source.batch(epoch, Math.floor(at / source.batchSize));
          const n = at % source.batchSize;
          images.push([String(order?.[at] ?? at), x.data.slice(n * SIZE, (n + 1) * SIZE).join()]);
        }
        return new Map(images);
      });
    const first = seen({ batchSize: 4 }, 0);
    assert.equal(first.size, 23);
    assert.deepEqual(seen({ batchSize: 7, shuffle: false }, 0), first);
    const second = seen({ batchSize: 4 }, 1);
    for (const [sample, image] of first) assert.notEqual(second.get(sample), image);
  });

  it("gives the same batches whether they are prepared ahead or not, in whatever order they are asked for", () => {
    const order = fc.array(fc.tuple(fc.integer({ min: 0, max: 2 }), fc.integer({ min: 0, max: 3 })), { maxLength: 12 });
    fc.assert(
      fc.property(order, fc.boolean(), (wanted, shuffle) => {
        const options = { batchSize: 6, shuffle, seed: 5, augmentation: EVERYTHING };
        const expected = wanted.map((one) => textsOf({ ...options, prefetch: false }, [one])[0]);
        assert.deepEqual(textsOf({ ...options, prefetch: true }, wanted), expected);
      }),
      { numRuns: 10 },
    );
  });

  it("gives a run that begins in the middle of an epoch what a whole run would have seen", () => {
    const options = { batchSize: 5, seed: 11, augmentation: EVERYTHING, prefetch: true };
    const epochs = [0, 1, 2].flatMap((epoch) => [0, 1, 2, 3, 4].map((index) => [epoch, index] as const));
    assert.deepEqual(textsOf(options, epochs.slice(7)), textsOf(options, epochs).slice(7));
  });

  it("gives tensors that stay as they are when the next batches are asked for", () => {
    withSource({ batchSize: 4, augmentation: EVERYTHING }, (source) => {
      const first = source.batch(0, 0);
      const text = textOf(first);
      for (let index = 1; index < 6; index++) source.batch(0, index);
      assert.equal(textOf(first), text);
    });
  });

  it("makes the tensors of a step in the arena of the step", () => {
    withSource({ batchSize: 4 }, (source) => {
      const arena = new Arena();
      const batch = arena.run(() => source.batch(0, 1));
      assert.ok(sharedHeap().owns(batch.x.data) && sharedHeap().owns(batch.yTrue.data));
      const text = textOf(batch);
      arena.reset();
      assert.equal(textOf(source.batch(0, 1)), text);
    });
  });

  it("goes on after it has been closed, on the calling thread", () => {
    const options = { batchSize: 4, augmentation: EVERYTHING };
    const source = batchSource(example(23), preprocessingFor(example(23)), { ...options, prefetch: true });
    source.batch(0, 0);
    source.close();
    source.close();
    assert.equal(textOf(source.batch(0, 1)), textsOf({ ...options, prefetch: false }, [[0, 1]])[0]);
  });

  /** Standard output of a program that is run with `setup` before it, which makes small sources with `source()`. */
  function run(program: string): string {
    const module = (name: string): string => JSON.stringify(new URL(`../../src/training/${name}.js`, import.meta.url));
    const setup = `
      import { batchSource } from ${module("batches")};
      const data = { name: "", images: new Uint8Array(48), shape: [4, 2, 2, 3], labels: new Int32Array(4), classNames: [""] };
      const source = () => batchSource(data, { scale: 1, mean: undefined }, { batchSize: 2, prefetch: true });
      let [started, ended] = [0, 0];
      process.on("worker", (worker) => {
        started++;
        worker.on("exit", () => ended++);
      });
      const turn = () => new Promise((resolve) => setTimeout(resolve, 10));`;
    const { stdout, stderr, status } = spawnSync(
      process.execPath,
      ["--expose-gc", "--input-type=module", "--eval", setup + program],
      { timeout: 20_000, encoding: "utf8" },
    );
    assert.deepEqual([stderr, status], ["", 0]);
    return stdout;
  }

  it("does not keep the process alive when it is not closed", () => {
    const program = `
      const open = source();
      for (let index = 0; index < 2; index++) console.log(open.batch(0, index).x.shape.join());`;
    assert.equal(run(program), "2,2,2,3\n2,2,2,3\n");
  });

  it("starts a worker when the first batch is asked for, and ends it when it is closed", () => {
    const program = `
      const sources = [source(), source(), source()];
      await turn();
      console.log(started, ended);
      for (const open of sources) open.batch(0, 0);
      await turn();
      console.log(started, ended);
      for (const open of sources) open.close();
      while (ended < 3) await turn();
      console.log(started, ended);`;
    assert.equal(run(program), "0 0\n3 0\n3 3\n");
  });

  it("ends the worker of a source that nobody has any more", () => {
    const program = `
      (() => source().batch(0, 0))();
      while (ended < 1) {
        await turn();
        gc();
      }
      console.log(started, ended);`;
    assert.equal(run(program), "1 1\n");
  });

  const data = example(23);
  const wrong: readonly [message: string, options: BatchOptions][] = [
    ["batchSource: `batchSize` must be a whole number of at least 1. Received batchSize=0.", { batchSize: 0 }],
    ["batchSource: `seed` must be a whole number from 0 to 9007199254740991. Received seed=-1.", { seed: -1 }],
    [
      "augmentation: `rotationRange` must be a number of at least 0. Received rotationRange=-1.",
      { augmentation: { rotationRange: -1 } },
    ],
  ];
  for (const [message, options] of wrong) {
    it(`rejects options with "${message}"`, () => {
      assert.throws(() => batchSource(data, preprocessingFor(data), options), { name: "RangeError", message });
    });
  }

  it("rejects preprocessing that is made for other images", () => {
    const preprocessing = { scale: 1, mean: new Float32Array(7) };
    assert.throws(() => batchSource(data, preprocessing), {
      name: "RangeError",
      message: /`mean` must have 60 values/,
    });
  });

  it("rejects epochs and batches that do not exist", () => {
    withSource({ batchSize: 8 }, (source) => {
      assert.throws(() => source.batch(0, 3), {
        name: "RangeError",
        message: "batch: `index` must be a whole number from 0 to 2. Received index=3.",
      });
      assert.throws(() => source.batch(-1, 0), {
        name: "RangeError",
        message: "batch: `epoch` must be a whole number from 0 to 2^32 - 1. Received epoch=-1.",
      });
    });
  });
});
