/**
 * Labelled images in memory.
 *
 *     images [N, H, W, C] flat     labels [N]     classNames [classes]
 *
 * Bytes stay bytes: CIFAR-10 takes 154 MB so, and would take 614 MB as float32. What a model sees is made of them a batch
 * at a time, see preprocessing.ts. The images lie in shared memory where there is such a thing, so that a worker which
 * prepares batches reads them in place.
 *
 * @module
 */
import { randomStream } from "../arithmetic/random.js";
import { kindOf } from "../serialization/config.js";
import { formatShape, sizeOf } from "../tensor/shape.js";

/** Height, width and channels of one image. */
export type ImageShape = readonly [height: number, width: number, channels: number];

/** Labelled images. */
export interface Dataset {
  /** What messages call it: `CIFAR-10`. */
  readonly name: string;
  /** The pixels, [N, H, W, C], row-major: bytes from 0 to 255, or numbers that are scaled already. */
  readonly images: Uint8Array | Float32Array;
  /** [N, H, W, C]. */
  readonly shape: readonly [samples: number, height: number, width: number, channels: number];
  /** The class of each image, [N]. */
  readonly labels: Int32Array;
  /** The name of each class; the index is the label. */
  readonly classNames: readonly string[];
}

/** What a model learns from, and what it is measured on. */
export interface DataSplit {
  /** What a model learns from. */
  readonly training: Dataset;
  /**
   * The data's own test set or, where a validation split was asked for, what was split off. Nothing where there is
   * neither.
   */
  readonly test: Dataset | undefined;
}

/**
 * `parts` as a data set whose parts fit each other.
 *
 * @throws RangeError when `shape` is not four whole numbers of at least 1, `images` and `labels` do not fit it, there is no
 *   class, or a label is not that of a class.
 * @throws TypeError when `images` or `labels` are of another type.
 */
export function dataset(parts: Dataset): Dataset {
  checkDataset("dataset", parts);
  const { name, images, shape, labels, classNames } = parts;
  if (!(images instanceof Uint8Array || images instanceof Float32Array)) {
    throw new TypeError(
      `dataset: \`images\` of ${name} must be a Uint8Array, or a Float32Array of scaled ones. Received ${kindOf(images)}.`,
    );
  }
  if (!(labels instanceof Int32Array)) {
    throw new TypeError(`dataset: \`labels\` of ${name} must be an Int32Array. Received ${kindOf(labels)}.`);
  }
  if (shape.length !== 4 || !shape.every((size) => Number.isSafeInteger(size) && size >= 1)) {
    throw new RangeError(
      `dataset: \`shape\` of ${name} must be [N, H, W, C], whole numbers of at least 1. Received shape=${formatShape(shape)}.`,
    );
  }
  if (images.length !== sizeOf(shape)) {
    throw new RangeError(
      `dataset: \`images\` of ${name} must hold ${sizeOf(shape)} values for shape ${formatShape(shape)}. ` +
        `Received images.length=${images.length}.`,
    );
  }
  if (labels.length !== shape[0]) {
    throw new RangeError(
      `dataset: \`labels\` of ${name} must be one for each of ${shape[0]} images. Received labels.length=${labels.length}.`,
    );
  }
  const classes = classNames.length;
  if (classes === 0) throw new RangeError(`dataset: \`classNames\` of ${name} must name a class. Received none.`);
  const at = labels.findIndex((label) => label < 0 || label >= classes);
  if (at >= 0) {
    throw new RangeError(
      `dataset: \`labels\` of ${name} must be from 0 to ${classes - 1}. Received ${labels[at]} for image ${at}.`,
    );
  }
  return parts;
}

/** @throws TypeError when the argument `data` of the function `caller` is no data set, as a split into two is not. */
export function checkDataset(caller: string, data: Dataset): void {
  if (Array.isArray(data?.shape) && Array.isArray(data.classNames)) return;
  throw new TypeError(
    `${caller}: \`data\` must be a data set, as \`training\` of what \`loadData\` gives. Received ${kindOf(data)}.`,
  );
}

