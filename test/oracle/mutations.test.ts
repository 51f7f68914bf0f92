import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { honestBackends } from "../../src/oracle/mutations/honest.js";
import { MUTANTS } from "../../src/oracle/mutations/mutants.js";
import { toBfloat16, toFloat16, toTf32, truncatedToFloat32 } from "../../src/oracle/mutations/precision.js";
import { formatWatch, watchHonest, watchMutant } from "../../src/oracle/mutations/watch.js";
import { OPERATIONS } from "../../src/oracle/operations/table.js";

/** Cases that are tried, until one tells. */
const ATTEMPTS = [3, 12, 48, 128];
/** Cases in which what is no mistake must pass; the table of docs/mutations.md has 128. */
const CONTROLS = 24;

describe("the conformance kit", () => {
  for (const operation of OPERATIONS.keys()) {
    it(`finds every mistake in ${operation}, and passes what is none`, async () => {
      const mutants = MUTANTS.filter((mutant) => mutant.operation === operation);
      assert.ok(
        mutants.some(({ control }) => !control),
        "nobody watches",
      );
      for (const mutant of mutants) {
        let found = false;
        for (const cases of mutant.control ? [CONTROLS] : ATTEMPTS) {
          found ||= (await watchMutant(mutant, cases)).right;
        }
        assert.ok(found, mutant.mistake);
      }
    });
  }

  it("has no false alarm for honest float32 in any order", async () => {
    for (const backend of honestBackends()) {
      const { alarms, backend: name } = await watchHonest(backend, 16, 5);
      assert.deepEqual(
        alarms.map(({ operation, finding }) => `${name}, ${operation}: ${finding?.line}`),
        [],
      );
    }
  });
});

describe("the mutation tables", () => {
  it("name what was missed", async () => {
    const [mutant] = MUTANTS;
    const watched = await watchMutant(mutant, 1);
    const text = formatWatch([{ ...watched, failures: [], right: false }], []);
    assert.match(text, /0 of 1 found\./);
    assert.match(text, /\| conv2d \| SAME padding on the other side \| 0 of 1 \| \*\*missed\*\* \|/);
  });
});

describe("narrow formats", () => {
  it("have the numbers that they have", () => {
    assert.equal(toBfloat16(1 + 2 ** -9), 1);
    assert.equal(toBfloat16(1 + 3 * 2 ** -9), 1 + 2 ** -7);
    assert.equal(toTf32(1 + 2 ** -10 + 2 ** -12), 1 + 2 ** -10);
    assert.equal(toFloat16(65519), 65504);
    assert.equal(toFloat16(65520), Number.POSITIVE_INFINITY);
    assert.equal(toFloat16(2 ** -24 * 2.75), 3 * 2 ** -24);
  });

  it("cut off towards zero", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, min: -1e30, max: 1e30 }), (value) => {
        const cut = truncatedToFloat32(value);
        return Object.is(Math.fround(cut), cut) && Math.abs(cut) <= Math.abs(value);
      }),
    );
  });
});
