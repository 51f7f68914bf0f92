/** Model files that are damaged, lie, or were made to do harm. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { loadWeights, readModel, readTraining } from "../../src/formats/read-model.js";
import { writeModel } from "../../src/formats/write-model.js";
import { readZip } from "../../src/formats/zip.js";
import { writeZip } from "../../src/formats/zip-writer.js";
import { modelFromConfig } from "../../src/models/from-config.js";
import { Sequential } from "../../src/models/sequential.js";
import { Dense } from "../../src/layers/dense.js";
import { kerasFixture } from "./fixture-files.js";
import { damages } from "./mutations.js";
import { assertReadsOrRefuses, assertUserError } from "./user-errors.js";

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const functional = kerasFixture("files/keras3-functional.keras");

/** The archive with some of its entries replaced, or left out where the replacement is undefined. */
function archiveWith(replacements: Record<string, Uint8Array | undefined>, archive = functional): Uint8Array {
  const entries = new Map(Array.from(readZip(archive), ([name, entry]) => [name, entry.read()]));
  for (const [name, bytes] of Object.entries(replacements)) {
    if (bytes === undefined) entries.delete(name);
    else entries.set(name, bytes);
  }
  return writeZip(entries);
}

function assertRefuses(read: () => unknown, message: RegExp): void {
  try {
    read();
  } catch (error) {
    assertUserError(error);
    assert.match(error.message, message);
    return;
  }
  assert.fail("accepted");
}

describe("readModel refuses", () => {
  const cases: [what: string, bytes: Uint8Array, message: RegExp][] = [
    ["an empty file", new Uint8Array(0), /^bad\.keras: a model file must be .* Received an empty file\.$/],
    ["another kind of file", encode("GIF89a"), /^bad\.keras: a model file must be .* Received bytes 47 49 46 38\.$/],
    [
      "a zip that is no model",
      writeZip(new Map([["a.txt", encode("a")]])),
      /^bad\.keras: npz: every entry must be an array/,
    ],
    [
      "an archive without weights",
      archiveWith({ "model.weights.h5": undefined }),
      /must have a model\.weights\.h5 or model\.weights\.npz\. Received neither\.$/,
    ],
    ["weights that are not HDF5", archiveWith({ "model.weights.h5": encode("hello") }), /^bad\.keras: HDF5: /],
    [
      "a configuration that is no JSON",
      archiveWith({ "config.json": encode("{'a': 1}") }),
      /^bad\.keras: keras: the configuration must be JSON\. Received /,
    ],
    [
      "a configuration with NaN",
      archiveWith({ "config.json": encode('{"a": NaN}') }),
      /the configuration must be JSON\. Received /,
    ],
    [
      "a configuration that is a list",
      archiveWith({ "config.json": encode("[1]") }),
      /the configuration must be a dictionary\. Received "\[1\]"\.$/,
    ],
    [
      "a configuration that is not UTF-8",
      archiveWith({ "config.json": Uint8Array.of(0x7b, 0xff, 0x7d) }),
      /text in config\.json must be UTF-8\./,
    ],
    [
      "a configuration that nests",
      archiveWith({ "config.json": encode(`{"a":${"[".repeat(100000)}`) }),
      /must nest at most 256 deep\. Received a deeper one\.$/,
    ],
    [
      "a configuration of 33 MB",
      archiveWith({ "config.json": new Uint8Array(33 << 20).fill(0x20) }),
      /the configuration must have at most 33554432 bytes\. Received 34603008 bytes\.$/,
    ],
    [
      "a file of weights alone",
      kerasFixture("files/first-resnet-weights.h5"),
      /a whole model must have an attribute model_config .* Received none\.$/,
    ],
    [
      "weights of another model",
      archiveWith({
        "model.weights.h5": readZip(kerasFixture("files/keras3-sequential.keras")).get("model.weights.h5")?.read(),
      }),
      /must have a group layers\/conv2d\/vars for layer `conv`\. Received none\.$/,
    ],
    [
      "pickled weights of another model",
      archiveWith(
        { "config.json": readZip(functional).get("config.json")?.read() },
        kerasFixture("files/keras3-nested-npz-weights.keras"),
      ),
      /npz: .*layer `\w+`/,
    ],
  ];
  for (const [what, bytes, message] of cases) {
    it(what, () => assertRefuses(() => readModel(bytes, "bad.keras"), message));
  }

  it("a bomb, before it goes off", () => {
    const bomb = writeZip(new Map([["config.json", new Uint8Array(200 << 20)]]), { deflate: true });
    assert.ok(bomb.length < 1 << 20, `${bomb.length} bytes`);
    const before = process.memoryUsage().rss;
    assertRefuses(() => readModel(bomb, "bomb.keras"), /the configuration must have at most 33554432 bytes/);
    assert.ok(process.memoryUsage().rss - before < 50e6);
  });

  for (const file of ["keras3-nested.keras", "keras2-nested.h5", "keras3-nested-npz-weights.keras"]) {
    it(`${file}, cut anywhere`, () => {
      const bytes = kerasFixture(`files/${file}`);
      for (let length = 0; length < bytes.length; length += 97) {
        assertRefuses(() => readModel(bytes.subarray(0, length), file), /^keras/);
      }
    });
  }
});

