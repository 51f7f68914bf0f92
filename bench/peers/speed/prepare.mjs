/**
 * Writes one workload as files, for everyone to read who is measured:
 *
 *     node bench/peers/speed/prepare.mjs WORKLOAD FOLDER
 *
 * - `job.json`: the workload, the plan of the model (see plan.mjs), and where in `arrays.bin` each array lies;
 * - `arrays.bin`: weights by path and the inputs `x` and `y`, float32, one after the other;
 * - `model.keras` and, of a forward pass, `model.onnx`: the model for those who read such files.
 *
 * @module
 */
import { closeSync, openSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { randomStream, writeModel } from "../../../build/src/index.js";
import { toOnnx } from "./onnxruntime.mjs";
import { modelNamed, planOf } from "./plan.mjs";
import { WORKLOADS } from "./work.mjs";

/** The images and one-hot targets of a workload: the same numbers for everyone. */
function inputsOf({ batch }, { inputShape, classes }) {
  const size = inputShape.reduce((product, n) => product * n, batch);
  const stream = randomStream(7, "peers/images", 0);
  const x = Float32Array.from({ length: size }, (_, i) => stream.uniform(i) * 2 - 1);
  const y = new Float32Array(batch * classes);
  for (let n = 0; n < batch; n++) y[n * classes + ((n * 7) % classes)] = 1;
  return { x: { data: x, shape: [batch, ...inputShape] }, y: { data: y, shape: [batch, classes] } };
}

/** Writes arrays by name into one file; gives where they lie. */
function writeArrays(file, arrays) {
  const places = {};
  const descriptor = openSync(file, "w");
  let offset = 0;
  for (const [name, { data, shape }] of arrays) {
    places[name] = { offset, shape };
    writeSync(descriptor, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    offset += data.byteLength;
  }
  closeSync(descriptor);
  return places;
}

const [name, folder] = process.argv.slice(2);
const workload = WORKLOADS.find((candidate) => candidate.name === name);
const model = modelNamed(workload.model);
const plan = planOf(model);
const inputs = inputsOf(workload, plan);
const arrays = writeArrays(join(folder, "arrays.bin"), [...plan.weights, ...Object.entries(inputs)]);
const { weights: _, ...plain } = plan;
writeFileSync(join(folder, "job.json"), JSON.stringify({ ...workload, plan: plain, arrays }));
writeFileSync(join(folder, "model.keras"), writeModel(model, "model.keras"));
if (workload.kind === "forward") writeFileSync(join(folder, "model.onnx"), toOnnx(plan, workload.batch));
