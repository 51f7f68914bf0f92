/**
 * What the benches that compare builds share.
 *
 * A build is the folder that `npm run build` made, `build` here. That of another commit:
 *
 *     git worktree add ../before COMMIT && (cd ../before && npm ci)      # then it is ../before/build
 */
import { existsSync } from "node:fs";
import { resolve } from "node:path";

/** Ends the process where one of `builds` is none. */
export function checkBuilds(builds) {
  const missing = builds.find((build) => !existsSync(resolve(build, "src/index.js")));
  if (missing === undefined) return;
  console.error(`a build must be a folder that \`npm run build\` made. Received ${missing}.`);
  process.exit(2);
}
