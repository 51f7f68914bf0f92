import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { describe, it, type TestContext } from "node:test";
import { PNG } from "pngjs";
import type { NpyArray } from "../../src/formats/npy.js";
import { readModel, readTraining } from "../../src/formats/read-model.js";
import { writeModel } from "../../src/formats/write-model.js";
import { readZip } from "../../src/formats/zip.js";
import { BatchNormalization } from "../../src/layers/batch-normalization.js";
import { Conv2D } from "../../src/layers/conv2d.js";
import { Dense } from "../../src/layers/dense.js";
import { Dropout } from "../../src/layers/dropout.js";
import { Flatten } from "../../src/layers/flatten.js";
import { GlobalAveragePooling2D } from "../../src/layers/global-average-pooling2d.js";
import { Sequential } from "../../src/models/sequential.js";
import { SGD } from "../../src/optimizers/sgd.js";
import { l2 } from "../../src/regularizers/regularizer.js";
import { PREPROCESSING_ENTRY, readPreprocessing } from "../../src/training/preprocessing.js";
import { parseHistory } from "../../src/training/report/history.js";
import { labels, MAIN, Workspace } from "../support/command-line.js";

const CLASSES = 6;

/** A network of one convolution, with what must survive an interruption: moving statistics, and dropout's numbers. */
const MODEL = writeModel(
  new Sequential({
    batchShape: [null, 5, 4, 3],
    layers: [
      new Conv2D({ filters: 7, kernelSize: 2, kernelRegularizer: l2(1e-4) }),
      new BatchNormalization(),
      new Dropout({ rate: 0.25 }),
      new GlobalAveragePooling2D(),
      new Dense({ units: CLASSES, activation: "softmax" }),
    ],
    name: "tiny",
    seed: 1,
  }),
  "tiny.keras",
);

/** Images of 5 x 4 that are the brighter, in one channel, the higher their class. */
function images(samples: number, from: number): { x: NpyArray; y: NpyArray } {
  const data = Uint8Array.from({ length: samples * 60 }, (_, i) => {
    const label = (Math.floor(i / 60) + from) % CLASSES;
    return ((i * 37 + from * 11) % 64) + (i % 3 === label % 3 ? 30 * label : 0);
  });
  return {
    x: { dtype: "uint8", shape: [samples, 5, 4, 3], data },
    y: labels(...Array.from({ length: samples }, (_, n) => (n + from) % CLASSES)),
  };
}

/** A folder with `tiny.keras` and, in `data.npz`, 44 images to learn from and 13 for tests. */
function workspace(test: TestContext): Workspace {
  const folder = new Workspace(test);
  const [training, held] = [images(44, 0), images(13, 1)];
  folder.put("tiny.keras", MODEL);
  folder.putArrays("data.npz", { x: training.x, y: training.y, x_test: held.x, y_test: held.y });
  return folder;
}

const TRAIN = ["train", "tiny.keras", "--data", "data.npz", "--batch-size", "8", "--threads", "1", "--epochs"] as const;

/** The SHA-256 that a run printed. */
function sha256Of(out: string): string {
  return /weights SHA-256 ([0-9a-f]{64})\n/.exec(out)?.[1] ?? assert.fail(out);
}

/** Starts a run, sends it `signal` when it has told of its first epoch, and waits for its end. */
function interrupt(
  folder: Workspace,
  args: readonly string[],
  signal: NodeJS.Signals,
): Promise<{ code: number | null; signal: NodeJS.Signals | null; err: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [MAIN, ...args], { cwd: folder.folder, stdio: ["ignore", "ignore", "pipe"] });
    let err = "";
    let sent = false;
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      err += text;
      if (!sent && err.includes("epoch")) sent = child.kill(signal);
    });
    child.on("close", (code, ending) => resolve({ code, signal: ending, err }));
  });
}

