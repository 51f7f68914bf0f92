import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { gzipSync } from "node:zlib";
import { type Cifar10Archive, CIFAR10_ARCHIVE, downloadCifar10 } from "../../../src/training/data/cifar10-download.js";
import { loadData } from "../../../src/training/data-loader.js";
import { folderOf } from "./folder.js";
import { tar, tarFile } from "./tar-files.js";

/** A record of each label from 0 on. */
function records(count: number): Uint8Array {
  const bytes = new Uint8Array(count * 3073);
  for (let n = 0; n < count; n++) bytes[n * 3073] = n;
  return bytes;
}

const names = [1, 2, 3, 4, 5].map((b) => `data_batch_${b}.bin`);
const members = [...names.map((name) => tarFile(`cifar-10-batches-bin/${name}`, records(2)))];
const testMember = tarFile("cifar-10-batches-bin/test_batch.bin", records(3));
const evil = [tarFile("../outside", records(1)), tarFile("/data_batch_1.bin", records(1))];
const packed = new Uint8Array(
  gzipSync(tar(...evil, tarFile("cifar-10-batches-bin/", new Uint8Array(0), "5"), ...members, testMember)),
);

/** Serves on a port of this machine, as long as the test lasts. */
async function serve(test: TestContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  test.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  return `http://127.0.0.1:${address.port}/cifar-10-binary.tar.gz`;
}

async function served(test: TestContext, bytes: Uint8Array): Promise<Cifar10Archive> {
  const url = await serve(test, (_, response) => response.end(bytes));
  return { url, bytes: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
}

/** The download must fail with this message, and leave nothing. */
async function refused(folder: string, archive: Cifar10Archive, message: string | RegExp): Promise<void> {
  await assert.rejects(downloadCifar10(folder, { archive }), { name: "FormatError", message });
  assert.deepEqual(readdirSync(folder), []);
}

describe("downloadCifar10", () => {
  it("fetches the archive of 170 MB by its hash", () => {
    assert.deepEqual(CIFAR10_ARCHIVE, {
      url: "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
      bytes: 170052171,
      sha256: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    });
  });

  it("leaves the six files, and nothing else of the archive", async (test) => {
    const folder = folderOf(test, {});
    const progress: [number, number][] = [];
    const archive = await served(test, packed);
    await downloadCifar10(join(folder, "a/b"), { archive, onProgress: (...told) => progress.push(told) });
    assert.deepEqual(readdirSync(folder), ["a"]);
    assert.deepEqual(readdirSync(join(folder, "a/b")), ["cifar-10-batches-bin"]);
    assert.deepEqual(readdirSync(join(folder, "a/b/cifar-10-batches-bin")).sort(), [...names, "test_batch.bin"]);
    assert.deepEqual(progress.at(-1), [packed.length, packed.length]);
  });

  it("refuses other bytes, and leaves nothing", async (test) => {
    const archive = await served(test, packed);
    const sha256 = "0".repeat(64);
    const rule = (bytes: number, hash: string): string =>
      `CIFAR-10: ${archive.url} must be the archive of ${bytes} bytes with SHA-256 ${hash}.`;
    const folder = folderOf(test, {});
    const { bytes } = archive;
    await refused(folder, { ...archive, sha256 }, `${rule(bytes, sha256)} Received the SHA-256 ${archive.sha256}.`);
    await refused(folder, { ...archive, bytes: bytes - 1 }, `${rule(bytes - 1, archive.sha256)} Received more.`);
    await refused(
      folder,
      { ...archive, bytes: bytes + 1 },
      `${rule(bytes + 1, archive.sha256)} Received ${bytes} bytes.`,
    );
  });

  it("refuses an archive without one of the files", async (test) => {
    const archive = await served(test, new Uint8Array(gzipSync(tar(...members))));
    await refused(
      folderOf(test, {}),
      archive,
      `CIFAR-10: ${archive.url} must hold ${names.join(", ")}, test_batch.bin. Received no test_batch.bin.`,
    );
  });

  it("refuses an archive that cannot be unpacked", async (test) => {
    const archive = await served(test, new Uint8Array(2000).fill(7));
    await refused(
      folderOf(test, {}),
      archive,
      `CIFAR-10: ${archive.url} must be a tar archive in gzip. Received "incorrect header check".`,
    );
  });

  it("says what the server says", async (test) => {
    const url = await serve(test, (_, response) => response.writeHead(404).end());
    await refused(
      folderOf(test, {}),
      { url, bytes: 1, sha256: "" },
      `CIFAR-10: ${url} must answer with the archive. Received status 404.`,
    );
  });

  it("says that there is no network", async (test) => {
    const url = await serve(test, () => undefined);
    const closed = url.replace(/:\d+/, ":1");
    await refused(
      folderOf(test, {}),
      { url: closed, bytes: 1, sha256: "" },
      /^CIFAR-10: http:\S+ must be reachable, and its archive storable, for a download\. Received ".+"\.$/,
    );
  });

  it("leaves nothing of a transfer that breaks off", async (test) => {
    const url = await serve(test, (_, response) => {
      response.writeHead(200, { "content-length": packed.length });
      response.write(packed.subarray(0, 100), () => response.destroy());
    });
    await refused(
      folderOf(test, {}),
      { url, bytes: packed.length, sha256: "" },
      /^CIFAR-10: http:\S+ must be reachable, and its archive storable, for a download\. Received ".+"\.$/,
    );
  });

  it("says that the directory cannot be made", async (test) => {
    const folder = folderOf(test, { file: new Uint8Array(1) });
    await assert.rejects(downloadCifar10(join(folder, "file/below"), { archive: await served(test, packed) }), {
      message: `CIFAR-10: ${folder}/file/below must be writable for a download. Received "a part of the path is not a directory".`,
    });
  });
});

describe("loadData with download", () => {
  it("fetches once, and reads what is there from then on", async (test) => {
    let requests = 0;
    const url = await serve(test, (_, response) => {
      requests++;
      response.end(packed);
    });
    const archive = { url, bytes: packed.length, sha256: createHash("sha256").update(packed).digest("hex") };
    const folder = join(folderOf(test, {}), "cifar");
    for (let time = 0; time < 2; time++) {
      const data = await loadData(folder, { download: true, archive });
      assert.deepEqual([data.training.shape[0], data.test?.shape[0]], [10, 3]);
    }
    assert.equal(requests, 1);
  });

  it("fetches nothing where it was not told to", async (test) => {
    const archive = await served(test, packed);
    await assert.rejects(loadData(join(folderOf(test, {}), "cifar"), { archive }), /where there is no such file/);
  });

  it("refuses to download into a file", async (test) => {
    const folder = folderOf(test, { "d.npz": new Uint8Array(1) });
    await assert.rejects(loadData(join(folder, "d.npz"), { download: true }), {
      name: "RangeError",
      message: `a download must go into a directory. Received ${folder}/d.npz.`,
    });
  });
});
