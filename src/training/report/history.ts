/**
 * The history of a run, read from the JSON lines that training writes: one object a step, one an epoch (without `step`).
 *
 * On the axis of a picture, epoch e (counted from 1) ends at x = e. Step i of the n of an epoch ends at e - 1 + i / n.
 *
 * @module
 */
import type { EpochRecord, StepRecord } from "../callback.js";

/** A run so far. */
export interface RunHistory {
  /** In their order. */
  readonly steps: readonly StepRecord[];
  /** In their order. */
  readonly epochs: readonly EpochRecord[];
}

type JsonObject = Readonly<Record<string, unknown>>;

/**
 * The history that a log tells. Where a run was killed and resumed, steps may be there twice: the later line counts. A
 * last line that breaks off is left out.
 *
 * @throws RangeError when a line is no JSON object with the keys of a step or an epoch.
 */
export function parseHistory(log: string): RunHistory {
  const steps = new Map<number, StepRecord>();
  const epochs = new Map<number, EpochRecord>();
  const lines = log.split("\n");
  // what follows the last line feed is empty, or was not written to its end
  for (const [i, line] of lines.slice(0, -1).entries()) {
    if (line.trim() === "") continue;
    const fields = parseLine(line, i + 1);
    if ("step" in fields) {
      const record = stepOf(fields, i + 1);
      steps.set(record.step, record);
    } else {
      const record = epochOf(fields, i + 1);
      epochs.set(record.epoch, record);
    }
  }
  return {
    steps: [...steps.values()].sort((a, b) => a.step - b.step),
    epochs: [...epochs.values()].sort((a, b) => a.epoch - b.epoch),
  };
}

function parseLine(line: string, number: number): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    value = undefined;
  }
  if (!isObject(value)) {
    throw new RangeError(
      `training log: every line must be a JSON object. Received ${JSON.stringify(line.slice(0, 80))} in line ${number}.`,
    );
  }
  return value;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function stepOf(fields: JsonObject, line: number): StepRecord {
  const read = (key: string): number => numberOf(fields, key, line);
  return {
    step: read("step"),
    epoch: read("epoch"),
    loss: read("loss"),
    accuracy: read("accuracy"),
    learningRate: read("learningRate"),
  };
}

function epochOf(fields: JsonObject, line: number): EpochRecord {
  const read = (key: string): number => numberOf(fields, key, line);
  // both are null, or absent, without validation; a loss of NaN alone is null too
  const validated = (fields["valAccuracy"] ?? null) !== null;
  return {
    epoch: read("epoch"),
    loss: read("loss"),
    accuracy: read("accuracy"),
    valLoss: validated ? read("valLoss") : undefined,
    valAccuracy: validated ? read("valAccuracy") : undefined,
    learningRate: read("learningRate"),
    seconds: read("seconds"),
  };
}

/** A number; JSON has no NaN and no infinities, which come as null or as their names. */
function numberOf(fields: JsonObject, key: string, line: number): number {
  const value = fields[key];
  if (typeof value === "number") return value;
  if (value === null || value === "NaN") return Number.NaN;
  if (value === "Infinity" || value === "-Infinity") return Number(value);
  throw new RangeError(
    `training log: \`${key}\` must be a number. Received ${JSON.stringify(value) ?? "nothing"} in line ${line}.`,
  );
}

/** A point of the curves of steps: the mean of neighbouring steps. */
export interface StepPoint {
  /** Where the last of them ends, in epochs. */
  readonly epoch: number;
  readonly loss: number;
  readonly accuracy: number;
  readonly learningRate: number;
}

/**
 * The curve of the steps in at most `maximum` points, each the mean of equally many steps: more than a picture is wide
 * would only blacken it.
 */
export function stepPoints({ steps }: RunHistory, maximum: number): readonly StepPoint[] {
  const end = epochEnds(steps);
  const size = Math.ceil(steps.length / maximum);
  const points: StepPoint[] = [];
  for (let from = 0; from < steps.length; from += size) {
    const group = steps.slice(from, from + size);
    const mean = (value: (step: StepRecord) => number): number =>
      group.reduce((sum, step) => sum + value(step), 0) / group.length;
    points.push({
      epoch: end(group[group.length - 1]),
      loss: mean(({ loss }) => loss),
      accuracy: mean(({ accuracy }) => accuracy),
      learningRate: mean(({ learningRate }) => learningRate),
    });
  }
  return points;
}

/** Where a step ends, in epochs. The epoch with most steps is taken to be complete. */
function epochEnds(steps: readonly StepRecord[]): (step: StepRecord) => number {
  const first = new Map<number, number>();
  let perEpoch = 1;
  for (const { step, epoch } of steps) {
    const start = first.get(epoch) ?? step;
    first.set(epoch, start);
    perEpoch = Math.max(perEpoch, step - start + 1);
  }
  return ({ step, epoch }) => epoch - 1 + (step - (first.get(epoch) ?? step) + 1) / perEpoch;
}
