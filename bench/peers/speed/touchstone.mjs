/**
 * Touchstone itself on one job (a folder that `prepare.mjs` wrote).
 *
 *     node [--experimental-wasm-revectorize] bench/peers/speed/touchstone.mjs FOLDER THREADS ACCUMULATE RESULT.json SECONDS WARM
 *
 * @module
 */
import { Adam, createExecution, createPredictor, createTrainer, tensor } from "../../../build/src/index.js";
import { regularizationLosses } from "../../../build/src/models/passes.js";
import { modelNamed } from "./plan.mjs";
import { measure, openJob } from "./work.mjs";

const [folder, threads, accumulate, file, seconds, warmSeconds] = process.argv.slice(2);
const job = openJob(folder);
const { kind, batch } = job;
const model = modelNamed(job.model);
const [x, y] = [job.x, job.y].map(({ data, shape }) => tensor(data, shape));
const execution = createExecution({ threads: Number(threads), accumulate });
const predictor = createPredictor(model, { execution, batchSize: batch });

function forward() {
  return predictor.predict([x])[0].data;
}

const trainer = createTrainer(model, { loss: "categorical_crossentropy", optimizer: new Adam(), execution, seed: 0 });
const labels = Int32Array.from({ length: batch }, (_, n) => (n * 7) % y.shape[1]);

function train() {
  return [trainer.step({ x, yTrue: y, labels }).loss];
}

const once = kind === "forward" ? forward : train;
const penalty = kind === "step" ? regularizationLosses(model) : 0; // others report the cross-entropy alone
const shown = (result) => Array.from(result, (value) => value - penalty);
await measure(once, { version: "", file, seconds: Number(seconds), warmSeconds: Number(warmSeconds), shown });
predictor.close();
trainer.close();
execution.close();
