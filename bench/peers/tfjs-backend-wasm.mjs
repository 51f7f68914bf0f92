/**
 * TensorFlow.js on the WebAssembly backend (XNNPACK) with SIMD, one thread.
 *
 * @module
 */
import { createRequire } from "node:module";
import { tfjsOperations } from "./tfjs.mjs";

const require = createRequire(import.meta.url);

/** Opens the peer. */
export async function open() {
  const tf = require("@tensorflow/tfjs"); // tfjs-core alone has no gradients registered
  require("@tensorflow/tfjs-backend-wasm");
  await tf.setBackend("wasm");
  await tf.ready();
  // no Conv2DBackpropFilter in this backend, and no gradients of depthwise convolutions at all
  const { "depthwise-conv2d-backward": _, ...operations } = tfjsOperations(tf, { kernelGradients: false });
  return {
    name: "tfjs-backend-wasm",
    version: require("@tensorflow/tfjs-backend-wasm/package.json").version,
    runsOn: "WebAssembly backend (XNNPACK) with SIMD, one thread",
    operations,
    notOffered: { "depthwise-conv2d-backward": "no kernels for its gradients" },
  };
}
