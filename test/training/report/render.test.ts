import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { reportHtml, reportSvg } from "../../../src/training/report/render.js";
import type { RunReport } from "../../../src/training/report/report.js";

const EPOCHS = 3;
const STEPS = 4;
const IMAGE = { width: 3, height: 2, channels: 3, bytes: Uint8Array.from({ length: 18 }, (_, i) => i * 9) } as const;

const REPORT: RunReport = {
  title: "resnet20v1 on <digits>",
  subtitle: "accuracy 97.5 %",
  facts: [["command", "touchstone train resnet20v1 --data 'a & b'"]],
  history: {
    steps: Array.from({ length: EPOCHS * STEPS }, (_, i) => ({
      step: i + 1,
      epoch: Math.floor(i / STEPS) + 1,
      loss: 2 / (i + 1),
      accuracy: i / 12,
      learningRate: 0.001,
    })),
    epochs: Array.from({ length: EPOCHS }, (_, i) => ({
      epoch: i + 1,
      loss: 2 / (i + 1),
      accuracy: (i + 1) / 4,
      valLoss: 3 / (i + 1),
      valAccuracy: (i + 1) / 5,
      learningRate: 0.001,
      seconds: 1.5,
    })),
  },
  confusion: {
    classNames: ["cat", "dog"],
    counts: [
      [371, 2],
      [1, 402],
    ],
  },
  mistakes: [{ index: 5, truth: 0, predicted: 1, probability: 0.875, truthProbability: 0.125, image: IMAGE }],
};

/** The texts of a drawing. */
const textsOf = (svg: string): readonly string[] =>
  Array.from(svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g), ([, text]) => text);

describe("reportSvg", () => {
  it("draws curves, the confusion matrix with its numbers, and the mistakes", async () => {
    const svg = await reportSvg(REPORT);
    const texts = textsOf(svg);
    for (const text of [
      ...["resnet20v1 on &lt;digits&gt;", "accuracy 97.5 %", "Loss", "Accuracy", "Learning rate", "Confusion matrix"],
      ...["training, steps", "training", "validation", "epoch", "371", "402", "predicted class", "true class"],
      ...["The worst 1 of 3 mistakes", "true: cat", "87.5 % dog"],
    ]) {
      assert.ok(texts.includes(text), `"${text}" among ${texts.join(" | ")}`);
    }
    assert.equal(svg.match(/data:image\/png;base64,/g)?.length, 1);
  });

  it("holds all that it shows: nothing is loaded from elsewhere", async () => {
    for (const document of [await reportSvg(REPORT), await reportHtml(REPORT)]) {
      const addresses = Array.from(document.matchAll(/(?:href|src)="([^"]*)"/g), ([, address]) => address);
      assert.deepEqual(
        addresses.filter((address) => !address.startsWith("data:")),
        [],
      );
      assert.doesNotMatch(document, /<script|@import|url\(http/);
    }
  });

  it("draws runs of no epoch, of one, and without validation or mistakes; values that are not finite are left out", async () => {
    const { history } = REPORT;
    const withoutValidation = history.epochs.map((epoch) => ({ ...epoch, valLoss: undefined, valAccuracy: undefined }));
    for (const changed of [
      { steps: [], epochs: [] },
      { steps: history.steps.slice(0, 2), epochs: [] },
      { steps: history.steps, epochs: withoutValidation.slice(0, 1) },
      { steps: history.steps.map((step) => ({ ...step, loss: Number.NaN, learningRate: 0 })), epochs: [] },
    ]) {
      const perfect = {
        classNames: ["cat", "dog"],
        counts: [
          [3, 0],
          [0, 0],
        ],
      };
      const svg = await reportSvg({ ...REPORT, history: changed, confusion: perfect, mistakes: [] });
      assert.ok(textsOf(svg).includes("No mistakes"));
      assert.ok(!textsOf(svg).includes("validation"));
      assert.doesNotMatch(svg, /NaN|undefined|Infinity/);
    }
  });

  it("leaves the numbers out where there are too many classes to read them", async () => {
    const classNames = Array.from({ length: 25 }, (_, k) => `kind ${k}`);
    const counts = classNames.map((_, t) => classNames.map((_, p) => (t === p ? 777 : 0)));
    const texts = textsOf(await reportSvg({ ...REPORT, confusion: { classNames, counts }, mistakes: [] }));
    assert.ok(!texts.includes("777") && texts.includes("share of its class") && texts.includes("kind 24"));
  });
});

describe("reportHtml", () => {
  it("is a page with the drawing, the facts and the epochs as numbers, all escaped", async () => {
    const html = await reportHtml(REPORT);
    assert.match(html, /^<!DOCTYPE html>/);
    assert.ok(html.includes("<title>resnet20v1 on &#60;digits&#62;</title>"));
    assert.ok(html.includes("<code>touchstone train resnet20v1 --data &#39;a &#38; b&#39;</code>"));
    assert.ok(
      html.includes(
        "<td>1</td><td>2.0000</td><td>25.00 %</td><td>3.0000</td><td>20.00 %</td><td>0.001</td><td>1.5</td>",
      ),
    );
  });
});
