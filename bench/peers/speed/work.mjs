/**
 * What is measured: the same work for every peer.
 *
 * A step is forward in training mode, categorical cross-entropy with the L2 penalties, backward, and one step of Adam on all
 * weights, moving statistics included. A forward pass is inference.
 *
 * @module
 */
import { randomStream } from "../../../build/src/index.js";

/** All workloads; `gigaflop` counts the products of the convolutions and dense layers, twice. */
export const WORKLOADS = [
  { name: "step-resnet20v1-32", kind: "step", model: "resnet20v1", batch: 32 },
  { name: "step-resnet29v2-32", kind: "step", model: "resnet29v2", batch: 32 },
  { name: "step-resnet110v2-32", kind: "step", model: "resnet110v2", batch: 32 },
  { name: "forward-resnet20v1-32", kind: "forward", model: "resnet20v1", batch: 32 },
  { name: "forward-resnet29v2-32", kind: "forward", model: "resnet29v2", batch: 32 },
  { name: "forward-resnet50-1", kind: "forward", model: "resnet50", batch: 1 },
  { name: "forward-resnet50-8", kind: "forward", model: "resnet50", batch: 8 },
];

/** The images and one-hot targets of a workload: the same numbers for everyone. */
export function inputsOf({ batch }, { inputShape, classes }) {
  const size = inputShape.reduce((product, n) => product * n, batch);
  const stream = randomStream(7, "peers/images", 0);
  const x = Float32Array.from({ length: size }, (_, i) => stream.uniform(i) * 2 - 1);
  const y = new Float32Array(batch * classes);
  for (let n = 0; n < batch; n++) y[n * classes + ((n * 7) % classes)] = 1;
  return { x: { data: x, shape: [batch, ...inputShape] }, y: { data: y, shape: [batch, classes] } };
}

/**
 * Runs `once` until it is warm, then for `seconds` or at least `least` times. Gives milliseconds: median, and the least and
 * most of the middle half.
 */
export async function timed(once, { seconds = 4, least = 5, warmSeconds = 2 } = {}) {
  const started = performance.now();
  let warm = 0;
  while (warm < 2 || performance.now() - started < 1000 * warmSeconds) {
    await once();
    warm++;
    if (warm === 1 && performance.now() - started > 20_000) return { median: performance.now() - started, runs: 1 };
  }
  const times = [];
  const begin = performance.now();
  while (times.length < least || performance.now() - begin < 1000 * seconds) {
    const from = performance.now();
    await once();
    times.push(performance.now() - from);
  }
  times.sort((a, b) => a - b);
  const at = (share) => times[Math.min(times.length - 1, Math.floor(times.length * share))];
  return { median: at(0.5), quarter: at(0.25), threeQuarters: at(0.75), runs: times.length };
}
