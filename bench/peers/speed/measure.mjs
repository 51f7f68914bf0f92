/**
 * Measures one peer that runs in Node on one workload, in this process, and writes JSON.
 *
 *     node bench/peers/speed/measure.mjs PEER WORKLOAD THREADS RESULT.json [SECONDS]
 *
 * @module
 */
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { modelNamed, planOf } from "./plan.mjs";
import { inputsOf, timed, WORKLOADS } from "./work.mjs";

const require = createRequire(import.meta.url);
const packageVersion = (name) =>
  JSON.parse(readFileSync(new URL(`../node_modules/${name}/package.json`, import.meta.url), "utf8")).version;

async function onnx(ort, name, options, plan, inputs) {
  const { onnxForward } = await import("./onnxruntime.mjs");
  return { version: packageVersion(name), once: await onnxForward(ort, options, plan, inputs) };
}

async function tfjs(backend, kind, plan, inputs) {
  const { tfjsForward, tfjsStep } = await import("./tfjs.mjs");
  const tf = require("@tensorflow/tfjs");
  require(`@tensorflow/tfjs-backend-${backend}`);
  await tf.setBackend(backend);
  await tf.ready();
  return {
    version: packageVersion(`@tensorflow/tfjs-backend-${backend}`),
    once: kind === "step" ? tfjsStep(tf, plan, inputs) : tfjsForward(tf, plan, inputs),
  };
}

const PEERS = {
  "onnxruntime-node": async ({ threads }, plan, inputs) => {
    const { default: ort } = await import("onnxruntime-node");
    const options = { executionProviders: ["cpu"], intraOpNumThreads: threads, interOpNumThreads: 1 };
    return onnx(ort, "onnxruntime-node", options, plan, inputs);
  },
  "onnxruntime-web": async ({ threads }, plan, inputs) => {
    const ort = await import("onnxruntime-web/wasm");
    ort.env.wasm.numThreads = threads;
    return onnx(ort, "onnxruntime-web", { executionProviders: ["wasm"] }, plan, inputs);
  },
  "tfjs-backend-wasm": ({ kind }, plan, inputs) => tfjs("wasm", kind, plan, inputs),
  "tfjs-backend-cpu": ({ kind }, plan, inputs) => tfjs("cpu", kind, plan, inputs),
  "jax-js": async ({ kind }, plan, inputs) => {
    const { jaxForward, jaxStep, open } = await import("./jax-js.mjs");
    await open();
    const once = kind === "step" ? jaxStep(plan, inputs) : jaxForward(plan, inputs);
    return { version: packageVersion("@jax-js/jax"), once };
  },
};

const [peer, name, threads, file, seconds = "4"] = process.argv.slice(2);
const workload = { ...WORKLOADS.find((candidate) => candidate.name === name), threads: Number(threads) };
const plan = planOf(modelNamed(workload.model));
const { version, once } = await PEERS[peer](workload, plan, inputsOf(workload, plan));
const result = Array.from(await once()).slice(0, 10);
const times = await timed(once, { seconds: Number(seconds) });
const peakMegabytes = process.resourceUsage().maxRSS / 1024;
writeFileSync(file, JSON.stringify({ version, ...times, result, peakMegabytes }));
process.exit(0); // some peers leave threads running