describe("loadWeights", () => {
  const dense = (units: number): Sequential =>
    new Sequential({ batchShape: [null, 4], layers: [new Dense({ units, name: "dense" })] });
  for (const ending of ["keras", "h5", "npz"]) {
    it(`refuses weights of another shape in .${ending}, naming both shapes, and changes nothing`, () => {
      const model = dense(3);
      const before = model.weights.map((weight) => weight.read().data);
      const bytes = writeModel(dense(5), `five.${ending}`);
      assertRefuses(
        () => loadWeights(model, bytes, `five.${ending}`),
        /^five\.\w+: \w+: weight `dense\/\w+` must have shape \[4, 3\]\. Received shape \[4, 5\] in .*\.$/,
      );
      assert.deepEqual(
        model.weights.map((weight) => weight.read().data),
        before,
      );
    });
  }

  it("refuses a file with weights for fewer layers", () => {
    const two = new Sequential({ batchShape: [null, 4], layers: [new Dense({ units: 4 }), new Dense({ units: 3 })] });
    assertRefuses(
      () => loadWeights(two, writeModel(dense(3), "a.h5"), "a.h5"),
      /^a\.h5: HDF5: model `sequential` must be given weights for its 2 layers with weights\. Received weights for 1 layers\.$/,
    );
    assertRefuses(
      () => loadWeights(two, writeModel(dense(3), "a.keras"), "a.keras"),
      /dense_1\/vars for layer `dense_1`\. Received none\.$/,
    );
    assertRefuses(
      () => loadWeights(two, writeModel(dense(3), "a.npz"), "a.npz"),
      /must have an array dense_1\/kernel\. Received no such array\.$/,
    );
  });
});

describe("writeModel", () => {
  const slashed = (): Sequential =>
    new Sequential({ batchShape: [null, 4], layers: [new Dense({ units: 3, name: "block/dense" })] });

  it("refuses names that Keras 3 would, but for .npz", () => {
    for (const name of ["a.keras", "a.h5"]) {
      assertRefuses(
        () => writeModel(slashed(), name),
        /^writeModel: layer names must have no slash, .* Received `block\/dense`\.$/,
      );
    }
    const read = readModel(writeModel(slashed(), "a.npz"), "a.npz");
    assert.deepEqual([...read.weightsByPath().keys()], ["block/dense/kernel", "block/dense/bias"]);
  });

  it("refuses other endings", () => {
    assertRefuses(
      () => writeModel(slashed(), "a.pt"),
      /^writeModel: `name` must end in \.keras, \.h5 or \.npz\. Received a\.pt\.$/,
    );
    assertRefuses(() => writeModel(slashed(), "a.weights.h5"), /a file of weights alone is not written/);
  });

  it("keeps names that are no ordinary keys", () => {
    const names = ["__proto__", "constructor", "top_level_model_weights", "vars", "größe λ", "a b"];
    const layers = names.map((name) => new Dense({ units: 4, name }));
    const model = new Sequential({ batchShape: [null, 4], layers });
    for (const name of ["a.keras", "a.h5", "a.npz"]) {
      const read = readModel(writeModel(model, name), name);
      const values = (of: Sequential | typeof read): unknown =>
        Array.from(of.weightsByPath(), ([path, { value }]) => [path, value.data]);
      assert.deepEqual(values(read), values(model), name);
    }
  });
});

