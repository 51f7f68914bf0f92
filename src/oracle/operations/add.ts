/**
 * `add` and `add-backward`: {@link addForward} of `x0`, `x1`, ...; no arguments.
 *
 *     y   = x0 + x1 + ... + x(n-1)                                        n - 1 additions
 *     dxi = dy, summed over the k elements that xi was repeated to        k - 1 additions: a copy where k = 1
 *
 * @module
 */
import { type AddCache, addBackward, addForward } from "../../layers/add.js";
import { sizeOf } from "../../tensor/shape.js";
import { contiguous, type Tensor, tensor, zeros } from "../../tensor/tensor.js";
import {
  cotangentOf,
  float64Of,
  greatestOf,
  listNames,
  magnitudes,
  MOST_INPUTS,
  operandList,
  storedInputs,
  wide,
} from "../operands.js";
import type { Operands, Operation } from "../operation.js";
import { expectSums, plainTerms } from "../sums.js";

const FORWARD = "add";
const BACKWARD = "add-backward";
const INPUTS = listNames("x", MOST_INPUTS);

/** The sum of tensors. */
export const addOperation: Operation = {
  name: FORWARD,
  inputs: INPUTS.slice(0, 1),
  optional: INPUTS.slice(1),
  outputs: ["y"],
  complete: () => ({}),
  run: (operands) => ({ y: addForward(operandList(FORWARD, operands)).y }),
  expect(operands, _args, model) {
    const inputs = operandList(FORWARD, operands).map(wide);
    const { y: truth } = addForward(inputs);
    const companion = addForward(inputs.map((x) => magnitudes(x, storedInputs(model)))).y;
    // an input that is repeated, repeated
    const repeated = inputs.map((x) => addForward([x, zeros(truth.shape, "float64")]).y.data);
    const y = expectSums(
      {
        shape: truth.shape,
        truth: float64Of(truth),
        companion: float64Of(companion),
        roundings: new Float64Array(truth.size).fill(inputs.length - 1),
        factors: [Math.max(...inputs.map(greatestOf))],
        terms: (element) => plainTerms(repeated.map((x) => x[element])),
      },
      model,
    );
    return { y };
  },
};

/** The cache of the forward call, and dy. */
function beforeBackward(operands: Operands): { readonly cache: AddCache; readonly dy: Tensor } {
  const { y, cache } = addForward(operandList(BACKWARD, operands));
  return { cache, dy: cotangentOf(BACKWARD, operands, y.shape) };
}

/** For every element of `shapes`' common shape, the element of a tensor of the first shape that it repeats. */
function repeatedIndex(shape: readonly number[], common: readonly number[]): ArrayLike<number> {
  const index = tensor(
    Float64Array.from({ length: sizeOf(shape) }, (_, i) => i),
    shape,
  );
  return addForward([index, zeros(common, "float64")]).y.data;
}

/** Its gradients `dx0`, `dx1`, ...; of the inputs only the shapes are read. */
export const addBackwardOperation: Operation = {
  name: BACKWARD,
  inputs: ["x0", "dy"],
  optional: INPUTS.slice(1),
  outputs: listNames("dx", MOST_INPUTS),
  complete: () => ({}),
  run(operands) {
    const { cache, dy } = beforeBackward(operands);
    return Object.fromEntries(addBackward(dy, cache).map((dx, i) => [`dx${i}`, dx]));
  },
  expect(operands, _args, model) {
    const { cache, dy } = beforeBackward(operands);
    const truths = addBackward(wide(dy), cache);
    const companions = addBackward(magnitudes(dy, storedInputs(model)), cache);
    const dys = contiguous(dy).data;
    const expectations = truths.map((truth, i) => {
      const index = repeatedIndex(truth.shape, dy.shape);
      return expectSums(
        {
          shape: truth.shape,
          truth: float64Of(truth),
          companion: float64Of(companions[i]),
          roundings: new Float64Array(truth.size).fill(dy.size / truth.size - 1),
          factors: [greatestOf(dy)],
          terms: (element) => plainTerms([...dys].filter((_, at) => index[at] === element)),
        },
        model,
      );
    });
    return Object.fromEntries(expectations.map((expectation, i) => [`dx${i}`, expectation]));
  },
};
