/**
 * What a second thread adds to a training step of ResNet20v1: steps with one thread and with two by turns, so that a machine
 * which is slower for a while is slower for both.
 */
import { cpus } from "node:os";
import { createExecution } from "../../src/kernels/execution.js";
import { resnetV1 } from "../../src/models/resnet-v1.js";
import { createTrainer } from "../../src/training/trainer.js";
import { batchOf, stepOptions } from "./batch.js";

/** So many that V8 has next to nothing left to compile: with two threads there is no core left for that. */
const WARM_UP = 100;
const TURNS = 100;
const batch = batchOf(32);
console.log(`${cpus()[0].model}, Node ${process.versions.node}: training steps of ResNet20v1, batch 32, ${TURNS} each`);
const rows: Record<string, string>[] = [];
for (const accumulate of ["float32", "float64"] as const) {
  const sides = [1, 2].map((threads) => {
    const execution = createExecution({ threads, accumulate });
    const trainer = createTrainer(resnetV1(20), stepOptions(execution));
    return { execution, trainer, milliseconds: [] as number[] };
  });
  for (let step = 0; step < WARM_UP + TURNS; step++) {
    for (const { trainer, milliseconds } of sides) {
      const begin = performance.now();
      trainer.step(batch);
      if (step >= WARM_UP) milliseconds.push(performance.now() - begin);
    }
  }
  const [one, two] = sides.map(({ milliseconds }) => milliseconds.sort((a, b) => a - b));
  for (const [name, at] of Object.entries({ median: TURNS / 2, "end of the best quarter": TURNS / 4, best: 0 })) {
    const [alone, shared] = [one[at], two[at]];
    const times = (alone / shared).toFixed(2);
    rows.push({ sums: accumulate, step: name, "1 thread, ms": alone.toFixed(1), "2, ms": shared.toFixed(1), times });
  }
  for (const { trainer, execution } of sides) {
    trainer.close();
    execution.close();
  }
}
console.table(rows);
