/**
 * The checkpoint of a run as a file. Node only, see files.ts.
 *
 * @module
 */
import { type CheckpointParts, writeCheckpoint } from "./checkpoint.js";
import { writeFileAtomically } from "./files.js";
import type { Checkpointing } from "./fit.js";

/** What the file is made of, and how often. */
export interface CheckpointFileOptions extends Omit<CheckpointParts, "state"> {
  /** Steps between checkpoints within an epoch; there is one after each epoch anyway. */
  readonly everySteps?: number | undefined;
}

/** Keeps the state of a run in the file `path`, which is whole at any time. */
export function checkpointFile(path: string, { everySteps, ...parts }: CheckpointFileOptions): Checkpointing {
  return {
    everySteps,
    save: (state) => writeFileAtomically(path, writeCheckpoint({ ...parts, state })),
  };
}
