/**
 * Object headers: what a group or a dataset is, as a list of messages.
 *
 * ```
 * version 1                                     version 2
 *  0  1, reserved, number of messages            0  "OHDR", 2, flags
 *  4  reference count                            6  [four times] [attribute limits]
 *  8  bytes of messages that follow                 bytes of messages: 1, 2, 4 or 8 wide, by flags
 * 12  padding                                       messages: type, u16 size, flags, [u16 order], body
 * 16  messages: u16 type, u16 size, flags,          checksum
 *     3 reserved, body padded to 8
 * ```
 *
 * A header that outgrew its place continues elsewhere: the message 0x10 holds address and length of the next block, in
 * version 2 itself framed by "OCHK" and a checksum.
 *
 * @module
 */
import { expectSignature, expectVersion, fail, type Hdf5File, type Hdf5Reader } from "./file.js";

/** The types of messages that we read. */
export const MESSAGE = {
  dataspace: 0x01,
  linkInfo: 0x02,
  datatype: 0x03,
  oldFillValue: 0x04,
  fillValue: 0x05,
  link: 0x06,
  externalFiles: 0x07,
  layout: 0x08,
  groupInfo: 0x0a,
  filters: 0x0b,
  attribute: 0x0c,
  continuation: 0x10,
  symbolTable: 0x11,
  attributeInfo: 0x15,
} as const;

const SHARED_FLAG = 2;

/** The messages of an object in their order. */
export class ObjectHeader {
  readonly #messages: readonly Message[];

  constructor(messages: readonly Message[]) {
    this.#messages = messages;
  }

  has(type: number): boolean {
    return this.#messages.some((message) => message.type === type);
  }

  /** The bodies of all messages of a type, each read from its start. */
  all(type: number): Hdf5Reader[] {
    return this.#messages.filter((message) => message.type === type).map((message) => bodyOf(message));
  }

  /** The body of the message of a type, if there is one. */
  find(type: number): Hdf5Reader | undefined {
    return this.all(type).at(0);
  }

  /** @throws FormatError when there is none. */
  require(type: number, name: string): Hdf5Reader {
    return this.find(type) ?? fail(`a dataset must have a ${name} message.`, "an object header without one");
  }
}

interface Message {
  readonly type: number;
  readonly flags: number;
  readonly body: Hdf5Reader;
}

interface Block {
  readonly reader: Hdf5Reader;
  readonly version: number;
  /** Version 2 may note the order of creation in each message. */
  readonly hasOrder: boolean;
}

function bodyOf({ type, flags, body }: Message): Hdf5Reader {
  if ((flags & SHARED_FLAG) !== 0) {
    fail("messages must stand in the object that they describe.", `a shared message of type ${type}`);
  }
  body.position = 0;
  return body;
}

/** @throws FormatError when there is no object header at `address`. */
export function readObjectHeader(file: Hdf5File, address: number | undefined): ObjectHeader {
  const messages: Message[] = [];
  const blocks = [readFirstBlock(file, address)];
  for (let block = blocks.pop(); block !== undefined; block = blocks.pop()) {
    for (const message of readMessages(block)) {
      if (message.type === MESSAGE.continuation) blocks.push(readContinuation(file, message.body, block));
      else messages.push(message);
    }
  }
  return new ObjectHeader(messages);
}

function readFirstBlock(file: Hdf5File, address: number | undefined): Block {
  const what = "an object header";
  const at = address ?? 0;
  // version 2 begins with a signature, version 1 with its number
  if (file.peek(what, address, 4).u8() !== "O".charCodeAt(0)) {
    const prefix = file.claim(what, address, 16);
    expectVersion(what, prefix.u8(), [1]);
    prefix.skip(7);
    return { reader: file.claim(what, at + 16, prefix.u32()), version: 1, hasOrder: false };
  }
  const start = file.peek(what, address, 6);
  expectSignature(start, what, "OHDR");
  expectVersion(what, start.u8(), [2]);
  const flags = start.u8();
  const sizeWidth = 1 << (flags & 3);
  const prefixLength = 6 + (flags & 0x20 ? 16 : 0) + (flags & 0x10 ? 4 : 0) + sizeWidth;
  const prefix = file.claim(what, at, prefixLength);
  prefix.skip(prefixLength - sizeWidth);
  const length = prefix.uint(sizeWidth);
  const block = file.claim(what, at + prefixLength, length + 4);
  file.verify(what, at, prefixLength + length + 4);
  return { reader: block.window(what, length), version: 2, hasOrder: (flags & 4) !== 0 };
}

function readContinuation(file: Hdf5File, body: Hdf5Reader, { version, hasOrder }: Block): Block {
  const what = "the continuation of an object header";
  const address = body.address();
  const length = body.length();
  const block = file.claim(what, address, length);
  if (version === 1) return { reader: block, version, hasOrder };
  expectSignature(block, what, "OCHK");
  if (length < 8) fail(`${what} must have a signature and a checksum.`, `${length} bytes`);
  file.verify(what, address ?? 0, length);
  return { reader: block.window(what, length - 8), version, hasOrder };
}

/** The messages of one block. What is left at its end, too small for a message, is a gap. */
function* readMessages({ reader, version, hasOrder }: Block): Generator<Message> {
  const headerSize = version === 1 ? 8 : hasOrder ? 6 : 4;
  while (reader.remaining >= headerSize) {
    const type = version === 1 ? reader.u16() : reader.u8();
    const size = reader.u16();
    const flags = reader.u8();
    reader.skip(headerSize - (version === 1 ? 5 : 4));
    yield { type, flags, body: reader.window(`the message of type ${type}`, size) };
  }
}