describe("touchstone train", () => {
  it("trains, says how well, and writes a model that evaluate measures the same", async (test) => {
    const folder = workspace(test);
    const { code, out, err } = await folder.touchstone(...TRAIN, "4", "--learning-rate", "0.01", "--csv", "log.csv");
    assert.equal(code, 0, err);
    assert.match(err, /^epoch 1\/4 {2}loss \d\.\d{4} {2}accuracy .*\nepoch 2\/4 .*\nepoch 3\/4 .*\nepoch 4\/4 .*\n$/);
    const [, measures] = /^data\.npz, test set +(loss .*, accuracy .* %, top-5 .* %)$/m.exec(out) ?? assert.fail(out);
    assert.match(out, /^trained +tiny on data\.npz, 4 epochs, \d+ s$/m);
    assert.match(out, /^loss +[▁-█]+ {2}\d\.\d\d to \d\.\d\d$/m);
    assert.match(out, /^best +tiny-data-checkpoints\/best\.keras, validation accuracy .* in epoch \d$/m);

    const evaluated = await folder.succeed("evaluate", "tiny-data.keras", "--data", "data.npz");
    assert.equal(evaluated, `data.npz, test set, 13 images: ${measures}\n`);

    const { steps, epochs } = parseHistory(readFileSync(folder.path("tiny-data-checkpoints/log.jsonl"), "utf8"));
    assert.deepEqual([steps.length, steps[23].step, steps[23].epoch, epochs.length], [24, 24, 4, 4]);
    assert.equal(readFileSync(folder.path("log.csv"), "utf8").trim().split("\n").length, 5);
    assert.ok(!existsSync(folder.path("tiny-data-checkpoints/last.keras")), "the run is over");
  });

  it("gives the same bits with any number of threads, others with another seed", async (test) => {
    const folder = workspace(test);
    const shas = [];
    for (const more of [
      ["--threads", "1"],
      ["--threads", "3"],
      ["--seed", "1"],
    ]) {
      shas.push(sha256Of((await folder.touchstone(...TRAIN, "2", ...more)).out));
    }
    assert.equal(shas[0], shas[1]);
    assert.notEqual(shas[0], shas[2]);
  });

  it("draws a report, as a page or as a drawing", async (test) => {
    const folder = workspace(test);
    for (const name of ["report.html", "report.svg"]) {
      const { code, out } = await folder.touchstone(...TRAIN, "1", "--report", name);
      assert.equal(code, 0);
      assert.match(out, new RegExp(`^report +${name}$`, "m"));
      const report = readFileSync(folder.path(name), "utf8");
      assert.match(report, name.endsWith("svg") ? /^<svg/ : /^<!DOCTYPE html>/);
      assert.match(report, /tiny on data\.npz/);
    }
  });

  it("holds a part of the training set back where it is asked to, and is still judged by the test set", async (test) => {
    const folder = workspace(test);
    const { out, err } = await folder.touchstone(...TRAIN, "1", "--validation-split", "0.25");
    assert.match(err, /validation loss/);
    assert.match(out, /^data\.npz, test set +loss/m);
  });

  it("writes a file that goes on where it was: with the optimizer's state, and what pixels go through", async (test) => {
    const folder = workspace(test);
    const sgd = ["--optimizer", "sgd", "--learning-rate", "0.25", "--schedule", "constant"];
    await folder.touchstone(...TRAIN, "2", ...sgd);
    const again = ["train", "tiny-data.keras", "--data", "data.npz", "--epochs", "1", "--schedule", "constant"];
    const { code, err } = await folder.touchstone(...again, "--out", "more.keras");
    assert.equal(code, 0, err);
    const bytes = new Uint8Array(readFileSync(folder.path("more.keras")));
    const optimizer = readTraining(readModel(bytes, "more.keras"), bytes, "more.keras")?.optimizer;
    // 12 steps of 8 images, then 2 of 32
    assert.deepEqual([optimizer?.className, optimizer?.iterations, optimizer?.learningRate], ["SGD", 14, 0.25]);
    await folder.refuse(
      [...again, "--out", "other.keras", "--weight-decay", "0.1"],
      "--weight-decay must go with --optimizer for a model with one. Received tiny-data.keras, which has one.",
    );

    // an image that is predicted goes through the same as one that was trained on
    const { data } = images(44, 0).x;
    const png = new PNG({ width: 4, height: 5 });
    for (let i = 0; i < 80; i++) png.data[i] = i % 4 === 3 ? 255 : Number(data[60 + (i >> 2) * 3 + (i % 4)]);
    folder.put("one.png", PNG.sync.write(png));
    const mean = readPreprocessing(readZip(bytes).get(PREPROCESSING_ENTRY)?.read() ?? assert.fail()).mean;
    const x = Float32Array.from({ length: 60 }, (_, i) => Math.fround(Number(data[60 + i]) / 255) - (mean?.[i] ?? 0));
    folder.putArrays("one.npy", { x: { dtype: "float32", shape: [1, 5, 4, 3], data: x } });
    for (const input of ["one.png", "one.npy"]) {
      await folder.succeed("predict", "more.keras", "--input", input, "--out", `${input}.npy`);
    }
    assert.deepEqual(folder.array("one.png.npy"), folder.array("one.npy.npy"));
  });

  it("writes a file from which convert leaves out the optimizer alone", async (test) => {
    const folder = workspace(test);
    await folder.touchstone(...TRAIN, "1");
    await folder.succeed("convert", "tiny-data.keras", "bare.keras");
    const [trained, bare] = ["tiny-data.keras", "bare.keras"].map((name) => {
      const bytes = new Uint8Array(readFileSync(folder.path(name)));
      const preprocessing = readZip(bytes).get(PREPROCESSING_ENTRY)?.read() ?? assert.fail(name);
      return { preprocessing, training: readTraining(readModel(bytes, name), bytes, name) };
    });
    assert.deepEqual(bare.preprocessing, trained.preprocessing);
    assert.deepEqual([trained.training === undefined, bare.training === undefined], [false, true]);
    const [one, other] = await Promise.all(
      ["tiny-data.keras", "bare.keras"].map((name) => folder.succeed("evaluate", name, "--data", "data.npz")),
    );
    assert.equal(one, other);
  });

  it("says where a file has no place for what pixels go through", async (test) => {
    const folder = workspace(test);
    const note = "does not say what pixels go through before the model sees them; a .keras file does\n";
    const trained = await folder.touchstone(...TRAIN, "1", "--out", "tiny.h5");
    assert.ok(trained.err.endsWith(`note: tiny.h5 ${note}`), trained.err);
    const converted = await folder.touchstone("convert", "tiny-checkpoints/best.keras", "best.h5");
    assert.deepEqual([converted.code, converted.err], [0, `note: best.h5 ${note}`]);
  });

  it("goes on with the loss that a file was compiled with, which evaluate takes too", async (test) => {
    const folder = workspace(test);
    for (const [compiled, name] of [
      ["mean_squared_error", "squares"],
      ["sparse_categorical_crossentropy", "sparse"],
    ] as const) {
      const model = readModel(MODEL, "tiny.keras");
      const training = { optimizer: new SGD({ learningRate: 0.25 }), loss: compiled };
      folder.put(`${name}.keras`, writeModel(model, `${name}.keras`, { training }));
      const args = ["--data", "data.npz", "--epochs", "1", "--schedule", "constant"];
      const { code, out, err } = await folder.touchstone("train", `${name}.keras`, ...args, "--out", "more.keras");
      assert.equal(code, 0, err);
      const bytes = new Uint8Array(readFileSync(folder.path("more.keras")));
      assert.equal(readTraining(readModel(bytes, "more.keras"), bytes, "more.keras")?.loss, compiled);
      const evaluated = await folder.succeed("evaluate", "more.keras", "--data", "data.npz");
      const [, measures] = /^data\.npz, test set +(loss .*)$/m.exec(out) ?? assert.fail(out);
      assert.equal(evaluated, `data.npz, test set, 13 images: ${measures}\n`);
      const [, loss] = /^loss (.*?),/.exec(measures) ?? assert.fail(measures);
      // squares of numbers from 0 to 1, and a penalty that is small
      assert.equal(Number(loss) < 1, compiled === "mean_squared_error", measures);
    }
  });

  it("says in one line which file could not be written, and leaves the checkpoint before it whole", async (test) => {
    const folder = workspace(test);
    await folder.touchstone(...TRAIN, "9", "--stop-after", "1");
    const last = "tiny-data-checkpoints/last.keras";
    const before = readFileSync(folder.path(last));
    mkdirSync(folder.path(`${last}.tmp`)); // where the next one would be written first
    const { code, err } = await folder.touchstone(...TRAIN, "9", "--resume");
    assert.equal(code, 2);
    assert.ok(
      err.endsWith(`touchstone: ${last}: must be a file that can be written. Received "it is a directory".\n`),
      err,
    );
    assert.deepEqual(readFileSync(folder.path(last)), before);
  });

  it("stops with exit code 1 where the loss is not finite, and names the step", async (test) => {
    const folder = workspace(test);
    const { code, err } = await folder.touchstone(
      ...[...TRAIN, "3", "--optimizer", "sgd", "--learning-rate", "1e30", "--schedule", "constant"],
    );
    assert.equal(code, 1);
    assert.match(err, /touchstone: fit: the (loss|gradient) must be finite\. Received .* in step \d/);
  });
});

