/**
 * The bits of a whole training step of ResNet29v2, kept as SHA-256.
 *
 * The hash covers every array of the trace: outputs, loss, gradients, moving statistics. This test was
 * run by hand with Node 20.20.2, 22.23.3, 24.21.0 and 26.10.0 on x86-64 Linux (`npx -y node@26 --test` and this file), and
 * all gave these hashes. They change only when the arithmetic, the initial weights or the names change, and such a change
 * wants a reason.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import { randomStream } from "../../src/arithmetic/random.js";
import type { NpyArray } from "../../src/formats/npy.js";
import { labels, Workspace } from "../support/command-line.js";

const HASHES = {
  float64: "ee10a3aca1caa067f715e579d2ca7f3c071d1a648b5b2592fbeb5fb02f749379",
  float32: "7670c0e9b412ace79919509b6e99fb57603a82aa15de8931fef5c60adc9ec146",
};

/** SHA-256 over name, element type, shape and bytes of every array, in the order of their names. */
function hashOf(arrays: ReadonlyMap<string, NpyArray>): string {
  const hash = createHash("sha256");
  for (const [name, { dtype, shape, data }] of [...arrays].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    hash.update(`${name} ${dtype} [${shape.join(", ")}]\n`);
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest("hex");
}

describe("the trace of a training step of ResNet29v2", () => {
  const shape = [2, 32, 32, 3];
  const stream = randomStream(3, "input/x");
  const x: NpyArray = { dtype: "float32", shape, data: stream.fillUniform(new Float32Array(2 * 32 * 32 * 3)) };
  const runs = [
    ["float64", 1],
    ["float64", 2],
    ["float64", 3],
    ["float32", 1],
    ["float32", 3],
  ] as const;
  for (const [accumulate, threads] of runs) {
    it(`has the bits that are kept here, with ${threads} threads and sums in ${accumulate}`, async (test) => {
      const workspace = new Workspace(test);
      workspace.putArrays("in.npz", { x, y: labels(3, 8) });
      await workspace.succeed(
        ...["trace", "resnet29v2", "--seed", "5", "--input", "in.npz", "--training", "--out", "trace.npz"],
        ...["--accumulate", accumulate, "--threads", String(threads)],
      );
      const arrays = workspace.arrays("trace.npz");
      assert.equal(arrays.size, 377);
      assert.equal(hashOf(arrays), HASHES[accumulate]);
    });
  }
});
