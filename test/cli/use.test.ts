import assert from "node:assert/strict";
import { mkdirSync, statSync } from "node:fs";
import { describe, it } from "node:test";
import { MAIN, Workspace } from "../support/command-line.js";

const COMMANDS = ["summary", "predict", "trace", "verify", "convert"];

describe("touchstone --help", { concurrency: 2 }, () => {
  it("lists every command", async (test) => {
    const out = await new Workspace(test).succeed("--help");
    for (const command of COMMANDS) assert.match(out, new RegExp(`^  ${command} `, "m"));
  });

  for (const command of COMMANDS) {
    it(`of ${command} shows how it is used`, async (test) => {
      const out = await new Workspace(test).succeed(command, "--help");
      assert.match(out, new RegExp(`^Usage: touchstone ${command} \\[options\\]`));
      assert.match(out, /-h, --help/);
      assert.match(out, /^Global Options:\n(.*\n)* {2}--no-wide-vectors /m);
    });
  }

  it("can be run as a program of its own, as npm links it", { skip: process.platform === "win32" }, () => {
    assert.equal(statSync(MAIN).mode & 0o111, 0o111);
  });

  it("prints the version of the package with --version", async (test) => {
    assert.match(await new Workspace(test).succeed("--version"), /^\d+\.\d+\.\d+\n$/);
  });
});

describe("touchstone", { concurrency: 2 }, () => {
  const listed = "that touchstone --help lists.";
  const predict = ["predict", "resnet20v1", "--input", "x.npy"];
  const cases: readonly (readonly [args: readonly string[], line: string])[] = [
    [[], `a command must be given, one ${listed} Received none.`],
    [["frob"], `the command must be one ${listed} Received frob.`],
    [["sumary"], `the command must be one ${listed} Received sumary (did you mean summary?).`],
    [["help", "frob"], `a command must be given, one ${listed} Received help frob.`],
    [["--frob"], "options must be among those that --help lists. Received --frob."],
    [["summary", "resnet20v1", "--threads", "2"], "options must be among those that --help lists. Received --threads."],
    [
      [...predict, "--thread", "2"],
      "options must be among those that --help lists. Received --thread (did you mean --threads?).",
    ],
    [["summary"], "<model> must be given. Received nothing."],
    [["convert", "a.keras"], "<out> must be given. Received nothing."],
    [["convert", "a.h5", "b.h5", "c.h5"], "`touchstone convert` must have 2 arguments. Received 3."],
    [["predict", "resnet20v1"], "--input <file...> must be given. Received nothing."],
    [["predict", "resnet20v1", "--input"], "--input <file...> must have a value. Received none."],
    [["trace", "resnet20v1", "--input", "x.npz"], "--out <trace.npz> must be given. Received nothing."],
    [[...predict, "--threads", "0"], '--threads must be a whole number from 1 to 256. Received "0".'],
    [[...predict, "--threads", "x"], '--threads must be a whole number from 1 to 256. Received "x".'],
    [[...predict, "--threads", "-1"], '--threads must be a whole number from 1 to 256. Received "-1".'],
    [[...predict, "--threads", "1.5"], '--threads must be a whole number from 1 to 256. Received "1.5".'],
    [[...predict, "--threads", ""], '--threads must be a whole number from 1 to 256. Received "".'],
    [[...predict, "--threads", "1000"], '--threads must be a whole number from 1 to 256. Received "1000".'],
    [[...predict, "--batch-size", "0"], '--batch-size must be a whole number of at least 1. Received "0".'],
    [[...predict, "--top", "a\nb"], '--top must be a whole number of at least 1. Received "a\\nb".'],
    [
      [...predict, "--seed", "9007199254740992"],
      '--seed must be a whole number of at least 0. Received "9007199254740992".',
    ],
    [[...predict, "--accumulate", "float16"], '--accumulate must be one of float64, float32. Received "float16".'],
    [[...predict, "--dtype", "int8"], '--dtype must be one of float32, float64. Received "int8".'],
    [
      [...predict, "--preprocess", "x"],
      '--preprocess must be one of caffe, tf, torch, scale, trained, none. Received "x".',
    ],
    [
      ["trace", "resnet20v1", "--input", "x.npz", "--out", "t.npz", "--loss", "mae"],
      "--loss must be one of categorical_crossentropy, sparse_categorical_crossentropy, mean_squared_error. " +
        'Received "mae".',
    ],
    [["summary", "resnet20v1", "--classes", "0"], '--classes must be a whole number of at least 1. Received "0".'],
    [
      ["summary", "resnet20v1", "--input-shape", "32,32"],
      '--input-shape must be three whole numbers of at least 1, height,width,channels. Received "32,32".',
    ],
    [
      ["summary", "resnet20v1", "--line-length", "9999"],
      '--line-length must be a whole number from 40 to 1000. Received "9999".',
    ],
    [["summary", "resnet21v1"], "resnetV1: `depth` must be 6n + 2, n at least 1: 8, 14, 20, ... Received depth=21."],
    [
      ["summary", "resnet8v1", "--input-shape", "28,32,3"],
      "resnetV1: `inputShape` must be of images of at least 29 by 29 pixels. Received 28 by 32.",
    ],
    [
      ["summary", "resnet11v2", "--input-shape", "32,16,3"],
      "resnetV2: `inputShape` must be of images of at least 29 by 29 pixels. Received 32 by 16.",
    ],
    [["summary", "resnet28v2"], "resnetV2: `depth` must be 9n + 2, n at least 1: 11, 20, 29, ... Received depth=28."],
    [["summary", "resnet60002v1"], "a builder's depth must be at most 2000. Received resnet60002v1."],
    [
      ["summary", "resnet50", "--input-shape", "31,64,3"],
      "ResNet50: the input size must be at least 32x32. Received inputShape=[31, 64, 3].",
    ],
    [
      ["summary", "resnet19"],
      "<model> must be a .keras, .h5 or .npz file, or a builder: resnet20v1 (any 6n+2), resnet29v2 (any 9n+2), " +
        'resnet50, resnet101, resnet152, resnet50v2, resnet101v2, resnet152v2. Received "resnet19".',
    ],
  ];
  for (const [args, line] of cases) {
    it(`refuses ${JSON.stringify(args.join(" "))}`, async (test) => {
      const workspace = new Workspace(test);
      workspace.put("x.npy", "never read");
      workspace.put("t.npz", "from before");
      await workspace.refuse(args, line);
    });
  }

  it("says so on stderr and ends with code 2, in a process of its own", async (test) => {
    const { code, out, err } = await new Workspace(test).touchstone("frob");
    assert.deepEqual(
      { code, out, err },
      { code: 2, out: "", err: `touchstone: the command must be one ${listed} Received frob.\n` },
    );
  });

  it("takes a builder's name for the builder where a folder has that name too", async (test) => {
    const workspace = new Workspace(test);
    mkdirSync(workspace.path("resnet20v1"));
    const out = await workspace.succeed("summary", "resnet20v1", "--classes", "3");
    assert.match(out, /Total params: 273,987/);
  });
});