describe("readModel on damaged files", () => {
  const files = [
    "keras3-nested.keras",
    "keras3-shared.h5",
    "keras2-functional.h5",
    "keras2-trained.keras",
    "keras3-nested-npz-weights.keras",
  ].map((name): [string, Uint8Array] => [name, kerasFixture(`files/${name}`)]);
  files.push(["nested.npz", writeModel(readModel(files[0][1], files[0][0]), "nested.npz")]);

  // cases are drawn by name, so that a failure prints names and no bytes
  const names = files.map(([name]) => name);
  const bytesOf = (name: string): Uint8Array => files.find(([known]) => known === name)?.[1] ?? files[0][1];

  it("gives a model or an error of one line, in bounded time", () => {
    fc.assert(
      fc.property(fc.constantFrom(...names), damages, (name, damage) => {
        assertReadsOrRefuses(() => readModel(damage(bytesOf(name)), name), 2000);
      }),
      { numRuns: 1500 },
    );
  });

  it("does so where the archive is whole, and what is in it is not", () => {
    const archives = names.filter((name) => name.endsWith(".keras"));
    fc.assert(
      fc.property(fc.constantFrom(...archives), fc.nat(2), damages, (name, index, damage) => {
        const bytes = bytesOf(name);
        const [inside, entry] = [...readZip(bytes)][index];
        const damaged = archiveWith({ [inside]: damage(entry.read()) }, bytes);
        assertReadsOrRefuses(() => readModel(damaged, name), 2000);
      }),
      { numRuns: 1500 },
    );
  });

  it("does so where the file is not for the model", () => {
    const models = new Map(files.map(([name, bytes]) => [name, readModel(bytes, name)]));
    const name = fc.constantFrom(...names);
    fc.assert(
      fc.property(name, name, damages, fc.boolean(), (into, from, damage, isDamaged) => {
        const architecture = models.get(into);
        assert.ok(architecture);
        const model = modelFromConfig({ class_name: architecture.className, config: architecture.getConfig() });
        const bytes = bytesOf(from);
        assertReadsOrRefuses(() => loadWeights(model, isDamaged ? damage(bytes) : bytes, from), 2000);
      }),
      { numRuns: 300 },
    );
  });
});

describe("readTraining on damaged files", () => {
  it("gives a training or an error of one line, in bounded time", () => {
    const files = ["keras3-trained.keras", "keras3-trained.h5", "keras2-trained.h5"].map((name) => ({
      name,
      bytes: kerasFixture(`files/${name}`),
    }));
    const model = readModel(files[0].bytes, files[0].name);
    fc.assert(
      fc.property(fc.nat(2), fc.constantFrom("config.json", "model.weights.h5"), damages, (index, inside, damage) => {
        const { name, bytes } = files[index];
        const entry = name.endsWith(".keras") ? readZip(bytes).get(inside) : undefined;
        const damaged = entry === undefined ? damage(bytes) : archiveWith({ [inside]: damage(entry.read()) }, bytes);
        assertReadsOrRefuses(() => readTraining(model, damaged, name), 2000);
      }),
      { numRuns: 1000 },
    );
  });
});
