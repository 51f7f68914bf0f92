import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createExecution } from "../../src/kernels/execution.js";
import { resnetV1 } from "../../src/models/resnet-v1.js";
import { resnetV2 } from "../../src/models/resnet-v2.js";
import { type Trace, trace } from "../../src/models/trace.js";
import { describeTrace } from "../../src/oracle/report.js";
import { judgeTrace } from "../../src/oracle/trace-judgement.js";
import type { TraceJudgement } from "../../src/oracle/trace-verdict.js";
import { contiguous, type Tensor, tensorOf } from "../../src/tensor/tensor.js";
import { mapped } from "../support/tensors.js";
import { bfloat16, goal, images, imagesOf, meddled, network, variant } from "./support/models.js";

function broken({ tensors }: TraceJudgement): readonly string[] {
  return tensors.filter(({ status }) => status === "broken").map(({ key }) => key);
}

/** The layers that are blamed. */
function blamed({ tensors }: TraceJudgement): readonly string[] {
  return [...new Set(tensors.filter(({ status }) => status === "broken").flatMap(({ layers }) => layers))];
}

function without(entries: Trace, wanted: (key: string) => boolean): Trace {
  return new Map([...entries].filter(([key]) => wanted(key)));
}

describe("judgeTrace", () => {
  for (const [name, build, training, accumulate] of [
    ["ResNet8v1", () => resnetV1(8, { seed: 1 }), true, "float32"],
    ["ResNet20v1", () => resnetV1(20, { seed: 1 }), false, "float32"],
    ["ResNet11v2", () => resnetV2(11, { seed: 3 }), true, "float64"],
  ] as const) {
    it(`holds every tensor of ${name} (training ${training}) computed with ${accumulate} sums`, () => {
      const [resnet, x] = [build(), imagesOf(32, 32)];
      const options = { ...goal, training };
      const entries = trace(resnet, [x], { ...options, execution: createExecution({ accumulate }) });
      const judgement = judgeTrace(resnet, [x], entries, options);
      assert.deepEqual(broken(judgement), []);
      assert.deepEqual([judgement.judged, judgement.notJudged], [entries.size, 0]);
      assert.deepEqual(judgement.unknown, []);
    });
  }

  const model = network();
  const honest = trace(model, [images], goal);
  const judge = (entries: Trace): TraceJudgement => judgeTrace(model, [images], entries, goal);
  const tampered = (key: string, change: (value: number) => number): Trace => {
    const entry = honest.get(key);
    assert.ok(entry !== undefined, key);
    return new Map([...honest, [key, mapped(entry, change)]]);
  };

  it("names a layer that puts the odd zero of SAME padding on the wrong side, the element and what it saw", () => {
    const flip = (x: Tensor): Tensor => contiguous(x.step(1, -1, -1, 1));
    const wrong = meddled(model, "conv2d_3", ([x], run) => {
      const kernel = wrong.getLayer("conv2d_3").weights[0];
      const straight = kernel.read();
      kernel.assign(contiguous(straight.step(-1, -1, 1, 1)));
      const { y } = run([flip(x)]);
      kernel.assign(straight);
      return { y: flip(y), backward: () => assert.fail("inference only") };
    });
    const judgement = judgeTrace(model, [images], trace(wrong, [images]));
    assert.deepEqual(broken(judgement), ["output/conv2d_3"]);
    const { first } = judgement;
    assert.ok(first?.judgement?.worst !== undefined);
    const [n, h, w] = first.judgement.worst.index;
    const rows = `${2 * h}:${Math.min(2 * h + 3, 20)}`;
    const columns = `${2 * w}:${Math.min(2 * w + 3, 16)}`;
    assert.equal(first.region, `[${n}, ${rows}, ${columns}, :]`);
    assert.equal(first.className, "Conv2D");
  });

  for (const [layer, change] of [
    ["batch_normalization_2", { epsilon: 1e-5 }],
    ["batch_normalization_4", { momentum: 0.01 }],
    ["dense", { use_bias: false }],
    ["conv2d_5", { use_bias: false }],
    ["activation_3", { activation: "linear" }],
  ] as const) {
    it(`blames ${layer} alone for ${JSON.stringify(change)}`, () => {
      const wrong = trace(variant(model, layer, change), [images], goal);
      const judgement = judge(wrong);
      assert.deepEqual(blamed(judgement), [layer], broken(judgement).join(", "));
    });
  }

  it("blames a convolution alone that rounds its inputs to bfloat16", () => {
    const wrong = meddled(model, "conv2d_4", ([x], run) => run([mapped(x, bfloat16)]));
    assert.deepEqual(blamed(judge(trace(wrong, [images], goal))), ["conv2d_4"]);
  });

  it("says which branch is missing where a gradient was not added", () => {
    const wrong = meddled(model, "conv2d_8", (inputs, run) => {
      const pass = run(inputs);
      return {
        ...pass,
        backward(dy) {
          const { dInputs, dWeights } = pass.backward(dy);
          return { dInputs: dInputs.map((dx) => mapped(dx, () => 0)), dWeights };
        },
      };
    });
    const judgement = judge(trace(wrong, [images], goal));
    assert.deepEqual(broken(judgement), ["gradOutput/activation_4"]);
    assert.deepEqual(judgement.first?.layers, ["conv2d_6", "conv2d_8"]);
    assert.equal(judgement.first?.hint, "it is right without the gradient of `conv2d_8`: that branch is missing");
  });

  for (const [key, factor] of [
    ["moving/batch_normalization_3/moving_variance", 1.01],
    ["gradWeight/conv2d_2/kernel", 1.0001],
    ["gradWeight/dense/kernel", 1.0001],
    ["loss", 1.01],
  ] as const) {
    it(`finds ${key} times ${factor}, and nothing else`, () => {
      assert.deepEqual(broken(judge(tampered(key, (value) => value * factor))), [key]);
    });
  }

  it("judges a backend that fuses layers by what it has, and says what it did not judge", () => {
    const isKept = (key: string): boolean => /^output\/(activation|add|input|dense|average|flatten)/.test(key);
    const options = { ...goal, training: false };
    const entries = trace(model, [images], options);
    const fused = judgeTrace(model, [images], without(entries, isKept));
    assert.deepEqual(broken(fused), []);
    // nine convolutions and seven normalizations
    assert.equal(fused.notJudged, 16);
    assert.ok(fused.tensors.every(({ status, reason }) => status === "holds" || reason === "it is not in the trace"));
    const wrong = trace(variant(model, "batch_normalization_2", { epsilon: 1e-2 }), [images]);
    assert.deepEqual(broken(judgeTrace(model, [images], without(wrong, isKept))), ["output/add"]);
    // backward without what lies between: the whole chain of a block is run through
    const gradients = without(entries, (key) => !/^gradOutput\/(batch|conv)/.test(key));
    assert.deepEqual(broken(judgeTrace(model, [images], gradients, options)), []);
  });

  it("recognizes NCHW, judges the rest as if it were NHWC, and names what is not there or not known", () => {
    const entry = honest.get("output/conv2d_3");
    assert.ok(entry !== undefined);
    const entries = new Map(without(honest, (key) => key.startsWith("output/") && key !== "output/conv2d_1"));
    entries.set("output/conv2d_3", contiguous(entry.transpose(0, 3, 1, 2)));
    entries.set("output/conv2d_99", entry);
    const judgement = judgeTrace(model, [images], entries, { training: true });
    assert.deepEqual(broken(judgement), ["output/conv2d_3"]);
    const text = describeTrace(judgement, false).join("\n");
    assert.match(text, /the first that is not right: `conv2d_3` \(Conv2D\)\noutput\/conv2d_3: BROKEN/);
    assert.match(text, /its shape must be \[2, 10, 8, 7\], and is \[2, 7, 10, 8\]\n  it looks like NCHW/);
    assert.match(text, /not judged: .*, output\/conv2d_1, .*: it is not in the trace/);
    assert.match(text, /of no layer here: output\/conv2d_99/);
  });

  it("refuses a trace that has no tensor of the model, and targets that are not one for each output", () => {
    assert.throws(() => judge(new Map([["y", images]])), {
      name: "RangeError",
      message: "judge: the trace must have keys such as `output/conv2d`. Received y.",
    });
    // the batch's statistics are not known where what they are made of is not
    const key = "output/batch_normalization_5";
    const alone = new Map([...honest].filter(([name]) => name === key));
    assert.throws(() => judgeTrace(model, [images], alone, { training: true }), {
      name: "RangeError",
      message:
        "judge: the trace must have a tensor that can be judged. Received output/batch_normalization_5, and " +
        "batch-normalization-training reads `x`, which the trace does not have.",
    });
    assert.throws(() => judgeTrace(model, [images], honest, { targets: [] }), {
      name: "RangeError",
      message: "judge: `targets` must be given for each of the 1 outputs. Received 0.",
    });
    assert.throws(() => judgeTrace(model, [images], honest, { cotangents: [tensorOf([1, 2], [2, 1])] }), {
      name: "RangeError",
      message: "judge: `cotangents` must have the shape [2, 11] of the output. Received [2, 1].",
    });
  });
});
