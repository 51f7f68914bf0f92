/**
 * The page `docs/speed.md`: one table for every workload, with ratios.
 *
 * @module
 */
import { cpus, totalmem } from "node:os";

/** What the ratios of a table are taken of. */
const YARDSTICKS = { step: ["tensorflow", "pytorch"], forward: ["onnxruntime-web", "tfjs-backend-wasm"] };

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

/** A ratio as the page shows it: two places, or two digits where these would say little more than zero. */
const times = (ratio) => (ratio < 0.1 ? ratio.toPrecision(2) : ratio.toFixed(2));

/** The best quarter's bound; of one run, that run. */
const best = ({ quarter, median }) => quarter ?? median;

/** The median; of an even number, the middle between the two in the middle. */
function medianOf(values) {
  const sorted = values.toSorted((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

/** What all rounds of a peer say: the median of their medians, the best of their best quarters, the worst of the others. */
export function together(rounds) {
  const failed = rounds.find((round) => round.failed !== undefined);
  if (failed !== undefined || rounds.length === 1) return failed ?? rounds[0];
  return {
    ...rounds[0],
    median: medianOf(rounds.map(({ median }) => median)),
    quarter: Math.min(...rounds.map(best)),
    threeQuarters: Math.max(...rounds.map(({ threeQuarters, median }) => threeQuarters ?? median)),
    runs: rounds.reduce((sum, { runs }) => sum + runs, 0),
    busy: medianOf(rounds.map(({ busy }) => busy)),
    peakMegabytes: Math.max(...rounds.map(({ peakMegabytes }) => peakMegabytes)),
  };
}

/**
 * How many times as fast as `yardstick` this result is: of medians, round by round, the median of these; and, in brackets, of
 * best quarters.
 */
function ratio(result, yardstick) {
  if (yardstick === undefined) return "";
  const ratios = result.rounds
    .slice(0, yardstick.rounds.length) // of a round that is not complete yet
    .map(({ median }, i) => yardstick.rounds[i].median / median);
  return `${times(medianOf(ratios))} (${times(best(yardstick) / best(result))})`;
}

/** One row; `yardsticks` are the results with as many threads that the ratios are taken of, where there are such. */
function row(result, yardsticks) {
  const { peer, version, threads, median, quarter, threeQuarters, runs, busy, peakMegabytes, failed } = result;
  if (failed !== undefined) {
    const empty = yardsticks.map(() => " |").join("");
    return `| ${peer} | ${threads} | not measured: ${failed.replaceAll("|", "\\|")} | |${empty} | |`;
  }
  const spread = runs > 1 ? `${milliseconds(quarter)} to ${milliseconds(threeQuarters)}` : "one run";
  const cells = [
    `${peer} ${version}`.trim(),
    threads,
    milliseconds(median),
    spread,
    ...yardsticks.map((yardstick) => ratio(result, yardstick)),
    busy.toFixed(1),
    Math.round(peakMegabytes).toLocaleString("en"),
  ];
  return `| ${cells.join(" | ")} |`;
}

function table(workload, results) {
  const peers = YARDSTICKS[workload.split("-")[0]];
  const all = results.filter((result) => result.workload === workload);
  const own = [...new Set(all.map(({ peer }) => peer))].flatMap((name) => all.filter(({ peer }) => peer === name));
  const yardsticksFor = (threads) =>
    peers.map((peer) => own.find((other) => other.peer === peer && other.threads === threads && !other.failed));
  const ratios = peers.map((peer) => ` times as fast as ${peer} |`).join("");
  return [
    `## ${TITLES[workload]}`,
    "",
    `| | threads | ms, median | middle half |${ratios} cores busy | peak MB |`,
    `|---|---:|---:|---:|${peers.map(() => "---:|").join("")}---:|---:|`,
    ...own.map((result) => row(result, yardsticksFor(result.threads))),
    "",
  ];
}

/** What is said of the times of so many rounds. */
function timesText(rounds) {
  if (rounds === 1) {
    return [
      "The middle half begins where the best quarter of",
      "the runs ends. Ratios are of equal numbers of threads, and of medians; in brackets, of the ends of the best quarters, which",
      "say more where runs are uneven.",
    ];
  }
  return [
    `All were measured in turn, ${rounds} times.`,
    "The median is that of the medians; the middle half goes from the end of the best quarter in the best round to that of the",
    "third quarter in the worst. Ratios are of equal numbers of threads: the medians of those of the rounds; in brackets, of the ends of",
    "the best quarters.",
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
    "rounding; one whose result is not is not measured. Everyone is warmed up before it is measured (`--warm`, in seconds): beside the",
    "first dozens of steps V8 still compiles, and they take a tenth to a fifth longer.",
    "",
    `Machine: ${machine}; Node ${process.versions.node} (V8 ${process.versions.v8}).`,
    "",
    "```sh",
    "npm run build && npm ci --prefix bench/peers && pip install -r bench/peers/requirements.txt",
    `TOUCHSTONE_PYTHON=.venv/bin/python node bench/peers/speed/run.mjs ${arguments_.join(" ")}`.trim(),
    "```",
    "",
    "*Wide vectors* are V8's `--experimental-wasm-revectorize` (see the README).",
    ...timesText(Math.max(...results.map(({ rounds }) => rounds.length))),
    "*Cores busy* is the time of all threads over that on the clock, waits that spin included.",
    "Peak MB is the most resident memory of the whole process, the runtime included: it reads weights and inputs from files that",
    "another process wrote.",
    "",
    ...workloads.flatMap((workload) => table(workload, results)),
  ].join("\n");
}
