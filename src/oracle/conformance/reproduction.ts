/**
 * Reproductions: a failing case, small enough to look at, to send to the author of the backend, and to run again.
 *
 * @module
 */
import type { NpyArray } from "../../formats/npy.js";
import { writeNpz } from "../../formats/npz.js";
import type { KerasConfig } from "../../serialization/config.js";
import type { Shape } from "../../tensor/shape.js";
import { contiguous, type Tensor } from "../../tensor/tensor.js";
import { fromPlain, type PlainNumber, toPlain } from "./plain-numbers.js";
import type { Failing } from "./shrink.js";

/** A tensor in a report. */
export interface ReportTensor {
  /** The dimensions. */
  readonly shape: Shape;
  /** Row-major. */
  readonly values: readonly PlainNumber[];
}

/** A failing case. */
export interface Reproduction {
  /** The operation's name. */
  readonly operation: string;
  /** Keras's arguments, in camelCase. */
  readonly args: KerasConfig;
  /** What it is computed of, by name. */
  readonly operands: Readonly<Record<string, ReportTensor>>;
  /** Which result is wrong; none where there is no usable result. */
  readonly output?: string;
  /** The float64 truth of that result. */
  readonly expected?: ReportTensor;
  /** What the backend gave. */
  readonly received?: ReportTensor;
  /** What |received - expected| may be. */
  readonly bound?: ReportTensor;
}

function reportTensor(values: ArrayLike<number>, shape: Shape): ReportTensor {
  return { shape: [...shape], values: Array.from(values, toPlain) };
}

function ofTensor(x: Tensor): ReportTensor {
  return reportTensor(contiguous(x).data, x.shape);
}

/** What a reproduction is made of. */
export interface Reproducible {
  readonly failing: Pick<Failing["failing"], "operation" | "args" | "operands">;
  readonly wrong: Pick<Failing["wrong"], "output" | "expectation" | "received">;
}

/** The reproduction of a case that fails. */
export function reproductionOf({ failing, wrong }: Reproducible): Reproduction {
  const { output, expectation, received } = wrong;
  return {
    operation: failing.operation,
    args: failing.args,
    operands: Object.fromEntries(Object.entries(failing.operands).map(([name, x]) => [name, ofTensor(x)])),
    ...(output !== undefined && { output }),
    ...(received && { received: ofTensor(received) }),
    ...(expectation && {
      expected: reportTensor(expectation.truth, expectation.shape),
      bound: reportTensor(expectation.bound, expectation.shape),
    }),
  };
}

function arrayOf({ shape, values }: ReportTensor, dtype: "float32" | "float64"): NpyArray {
  const numbers = values.map(fromPlain);
  return { dtype, shape, data: dtype === "float32" ? Float32Array.from(numbers) : Float64Array.from(numbers) };
}

/**
 * The reproduction as the bytes of an `.npz`: operands by their names, as `touchstone judge` reads them, and
 * `expected/y`, `received/y` and `bound/y` for a result `y`.
 */
export function writeReproduction({ operands, output, expected, received, bound }: Reproduction): Uint8Array {
  const arrays = new Map(Object.entries(operands).map(([name, x]) => [name, arrayOf(x, "float32")]));
  for (const [name, x] of Object.entries({ expected, received, bound })) {
    if (x !== undefined) arrays.set(`${name}/${output}`, arrayOf(x, "float64"));
  }
  return writeNpz(arrays);
}

const literal = (values: readonly PlainNumber[]): string => values.map(String).join(", ");

/** The reproduction as a JavaScript module that asks the backend in the module `backendModule` again. */
export function reproductionSnippet(reproduction: Reproduction, backendModule = "./backend.mjs"): string {
  const { operation, args, operands, output, expected, received, bound } = reproduction;
  const lines = Object.entries(operands).map(
    ([name, { shape, values }]) =>
      `  ${name}: { data: Float32Array.of(${literal(values)}), shape: [${shape.join(", ")}] },`,
  );
  const comments =
    output === undefined || expected === undefined || received === undefined || bound === undefined
      ? []
      : [
          `// ${output} should be ${literal(expected.values)}`,
          `// within           ${literal(bound.values)}`,
          `// and was          ${literal(received.values)}`,
        ];
  return [
    `import backend from ${JSON.stringify(backendModule)};`,
    "",
    "const operands = {",
    ...lines,
    "};",
    `const args = ${JSON.stringify(args)};`,
    `console.log(await backend.operations[${JSON.stringify(operation)}](operands, args));`,
    ...comments,
    "",
  ].join("\n");
}
