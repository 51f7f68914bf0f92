import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { deflateSync } from "node:zlib";
import fc from "fast-check";
import { UsageError } from "../../src/cli/errors.js";
import { readImage } from "../../src/cli/images.js";
import { toRgb, upsample } from "../../src/formats/images/jpeg-colours.js";
import { FormatError } from "../../src/formats/format-error.js";
import { readNpz } from "../../src/formats/npz.js";
import { crc32 } from "../../src/formats/crc32.js";
import type { Tensor } from "../../src/tensor/tensor.js";

const directory = fileURLToPath(new URL("../../../fixtures/images/", import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), "touchstone-images-"));
after(() => rmSync(scratch, { recursive: true }));

/** Two correct decoders may round a cosine transform to neighbouring values; Y, Cb and Cr off by 1 shift blue by 1 + 1.772. */
const JPEG_DIFFERENCE = 3;
/** Of all differences; measured at most 0.23, so that an interpolation gone wrong (0.5 and more) is seen. */
const JPEG_MEAN_DIFFERENCE = 0.3;

/** Writes `bytes` to a file whose path a message can be checked for. */
function file(name: string, bytes: Uint8Array | string): string {
  const path = join(scratch, name);
  writeFileSync(path, bytes);
  return path;
}

function refused(path: string, message: string): void {
  assert.throws(
    () => readImage(path),
    (error: unknown) => {
      assert.ok(error instanceof UsageError || error instanceof FormatError);
      assert.equal(error.message, message);
      return true;
    },
  );
}

function differences(x: Tensor, expected: ArrayLike<number | bigint>): { max: number; mean: number } {
  let [max, sum] = [0, 0];
  for (let i = 0; i < x.size; i++) {
    const difference = Math.abs(x.data[i] - Number(expected[i]));
    max = Math.max(max, difference);
    sum += difference;
  }
  return { max, mean: sum / x.size };
}

