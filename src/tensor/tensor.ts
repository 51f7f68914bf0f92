/**
 * Tensors: strided `ndarray` views over one flat typed array.
 *
 * `ndarray` gives shape, stride and offset, and views that cost nothing (`transpose`, `lo`, `hi`, `pick`); it checks
 * nothing. What is checked is checked here, at the door. Inside, layers read `x.data` of a contiguous tensor directly.
 *
 * @module
 */
import ndarray from "ndarray";
import ops from "ndarray-ops";
import { allocateInScope } from "./arena.js";
import { type DType, expectDType, type FloatArray, floatArray } from "./dtype.js";
import { formatShape, type Shape, shapesAgree, sizeOf } from "./shape.js";

/** A float tensor of any rank. */
export type Tensor = ndarray.NdArray<FloatArray>;

/**
 * Wraps `data`, in row-major order, as a tensor of `shape`. The memory is shared, not copied.
 *
 * @throws TypeError when `data` is neither a Float32Array nor a Float64Array, or `shape` is no array.
 * @throws RangeError when a dimension is not a whole number, or `data.length` is not the product of `shape`:
 *   `ndarray` itself does not check.
 */
export function tensor(data: FloatArray, shape: Shape): Tensor {
  if (!(data instanceof Float32Array || data instanceof Float64Array)) {
    const received = Object.prototype.toString.call(data).slice("[object ".length, -1);
    throw new TypeError(`tensor: \`data\` must be a Float32Array or a Float64Array. Received ${received}.`);
  }
  checkShape(shape);
  const size = sizeOf(shape);
  if (data.length !== size) {
    throw new RangeError(
      `tensor: \`data\` must hold ${size} values for shape ${formatShape(shape)}. Received data.length=${data.length}.`,
    );
  }
  return viewOf(data, shape);
}

function checkShape(shape: Shape): void {
  if (!Array.isArray(shape)) throw new TypeError(`tensor: \`shape\` must be an array. Received ${String(shape)}.`);
  for (let axis = 0; axis < shape.length; axis++) {
    if (Number.isSafeInteger(shape[axis]) && shape[axis] >= 0) continue;
    throw new RangeError(
      `tensor: \`shape\` must be made of whole numbers of at least 0. Received shape=${formatShape(shape)}.`,
    );
  }
}

/** One view of every element type and rank, to be copied. */
const templates: Readonly<Record<DType, Tensor[]>> = { float32: [], float64: [] };

/** `ndarray(data, shape)`; that looks for the element type of `data` anew each time, which takes longer than all else. */
function viewOf(data: FloatArray, shape: Shape): Tensor {
  const dtype = data instanceof Float64Array ? "float64" : "float32";
  const ofType = templates[dtype];
  ofType[shape.length] ??= ndarray(
    floatArray(dtype, 0),
    shape.map(() => 0),
  );
  const x = ofType[shape.length].lo();
  x.data = data;
  for (let axis = shape.length - 1, size = 1; axis >= 0; axis--) {
    x.shape[axis] = shape[axis];
    x.stride[axis] = size;
    size *= shape[axis];
  }
  return x;
}

/**
 * A tensor of `shape` filled from plain numbers in row-major order, rounded to `dtype`; for examples and tests.
 *
 * @throws TypeError when there is no such element type, and as {@link tensor} does.
 */
export function tensorOf(values: Iterable<number>, shape: Shape, dtype: DType = "float32"): Tensor {
  return tensor(
    expectDType("tensorOf", dtype) === "float64" ? Float64Array.from(values) : Float32Array.from(values),
    shape,
  );
}

/** The element type of `x`. */
export function dtypeOf(x: Tensor): DType {
  return x.data instanceof Float64Array ? "float64" : "float32";
}

/**
 * Zeros of `shape`, row-major, with the element type of `like`. Inside a step it comes from the step's arena.
 *
 * @throws TypeError when there is no such element type, or `shape` is no array.
 * @throws RangeError when a dimension is not a whole number of at least 0.
 */
export function zeros(shape: Shape, like: Tensor | DType): Tensor {
  const x = empty(shape, like);
  x.data.fill(0);
  return x;
}

/** Like {@link zeros}, but the values are whatever the memory held: only for results whose every element is written. */
export function empty(shape: Shape, like: Tensor | DType): Tensor {
  checkShape(shape); // before an arena cuts less than nothing from its page
  return viewOf(allocateInScope(elementType(like), sizeOf(shape)), shape);
}

function elementType(like: Tensor | DType): DType {
  return typeof like === "object" ? dtypeOf(like) : expectDType("tensor", like);
}

/** Whether the elements of `x` lie row-major from `data[0]` to the end of `data`. */
export function isContiguous(x: Tensor): boolean {
  if (x.offset !== 0 || x.data.length !== x.size) return false;
  let stride = 1;
  for (let axis = x.dimension - 1; axis >= 0; axis--) {
    if (x.stride[axis] !== stride && x.shape[axis] !== 1) return false;
    stride *= x.shape[axis];
  }
  return true;
}

/** `x` itself when its elements lie row-major from `data[0]` to the end of `data`; otherwise a copy of which that is true. */
export function contiguous(x: Tensor): Tensor {
  return isContiguous(x) ? x : copyInto(empty(x.shape, x), x);
}

/**
 * Copies `x`, of any strides and element type, into the contiguous tensor `target` of the same shape, row-major. `x` may be
 * a view of `target`: its values from before are copied.
 *
 * @throws RangeError when `target` is not contiguous, or has another shape.
 */
export function copyInto(target: Tensor, x: Tensor): Tensor {
  if (!isContiguous(target) || !shapesAgree(target.shape, x.shape)) {
    throw new RangeError(
      `copyInto: \`target\` must be contiguous and have the shape ${formatShape(x.shape)} of \`x\`. ` +
        `Received shape ${formatShape(target.shape)}, strides [${target.stride.join(", ")}].`,
    );
  }
  if (isContiguous(x)) {
    target.data.set(x.data);
    return target;
  }
  ops.assign(target, overlap(target.data, x.data) ? detach(x) : x);
  return target;
}

/** Whether `a` and `b` have memory in common. */
function overlap(a: FloatArray, b: FloatArray): boolean {
  if (a.buffer !== b.buffer) return false;
  return a.byteOffset < b.byteOffset + b.byteLength && b.byteOffset < a.byteOffset + a.byteLength;
}

/** A tensor of its own ordinary memory, outside every arena, with the values of `x`: what a caller may keep. */
export function detach(x: Tensor): Tensor {
  return copyInto(tensor(floatArray(dtypeOf(x), x.size), x.shape), x);
}

/**
 * `x` with element type `dtype`: `x` itself where it has it already, else a rounded or widened copy.
 *
 * @throws TypeError when there is no such element type.
 */
export function cast(x: Tensor, dtype: DType): Tensor {
  return dtypeOf(x) === dtype ? x : copyInto(empty(x.shape, dtype), x);
}

/**
 * The same elements in the same order under another `shape`; memory is shared with a contiguous `x`.
 *
 * @throws RangeError when the sizes differ.
 */
export function reshape(x: Tensor, shape: Shape): Tensor {
  return tensor(contiguous(x).data, shape);
}
