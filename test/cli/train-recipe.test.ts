import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fingerprintOf, optimizerOf, type RecipeFlags, recipeOf, scheduleOf } from "../../src/cli/train-recipe.js";
import { loadData } from "../../src/training/data-loader.js";

const FLAGS: RecipeFlags = {
  data: "cifar-10-batches-bin",
  seed: 0,
  shuffle: true,
  subtractMean: true,
  accumulate: "float64",
};

describe("recipeOf", () => {
  it("is the Keras program where nothing else is asked for", () => {
    const recipe = recipeOf("resnet20v1", FLAGS);
    const { epochs, batchSize, optimizer, learningRate, schedule, reduceOnPlateau, augment } = recipe;
    assert.deepEqual(
      { epochs, batchSize, optimizer, learningRate, schedule, reduceOnPlateau, augment },
      {
        epochs: 200,
        batchSize: 32,
        optimizer: "adam",
        learningRate: 1e-3,
        schedule: "original",
        reduceOnPlateau: true,
        augment: { widthShiftRange: 0.1, heightShiftRange: 0.1, horizontalFlip: true },
      },
    );
    const rates = [0, 80, 81, 121, 161, 181].map((epoch) => scheduleOf(recipe)?.schedule(epoch, 1));
    assert.deepEqual(rates, [1e-3, 1e-3, 1e-4, 1e-5, 1e-6, 5e-7]);
  });

  it("does not flip digits, and leaves a schedule of every step alone", () => {
    const { augment, schedule, reduceOnPlateau } = recipeOf("resnet20v1", { ...FLAGS, data: "digits" });
    assert.deepEqual([augment && augment.horizontalFlip, schedule, reduceOnPlateau], [false, "one-cycle", false]);
  });

  it("takes what is asked for", () => {
    const augment = {
      widthShiftRange: 0.25,
      heightShiftRange: 0.25,
      horizontalFlip: false,
      rotationRange: 15,
      zoomRange: 0.5,
    };
    const flags = { ...FLAGS, shift: 0.25, flip: false, rotation: 15, zoom: 0.5 };
    assert.deepEqual(recipeOf("resnet20v1", flags).augment, augment);
    assert.equal(recipeOf("resnet20v1", { ...FLAGS, augment: false }).augment, false);
    const sgd = optimizerOf(recipeOf("resnet20v1", { ...FLAGS, optimizer: "sgd", learningRate: 0.5 }));
    const { momentum, nesterov } = sgd.getConfig();
    assert.deepEqual([sgd.className, sgd.learningRate, momentum, nesterov], ["SGD", 0.5, 0.9, true]);
    assert.equal(optimizerOf(recipeOf("resnet20v1", { ...FLAGS, optimizer: "adamw" })).className, "AdamW");
    assert.equal(scheduleOf(recipeOf("resnet20v1", { ...FLAGS, schedule: "constant" })), undefined);
    assert.equal(scheduleOf(recipeOf("resnet20v1", { ...FLAGS, schedule: "cosine", warmupEpochs: 5 }))?.per, "step");
    assert.throws(() => recipeOf("resnet20v1", { ...FLAGS, schedule: "cosine", epochs: 3, warmupEpochs: 3 }), {
      message: "--warmup-epochs must be below --epochs. Received 3.",
    });
  });
});

describe("fingerprintOf", () => {
  it("has every option by its name, without those that were left out, and a sum of the data", async () => {
    const { training } = await loadData("digits");
    const recipe = recipeOf("resnet20v1", { ...FLAGS, validationSplit: 0.25 });
    const fingerprint = fingerprintOf(recipe, { training, validation: undefined, test: undefined });
    assert.deepEqual(
      [
        fingerprint["<model>"],
        fingerprint["--validation-split"],
        fingerprint["--batch-size"],
        fingerprint["--augment"],
      ],
      ["resnet20v1", 0.25, 32, '{"widthShiftRange":0.1,"heightShiftRange":0.1,"horizontalFlip":true}'],
    );
    assert.ok(!("--weights" in fingerprint));
    assert.match(
      String(fingerprint["what --data holds"]),
      /^images \[1500, 32, 32, 3\] of 10 classes, [0-9a-f]{8} [0-9a-f]{8}$/,
    );
  });
});
