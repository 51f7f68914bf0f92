/**
 * Cases: an operation, a geometry and numbers, all of which follow from the seed and the case's index.
 *
 * @module
 */
import type { KerasConfig } from "../../serialization/config.js";
import { type Shape, sizeOf } from "../../tensor/shape.js";
import { type Tensor, tensor, zeros } from "../../tensor/tensor.js";
import { DATA_SETS, type DataSet } from "../data-sets.js";
import { Draw } from "../draw.js";
import type { Operands } from "../operation.js";
import { operationNamed } from "../operations/table.js";
import type { Geometry, Part } from "./problem.js";
import { forwardOf, problemOf } from "./problems.js";

/** One case. */
export interface Case {
  readonly operation: string;
  readonly geometry: Geometry;
  readonly args: KerasConfig;
  readonly operands: Operands;
  /** The name of the data set. */
  readonly dataSet: string;
}

/** Case `index` of `operation`: data sets take turns. */
export function caseAt(operation: string, index: number, seed: number): Case {
  const draw = new Draw(seed, `conformance/${operation}`, index);
  const dataSet = DATA_SETS[index % DATA_SETS.length];
  const geometry = problemOf(operation).sample(draw);
  const parts = partsOf(operation, geometry);
  const terms = problemOf(operation).terms(geometry);
  const operands = Object.fromEntries(
    parts.map((part) => [part.name, tensor(numbers(part, dataSet, terms, draw), part.shape)]),
  );
  return { operation, geometry, args: argsOf(operation, geometry), operands, dataSet: dataSet.name };
}

/** The arguments of a geometry. */
export function argsOf(operation: string, geometry: Geometry): KerasConfig {
  return problemOf(operation).args(geometry);
}

/** A part whose shape is known. */
export type ShapedPart = Omit<Part, "shape"> & { readonly shape: Shape };

/**
 * The parts of a geometry. What is shaped like a result is shaped like that of the forward operation on zeros.
 *
 * @throws RangeError when the geometry is impossible.
 */
export function partsOf(operation: string, geometry: Geometry): readonly ShapedPart[] {
  const parts = problemOf(operation).parts(geometry, operation !== forwardOf(operation));
  const given = parts.flatMap(({ shape, ...part }) => (shape === "like y" ? [] : [{ ...part, shape }]));
  if (given.length === parts.length) return given;
  const blank = Object.fromEntries(given.map(({ name, shape }) => [name, zeros(shape, "float32")]));
  const { y } = operationNamed(forwardOf(operation)).run(
    forwardOperands(operation, blank),
    argsOf(operation, geometry),
  );
  return parts.map(({ shape, ...part }) => ({ ...part, shape: shape === "like y" ? y.shape : shape }));
}

/** Those of `operands` that the forward operation knows. */
function forwardOperands(operation: string, operands: Operands): Operands {
  const { inputs, optional } = operationNamed(forwardOf(operation));
  return Object.fromEntries(Object.entries(operands).filter(([name]) => [...inputs, ...optional].includes(name)));
}

/** The numbers of one operand. */
function numbers(part: ShapedPart, dataSet: DataSet, terms: number, draw: Draw): Float32Array {
  const { shape, role = "first", axis, content = "any", classes = 1 } = part;
  const data = new Float32Array(sizeOf(shape));
  if (content === "labels") return data.map(() => draw.integer(0, classes - 1));
  const own = axis === undefined ? data.length : shape[axis];
  const inner = axis === undefined ? 1 : sizeOf(shape.slice(axis + 1));
  for (let index = 0; index < data.length; index++) {
    const term = Math.floor(index / inner) % own;
    data[index] = dataSet.element(draw, { role, term, terms: Math.max(terms, own), index });
  }
  return constrained(data, content, shape[shape.length - 1], draw);
}

/** `data`, made what it must be. */
function constrained(data: Float32Array, content: Part["content"], rowLength: number, draw: Draw): Float32Array {
  if (content === "positive") return data.map(Math.abs);
  if (content === "any" || content === undefined) return data;
  for (let start = 0; start < data.length; start += rowLength) {
    const row = data.subarray(start, start + rowLength);
    if (content === "one-hot") {
      row.fill(0);
      row[draw.integer(0, rowLength - 1)] = 1;
    } else {
      const sum = row.reduce((total, value) => total + Math.abs(value), 0);
      row.forEach((value, i) => (row[i] = sum === 0 ? 1 / rowLength : Math.abs(value) / sum));
    }
  }
  return data;
}

/** `x` cut to `shape`: its first rows, columns and so on, or its last; undefined where that is not possible. */
export function cropped(x: Tensor, shape: Shape, keep: "first" | "last"): Tensor | undefined {
  if (x.dimension !== shape.length || shape.some((size, axis) => size > x.shape[axis])) return undefined;
  return keep === "first" ? x.hi(...shape) : x.lo(...shape.map((size, axis) => x.shape[axis] - size));
}
