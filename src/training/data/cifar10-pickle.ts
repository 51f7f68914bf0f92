/**
 * CIFAR-10's Python version: pickles of `{"data": uint8 array [N, 3072], "labels": [N numbers], ...}`.
 *
 * Python 2 wrote them. They are read by the machine of formats/pickle-machine.ts, which runs none of their code.
 *
 * @module
 */
import { FormatError } from "../../formats/format-error.js";
import { runPickle } from "../../formats/pickle-machine.js";
import { ArrayRecord, kindOf, type Value } from "../../formats/pickle-objects.js";
import { CIFAR10_IMAGE_BYTES, type Cifar10Batch } from "./cifar10.js";

/**
 * The batch in `bytes`, and how many images it has.
 *
 * @param path - What messages call the file.
 * @throws FormatError when they are not a pickle that {@link runPickle} reads, or it is of something else.
 */
export function readPickledBatch(path: string, bytes: Uint8Array): Cifar10Batch & { readonly count: number } {
  const whole = unpickle(path, bytes);
  if (!(whole instanceof Map)) return fail(path, "must be a dictionary", kindOf(whole));
  const { samples, data } = pixelsOf(path, whole.get("data") ?? null);
  const labels = whole.get("labels") ?? null;
  if (!Array.isArray(labels)) return fail(path, "must hold a list `labels`", kindOf(labels));
  if (labels.length !== samples) {
    return fail(path, `must hold a label for each of its ${samples} images`, `${labels.length} labels`);
  }
  return {
    count: samples,
    label: (n) => {
      const label = labels[n];
      return typeof label === "number" ? label : fail(path, "must hold labels that are numbers", kindOf(label));
    },
    image: (n) => data.subarray(n * CIFAR10_IMAGE_BYTES, (n + 1) * CIFAR10_IMAGE_BYTES),
  };
}

function unpickle(path: string, bytes: Uint8Array): Value {
  try {
    return runPickle(bytes);
  } catch (error) {
    if (error instanceof FormatError) error.message = `${path}: ${error.message}`;
    throw error;
  }
}

function pixelsOf(path: string, array: Value): { samples: number; data: Uint8Array } {
  if (!(array instanceof ArrayRecord)) return fail(path, "must hold an array `data`", kindOf(array));
  const { kind, shape, fortranOrder, data } = array;
  const [samples, size] = shape;
  const rule = `must hold bytes [N, ${CIFAR10_IMAGE_BYTES}] as \`data\`, row-major`;
  if (kind.code !== "u1" || shape.length !== 2 || size !== CIFAR10_IMAGE_BYTES || samples === 0 || fortranOrder) {
    const order = fortranOrder ? ", column-major" : "";
    return fail(path, rule, `elements of type ${JSON.stringify(kind.code)}, shape [${shape.join(", ")}]${order}`);
  }
  if (!(data instanceof Uint8Array) || data.length !== samples * size) {
    const received = data instanceof Uint8Array ? `${data.length} bytes` : kindOf(data);
    return fail(path, `must hold ${samples * size} bytes for \`data\` of shape [${shape.join(", ")}]`, received);
  }
  return { samples, data };
}

function fail(path: string, rule: string, received: string): never {
  throw new FormatError("CIFAR-10", `${path} ${rule}.`, received);
}
