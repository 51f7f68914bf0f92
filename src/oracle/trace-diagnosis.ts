/**
 * Diagnosis of tensors of a trace: mistakes of the layers that they come from, carried on to where they are seen.
 *
 * Gradients that meet are a sum of which one term may be mistaken; a weight's gradient has that of its penalty besides.
 *
 * @module
 */
import type { Layer } from "../layers/layer.js";
import type { Variable } from "../layers/variable.js";
import { contiguous, type Tensor, tensor } from "../tensor/tensor.js";
import { type ArithmeticModel, FLOAT32 } from "./arithmetic-model.js";
import { type Diagnosis, diagnoseResults, type Suspect } from "./diagnosis.js";
import type { Expectation } from "./expectation.js";
import { backwardCase, backwardSuspects, forwardCase, forwardResults, forwardSuspects } from "./layer-diagnosis.js";
import { expectLayer, expectLayerGradients, type LayerCotangent, type LayerMode } from "./layer-expectations.js";
import type { Inquiry } from "./inquiry.js";
import { float64Of } from "./operands.js";
import { withPenalty } from "./penalties.js";
import { NotJudged, type Reading, sumOf } from "./reading.js";
import type { Term } from "./terms.js";
import { carriedOn, type TensorSuspect } from "./unseen.js";

/** The result `output` of `layer`, applied to `inputs`: `y`, or a moving statistic. */
export function inquireForward(
  layer: Layer,
  inputs: readonly Reading[] | NotJudged,
  training: boolean,
  output: string,
): Inquiry | undefined {
  if (inputs instanceof NotJudged) return undefined;
  return {
    suspects: () => [
      ...suspectsFor(output, forwardSuspects(layer, inputs, training)),
      ...carriedOn(inputs, (at, value) => forwardResults(layer, inputs.with(at, { value }), training)[output]),
    ],
    reconsider: (model) => {
      const expected = expectLayer(layer, inputs, training, model);
      if (expected instanceof NotJudged) return expected;
      return output === "y" ? expected.y : expected.moving[output];
    },
    asCase: () => forwardCase(layer, inputs, training, output),
  };
}

/** The gradient `output` of `layer`, applied to `inputs`: `dInput0`, ..., or that of a weight. */
export function inquireBackward(
  layer: Layer,
  inputs: readonly Reading[],
  cotangent: LayerCotangent,
  mode: LayerMode,
  output: string,
): Inquiry {
  return {
    suspects: () => suspectsFor(output, backwardSuspects(layer, inputs, cotangent, mode)),
    reconsider: (model) => {
      const gradients = expectLayerGradients(layer, inputs, cotangent, mode, model);
      if (gradients instanceof NotJudged) return gradients;
      return gradients.dWeights[output] ?? gradients.dInputs[Number(output.slice("dInput".length))];
    },
    asCase: () => backwardCase(layer, inputs, cotangent, mode.training, output),
  };
}

/** The suspects of a layer, of whose results one is looked at. */
function suspectsFor(output: string, suspects: readonly Suspect[]): readonly TensorSuspect[] {
  return suspects.map(({ name, results }) => ({ name, result: () => results()[output] }));
}

/** Diagnoses the tensor `x`, called `output`; `batch` is the number of examples. */
export function diagnoseTensor(
  output: string,
  x: Tensor,
  expectation: Expectation,
  inquiry: Inquiry | undefined,
  model: ArithmeticModel,
  batch: number,
): Diagnosis {
  const suspects = [...(inquiry?.suspects() ?? []), ...factors(expectation, batch)].map(
    ({ name, result }): Suspect => ({
      name,
      results: () => {
        const mistaken = result();
        return mistaken === undefined ? {} : { [output]: mistaken };
      },
    }),
  );
  return diagnoseResults({ [output]: x }, { [output]: expectation }, suspects, model, (other) => {
    const expected = inquiry?.reconsider(other);
    return expected === undefined || expected instanceof NotJudged ? {} : { [output]: expected };
  });
}

/** The sum of `terms`, of which one may be mistaken. */
export function inquireSum(terms: readonly Term[]): Inquiry {
  const total = (changed: number, by: Tensor): Tensor | undefined => {
    const parts = terms.map(({ expectation }, i) =>
      i === changed ? contiguous(by).data : expectation instanceof NotJudged ? undefined : expectation.truth,
    );
    const sum = float64Of(by);
    for (const [i, part] of parts.entries()) {
      if (part === undefined || part.length !== sum.length) return undefined;
      if (i !== changed) part.forEach((value, at) => (sum[at] += value));
    }
    return tensor(sum, by.shape);
  };
  return {
    suspects: () =>
      terms.flatMap(({ from, inquiry }, i) =>
        (inquiry?.suspects() ?? []).map(({ name, result }) => ({
          name: terms.length === 1 || from === undefined ? name : `in \`${from}\`: ${name}`,
          result: () => {
            const mistaken = result();
            return mistaken === undefined ? undefined : total(i, mistaken);
          },
        })),
      ),
    reconsider: (model) => {
      const expectations: Expectation[] = [];
      for (const { inquiry } of terms) {
        const expected = inquiry?.reconsider(model);
        if (expected === undefined || expected instanceof NotJudged) return undefined;
        expectations.push(expected);
      }
      return sumOf(expectations, model);
    },
    asCase: () => (terms.length === 1 ? terms[0].inquiry?.asCase() : undefined),
  };
}

/** The gradient of `weight`, of which `dWeight` is expected without its penalty. */
export function inquireWeight(weight: Variable, inquiry: Inquiry, dWeight: Expectation): Inquiry {
  if (weight.regularizer === undefined) return inquiry;
  const { suspects, reconsider } = inquiry;
  return {
    suspects: () => [
      { name: "gradient of the penalty missing", result: () => tensor(dWeight.truth, dWeight.shape) },
      ...suspects().map(({ name, result }) => ({
        name,
        result: () => {
          const mistaken = result();
          if (mistaken === undefined) return undefined;
          const truth = float64Of(mistaken);
          const nothing = new Float64Array(truth.length);
          const expectation = { shape: mistaken.shape, truth, bound: nothing, spread: nothing };
          return tensor(withPenalty(weight, expectation, FLOAT32).truth, mistaken.shape);
        },
      })),
    ],
    reconsider: (model) => {
      const expected = reconsider(model);
      return expected === undefined || expected instanceof NotJudged ? expected : withPenalty(weight, expected, model);
    },
    asCase: () => undefined,
  };
}

/** Sums for means, means for sums, and the wrong sign: wherever a tensor comes from. */
function factors({ truth, shape }: Expectation, batch: number): readonly TensorSuspect[] {
  const scaled = (name: string, factor: number): TensorSuspect => ({
    name,
    result: () =>
      tensor(
        truth.map((value) => value * factor),
        shape,
      ),
  });
  return [
    scaled("negated", -1),
    scaled("multiplied by the batch size: a sum over the batch for a mean", batch),
    scaled("divided by the batch size: a mean over the batch for a sum", 1 / batch),
    scaled("doubled", 2),
    scaled("halved", 0.5),
  ];
}
