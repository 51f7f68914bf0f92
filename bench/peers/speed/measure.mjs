/**
 * Measures one peer that runs in Node on one job (a folder that `prepare.mjs` wrote), in this process, and writes JSON.
 *
 *     node bench/peers/speed/measure.mjs PEER FOLDER THREADS RESULT.json SECONDS WARM
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { measure, openJob } from "./work.mjs";

const require = createRequire(import.meta.url);
const packageVersion = (name) =>
  JSON.parse(readFileSync(new URL(`../node_modules/${name}/package.json`, import.meta.url), "utf8")).version;

async function onnx(ort, name, options, job) {
  const { onnxForward } = await import("./onnxruntime.mjs");
  return { version: packageVersion(name), once: await onnxForward(ort, options, job) };
}

async function tfjs(backend, job) {
  const { tfjsForward, tfjsStep } = await import("./tfjs.mjs");
  const tf = require("@tensorflow/tfjs");
  require(`@tensorflow/tfjs-backend-${backend}`);
  await tf.setBackend(backend);
  await tf.ready();
  return {
    version: packageVersion(`@tensorflow/tfjs-backend-${backend}`),
    once: job.kind === "step" ? tfjsStep(tf, job) : tfjsForward(tf, job),
  };
}

const PEERS = {
  "onnxruntime-node": async (job, threads) => {
    const { default: ort } = await import("onnxruntime-node");
    const options = { executionProviders: ["cpu"], intraOpNumThreads: threads, interOpNumThreads: 1 };
    return onnx(ort, "onnxruntime-node", options, job);
  },
  "onnxruntime-web": async (job, threads) => {
    // not onnxruntime-web/wasm: that is the build for browsers, which fetches what its workers run, and Node fetches no files
    const ort = await import("onnxruntime-web");
    ort.env.wasm.numThreads = threads;
    return onnx(ort, "onnxruntime-web", { executionProviders: ["wasm"] }, job);
  },
  "tfjs-backend-wasm": (job) => tfjs("wasm", job),
  "tfjs-backend-cpu": (job) => tfjs("cpu", job),
  "jax-js": async (job) => {
    const { jaxForward, jaxStep, open } = await import("./jax-js.mjs");
    await open();
    return { version: packageVersion("@jax-js/jax"), once: job.kind === "step" ? jaxStep(job) : jaxForward(job) };
  },
};

const [peer, folder, threads, file, seconds, warmSeconds] = process.argv.slice(2);
const { version, once } = await PEERS[peer](openJob(folder), Number(threads));
await measure(once, { version, file, seconds: Number(seconds), warmSeconds: Number(warmSeconds) });
process.exit(0); // some peers leave threads running