describe("readImage", () => {
  for (const [key, { data, shape }] of readNpz(readFileSync(join(directory, "expected.npz")))) {
    const [name, size] = key.split("@");
    const isJpeg = name.endsWith(".jpg");
    it(`reads ${key} ${isJpeg ? `within ${JPEG_DIFFERENCE} of` : "like"} keras.utils.load_img`, () => {
      const [height, width] = size?.split("x").map(Number) ?? [];
      const x = readImage(join(directory, name), size === undefined ? undefined : [height, width]);
      assert.deepEqual(x.shape, [...shape]);
      const { max, mean } = differences(x, data);
      assert.ok(max <= (isJpeg ? JPEG_DIFFERENCE : 0), `differs by ${max}`);
      assert.ok(mean <= JPEG_MEAN_DIFFERENCE, `differs by ${mean} on average`);
    });
  }

  it("goes by what a file is, not by what it is called", () => {
    const png = file("called.jpg", readFileSync(join(directory, "rgb8.png")));
    assert.deepEqual(readImage(png).shape, [7, 13, 3]);
  });

  it("ignores what stands behind a PNG image", () => {
    const bytes = readFileSync(join(directory, "rgb8.png"));
    const path = file("longer.png", Buffer.concat([bytes, Buffer.from("and more")]));
    assert.deepEqual(readImage(path).data, readImage(join(directory, "rgb8.png")).data);
  });

  it("refuses files that are missing, no image, or empty", () => {
    const missing = join(scratch, "missing.png");
    refused(missing, `${missing}: must be a file that can be read. Received "no such file or directory".`);
    const gif = file("gif.png", "GIF89a...");
    refused(gif, `${gif}: must be a PNG or JPEG image. Received a file that begins with 47 49 46 38.`);
    const empty = file("empty.png", "");
    refused(empty, `${empty}: must be a PNG or JPEG image. Received an empty file.`);
  });

  it("refuses images that are truncated anywhere", () => {
    for (const [name, kind] of [
      ["rgb8.png", "PNG"],
      ["rgb-420.jpg", "JPEG"],
    ]) {
      const bytes = readFileSync(join(directory, name));
      for (let length = 8; length < bytes.length - 1; length += 7) {
        const path = file(`short-${name}`, bytes.subarray(0, length));
        refused(
          path,
          `${path}: must be a whole ${kind} image of at most 50 million pixels. ` +
            "Received one that cannot be decoded: it is truncated.",
        );
      }
    }
  });

  it("refuses images of too many pixels before it takes memory for them", () => {
    const png = readFileSync(join(directory, "rgb8.png"));
    png.writeUInt32BE(50_000, 16);
    png.writeUInt32BE(1001, 20);
    const jpeg = readFileSync(join(directory, "rgb-444.jpg"));
    const frame = jpeg.indexOf(Buffer.from([0xff, 0xc0]));
    jpeg.writeUInt16BE(1001, frame + 5);
    jpeg.writeUInt16BE(50_000, frame + 7);
    for (const [name, bytes] of [
      ["PNG", png],
      ["JPEG", jpeg],
    ] as const) {
      const path = file(`large-${name}`, bytes);
      refused(
        path,
        `${path}: must be a whole ${name} image of at most 50 million pixels. ` +
          "Received one that cannot be decoded: it has 50000x1001 pixels.",
      );
    }
  });

  it("refuses an interlaced image that inflates to more than its pixels need", () => {
    const chunk = (kind: string, data: Uint8Array): Buffer => {
      const body = Buffer.concat([Buffer.from(kind), data]);
      const ends = Buffer.alloc(8);
      ends.writeUInt32BE(data.length, 0);
      ends.writeUInt32BE(crc32(body), 4);
      return Buffer.concat([ends.subarray(0, 4), body, ends.subarray(4)]);
    };
    const bomb = Buffer.concat([
      readFileSync(join(directory, "rgb8.png")).subarray(0, 8),
      chunk("IHDR", Buffer.from([0, 0, 0, 2, 0, 0, 0, 2, 8, 2, 0, 0, 1])),
      chunk("IDAT", deflateSync(Buffer.alloc(1_000_000))),
      chunk("IEND", new Uint8Array()),
    ]);
    assert.throws(() => readImage(file("bomb.png", bomb)), /must be a whole PNG image.*Cannot create a Buffer larger/);
  });

  it("refuses JPEG images of other kinds: print colours, 12 bits", () => {
    const jpeg = readFileSync(join(directory, "rgb-444.jpg"));
    const frame = jpeg.indexOf(Buffer.from([0xff, 0xc0]));
    const deep = Buffer.from(jpeg);
    deep[frame + 4] = 12;
    assert.throws(() => readImage(file("deep.jpg", deep)), /it has samples of 12 bits\.$/);
    const two = Buffer.from(jpeg);
    two[frame + 9] = 2;
    assert.throws(() => readImage(file("two.jpg", two)), /it has 2 components\.$/);
  });

  it("reads or refuses damaged images, and never fails otherwise", () => {
    const originals = readdirSync(directory)
      .filter((name) => /^(rgb8|palette4|rgb8-interlaced|rgb-420|progressive-420)\.(png|jpg)$/.test(name))
      .map((name) => readFileSync(join(directory, name)));
    const damage = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(fc.constantFrom(...originals), damage, (original, changes) => {
        const bytes = Buffer.from(original);
        for (const [at, value] of changes) bytes[4 + (at % (bytes.length - 4))] = value;
        const path = file("damaged", bytes);
        try {
          readImage(path, [3, 4]);
        } catch (error) {
          assert.ok(error instanceof UsageError || error instanceof FormatError, String(error));
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe("upsample", () => {
  const plane = (width: number, ...samples: number[]): Parameters<typeof upsample>[0] => ({
    width,
    height: samples.length / width,
    samples: Uint8Array.from(samples),
  });

  it("weighs the nearer sample three times, and rounds up and down by turns", () => {
    // (3 * 10 + 21 + 2) / 4 = 13.25, (3 * 21 + 10 + 1) / 4 = 18.5, (3 * 21 + 40 + 2) / 4 = 26.25, (120 + 21 + 1) / 4 = 35.5
    const across = upsample(plane(3, 10, 21, 40), 6, 1, 2, 1);
    assert.deepEqual([...across.samples], [10, 13, 18, 26, 35, 40]);
    const down = upsample(plane(1, 10, 21, 40), 1, 6, 1, 2);
    assert.deepEqual([...down.samples], [10, 13, 18, 26, 35, 40]);
  });

  it("keeps a plane of one value, at every size and ratio", () => {
    const ratio = fc.constantFrom<1 | 2>(1, 2);
    const size = fc.integer({ min: 1, max: 9 });
    fc.assert(
      fc.property(size, size, ratio, ratio, fc.integer({ min: 0, max: 255 }), (width, height, across, down, value) => {
        const columns = Math.ceil(width / across);
        const stored = new Array<number>(columns * Math.ceil(height / down)).fill(value);
        const { samples } = upsample(plane(columns, ...stored), width, height, across, down);
        assert.deepEqual([...samples], new Array<number>(width * height).fill(value));
      }),
    );
  });
});

describe("toRgb", () => {
  it("gives the primary colours of ITU-R BT.601, and grey without differences", () => {
    const plane = (...samples: number[]): Parameters<typeof toRgb>[0] => ({
      width: samples.length,
      height: 1,
      samples: Uint8Array.from(samples),
    });
    const rgb = toRgb(plane(76, 150, 29, 77), plane(85, 44, 255, 128), plane(255, 21, 107, 128));
    assert.deepEqual([...rgb], [254, 0, 0, 0, 255, 1, 0, 0, 254, 77, 77, 77]);
  });
});
