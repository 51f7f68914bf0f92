/**
 * Writing HDF5 files: the version that every library reads, with superblock 0, symbol tables and contiguous datasets.
 *
 * ```
 * superblock | elements, headers, names and trees of all objects, children before their parents | texts
 * ```
 *
 * An address must be known before what refers to it is planned, so the tree is planned from its leaves to its root; only
 * the superblock, at the front, and references to texts are written when all else has its place. Equal trees give equal
 * bytes: no times are stored.
 *
 * @module
 */
import { elementTypeOf, encodeElements } from "../elements.js";
import { GlobalHeapPlan } from "./global-heap-plan.js";
import { FileImage } from "./image.js";
import { compareCodePoints } from "./links.js";
import {
  attributeMessage,
  datasetMessages,
  type PlannedMessage,
  planObjectHeader,
  symbolTableMessage,
} from "./messages.js";
import type { Hdf5AttributeSpec, Hdf5DatasetSpec, Hdf5GroupSpec, Hdf5Numbers } from "./spec.js";
import { INTERNAL_K, LEAF_K, type PlannedLink, planSymbolTable, type SymbolTable } from "./symbol-table.js";

const SUPERBLOCK_SIZE = 96;
const MAX_RANK = 32;

interface Plan {
  readonly image: FileImage;
  readonly texts: GlobalHeapPlan;
}

interface PlannedGroup {
  readonly header: number;
  readonly table: SymbolTable;
}

/**
 * The bytes of an HDF5 file with this root group.
 *
 * Memory: the file, once, besides what `root` holds.
 *
 * @throws RangeError when a shape does not fit its data, a name is empty, `.` or has a `/` or a zero in it, or an
 *   object has attributes larger than 64 KB, or more than 65534 of them.
 */
export function writeHdf5(root: Hdf5GroupSpec): Uint8Array {
  const image = new FileImage();
  const texts = new GlobalHeapPlan();
  image.allocate(SUPERBLOCK_SIZE, (writer) => {
    writer.bytes([0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a]);
    // versions of superblock, free space, root entry, (reserved,) shared messages; bytes of offsets and lengths
    writer.bytes([0, 0, 0, 0, 0, 8, 8, 0]).u16(LEAF_K).u16(INTERNAL_K).u32(0);
    // base address, free space, end of file, driver information
    writer.u64(0).u64(undefined).u64(image.length).u64(undefined);
    // the root's entry: no name, its header, and a cache of kind 1 with its tree and heap
    writer.u64(0).u64(planned.header).u32(1).u32(0).u64(planned.table.tree).u64(planned.table.heap);
  });
  const planned = planGroup({ image, texts }, root, "/");
  texts.plan(image);
  return image.toBytes();
}

function planGroup(plan: Plan, group: Hdf5GroupSpec, path: string): PlannedGroup {
  const links: PlannedLink[] = [];
  for (const [name, child] of [...group.children].sort(([a], [b]) => compareCodePoints(a, b))) {
    checkName(name, path);
    const childPath = path === "/" ? `/${name}` : `${path}/${name}`;
    const address =
      child.kind === "group" ? planGroup(plan, child, childPath).header : planDataset(plan, child, childPath);
    links.push({ name, address });
  }
  const table = planSymbolTable(plan.image, links);
  const messages = [symbolTableMessage(table.tree, table.heap), ...planAttributes(plan, group.attributes, path)];
  return { header: planObjectHeader(plan.image, messages), table };
}

function planDataset(plan: Plan, dataset: Hdf5DatasetSpec, path: string): number {
  checkNumbers(dataset, path);
  const { data } = dataset;
  const fill = (): Uint8Array => encodeElements(elementTypeOf(data), data);
  const address =
    data.length === 0 ? undefined : plan.image.allocate(data.byteLength, (writer) => writer.bytes(fill()));
  const messages = [...datasetMessages(dataset, address), ...planAttributes(plan, dataset.attributes, path)];
  return planObjectHeader(plan.image, messages);
}

function planAttributes(
  plan: Plan,
  attributes: ReadonlyMap<string, Hdf5AttributeSpec> | undefined,
  path: string,
): PlannedMessage[] {
  return Array.from(attributes ?? [], ([name, value]) => {
    if (name === "" || name.includes("\0")) {
      throw new RangeError(
        "writeHdf5: an attribute's name must not be empty nor have a zero in it. " +
          `Received ${JSON.stringify(name)} of ${JSON.stringify(path)}.`,
      );
    }
    if (typeof value !== "string" && "shape" in value) checkNumbers(value, `${path}@${name}`);
    return attributeMessage(path, name, value, plan.texts);
  });
}

function checkName(name: string, path: string): void {
  if (name === "" || name === "." || name.includes("/") || name.includes("\0")) {
    throw new RangeError(
      'writeHdf5: a name must not be empty or ".", nor have "/" or a zero in it. ' +
        `Received ${JSON.stringify(name)} in ${JSON.stringify(path)}.`,
    );
  }
}

function checkNumbers({ shape, data }: Hdf5Numbers, path: string): void {
  const isValid = shape.length <= MAX_RANK && shape.every((size) => Number.isSafeInteger(size) && size >= 0);
  if (!isValid || shape.reduce((product, size) => product * size, 1) !== data.length) {
    throw new RangeError(
      `writeHdf5: a shape must be at most ${MAX_RANK} whole numbers whose product is the number of elements, ` +
        `${data.length} for ${JSON.stringify(path)}. Received shape=[${shape.join(", ")}].`,
    );
  }
}