/** Height, width and channels of the images of `data`. */
export function imageShapeOf({ shape: [, height, width, channels] }: Dataset): ImageShape {
  return [height, width, channels];
}

/** Room for `length` bytes, in shared memory where there is such a thing. */
export function imageBytes(length: number): Uint8Array {
  return new Uint8Array(imageMemory(length));
}

/** Room for `length` float32 numbers, in shared memory where there is such a thing. */
export function imageFloats(length: number): Float32Array {
  return new Float32Array(imageMemory(length * Float32Array.BYTES_PER_ELEMENT));
}

function imageMemory(bytes: number): ArrayBufferLike {
  // a page that is not isolated has none
  return typeof SharedArrayBuffer === "undefined" ? new ArrayBuffer(bytes) : new SharedArrayBuffer(bytes);
}

/**
 * The images of `data` with the given indices, in that order, as copies.
 *
 * @throws RangeError when `indices` is empty or one of them is not that of an image.
 * @throws TypeError when `data` are no data set, or `indices` no array.
 */
export function subset(data: Dataset, indices: ArrayLike<number>, name?: string): Dataset {
  checkDataset("subset", data);
  if (typeof indices?.length !== "number") {
    throw new TypeError(`subset: \`indices\` must be an array. Received ${kindOf(indices)}.`);
  }
  const [samples, height, width, channels] = data.shape;
  const size = height * width * channels;
  const { length } = indices;
  const images = data.images instanceof Uint8Array ? imageBytes(length * size) : imageFloats(length * size);
  const labels = new Int32Array(length);
  for (let i = 0; i < length; i++) {
    const index = indices[i];
    if (!Number.isInteger(index) || index < 0 || index >= samples) {
      throw new RangeError(`subset: \`indices\` must be from 0 to ${samples - 1}. Received ${index}.`);
    }
    images.set(data.images.subarray(index * size, (index + 1) * size), i * size);
    labels[i] = data.labels[index];
  }
  return dataset({
    name: name ?? data.name,
    images,
    shape: [length, height, width, channels],
    labels,
    classNames: data.classNames,
  });
}

/**
 * `data` split in two, `fraction` of it for validation.
 *
 * The split is stratified: of a class with m images, round(fraction m) go, but never all, namely those with the smallest
 * numbers in `randomStream(seed, "validation-split")`, where image i has number i. Both parts keep the order of `data`. It
 * depends on seed, fraction and labels, and on nothing else.
 *
 * @throws RangeError when `fraction` is not between 0 and 1, or so small that no image would go, or `seed` is not a whole
 *   number from 0 to 2^53 - 1.
 * @throws TypeError when `data` are no data set.
 */
export function splitForValidation(data: Dataset, fraction: number, seed: number): DataSplit & { test: Dataset } {
  checkDataset("splitForValidation", data);
  if (!(fraction > 0 && fraction < 1)) {
    throw new RangeError(`validationSplit must be above 0 and below 1. Received ${fraction}.`);
  }
  const stream = randomStream(seed, "validation-split");
  const keys = Uint32Array.from(data.labels, (_, i) => stream.bits(i));
  const isHeld = new Uint8Array(data.labels.length);
  for (const members of membersOfClasses(data)) {
    const count = Math.min(Math.round(fraction * members.length), members.length - 1);
    members.sort((a, b) => keys[a] - keys[b] || a - b);
    for (const index of members.slice(0, Math.max(count, 0))) isHeld[index] = 1;
  }
  const held: number[] = [];
  const kept: number[] = [];
  for (let i = 0; i < isHeld.length; i++) (isHeld[i] === 1 ? held : kept).push(i);
  if (held.length === 0) {
    throw new RangeError(
      `validationSplit must take at least one image of a class, and leave one, of the ${data.labels.length} of ${data.name}. ` +
        `Received ${fraction}.`,
    );
  }
  return {
    training: subset(data, kept, `${data.name} without its validation split`),
    test: subset(data, held, `${data.name}, validation split`),
  };
}

function membersOfClasses({ labels, classNames }: Dataset): number[][] {
  const members: number[][] = classNames.map(() => []);
  labels.forEach((label, i) => members[label].push(i));
  return members;
}
