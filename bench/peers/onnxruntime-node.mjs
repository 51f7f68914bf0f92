/**
 * ONNX Runtime's CPU provider (MLAS) as a native add-on of Node.
 *
 * @module
 */
import { createRequire } from "node:module";
import ort from "onnxruntime-node";
import { NOT_OFFERED, onnxOperations } from "./onnxruntime.mjs";

/** Opens the peer. */
export function open() {
  const { version } = createRequire(import.meta.url)("onnxruntime-node/package.json");
  return {
    name: "onnxruntime-node",
    version,
    runsOn: "CPU provider (MLAS), one thread",
    operations: onnxOperations(ort, { executionProviders: ["cpu"], intraOpNumThreads: 1, logSeverityLevel: 4 }),
    notOffered: NOT_OFFERED,
  };
}
