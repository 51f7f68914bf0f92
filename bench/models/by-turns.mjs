/**
 * Two builds, or more, by turns in one process, so that a machine which is slower for a while is slower for all of them:
 *
 *     node bench/models/by-turns.mjs WORK THREADS TURNS BUILD BUILD...
 *
 * WORK is `step-resnet20v1-32` or `predict-resnet50-1`: what is done, the model, and the batch; with float64 sums where
 * `-float64` follows. What a BUILD is says `../builds.mjs`.
 * The ratio of a build is the median of its times by turns, each divided by that of the first build in the same turn.
 */
import { cpus } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { checkBuilds, placesOf } from "../builds.mjs";

const WARM_UP = 20;
const [work = "", threads = "2", turns = "100", ...builds] = process.argv.slice(2);
const { kind, depth, version, batch, accumulate } =
  /^(?<kind>step|predict)-resnet(?<depth>\d+)(?<version>v[12])?-(?<batch>\d+)(-(?<accumulate>float64))?$/.exec(work)
    ?.groups ?? {};
if (kind === undefined || builds.length === 0) {
  console.error(
    "usage: node bench/models/by-turns.mjs step|predict-resnetDEPTH[v1|v2]-BATCH[-float64] THREADS TURNS BUILD...",
  );
  process.exit(2);
}
checkBuilds(builds);

/** What one turn of the build at `place` does. */
async function turnOf(place) {
  const load = (path) => import(pathToFileURL(join(place, path)).href);
  const library = await load("src/index.js");
  const { createExecution, createPredictor, createTrainer, ResNet50, resnetV1, resnetV2, tensor } = library;
  const execution = createExecution({ threads: Number(threads), accumulate: accumulate ?? "float32" });
  const model = version === undefined ? ResNet50() : { v1: resnetV1, v2: resnetV2 }[version](Number(depth));
  if (kind === "step") {
    const { trainStep } = await load("src/training/train-step.js");
    const { batchOf, stepOptions } = await load("bench/models/batch.js");
    const [data, { arena, ...options }] = [batchOf(Number(batch)), stepOptions(execution)];
    const trainer = createTrainer?.(model, options); // builds from before there were any have none
    return {
      execution,
      run: (step) => trainer?.step(data, step) ?? trainStep(model, data, { ...options, arena, step }),
    };
  }
  const shape = [Number(batch), ...model.inputs[0].shape.slice(1).map((size) => size ?? 224)];
  const x = tensor(
    new Float32Array(shape.reduce((a, b) => a * b)).map((_, i) => (((i * 7919) % 257) - 128) / 256),
    shape,
  );
  const predictor = createPredictor(model, { execution, batchSize: Number(batch) });
  return { execution, run: () => predictor.predict([x]) };
}

const sides = [];
for (const [i, place] of placesOf(builds).entries()) {
  sides.push({ build: builds[i], milliseconds: [], ...(await turnOf(place)) });
}
for (let turn = 0; turn < WARM_UP + Number(turns); turn++) {
  for (let i = 0; i < sides.length; i++) {
    const { run, milliseconds } = sides[(turn + i) % sides.length];
    const begin = performance.now();
    run(turn);
    if (turn >= WARM_UP) milliseconds.push(performance.now() - begin);
  }
}
const medianOf = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
console.log(`${cpus()[0].model}, Node ${process.versions.node}: ${work}, ${threads} threads, ${turns} turns`);
console.table(
  sides.map(({ build, milliseconds }) => ({
    build,
    "median ms": medianOf(milliseconds).toFixed(2),
    "best ms": Math.min(...milliseconds).toFixed(2),
    "median of ratios": medianOf(milliseconds.map((time, i) => time / sides[0].milliseconds[i])).toFixed(3),
  })),
);
for (const { execution } of sides) execution.close();
