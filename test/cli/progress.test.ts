import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { startProgress } from "../../src/cli/progress.js";

/** Reports 8 parts at these times, and returns what was written. */
function reported(isTTY: boolean, times: readonly number[]): readonly string[] {
  const written: string[] = [];
  let now = 0;
  const progress = startProgress("predict", { isTTY, write: (text) => written.push(text) }, () => now);
  for (const [i, time] of times.entries()) {
    now = time;
    progress.update(i + 1, 8);
  }
  progress.end();
  return written;
}

describe("startProgress", () => {
  it("says nothing of work that ends within a second", () => {
    assert.deepEqual(reported(true, [300, 600, 999]), []);
    assert.deepEqual(reported(false, [300, 600, 999]), []);
  });

  it("draws a bar on a terminal, and clears it in the end", () => {
    assert.deepEqual(reported(true, [500, 2000]), [
      "\rpredict [########......................] 2/8, 6 s left\u001b[K",
      "\r\u001b[K",
    ]);
  });

  it("writes plain lines elsewhere, not more than one in ten seconds", () => {
    assert.deepEqual(reported(false, [2000, 12_000, 13_000, 24_000]), [
      "predict 2/8, 12 s, 36 s left\n",
      "predict 4/8, 24 s, 24 s left\n",
    ]);
  });
});
