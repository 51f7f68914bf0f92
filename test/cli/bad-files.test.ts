import { mkdirSync } from "node:fs";
import { describe, it } from "node:test";
import { readZip } from "../../src/formats/zip.js";
import { writeZip } from "../../src/formats/zip-writer.js";
import { counting, Workspace } from "../support/command-line.js";

const FUNCTIONAL = "files/keras3-functional.keras";
const LEGACY = "files/keras3-functional.h5";

const half = (bytes: Uint8Array): Uint8Array => bytes.slice(0, bytes.length / 2);

/** A .keras archive with another text for its configuration. */
function withConfig(change: (config: string) => string): (bytes: Uint8Array) => Uint8Array {
  return (bytes) => {
    const entries = new Map(Array.from(readZip(bytes), ([name, entry]) => [name, entry.read()]));
    const config = new TextDecoder().decode(entries.get("config.json"));
    return writeZip(entries.set("config.json", new TextEncoder().encode(change(config))));
  };
}

/** An archive whose directory says that its only entry, `name`, unpacks to `size` bytes. */
function bomb(name: string, content: Uint8Array, size: number): Uint8Array {
  const bytes = writeZip(new Map([[name, content]]), { deflate: true });
  const end = bytes.length - 22;
  const view = new DataView(bytes.buffer);
  view.setUint32(view.getUint32(end + 16, true) + 24, size, true);
  return bytes;
}

describe("a model file", { concurrency: 2 }, () => {
  const files: readonly (readonly [what: string, put: (to: Workspace) => void, name: string, line: string | RegExp])[] =
    [
      [
        "that is missing",
        () => {},
        "m.keras",
        'm.keras: must be a file that can be read. Received "no such file or directory".',
      ],
      [
        "that is missing, in another format",
        () => {},
        "m.npz",
        'm.npz: must be a file that can be read. Received "no such file or directory".',
      ],
      ["that is a folder", (to) => mkdirSync(to.path("m.h5")), "m.h5", "m.h5: must be a file. Received a directory."],
      [
        "in a file as if that were a folder",
        (to) => to.put("m", ""),
        "m/m.h5",
        'm/m.h5: must be a file that can be read. Received "a part of the path is not a directory".',
      ],
      [
        "that is empty",
        (to) => to.put("m.keras", ""),
        "m.keras",
        "m.keras: a model file must be a .keras archive, an HDF5 file, or an .npz. Received an empty file.",
      ],
      [
        "that is text",
        (to) => to.put("m.h5", "hello"),
        "m.h5",
        "m.h5: a model file must be a .keras archive, an HDF5 file, or an .npz. Received bytes 68 65 6c 6c.",
      ],
      [
        "that is text without an ending",
        (to) => to.put("model", "hello"),
        "model",
        "model: a model file must be a .keras archive, an HDF5 file, or an .npz. Received bytes 68 65 6c 6c.",
      ],
      [
        "that is a truncated .keras",
        (to) => to.putFixture(FUNCTIONAL, "m.keras", half),
        "m.keras",
        /^touchstone: m\.keras: zip: a file must end with the record of its directory\. Received \d+ bytes without one\.$/m,
      ],
      [
        "that is a truncated .h5",
        (to) => to.putFixture(LEGACY, "m.h5", half),
        "m.h5",
        /^touchstone: m\.h5: HDF5: .+ Received .+\.$/m,
      ],
      [
        "whose configuration is no JSON",
        (to) =>
          to.putFixture(
            FUNCTIONAL,
            "m.keras",
            withConfig((json) => json.slice(1)),
          ),
        "m.keras",
        /^touchstone: m\.keras: .+ Received .+\.$/m,
      ],
      [
        "with a layer that is unknown",
        (to) =>
          to.putFixture(
            FUNCTIONAL,
            "m.keras",
            withConfig((json) => json.replace('"class_name": "GlobalAveragePooling2D"', '"class_name": "LSTM"')),
          ),
        "m.keras",
        /^touchstone: m\.keras: model: every layer must be of a class that this project implements\. Received `LSTM` \(layer `pool`\)\.$/m,
      ],
      [
        "with a layer of another shape than its weights",
        (to) =>
          to.putFixture(
            FUNCTIONAL,
            "m.keras",
            withConfig((json) => json.replace('"units": 3', '"units": 5')),
          ),
        "m.keras",
        /^touchstone: m\.keras: .*`head\/kernel` must have shape \[4, 5\]\. Received shape \[4, 3\].*\.$/m,
      ],
      [
        "that is a zip bomb",
        (to) => to.put("m.keras", bomb("config.json", new Uint8Array(9), 3e9)),
        "m.keras",
        "m.keras: zip: the entries must unpack to at most 2147483648 bytes. Received 3000000000 bytes.",
      ],
      [
        "that holds weights alone",
        (to) => to.putFixture("files/keras3-functional.weights.h5", "m.weights.h5"),
        "m.weights.h5",
        /^touchstone: m\.weights\.h5: .+ Received .+\.$/m,
      ],
    ];
  for (const [what, put, name, line] of files) {
    it(`${what} is refused`, async (test) => {
      const workspace = new Workspace(test);
      put(workspace);
      workspace.put("out.svg", "from before");
      await workspace.refuse(["summary", name, "--plot", "out.svg"], line);
    });
  }

  it("with --classes or --input-shape is refused", async (test) => {
    const workspace = new Workspace(test);
    workspace.putFixture(FUNCTIONAL, "m.keras");
    const rule =
      "--classes and --input-shape must go with a builder's name. Received the file m.keras, which has its own.";
    await workspace.refuse(["summary", "m.keras", "--classes", "3"], rule);
    await workspace.refuse(["summary", "m.keras", "--input-shape", "8,7,2"], rule);
  });
});

