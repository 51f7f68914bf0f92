import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { checkBackend } from "../../src/oracle/conformance/check-backend.js";
import { type Mutant, mutantBackend, mutantsOf } from "../../src/oracle/mutations/mutant.js";
import { watchMutant } from "../../src/oracle/mutations/watch.js";
import type { Operands } from "../../src/oracle/operation.js";
import type { KerasConfig } from "../../src/serialization/config.js";

import { zeros } from "../../src/tensor/tensor.js";

/** Which cases a kernel has a path of its own for. */
type Special = (operands: Operands, args: KerasConfig) => boolean;

const sideOfKernel = (operands: Operands, args: KerasConfig): number | undefined => {
  const [height, width] = Array.isArray(args["poolSize"]) ? args["poolSize"] : operands["kernel"].shape;
  return height === width ? height : undefined;
};
const squares =
  (side: number): Special =>
  (operands, args) =>
    sideOfKernel(operands, args) === side;
const channels =
  (more: number): Special =>
  ({ x }) =>
    x.shape[3] > more;

/** Sums of more terms than fit into one block: of x and kernel, of dy and kernel, of x and dy. */
const longRows = ({ x }: Operands): boolean => x.shape[1] > 64;
const manyUnits = ({ kernel }: Operands): boolean => kernel.shape[1] > 64;
const manyRows = ({ x }: Operands): boolean => x.shape[0] > 64;
const manyClasses = ({ x, yPred = x }: Operands): boolean => (yPred.shape.at(-1) ?? 0) > 64;

const CONVOLUTION = {
  "1x1": squares(1),
  "3x3": squares(3),
  "7x7": squares(7),
  "more than 16 channels": channels(16),
  "16 channels and filters": ({ x, kernel }: Operands) => x.shape[3] === 16 && kernel.shape[3] === 16,
};
const POOL = { "2x2": squares(2), "3x3": squares(3), "more than 16 channels": channels(16) };
const IMAGE = {
  "more than 16 channels": channels(16),
  "square images": ({ x }: Operands) => x.shape[1] === x.shape[2],
};

/** By operation: what a backend may do wrong only there. */
const SPECIALS: Readonly<Record<string, Readonly<Record<string, Special>>>> = {
  conv2d: CONVOLUTION,
  "conv2d-backward": CONVOLUTION,
  "depthwise-conv2d": { "3x3": squares(3), "more than 16 channels": channels(16) },
  "depthwise-conv2d-backward": { "3x3": squares(3), "more than 16 channels": channels(16) },
  "max-pooling2d": POOL,
  "max-pooling2d-backward": POOL,
  "average-pooling2d": POOL,
  "average-pooling2d-backward": POOL,
  "global-average-pooling2d": IMAGE,
  "batch-normalization": IMAGE,
  "batch-normalization-training": IMAGE,
  dense: { "long sums": longRows },
  "dense-backward": { "long sums of dx": manyUnits, "long sums of dKernel": manyRows },
  softmax: { "many classes": manyClasses },
  "categorical-crossentropy": { "many classes": manyClasses },
};

/** Zeros where a backend has a path of its own. */
function zerosWhere(operation: string, where: string, isSpecial: Special): Mutant {
  const [mutant] = mutantsOf(operation, {
    [where]: (reference) => (operands, args) => {
      const right = reference(operands, args);
      if (!isSpecial(operands, args)) return right;
      return Object.fromEntries(Object.entries(right).map(([name, x]) => [name, zeros(x.shape, "float32")]));
    },
  });
  return mutant;
}

/** Cases that are tried, until one tells: at most what the command runs. */
const ATTEMPTS = [16, 48, 120];

describe("a backend that is wrong", () => {
  for (const [operation, specials] of Object.entries(SPECIALS)) {
    for (const [where, isSpecial] of Object.entries(specials)) {
      it(`only for ${where} in ${operation} is found`, async () => {
        const mutant = zerosWhere(operation, where, isSpecial);
        let found = false;
        for (const cases of ATTEMPTS) found ||= (await watchMutant(mutant, cases)).right;
        assert.ok(found);
      });
    }
  }

  it("only for square windows is shrunk to one of one tap", async () => {
    const mutant = zerosWhere("conv2d", "squares", (operands, args) => sideOfKernel(operands, args) !== undefined);
    const { operations } = await checkBackend(mutantBackend(mutant), { cases: 16, operations: ["conv2d"] });
    const { x, kernel } = operations[0].finding?.reproduction.operands ?? {};
    assert.deepEqual(
      [x?.shape, kernel?.shape],
      [
        [1, 1, 1, 1],
        [1, 1, 1, 1],
      ],
    );
  });
});
