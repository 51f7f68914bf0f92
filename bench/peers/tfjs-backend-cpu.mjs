/**
 * TensorFlow.js on the plain JavaScript backend.
 *
 * @module
 */
import { createRequire } from "node:module";
import { tfjsOperations } from "./tfjs.mjs";

const require = createRequire(import.meta.url);

/** Opens the peer. */
export async function open() {
  const tf = require("@tensorflow/tfjs"); // tfjs-core alone has no gradients registered
  require("@tensorflow/tfjs-backend-cpu");
  await tf.setBackend("cpu");
  await tf.ready();
  return {
    name: "tfjs-backend-cpu",
    version: require("@tensorflow/tfjs-backend-cpu/package.json").version,
    runsOn: "plain JavaScript backend",
    operations: tfjsOperations(tf),
    notOffered: {},
  };
}
