/**
 * A training run in a process of its own, which may be killed in the middle of any access to the file system:
 *
 *     node killable-run.js FOLDER THREADS [KILL_AT]
 *
 * It goes on from FOLDER/last.keras where there is one, prints the SHA-256 of its last weights, and how often it has written
 * to the file system. At the access numbered KILL_AT it does half of what it was asked for and sends itself SIGKILL.
 *
 * @module
 */
import fs from "node:fs";
import { join } from "node:path";
import { readModel } from "../../src/formats/read-model.js";
import { writeModel } from "../../src/formats/write-model.js";
import { createExecution } from "../../src/kernels/execution.js";
import { Adam } from "../../src/optimizers/adam.js";
import { EarlyStopping } from "../../src/training/callbacks/early-stopping.js";
import { CSVLog, JsonLinesLog } from "../../src/training/callbacks/logs.js";
import { ModelCheckpoint } from "../../src/training/callbacks/model-checkpoint.js";
import { ReduceLROnPlateau } from "../../src/training/callbacks/reduce-lr-on-plateau.js";
import { readCheckpoint } from "../../src/training/checkpoint.js";
import { checkpointFile } from "../../src/training/checkpoint-file.js";
import { weightsSha256 } from "../../src/training/digest.js";
import { logFile, writeFileAtomically } from "../../src/training/files.js";
import { fit } from "../../src/training/fit.js";
import { brightRows, smallConvolutional } from "./training.js";

const [folder, threads, killAt] = process.argv.slice(2);
let accesses = 0;

/** Counts an access; at the fatal one `half` is done, and then nothing any more. */
function access(half: () => void): void {
  accesses += 1;
  if (accesses !== Number(killAt)) return;
  half();
  process.kill(process.pid, "SIGKILL");
}

const { writeFileSync, fsyncSync, renameSync, truncateSync } = fs;
Object.assign(fs, {
  // which appendFileSync calls as well
  writeFileSync(file: fs.PathOrFileDescriptor, data: string | Uint8Array, options?: fs.WriteFileOptions) {
    access(() => writeFileSync(file, data.slice(0, data.length / 2), options));
    writeFileSync(file, data, options);
  },
  fsyncSync(file: number) {
    access(() => {});
    fsyncSync(file);
  },
  renameSync(from: string, to: string) {
    access(() => {});
    renameSync(from, to);
  },
  truncateSync(path: string, size: number) {
    access(() => {});
    truncateSync(path, size);
  },
});

const last = join(folder, "last.keras");
const best = join(folder, "best.keras");
const model = smallConvolutional(4);
const optimizer = new Adam({ learningRate: 0.02 });
const fingerprint = { seed: 4, data: "bright rows" };
const state = fs.existsSync(last)
  ? readCheckpoint(fs.readFileSync(last), last, { model, optimizer, fingerprint })
  : undefined;
// a file that bears the name of the best model is whole, whenever one looks
if (fs.existsSync(best)) readModel(fs.readFileSync(best), best);
const execution = createExecution({ threads: Number(threads) });
await fit(model, brightRows(3, 5), {
  epochs: 5,
  optimizer,
  validation: brightRows(1, 9, 7),
  execution,
  seed: 4,
  state,
  callbacks: [
    new ReduceLROnPlateau({ monitor: "valAccuracy", factor: 0.5, patience: 1 }),
    new EarlyStopping({ monitor: "valAccuracy", patience: 2, restoreBestWeights: true }),
    new ModelCheckpoint({ save: (kept) => writeFileAtomically(best, writeModel(kept, best)) }),
    new JsonLinesLog(logFile(join(folder, "log.jsonl"))),
    new CSVLog(logFile(join(folder, "log.csv"))),
  ],
  checkpoint: checkpointFile(last, { model, optimizer, fingerprint, everySteps: 2 }),
});
execution.close();
console.log(`${await weightsSha256(model)} ${accesses}`);
