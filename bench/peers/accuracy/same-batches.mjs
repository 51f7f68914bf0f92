/**
 * Trains a model on some batches and writes them down, for `same_batches.py` to train the same model on the same batches:
 *
 *     node bench/peers/accuracy/same-batches.mjs MODEL.keras cifar-10-batches-bin FOLDER [STEPS [EVERY]]
 *
 * Adam at 1e-3, batches of 32, the example's augmentation, float32 sums; accuracy on the first 4,000 test images after
 * every EVERY steps. FOLDER then holds `start.keras`, `end.keras`, `losses.json`, and batches and test images as numbers.
 *
 * @module
 */
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import {
  Adam,
  batchSource,
  createExecution,
  evaluate,
  loadData,
  preprocessingFor,
  readModel,
  trainStep,
  writeModel,
} from "../../../build/src/index.js";
import { Arena } from "../../../build/src/tensor/arena.js";

const TESTED = 4000;
const [start, data, folder, steps = "240", every = "40"] = process.argv.slice(2);
if (folder === undefined) {
  console.error("usage: node same-batches.mjs START.keras DATA FOLDER [STEPS] [EVERY]");
  process.exit(2);
}
mkdirSync(folder, { recursive: true });
const model = readModel(readFileSync(start), start);
writeFileSync(join(folder, "start.keras"), writeModel(model, "start.keras"));

const { training, test } = await loadData(data);
const preprocessing = preprocessingFor(training);
const augmentation = { widthShiftRange: 0.1, heightShiftRange: 0.1, horizontalFlip: true };
const source = batchSource(training, preprocessing, { batchSize: 32, seed: 1, augmentation });
const [, ...image] = test.shape;
const first = {
  ...test,
  images: test.images.subarray(0, TESTED * image.reduce((product, n) => product * n, 1)),
  shape: [TESTED, ...image],
  labels: test.labels.subarray(0, TESTED),
};
const held = batchSource(first, preprocessing, { batchSize: 100, shuffle: false });

const execution = createExecution({ threads: 2, accumulate: "float32" });
const optimizer = new Adam({ learningRate: 1e-3 });
const arena = new Arena();

/** Writes batches to the files of one data set. */
function recorder(name) {
  const files = [openSync(join(folder, `${name}.x`), "w"), openSync(join(folder, `${name}.labels`), "w")];
  return {
    add: ({ x, labels }) => {
      // a copy: what a step works on lies in shared memory
      for (const [i, values] of [Float32Array.from(x.data), labels].entries()) {
        writeSync(files[i], new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
      }
    },
    close: () => files.forEach(closeSync),
  };
}

async function report(step) {
  const { loss, accuracy } = await evaluate(model, held, { loss: "categorical_crossentropy", execution });
  console.log(JSON.stringify({ program: "touchstone", step, loss, accuracy }));
}

const tested = recorder("test");
for (let i = 0; i < held.batchesPerEpoch; i++) tested.add(held.batch(0, i));
tested.close();
const trained = recorder("batches");
const losses = [];
for (let step = 0; step < Number(steps); step++) {
  const batch = source.batch(Math.floor(step / source.batchesPerEpoch), step % source.batchesPerEpoch);
  trained.add(batch);
  const options = { loss: "categorical_crossentropy", optimizer, execution, seed: 0, step, arena };
  losses.push(trainStep(model, batch, options).loss);
  if ((step + 1) % Number(every) === 0) await report(step + 1);
}
trained.close();
writeFileSync(join(folder, "losses.json"), JSON.stringify(losses));
writeFileSync(join(folder, "end.keras"), writeModel(model, "end.keras"));
source.close();
held.close();
execution.close();
