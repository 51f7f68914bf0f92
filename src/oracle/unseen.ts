/**
 * Unseen tensors: those that a trace does not have, since a backend fuses layers, and what may have gone wrong on the way to
 * them. A mistake there shows in the first tensor after them that the trace has.
 *
 * @module
 */
import type { Tensor } from "../tensor/tensor.js";

/** A mistake that leads to another tensor; undefined where it has no influence on it. */
export interface TensorSuspect {
  readonly name: string;
  readonly result: () => Tensor | undefined;
}

/** How an unseen tensor was made of those that the trace has. */
export interface Unseen {
  /** The layers on the way, in the order in which they run; the tensor is the output of the last. */
  readonly layers: readonly string[];
  /** Mistakes of all of them, and the tensor that each leads to. */
  readonly suspects: () => readonly TensorSuspect[];
}

/** What may be unseen. */
interface MayBeUnseen {
  readonly unseen?: Unseen | undefined;
}

/** The layers on the way to any of `readings`, each once. */
export function unseenLayers(readings: readonly MayBeUnseen[]): readonly string[] {
  return [...new Set(readings.flatMap(({ unseen }) => unseen?.layers ?? []))];
}

/** Mistakes on the way to `readings`, carried on by `through`, which is given the place of a reading and what replaces it. */
export function carriedOn(
  readings: readonly MayBeUnseen[],
  through: (at: number, value: Tensor) => Tensor | undefined,
): readonly TensorSuspect[] {
  return readings.flatMap(({ unseen }, at) =>
    (unseen?.suspects() ?? []).map(({ name, result }) => ({
      name: name.startsWith("in `") ? name : `in \`${unseen?.layers.at(-1)}\`: ${name}`,
      result: () => {
        const value = result();
        return value && through(at, value);
      },
    })),
  );
}
