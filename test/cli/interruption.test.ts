import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Interruption } from "../../src/cli/interruption.js";

const listeners = (): readonly number[] => [process.listenerCount("SIGINT"), process.listenerCount("SIGTERM")];

describe("Interruption", () => {
  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const) {
    it(`aborts at the first ${signal}, and leaves the second to end the process`, () => {
      const before = listeners();
      let told = 0;
      const interruption = new Interruption(() => told++);
      assert.deepEqual([interruption.signal.aborted, interruption.exitCode], [false, undefined]);
      process.emit(signal, signal);
      assert.deepEqual([interruption.signal.aborted, interruption.exitCode, told], [true, code, 1]);
      assert.deepEqual(listeners(), before);
    });
  }

  it("leaves no listener behind", () => {
    const before = listeners();
    new Interruption(() => {}).end();
    assert.deepEqual(listeners(), before);
  });
});
