/**
 * The kernels of a model within one training step: none changes before it is over. So all are looked at and packed when it
 * begins, by all threads together; layer by layer the calling thread would do it while the others wait.
 *
 * How a kernel is to be packed the layers know that read it. So a step packs what the step before has asked for, and the
 * first one nothing.
 *
 * @module
 */
import { allocateInScope } from "../../tensor/arena.js";
import type { FloatArray } from "../../tensor/dtype.js";
import { type Pass, runPasses } from "../element-tiles.js";
import { type Execution, NO_VALUES, threadsOf } from "../execution.js";
import { isSame } from "./constants.js";
import { finitePass, foundFinite } from "./finite.js";
import { packedLength, packJob, type RightLayout, rightNumbers } from "./panels.js";

/** How each kernel was asked for in the last step. */
const asked = new WeakMap<FloatArray, RightLayout[]>();

/** What is known of kernels until they change. */
export class StepKernels {
  readonly #finite = new Map<FloatArray, boolean>();
  readonly #copies = new Map<FloatArray, { readonly layout: RightLayout; readonly packed: FloatArray }[]>();

  /** Looks at `kernels`, of float32, and packs them, into memory of the step that runs now. */
  constructor(kernels: readonly FloatArray[], execution: Execution) {
    const looks = kernels.map(finitePass);
    const packs: Pass[] = [];
    for (const data of kernels) {
      const copies = (asked.get(data) ?? []).map((layout) => ({
        layout,
        packed: allocateInScope("float32", packedLength(layout)),
      }));
      asked.set(data, []);
      this.#copies.set(data, copies);
      packs.push(...copies.map(({ layout, packed }) => packPass(data, layout, packed)));
    }
    runPasses(execution, [...looks, ...packs]);
    for (const [i, data] of kernels.entries()) this.#finite.set(data, foundFinite(looks[i]));
  }

  /** Whether all values of a kernel are finite; undefined where `data` is none. */
  isFinite(data: FloatArray): boolean | undefined {
    return this.#finite.get(data);
  }

  /** The copy of a kernel in `layout`; undefined where `data` is none, or that was not asked for in the last step. */
  find(data: FloatArray, layout: RightLayout, execution: Execution): FloatArray | undefined {
    const copies = this.#copies.get(data);
    if (copies === undefined || threadsOf(execution) === 1) return undefined; // alone, sooner is not better
    const known = asked.get(data) ?? [];
    if (!known.some((other) => isEqual(layout, other))) asked.set(data, [...known, layout]);
    return copies.find((copy) => isEqual(layout, copy.layout))?.packed;
  }
}

function isEqual(a: RightLayout, b: RightLayout): boolean {
  return isSame(rightNumbers(a), rightNumbers(b));
}

function packPass(data: FloatArray, layout: RightLayout, packed: FloatArray): Pass {
  return {
    run: {
      job: packJob,
      reads: [data, NO_VALUES], // no scratch memory
      writes: [packed],
      numbers: rightNumbers(layout),
      tiles: layout.groups * layout.panels.length,
    },
    simd: true,
  };
}
