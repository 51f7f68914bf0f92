import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fileError, report, UsageError } from "../../src/cli/errors.js";
import { FormatError } from "../../src/formats/format-error.js";

const thrownBy = (work: () => unknown): unknown => {
  try {
    work();
  } catch (error) {
    return error;
  }
  return assert.fail("nothing was thrown");
};

describe("report", () => {
  it("takes errors of this project that state a rule and what came for bad input", () => {
    for (const error of [
      new UsageError("a must be b.", "c"),
      new RangeError("a must be b. Received c."),
      new TypeError("a must be b. Received c."),
    ]) {
      assert.deepEqual(report(error), { line: "touchstone: a must be b. Received c.", code: 2 });
    }
    assert.deepEqual(report(new FormatError("npy", "a must be b.", "c")).code, 2);
  });

  it("takes everything else for an error of this project's own", () => {
    const internal = (message: string): { line: string; code: number } => ({
      line: `touchstone: internal error, please report it: ${message}`,
      code: 3,
    });
    const missing: { readonly f?: () => void } = {};
    for (const error of [
      thrownBy(() => missing.f!()),
      thrownBy(() => "a".repeat(-1)),
      thrownBy(() => new DataView(new ArrayBuffer(1)).getFloat64(0)),
      // Node's own messages say "Received" as well
      thrownBy(() => Buffer.alloc(-1)),
      new Error("internal: heap: no block begins at 8. Received 8."),
    ]) {
      assert.ok(error instanceof Error);
      assert.deepEqual(report(error), internal(error.message));
    }
    assert.deepEqual(report("text"), internal("text"));
  });

  it("says what it means when the engine has no memory for a tensor", () => {
    const requests = [() => new Float64Array(2 ** 50), () => new ArrayBuffer(2 ** 53), () => new Array(-1)];
    for (const { line, code } of requests.map((request) => report(thrownBy(request)))) {
      assert.equal(code, 2, line);
      assert.match(
        line,
        /^touchstone: the model and what it computes must fit into the memory of this process\. Received ".+"\.$/,
      );
    }
  });

  it("keeps to one line, and lets no name from a file move the cursor", () => {
    const error = new RangeError("the layer a\u001b[2J\r\n  b\u2028c must be d. Received e.");
    assert.equal(report(error).line, "touchstone: the layer a [2J b c must be d. Received e.");
  });
});

describe("fileError", () => {
  it("puts the system's codes into words, and quotes what it has no words for", () => {
    const of = (code: string): string =>
      fileError("read", "f", Object.assign(new Error("its message"), { code })).message;
    assert.equal(of("ENOSPC"), 'f: must be a file that can be read. Received "no space left on the device".');
    assert.equal(of("EWHAT"), 'f: must be a file that can be read. Received "its message".');
  });
});
