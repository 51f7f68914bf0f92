/**
 * The superblock: where an HDF5 file begins.
 *
 * ```
 * versions 0, 1                                    versions 2, 3
 *  0  \x89 H D F \r \n \x1a \n                      0  \x89 H D F \r \n \x1a \n
 *  8  version, 4 versions of parts                  8  version
 * 13  bytes per offset, per length                  9  bytes per offset, per length, flags
 * 16  K of group leaves, K of group nodes, flags   12  base address
 *     (version 1: K of chunk nodes)                    superblock extension
 * 24  base address, free space, end of file,           end of file
 *     driver block                                     root group's object header
 *     root symbol table entry: name offset,            checksum
 *     object header, cache
 * ```
 *
 * It stands at byte 0, or at 512, 1024, 2048 and so on behind a block of the user's own. Addresses count from it.
 *
 * @module
 */
import { expectVersion, fail, Hdf5File, type Hdf5Options, Hdf5Reader, type Widths } from "./file.js";

const SIGNATURE = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a];

/** An open file and where its root group is. */
export interface OpenedFile {
  readonly file: Hdf5File;
  readonly rootAddress: number | undefined;
}

/** @throws FormatError when `bytes` do not begin, at one of the places allowed, with a superblock of version 0 to 3. */
export function readSuperblock(bytes: Uint8Array, options: Hdf5Options): OpenedFile {
  const start = findSuperblock(bytes);
  const content = bytes.subarray(start);
  const prefix = new Hdf5Reader("the superblock", content, { offsetSize: 8, lengthSize: 8 });
  prefix.skip(8);
  const version = prefix.u8();
  expectVersion("the superblock", version, [0, 1, 2, 3]);
  if (version < 2) prefix.skip(4);
  const widths: Widths = { offsetSize: prefix.u8(), lengthSize: prefix.u8() };
  for (const size of [widths.offsetSize, widths.lengthSize]) {
    if (size !== 2 && size !== 4 && size !== 8) fail("offsets and lengths must have 2, 4 or 8 bytes.", `${size} bytes`);
  }
  const file = new Hdf5File(content, widths, options);
  const reader = new Hdf5Reader("the superblock", content, widths);
  reader.skip(version < 2 ? (version === 0 ? 24 : 28) : 12);
  const base = reader.address();
  if (base !== start) fail(`the base address must be that of the superblock, ${start}.`, addressText(base));
  reader.address(); // free space, or the extension
  const end = reader.address();
  if (end === undefined || end > bytes.length) {
    fail(
      `the file must be whole: it ends at byte ${bytes.length}.`,
      `${addressText(end)} as its end, so it was truncated`,
    );
  }
  if (version >= 2) {
    const rootAddress = reader.address();
    file.verify("the superblock", 0, reader.position + 4);
    return { file, rootAddress };
  }
  reader.address(); // driver information
  reader.address(); // name of the root
  return { file, rootAddress: reader.address() };
}

function findSuperblock(bytes: Uint8Array): number {
  for (let start = 0; start + SIGNATURE.length <= bytes.length; start = start === 0 ? 512 : start * 2) {
    if (SIGNATURE.every((byte, i) => bytes[start + i] === byte)) return start;
  }
  return fail('a file must begin with "\\x89HDF\\r\\n\\x1a\\n".', `${bytes.length} bytes without it`);
}

/** An address as messages print it; HDF5's mark for nowhere is no address. */
function addressText(address: number | undefined): string {
  return address === undefined ? "no address" : String(address);
}