describe("--weights", { concurrency: 2 }, () => {
  it("of another model are refused", async (test) => {
    const workspace = new Workspace(test);
    workspace.putFixture("files/keras3-sequential.keras", "other.keras");
    await workspace.refuse(
      ["summary", "resnet20v1", "--weights", "other.keras"],
      /^touchstone: other\.keras: .+ Received .+\.$/m,
    );
  });

  it("that are missing are refused", async (test) => {
    await new Workspace(test).refuse(
      ["summary", "resnet20v1", "--weights", "w.h5"],
      'w.h5: must be a file that can be read. Received "no such file or directory".',
    );
  });
});

describe("an input file", { concurrency: 2 }, () => {
  /** An .npy file of version 1.0 with this header and no elements. */
  const npy = (header: string): Uint8Array =>
    Uint8Array.from([0x93, ...Buffer.from("NUMPY\u0001\0"), header.length, 0, ...Buffer.from(header)]);
  const files: readonly (readonly [what: string, name: string, content: Uint8Array | string, line: string | RegExp])[] =
    [
      ["with another ending", "x.csv", "1,2", "arrays must come in an .npy or .npz file. Received x.csv."],
      ["that is empty", "x.npy", "", /^touchstone: x\.npy: npy: .+ Received .+\.$/m],
      [
        "that is text",
        "x.npz",
        "1,2,3",
        "x.npz: zip: a file must end with the record of its directory. Received 5 bytes without one.",
      ],
      [
        "of strings",
        "x.npy",
        npy("{'descr': '<U5', 'fortran_order': False, 'shape': (0,), }"),
        /^touchstone: x\.npy: npy: elements must be one of .+ Received .+'?<U5.+\.$/m,
      ],
      [
        "of objects",
        "x.npy",
        npy("{'descr': '|O', 'fortran_order': False, 'shape': (0,), }"),
        /^touchstone: x\.npy: npy: elements must be one of .+ Received an array of object elements, .+\.$/m,
      ],
      [
        "shorter than its shape",
        "x.npy",
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 8, 7, 2), }"),
        "x.npy: npy: an array of shape [2, 8, 7, 2] of float32 must have 896 bytes of elements. Received 0 bytes.",
      ],
      [
        "that is a zip bomb",
        "x.npz",
        bomb("x.npy", new Uint8Array(9), 3e9),
        "x.npz: zip: the entries must unpack to at most 2147483648 bytes. Received 3000000000 bytes.",
      ],
      [
        "that unpacks to more than it says",
        "x.npz",
        bomb("x.npy", new Uint8Array(2e6), 2000),
        /^touchstone: x\.npz: .+ must have 2000 bytes\. Received more\.".$/m,
      ],
      [
        "that is no image",
        "x.png",
        "GIF89a",
        "x.png: must be a PNG or JPEG image. Received a file that begins with 47 49 46 38.",
      ],
    ];
  for (const [what, name, content, line] of files) {
    it(`${what} is refused`, async (test) => {
      const workspace = new Workspace(test);
      workspace.put(name, content);
      workspace.put("out.npy", "from before");
      await workspace.refuse(["predict", "resnet20v1", "--input", name, "--out", "out.npy"], line);
    });
  }

  it("that is missing is refused", async (test) => {
    await new Workspace(test).refuse(
      ["predict", "resnet20v1", "--input", "x.npy"],
      'x.npy: must be a file that can be read. Received "no such file or directory".',
    );
  });

  it("that never ends is refused", { skip: process.platform === "win32" }, async (test) => {
    await new Workspace(test).refuse(
      ["summary", "/dev/zero"],
      "/dev/zero: must be a file. Received a device or a pipe.",
    );
  });

  const shapes: readonly (readonly number[])[] = [[], [3], [8, 7, 2], [2, 8, 7, 3], [2, 7, 8, 2], [2, 8, 7, 2, 1]];
  for (const shape of shapes) {
    it(`of shape [${shape.join(", ")}] is refused by a model for [null, 8, 7, 2]`, async (test) => {
      const workspace = new Workspace(test);
      workspace.putFixture(FUNCTIONAL, "m.keras");
      workspace.putArrays("x.npy", { x: counting(shape) });
      workspace.put("trace.npz", "from before");
      const received = `[${shape.join(", ")}]`;
      await workspace.refuse(
        ["predict", "m.keras", "--input", "x.npy"],
        `predict: inputs must have the shape [null, 8, 7, 2]. Received ${received}.`,
      );
      await workspace.refuse(
        ["trace", "m.keras", "--input", "x.npy", "--out", "trace.npz"],
        `Model \`functional\`: inputs must have the shape [null, 8, 7, 2]. Received ${received}.`,
      );
    });
  }

  it("without the model's inputs is refused, and its arrays are named", async (test) => {
    const workspace = new Workspace(test);
    workspace.putFixture("files/keras3-shared.keras", "m.keras");
    workspace.putArrays("none.npz", { u: counting([2, 4]), v: counting([2, 4]) });
    workspace.putArrays("one.npz", { a: counting([2, 4]) });
    workspace.putArrays("uneven.npz", { a: counting([2, 4]), b: counting([3, 4]) });
    const predict = (name: string): string[] => ["predict", "m.keras", "--input", name];
    await workspace.refuse(predict("none.npz"), "the input file must hold `x/a`, `x/b`. Received u, v.");
    await workspace.refuse(predict("one.npz"), "the input file must have one array for each of x/a, x/b. Received a.");
    await workspace.refuse(
      predict("uneven.npz"),
      "predict: all inputs must have the same number of samples. Received 2, 3.",
    );
  });

  it("that is an image is refused by a model that takes no images", async (test) => {
    const workspace = new Workspace(test);
    workspace.putFixture(FUNCTIONAL, "m.keras");
    workspace.putFixture("images/rgb8.png", "x.png");
    workspace.putArrays("x.npy", { x: counting([1, 8, 7, 2]) });
    await workspace.refuse(
      ["predict", "m.keras", "--input", "x.png"],
      "images must go into a model with one input of shape [null, H, W, 3], H and W known. Received [null, 8, 7, 2].",
    );
    await workspace.refuse(
      ["predict", "resnet20v1", "--input", "x.png", "x.npy"],
      "--input must be either arrays or images. Received x.png, x.npy.",
    );
    await workspace.refuse(
      ["predict", "resnet20v1", "--input", "x.npy", "y.npy"],
      "--input must be one .npy or .npz file, or images. Received x.npy, y.npy.",
    );
  });
});
