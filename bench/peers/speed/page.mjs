/**
 * The page `docs/speed.md`: one table for every workload, with ratios.
 *
 * @module
 */
import { cpus, totalmem } from "node:os";

/** What the ratios of a table are taken of. */
const YARDSTICK = { step: "tensorflow", forward: "onnxruntime-web" };

const TITLES = {
  "step-resnet20v1-32": "Training step, ResNet20 v1, batch 32",
  "step-resnet29v2-32": "Training step, ResNet29 v2, batch 32",
  "step-resnet110v2-32": "Training step, ResNet110 v2, batch 32",
  "forward-resnet20v1-32": "Inference, ResNet20 v1, batch 32",
  "forward-resnet29v2-32": "Inference, ResNet29 v2, batch 32",
  "forward-resnet50-1": "Inference, ResNet50, batch 1",
  "forward-resnet50-8": "Inference, ResNet50, batch 8",
};

const milliseconds = (value) => (value < 100 ? value.toFixed(1) : Math.round(value).toLocaleString("en"));

function row(result, yardsticks) {
  if (result.failed !== undefined)
    return `| ${result.peer} | ${result.threads} | not measured: ${result.failed} | | | |`;
  const yardstick = yardsticks.get(result.threads);
  const ratio = yardstick === undefined ? "" : (yardstick / result.median).toFixed(2);
  const spread =
    result.runs > 1 ? `${milliseconds(result.quarter)} to ${milliseconds(result.threeQuarters)}` : "one run";
  return `| ${result.peer} ${result.version} | ${result.threads} | ${milliseconds(result.median)} | ${spread} | ${ratio} | ${Math.round(result.peakMegabytes)} |`;
}

function table(workload, results) {
  const yardstick = YARDSTICK[workload.split("-")[0]];
  const own = results.filter((result) => result.workload === workload);
  const yardsticks = new Map(
    own.filter(({ peer, failed }) => peer === yardstick && !failed).map((r) => [r.threads, r.median]),
  );
  return [
    `## ${TITLES[workload]}`,
    "",
    `| | threads | ms, median | middle half | times as fast as ${yardstick} | peak MB |`,
    "|---|---:|---:|---:|---:|---:|",
    ...own.map((result) => row(result, yardsticks)),
    "",
  ];
}

/** The page for these results, which came of the command with these `arguments_`. */
export function speedPage(results, arguments_) {
  const workloads = [...new Set(results.map(({ workload }) => workload))];
  const machine = `${cpus()[0].model.trim()}, ${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB, ${process.platform} ${process.arch}`;
  return [
    "# Speed beside other implementations",
    "",
    "The same work for everyone, one process at a time. A step is forward in training mode, cross-entropy with the L2 penalties,",
    "backward, and Adam on all weights. Inference is the forward pass alone. The first result of everyone is the same up to",
    "rounding, or the command says so. Ratios are of equal numbers of threads.",
    "",
    `Machine: ${machine}; Node ${process.versions.node} (V8 ${process.versions.v8}).`,
    "",
    "```sh",
    "npm run build && npm ci --prefix bench/peers && pip install -r bench/peers/requirements.txt",
    `TOUCHSTONE_PYTHON=.venv/bin/python node bench/peers/speed/run.mjs ${arguments_.join(" ")}`.trim(),
    "```",
    "",
    "*Wide vectors* are V8's `--experimental-wasm-revectorize` (see the README). Peak MB is the most resident memory of the",
    "whole process, the runtime included.",
    "",
    ...workloads.flatMap((workload) => table(workload, results)),
  ].join("\n");
}
