/**
 * Touchstone itself on one workload.
 *
 *     node [--experimental-wasm-revectorize] bench/peers/speed/touchstone.mjs WORKLOAD THREADS ACCUMULATE RESULT.json [SECONDS]
 *
 * @module
 */
import { writeFileSync } from "node:fs";
import { Adam, createExecution, predict, tensor, trainStep } from "../../../build/src/index.js";
import { regularizationLosses } from "../../../build/src/models/passes.js";
import { Arena } from "../../../build/src/tensor/arena.js";
import { modelNamed, planOf } from "./plan.mjs";
import { inputsOf, timed, WORKLOADS } from "./work.mjs";

const [name, threads, accumulate, file, seconds = "4"] = process.argv.slice(2);
const { kind, model: modelName, batch } = WORKLOADS.find((workload) => workload.name === name);
const model = modelNamed(modelName);
const inputs = inputsOf({ batch }, planOf(model));
const [x, y] = [inputs.x, inputs.y].map(({ data, shape }) => tensor(data, shape));
const execution = createExecution({ threads: Number(threads), accumulate });

function forward() {
  return predict(model, [x], { execution, batchSize: batch })[0].data;
}

const optimizer = new Adam();
const arena = new Arena();
const labels = Int32Array.from({ length: batch }, (_, n) => (n * 7) % y.shape[1]);
let step = 0;

function train() {
  const options = { loss: "categorical_crossentropy", optimizer, execution, seed: 0, step: step++, arena };
  return [trainStep(model, { x, yTrue: y, labels }, options).loss];
}

const once = kind === "forward" ? forward : train;
const penalty = kind === "step" ? regularizationLosses(model) : 0; // others report the cross-entropy alone
const result = Array.from(once(), (value) => value - penalty).slice(0, 10);
const times = await timed(once, { seconds: Number(seconds) });
const peakMegabytes = process.resourceUsage().maxRSS / 1024;
writeFileSync(file, JSON.stringify({ version: "", ...times, result, peakMegabytes }));
execution.close();
