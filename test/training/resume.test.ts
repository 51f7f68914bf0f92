import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import fc from "fast-check";

const PROGRAM = fileURLToPath(new URL("../support/killable-run.js", import.meta.url));
const folders: string[] = [];

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "touchstone-resume-"));
  folders.push(folder);
  return folder;
}

/** The run in a process of its own: the digest of its last weights, or nothing where it was killed. */
function run(folder: string, threads: number, killAt?: number): { digest: string; accesses: number } | undefined {
  const args = [PROGRAM, folder, String(threads), ...(killAt === undefined ? [] : [String(killAt)])];
  const { stdout, stderr, status, signal } = spawnSync(process.execPath, args, { encoding: "utf8" });
  if (signal === "SIGKILL") return undefined;
  assert.equal(status, 0, stderr);
  const [digest, accesses] = stdout.trim().split(" ");
  return { digest, accesses: Number(accesses) };
}

/** All that a run leaves, but for the seconds that it took. */
function leftBy(folder: string): Record<string, string> {
  const text = (name: string): string => readFileSync(join(folder, name), "utf8");
  return {
    jsonl: text("log.jsonl").replace(/"seconds":[^}]*/g, ""),
    csv: text("log.csv").replace(/,[^,\n]*\n/g, "\n"),
    best: readFileSync(join(folder, "best.keras")).toString("base64"),
  };
}

describe("A run that is killed", () => {
  after(() => folders.forEach((folder) => rmSync(folder, { recursive: true })));
  const whole = newFolder();
  const alone = run(whole, 1);

  it("with SIGKILL in the middle of any access to a file, is resumed to the same weights, best model and logs", () => {
    assert.ok(alone !== undefined);
    const kills = fc.array(fc.integer({ min: 1, max: alone.accesses }), { minLength: 1, maxLength: 2 });
    fc.assert(
      fc.property(kills, fc.integer({ min: 1, max: 3 }), (killAts, threads) => {
        const folder = newFolder();
        let finished = killAts.map((killAt) => run(folder, 1, killAt)).findLast((end) => end !== undefined);
        finished = run(folder, threads) ?? finished;
        assert.equal(finished?.digest, alone.digest);
        assert.deepEqual(leftBy(folder), leftBy(whole));
      }),
      { numRuns: 5 },
    );
  });

  it("needs as many threads as one likes for the same weights", () => {
    for (const threads of [2, 3]) assert.equal(run(newFolder(), threads)?.digest, alone?.digest);
  });
});
