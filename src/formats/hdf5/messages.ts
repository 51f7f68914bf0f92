/**
 * Object headers, written: messages and their sizes. Their layouts are drawn in `object-header.ts`, `datatype.ts`,
 * `dataspace.ts`, `attributes.ts` and `layout.ts`; versions are those that every HDF5 library since 1.8 reads.
 *
 * @module
 */
import { elementSize, elementTypeOf, encodeElements } from "../elements.js";
import type { GlobalHeapPlan } from "./global-heap-plan.js";
import { align8, type FileImage, type Hdf5Writer } from "./image.js";
import { MESSAGE } from "./object-header.js";
import type { Hdf5AttributeSpec, Hdf5Numbers } from "./spec.js";

/** A message that knows its size before it is written. */
export interface PlannedMessage {
  readonly type: number;
  readonly size: number;
  readonly write: (writer: Hdf5Writer) => void;
}

/** A part of a message. */
type Part = Omit<PlannedMessage, "type">;

/** The size of a message is 16 bits wide, and a multiple of eight. */
const MAX_MESSAGE = 65528;
const MAX_MESSAGES = 65535;
const HEADER_PREFIX = 16;

/**
 * Gives an object header of version 1 its place.
 *
 * @returns its address.
 * @throws RangeError when it has more messages than its count can tell.
 */
export function planObjectHeader(image: FileImage, messages: readonly PlannedMessage[]): number {
  if (messages.length > MAX_MESSAGES) {
    const attributes = messages.filter(({ type }) => type === MESSAGE.attribute).length;
    const most = MAX_MESSAGES - messages.length + attributes;
    throw new RangeError(`writeHdf5: an object must have at most ${most} attributes. Received ${attributes}.`);
  }
  let length = 0;
  for (const { size } of messages) length += 8 + align8(size);
  return image.allocate(HEADER_PREFIX + length, (writer) => {
    writer.u8(1).skip(1).u16(messages.length).u32(1).u32(length).skip(4);
    for (const { type, size, write } of messages) {
      const padded = align8(size);
      writer.u16(type).u16(padded).u8(0).skip(3);
      const end = writer.position + padded;
      write(writer);
      writer.position = end;
    }
  });
}

/** Symbol table: where the B-tree and the names of a group are. */
export function symbolTableMessage(tree: number, heap: number): PlannedMessage {
  return { type: MESSAGE.symbolTable, size: 16, write: (writer) => writer.u64(tree).u64(heap) };
}

/** Shape, type, fill value and layout of a contiguous dataset whose elements are at `address`. */
export function datasetMessages(numbers: Hdf5Numbers, address: number | undefined): PlannedMessage[] {
  return [
    { type: MESSAGE.dataspace, ...dataspace(numbers.shape) },
    { type: MESSAGE.datatype, ...numberType(numbers) },
    // version 2, allocated late, written where set by the user, defined as the default: zeros
    { type: MESSAGE.fillValue, size: 8, write: (writer) => writer.bytes([2, 2, 2, 1]).u32(0) },
    { type: MESSAGE.layout, size: 18, write: (writer) => writer.u8(3).u8(1).u64(address).u64(numbers.data.byteLength) },
  ];
}

/**
 * An attribute, message version 3.
 *
 * @param object - The path of the object, for errors.
 * @throws RangeError when it does not fit into a message of 64 KB; a long list must be split by the caller.
 */
export function attributeMessage(
  object: string,
  name: string,
  value: Hdf5AttributeSpec,
  heap: GlobalHeapPlan,
): PlannedMessage {
  const nameBytes = new TextEncoder().encode(`${name}\0`);
  const { type, shape, elements } = planValue(value, heap);
  const size = 9 + nameBytes.length + type.size + shape.size + elements.size;
  if (size > MAX_MESSAGE) {
    throw new RangeError(
      `writeHdf5: an attribute must fit in ${MAX_MESSAGE} bytes. ` +
        `Received ${JSON.stringify(name)} of ${JSON.stringify(object)} with ${size} bytes.`,
    );
  }
  return {
    type: MESSAGE.attribute,
    size,
    write: (writer) => {
      writer.u8(3).u8(0).u16(nameBytes.length).u16(type.size).u16(shape.size);
      writer.u8(1).bytes(nameBytes); // the name is UTF-8
      for (const part of [type, shape, elements]) part.write(writer);
    },
  };
}

interface PlannedValue {
  readonly type: Part;
  readonly shape: Part;
  readonly elements: Part;
}

function planValue(value: Hdf5AttributeSpec, heap: GlobalHeapPlan): PlannedValue {
  if (typeof value === "string") {
    const text = new TextEncoder().encode(value);
    const reference = heap.add(text);
    const elements = { size: 16, write: (writer: Hdf5Writer) => writer.u32(text.length).bytes(reference()) };
    return { type: variableString, shape: dataspace([]), elements };
  }
  if ("shape" in value) {
    const elements = encodeElements(elementTypeOf(value.data), value.data);
    return {
      type: numberType(value),
      shape: dataspace(value.shape),
      elements: { size: elements.length, write: (writer) => writer.bytes(elements) },
    };
  }
  const texts = value.map((text) => new TextEncoder().encode(text));
  const width = texts.reduce((widest, { length }) => Math.max(widest, length), 1);
  return {
    type: fixedString(width),
    shape: dataspace([texts.length]),
    elements: {
      size: texts.length * width,
      write: (writer) => {
        for (const text of texts) writer.bytes(text).skip(width - text.length);
      },
    },
  };
}

function dataspace(shape: readonly number[]): Part {
  return {
    size: 8 + 8 * shape.length,
    write: (writer) => {
      writer.u8(1).u8(shape.length).skip(6);
      for (const size of shape) writer.u64(size);
    },
  };
}

/** Class 9, kind string, UTF-8; over bytes of class 3, as h5py writes it. */
const variableString: Part = {
  size: 16,
  write: (writer) => writer.bytes([0x19, 0x01, 0x01, 0]).u32(16).bytes([0x13, 0x10, 0, 0]).u32(1),
};

/** Class 3, padded with zeros; marked as ASCII, which is how h5py marks numpy's byte strings. */
function fixedString(width: number): Part {
  return { size: 8, write: (writer) => writer.bytes([0x13, 0x01, 0, 0]).u32(width) };
}

/** IEEE floats (class 1) and whole numbers (class 0), little-endian. */
function numberType({ data }: Hdf5Numbers): Part {
  const name = elementTypeOf(data);
  const size = elementSize(name);
  if (name === "float32" || name === "float64") {
    const [exponentAt, exponentBits, mantissaBits, bias] = size === 4 ? [23, 8, 23, 127] : [52, 11, 52, 1023];
    return {
      size: 20,
      write: (writer) => {
        // mantissa with an implied leading one; the sign is the top bit
        writer
          .bytes([0x11, 0x20, size * 8 - 1, 0])
          .u32(size)
          .u16(0)
          .u16(size * 8);
        writer.bytes([exponentAt, exponentBits, 0, mantissaBits]).u32(bias);
      },
    };
  }
  const isSigned = name.startsWith("int");
  return {
    size: 12,
    write: (writer) =>
      writer
        .bytes([0x10, isSigned ? 8 : 0, 0, 0])
        .u32(size)
        .u16(0)
        .u16(size * 8),
  };
}
