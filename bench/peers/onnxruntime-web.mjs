/**
 * ONNX Runtime compiled to WebAssembly with SIMD, one thread.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import * as ort from "onnxruntime-web/wasm";
import { NOT_OFFERED, onnxOperations } from "./onnxruntime.mjs";

/** Opens the peer. */
export function open() {
  ort.env.wasm.numThreads = 1;
  const { version } = JSON.parse(
    readFileSync(new URL("node_modules/onnxruntime-web/package.json", import.meta.url), "utf8"),
  );
  return {
    name: "onnxruntime-web",
    version,
    runsOn: "WebAssembly with SIMD, one thread",
    operations: onnxOperations(ort, { executionProviders: ["wasm"], logSeverityLevel: 4 }),
    notOffered: NOT_OFFERED,
  };
}
