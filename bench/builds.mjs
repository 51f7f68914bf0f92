/**
 * What the benches that compare builds share.
 *
 * A build is the folder that `npm run build` made, `build` here. That of another commit:
 *
 *     git worktree add ../before COMMIT && (cd ../before && npm ci)      # then it is ../before/build
 *
 * One that is listed again tells how much of a difference is chance.
 */
import { cpSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

/** Ends the process where one of `builds` is none. */
export function checkBuilds(builds) {
  const missing = builds.find((build) => !existsSync(resolve(build, "src/index.js")));
  if (missing === undefined) return;
  console.error(`a build must be a folder that \`npm run build\` made. Received ${missing}.`);
  process.exit(2);
}

/**
 * The folders from which one process loads `builds`: of one that is listed again a copy beside it, until the process ends. Else
 * both would be the same modules, which run twice as often as those of other builds, and are found in the caches when those are
 * not: a build would lose 1 to 3 % of a step of ResNet20 v1 against one that is listed twice.
 */
export function placesOf(builds) {
  return builds.map((build, i) => {
    const folder = resolve(build);
    if (builds.findIndex((other) => resolve(other) === folder) === i) return folder;
    const copy = mkdtempSync(join(dirname(folder), "build-again-"));
    process.once("exit", () => rmSync(copy, { recursive: true, force: true }));
    cpSync(folder, copy, { recursive: true });
    return copy;
  });
}
