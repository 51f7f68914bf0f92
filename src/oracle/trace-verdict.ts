/**
 * Verdicts on the tensors of a trace.
 *
 * @module
 */
import type { Diagnosis } from "./diagnosis.js";
import type { Judgement } from "./judgement.js";
import type { WrongCase } from "./operation-case.js";

/** The verdict on one tensor of a trace. */
export interface TensorVerdict {
  /** Its key in the trace. */
  readonly key: string;
  /**
   * The layers whose code computes it: one, and before it those whose outputs the trace does not have; or for gradients that
   * meet all readers of the tensor; for the loss none.
   */
  readonly layers: readonly string[];
  /** The Keras class of the last, or for gradients of the first. */
  readonly className: string;
  /** The verdict. */
  readonly status: "holds" | "broken" | "not judged";
  /** Why it was not judged. */
  readonly reason?: string;
  /** The numbers behind it; none where it was not judged. */
  readonly judgement?: Judgement;
  /** What a wrong shape looks like, or what else is known of the difference. */
  readonly hint?: string;
  /** What of the layer's input the worst element is made of. */
  readonly region?: string;
  /** What went wrong, for the first that is broken. */
  readonly diagnosis?: Diagnosis;
}

/** The verdict on a trace. */
export interface TraceJudgement {
  /** Whether every tensor that was judged holds. */
  readonly holds: boolean;
  /** The arithmetic that it was judged by. */
  readonly arithmetic: string;
  /** All tensors, in the order in which they are computed. */
  readonly tensors: readonly TensorVerdict[];
  /** The first whose bound is broken. */
  readonly first: TensorVerdict | undefined;
  /** How many tensors were judged. */
  readonly judged: number;
  /** How many were not; each says why. */
  readonly notJudged: number;
  /** The first as a case of one operation, if it is that. */
  readonly wrongCase: WrongCase | undefined;
  /** Keys of the candidate that no trace of this model has. */
  readonly unknown: readonly string[];
}