describe("touchstone train --resume", () => {
  const EPOCHS = "20";

  it("goes on after Ctrl-C to the bits of a run that was left alone, with the command that was told", async (test) => {
    const folder = workspace(test);
    const alone = await folder.touchstone(...TRAIN, EPOCHS, "--out", "alone.keras");
    const command = [...TRAIN, EPOCHS, "--out", "broken.keras"];
    const { code, err } = await interrupt(folder, command, "SIGINT");
    assert.equal(code, 130, err);
    assert.match(err, /finishing this step, then writing a checkpoint; Ctrl-C again ends at once\n/);
    assert.match(err, /interrupted in epoch \d+, after \d of its 6 steps; to go on to the same bits:\n/);
    assert.ok(err.endsWith(`\n  npx touchstone ${command.join(" ")} --resume\n`), err);
    assert.ok(!existsSync(folder.path("broken.keras")));

    const resumed = await folder.touchstone(...command, "--resume");
    assert.equal(sha256Of(resumed.out), sha256Of(alone.out));
    assert.deepEqual(readFileSync(folder.path("broken.keras")), readFileSync(folder.path("alone.keras")));
    const logs = ["alone", "broken"].map((name) => readFileSync(folder.path(`${name}-checkpoints/log.jsonl`), "utf8"));
    const withoutTimes = logs.map((log) => log.replace(/"seconds":[\d.e-]+/g, ""));
    assert.equal(withoutTimes[0], withoutTimes[1]);
  });

  it("goes on after a kill", async (test) => {
    const folder = workspace(test);
    const alone = await folder.touchstone(...TRAIN, EPOCHS, "--out", "alone.keras");
    const command = [...TRAIN, EPOCHS, "--out", "broken.keras", "--checkpoint-every", "2"];
    const { signal } = await interrupt(folder, command, "SIGKILL");
    assert.equal(signal, "SIGKILL");
    const resumed = await folder.touchstone(...command, "--resume");
    assert.equal(sha256Of(resumed.out), sha256Of(alone.out));
  });

  it("goes on after the end of a part, to the bits of a run in one go", async (test) => {
    const folder = workspace(test);
    const alone = await folder.touchstone(...TRAIN, "5", "--out", "alone.keras");
    const command = [...TRAIN, "5", "--out", "parts.keras"];
    const { code, out, err } = await folder.touchstone(...command, "--stop-after", "2");
    assert.deepEqual([code, out], [0, ""]);
    assert.ok(
      err.endsWith(
        `\nended after epoch 2; to go on to the same bits:\n  npx touchstone ${command.join(" ")} --resume\n`,
      ),
      err,
    );
    await folder.refuse(
      [...command, "--resume", "--stop-after", "2"],
      "--stop-after must be above the 2 epochs that are done. Received 2.",
    );
    assert.match(
      (await folder.touchstone(...command, "--resume", "--stop-after", "4")).err,
      /^epoch 3.*\nepoch 4.*\nended/,
    );
    const end = await folder.touchstone(...command, "--resume", "--stop-after", "5");
    assert.equal(sha256Of(end.out), sha256Of(alone.out));
  });

  it("goes on with its logs, whatever their folder is called by now", async (test) => {
    const folder = workspace(test);
    const command = [...TRAIN, "3", "--out", "m.keras", "--csv", "log.csv", "--checkpoint-dir"];
    await folder.touchstone(...command, "before", "--stop-after", "1");
    renameSync(folder.path("before"), folder.path("after"));
    const { code, err } = await folder.touchstone(...command, folder.path("after"), "--resume");
    assert.equal(code, 0, err);
    const { steps, epochs } = parseHistory(readFileSync(folder.path("after/log.jsonl"), "utf8"));
    assert.deepEqual([steps[0].step, steps.length, epochs.length], [1, 18, 3]);
    assert.equal(readFileSync(folder.path("log.csv"), "utf8").trim().split("\n").length, 4);
  });

  it("has checkpoints that say what pixels go through, as the model at the end does", async (test) => {
    const folder = workspace(test);
    await folder.touchstone(...TRAIN, "3", "--no-subtract-mean", "--stop-after", "1");
    const last = new Uint8Array(readFileSync(folder.path("tiny-data-checkpoints/last.keras")));
    const entry = readZip(last).get(PREPROCESSING_ENTRY)?.read() ?? assert.fail();
    assert.deepEqual(readPreprocessing(entry), { scale: 1 / 255, mean: undefined });
  });

  it("refuses data that have changed, and logs that were not there", async (test) => {
    const folder = workspace(test);
    await folder.touchstone(...TRAIN, "3", "--stop-after", "1");
    const resume = [...TRAIN, "3", "--resume"];
    await folder.refuse([...resume, "--csv", "new.csv"], /^touchstone: fit: callbacks that save a state must be those/);
    const [training, held] = [images(44, 2), images(13, 1)];
    folder.putArrays("data.npz", { x: training.x, y: training.y, x_test: held.x, y_test: held.y });
    await folder.refuse(
      resume,
      /^touchstone: resume: `what --data holds` must be images \[44, 5, 4, 3\] of 6 classes, .*\. Received images .*\.$/m,
    );
  });

  it("refuses other options than the run had, and a run where one is unfinished or none is", async (test) => {
    const folder = workspace(test);
    await folder.refuse(
      [...TRAIN, EPOCHS, "--resume"],
      "--resume must find the checkpoint of an unfinished run. Received tiny-data-checkpoints/last.keras, where there is none.",
    );
    await interrupt(folder, [...TRAIN, EPOCHS], "SIGINT");
    await folder.refuse(
      [...TRAIN, EPOCHS],
      "a run must not replace an unfinished one: go on with it by --resume, give another --checkpoint-dir, or remove it. " +
        "Received tiny-data-checkpoints/last.keras.",
    );
    await folder.refuse(
      [...TRAIN, EPOCHS, "--resume", "--learning-rate", "0.5"],
      "resume: `--learning-rate` must be 0.001, as when tiny-data-checkpoints/last.keras was written. Received 0.5.",
    );
  });
});

