/**
 * Kinks: where a ReLU reads a number so near to zero that rounding decides its sign, the gradient is one of two, and both
 * are right.
 *
 * A deep network has millions of ReLUs, so a few of them fall on the other side than in exact arithmetic: ours, or Keras's.
 * Each moves a few elements of some gradients by far more than rounding does. The truth is then taken again with those
 * ReLUs on our side:
 *
 *     truth'  =  truth  +  g(our sides)  -  g(exact sides)
 *
 * where g is our own backward pass in float64, whose own truth is held against Keras's by the same fixtures. Nothing else
 * about our pass enters. A side is ours to choose only where the number itself is within its bound of the exact one.
 *
 * @module
 */
import type { LayerNode } from "../layers/layer.js";
import { inFloat64 } from "../models/in-float64.js";
import type { Model } from "../models/model.js";
import { type Trace, type TraceOptions, trace } from "../models/trace.js";
import { detach, type Tensor } from "../tensor/tensor.js";

/** ReLUs that are not on the side of exact arithmetic, and what that does. */
export interface Kinks {
  /** How many there are. */
  readonly count: number;
  /** What is to be added to the truth of the tensor `key`, element by element. */
  shift(key: string): Tensor | undefined;
}

/** Layers whose slope jumps at zero. */
const KINKED = /^(ReLU|LeakyReLU|Activation)$/;

/**
 * Finds the ReLUs of `model` that `ours`, its trace in float32, has on the other side of zero than float64 has.
 *
 * @param allowed - How far an output of the layer may be from the exact one; a ReLU that reads a number further off is not
 *   excused.
 */
export function findKinks(
  model: Model,
  inputs: readonly Tensor[],
  goal: TraceOptions,
  ours: Trace,
  allowed: (layer: string) => number,
): Kinks {
  const wide = inFloat64(model);
  const options = { ...goal, training: true };
  const exact = trace(wide, inputs, options);
  const crossing = new Map<string, { readonly index: number; readonly z: number }[]>();
  let count = 0;
  for (const { layer, inputs: read } of wide.graphNodes) {
    if (!KINKED.test(layer.className)) continue;
    const source = read[0].node.layer.name;
    const [a, b] = [ours.get(`output/${source}`), exact.get(`output/${source}`)];
    if (a === undefined || b === undefined) continue;
    const bound = allowed(source);
    const crossed: { index: number; z: number }[] = [];
    for (let index = 0; index < a.size; index++) {
      const [z, truth] = [a.data[index], b.data[index]];
      if (z > 0 !== truth > 0 && Math.abs(z - truth) <= bound) crossed.push({ index, z });
    }
    if (crossed.length > 0) crossing.set(layer.name, crossed);
    count += crossed.length;
  }
  if (count === 0) return { count, shift: () => undefined };
  const replaceInputs = (node: LayerNode, xs: readonly Tensor[]): readonly Tensor[] => {
    const crossed = crossing.get(node.layer.name);
    if (crossed === undefined) return xs;
    const x = detach(xs[0]);
    for (const { index, z } of crossed) x.data[index] = z;
    return [x];
  };
  const onOurSide = trace(wide, inputs, { ...options, replaceInputs });
  return {
    count,
    shift(key) {
      const [after, before] = [onOurSide.get(key), exact.get(key)];
      if (after === undefined || before === undefined) return undefined;
      const difference = detach(after);
      for (let i = 0; i < difference.size; i++) difference.data[i] -= before.data[i];
      return difference;
    },
  };
}
