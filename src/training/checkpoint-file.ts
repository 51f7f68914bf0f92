/**
 * The checkpoint of a run as a file. Node only, see files.ts.
 *
 * @module
 */
import { type CheckpointParts, checkParts, writeCheckpoint } from "./checkpoint.js";
import { writeFileAtomically } from "./files.js";
import type { Checkpointing } from "./fit.js";

/** What the file is made of, and how often. */
export interface CheckpointFileOptions extends Omit<CheckpointParts, "state"> {
  /** Steps between checkpoints within an epoch; there is one after each epoch anyway. */
  readonly everySteps?: number | undefined;
}

/**
 * Keeps the state of a run in the file `path`, which is whole at any time.
 *
 * @throws TypeError when an option is none of {@link CheckpointFileOptions}, or `model` no model.
 */
export function checkpointFile(path: string, options: CheckpointFileOptions): Checkpointing {
  checkParts("checkpointFile", options, ["everySteps"]);
  const { everySteps, ...parts } = options;
  return {
    everySteps,
    save: (state) => writeFileAtomically(path, writeCheckpoint({ ...parts, state })),
  };
}