describe("touchstone train refuses, before it begins,", () => {
  const CASES: readonly (readonly [what: string, args: readonly string[], line: string | RegExp])[] = [
    ["no data", ["train", "resnet20v1"], "--data <data> must be given. Received nothing."],
    ["no epochs", [...TRAIN, "0"], '--epochs must be a whole number of at least 1. Received "0".'],
    ["a rate of 0", [...TRAIN, "1", "--learning-rate", "0"], '--learning-rate must be above 0. Received "0".'],
    [
      "an optimizer that is not there",
      [...TRAIN, "1", "--optimizer", "lion"],
      '--optimizer must be one of adam, adamw, sgd. Received "lion".',
    ],
    [
      "momentum of Adam",
      [...TRAIN, "1", "--momentum", "0.5"],
      "--momentum must go with --optimizer sgd. Received adam.",
    ],
    ["a split of all", [...TRAIN, "1", "--validation-split", "1"], /--validation-split must be above 0 and below 1/],
    [
      "a plateau that the schedule overrides",
      [...TRAIN, "1", "--schedule", "cosine", "--reduce-on-plateau"],
      "--reduce-on-plateau must go with a schedule that leaves it a say, original or constant. Received cosine.",
    ],
    [
      "a warm-up of other schedules, or as long as the run",
      [...TRAIN, "9", "--warmup-epochs", "3"],
      "--warmup-epochs must go with --schedule cosine. Received original.",
    ],
    [
      "flips that are not to be",
      [...TRAIN, "1", "--no-augment", "--flip"],
      "--flip must go with --augment. Received --no-augment.",
    ],
    [
      "sizes that are none",
      [...TRAIN, "1", "--image-size", "5x4"],
      /--image-size must be two whole numbers .* "5x4"\.$/m,
    ],
    [
      "an output in a folder that is not there",
      [...TRAIN, "1", "--out", "nowhere/m.keras"],
      'nowhere/m.keras: must be a file that can be written. Received "no such file or directory".',
    ],
    [
      "a report of another kind",
      [...TRAIN, "1", "--report", "r.pdf"],
      "--report must end in .html or .svg. Received r.pdf.",
    ],
    [
      "weights alone as an output",
      [...TRAIN, "1", "--out", "m.weights.h5"],
      "--out must be a whole model, ending in .keras or .h5. Received m.weights.h5.",
    ],
    [
      "a model where the checkpoints go",
      [...TRAIN, "1", "--out", "best.keras", "--checkpoint-dir", "."],
      /^touchstone: the model, the report, the logs and the checkpoints must be files of their own\. Received .*best\.keras twice\.$/m,
    ],
    [
      "checkpoints in a file",
      [...TRAIN, "1", "--checkpoint-dir", "data.npz"],
      "--checkpoint-dir must be a folder, or the name of a new one. Received data.npz, a file.",
    ],
    [
      "checkpoints below a file",
      [...TRAIN, "1", "--checkpoint-dir", "data.npz/c"],
      'data.npz/c: must be a file that can be written. Received "a part of the path is not a directory".',
    ],
    [
      "a model below a file",
      ["train", "data.npz/m", "--data", "data.npz"],
      /^touchstone: <model> must be .* Received "data\.npz\/m"\.$/m,
    ],
    [
      "sides of more than 4096 pixels",
      [...TRAIN, "1", "--image-size", "5,4097"],
      '--image-size must be two whole numbers from 1 to 4096, height,width. Received "5,4097".',
    ],
    ["a log of another kind", [...TRAIN, "1", "--log", "log.txt"], "--log must end in .jsonl. Received log.txt."],
    [
      "a model that is not there",
      ["train", "resnet21v3", "--data", "data.npz"],
      /^touchstone: <model> must be .* Received "resnet21v3"\.$/m,
    ],
    [
      "a model for other images",
      ["train", "tiny.keras", "--data", "digits"],
      "<model> must have an input of shape [null, 32, 32, 3] and an output of shape [null, 10] for digits, training set. " +
        "Received [null, 5, 4, 3] and [null, 6].",
    ],
    [
      "data that are not there",
      ["train", "tiny.keras", "--data", "cifar"],
      /Received cifar, where there is no such file\.$/m,
    ],
  ];
  for (const [what, args, line] of CASES) {
    it(what, async (test) => {
      await workspace(test).refuse(args, line);
    });
  }

  it("a model with names that Keras does not take, of which there could be no checkpoint", async (test) => {
    const folder = workspace(test);
    const layers = [new Flatten(), new Dense({ units: CLASSES, activation: "softmax", name: "block1/dense" })];
    folder.put("slash.npz", writeModel(new Sequential({ batchShape: [null, 5, 4, 3], layers }), "slash.npz"));
    await folder.refuse(
      ["train", "slash.npz", "--data", "data.npz"],
      "writeModel: layer names must have no slash, as Keras 3 asks; .npz takes any. Received `block1/dense`.",
    );
  });

  it("a mean that is to be left out of a model whose file holds one", async (test) => {
    const folder = workspace(test);
    await folder.touchstone(...TRAIN, "1");
    await folder.refuse(
      ["train", "tiny-data.keras", "--data", "data.npz", "--out", "m.keras", "--no-subtract-mean"],
      "--no-subtract-mean must go with a model whose file holds no mean. Received tiny-data.keras, which does.",
    );
  });

  it("watching validation where there is none", async (test) => {
    const folder = workspace(test);
    const { x, y } = images(7, 0);
    folder.putArrays("alone.npz", { x, y });
    await folder.refuse(
      ["train", "tiny.keras", "--data", "alone.npz", "--early-stopping", "2", "--no-reduce-on-plateau"],
      "--early-stopping must have data to watch: a test set, or --validation-split. Received data with neither.",
    );
    await folder.refuse(
      ["train", "tiny.keras", "--data", "alone.npz"],
      "--reduce-on-plateau, the default, must have data to watch: a test set, or --validation-split; " +
        "--no-reduce-on-plateau does without. Received data with neither.",
    );
  });
});
