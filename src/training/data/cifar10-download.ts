/**
 * CIFAR-10 from the page of its author, for those who ask for it. It runs under Node only.
 *
 * The archive goes to a temporary file in the directory. Only when its SHA-256 is that of the archive which everybody's
 * results are about is it unpacked, into a temporary directory, and that takes its name in one step: whoever ends the process
 * on the way leaves no half data set behind. Nothing but the six files of records is written, under names of ours.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { createReadStream, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { fileReason } from "../../formats/file-reason.js";
import { FormatError } from "../../formats/format-error.js";
import { CIFAR10_BATCH, CIFAR10_TRAINING_BATCHES } from "./cifar10.js";
import { RECORD_BYTES } from "./cifar10-records.js";
import { readTar } from "./tar.js";

/** An archive of CIFAR-10's binary version. */
export interface Cifar10Archive {
  /** Where it is. */
  readonly url: string;
  /** Its size. */
  readonly bytes: number;
  /** In hexadecimal digits. */
  readonly sha256: string;
}

/** The archive of A. Krizhevsky. (Its page gives the MD5 c32a1d4ab5d03f1284b67883e8d87530, of the same bytes.) */
export const CIFAR10_ARCHIVE: Cifar10Archive = {
  url: "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
  bytes: 170052171,
  sha256: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
};

/** The directory in the archive. */
const FOLDER = "cifar-10-batches-bin";
const FILES: readonly string[] = [
  ...Array.from({ length: CIFAR10_TRAINING_BATCHES }, (_, i) => `data_batch_${i + 1}.bin`),
  "test_batch.bin",
];

/** Options of {@link downloadCifar10}. */
export interface DownloadOptions {
  /**
   * Where it comes from.
   *
   * @defaultValue {@link CIFAR10_ARCHIVE}
   */
  readonly archive?: Cifar10Archive | undefined;
  /** Is told how many bytes have come, of how many. */
  readonly onProgress?: ((received: number, total: number) => void) | undefined;
}

/**
 * Fetches CIFAR-10 into `cifar-10-batches-bin` in `directory`, which is made where there is none.
 *
 * @throws FormatError when the archive cannot be fetched, is not the one that it should be, or cannot be written.
 */
export async function downloadCifar10(directory: string, options: DownloadOptions = {}): Promise<void> {
  const archive = options.archive ?? CIFAR10_ARCHIVE;
  const packed = join(directory, `.${FOLDER}-${process.pid}.tar.gz`);
  const unpacked = join(directory, `.${FOLDER}-${process.pid}`);
  const target = join(directory, FOLDER);
  writing(directory, () => mkdirSync(directory, { recursive: true }));
  try {
    await fetchTo(packed, archive, options.onProgress);
    writing(unpacked, () => mkdirSync(unpacked));
    await unpack(packed, unpacked, archive.url);
    writing(target, () => renameSync(unpacked, target));
  } finally {
    rmSync(packed, { force: true });
    rmSync(unpacked, { recursive: true, force: true });
  }
}

async function fetchTo(
  path: string,
  archive: Cifar10Archive,
  onProgress: DownloadOptions["onProgress"],
): Promise<void> {
  const { url, bytes, sha256 } = archive;
  const response = await connected(url, fetch(url));
  if (!response.ok || response.body === null) {
    throw new FormatError("CIFAR-10", `${url} must answer with the archive.`, `status ${response.status}`);
  }
  const reader = response.body.getReader();
  const hash = createHash("sha256");
  let received = 0;
  const watched = async function* (): AsyncGenerator<Uint8Array> {
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      received += next.value.length;
      if (received > bytes) refuseArchive(archive, "more");
      hash.update(next.value);
      onProgress?.(received, bytes);
      yield next.value;
    }
  };
  try {
    await connected(url, store(watched, path));
  } finally {
    // where it ended early, the rest must not come; a stream that broke cannot be cancelled, and need not
    await reader.cancel().catch(() => undefined);
  }
  if (received !== bytes) refuseArchive(archive, `${received} bytes`);
  const digest = hash.digest("hex");
  if (digest !== sha256) refuseArchive(archive, `the SHA-256 ${digest}`);
}

async function store(chunks: () => AsyncIterable<Uint8Array>, path: string): Promise<void> {
  // opened first: a transfer that broke off while its file was being opened would leave the file behind
  const file = await open(path, "w");
  await pipeline(chunks, file.createWriteStream());
}

function refuseArchive({ url, bytes, sha256 }: Cifar10Archive, received: string): never {
  throw new FormatError("CIFAR-10", `${url} must be the archive of ${bytes} bytes with SHA-256 ${sha256}.`, received);
}

async function unpack(packed: string, folder: string, url: string): Promise<void> {
  const missing = new Set(FILES);
  const chunks = createReadStream(packed).pipe(createGunzip());
  try {
    for await (const { name, content } of readTar(chunks, CIFAR10_BATCH * RECORD_BYTES)) {
      const file = FILES.find((wanted) => name === `${FOLDER}/${wanted}`);
      if (file === undefined) continue;
      writing(folder, () => writeFileSync(join(folder, file), content));
      missing.delete(file);
    }
  } catch (cause) {
    if (cause instanceof FormatError) throw cause;
    throw new FormatError("CIFAR-10", `${url} must be a tar archive in gzip.`, `"${fileReason(cause)}"`, { cause });
  }
  if (missing.size > 0) {
    throw new FormatError("CIFAR-10", `${url} must hold ${FILES.join(", ")}.`, `no ${[...missing].join(", ")}`);
  }
}

/** What `work` gives; errors of the network and of the file system are said in words. */
async function connected<Result>(url: string, work: Promise<Result>): Promise<Result> {
  try {
    return await work;
  } catch (cause) {
    if (cause instanceof FormatError) throw cause;
    const reason = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
    throw new FormatError(
      "CIFAR-10",
      `${url} must be reachable, and its archive storable, for a download.`,
      `"${fileReason(reason)}"`,
      { cause },
    );
  }
}

function writing(path: string, work: () => void): void {
  try {
    work();
  } catch (cause) {
    throw new FormatError("CIFAR-10", `${path} must be writable for a download.`, `"${fileReason(cause)}"`, { cause });
  }
}
