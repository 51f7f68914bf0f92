/**
 * The pickles in a `model.weights.npz`.
 *
 * Keras hands NumPy a dictionary for every layer, `{"0": kernel, "1": bias}`. NumPy has no such arrays, so it saves an
 * array of shape [] whose one element is a Python object, and Python saves objects as pickles: with all that hangs on a
 * Keras variable, its regularizer and its TensorFlow twin, in which at last there is an array of NumPy.
 *
 * A pickle is a program for a machine with a stack and a memo. It names functions and calls them:
 *
 *     GLOBAL numpy.dtype   "f4" False True TUPLE3   REDUCE      push the result of numpy.dtype("f4", False, True)
 *     (3, "<", ...)                                 BUILD       give it the state: little-endian
 *
 * In Python any function that can be imported may be called so, which is why nobody should load a stranger's pickle, and
 * why `numpy.load` refuses to. This reader is safe, because it has nothing to call:
 *
 * - A name is a string. Those that make NumPy's arrays stand in a table, and each makes a plain record of ours. Names of
 *   Keras and TensorFlow make records that nobody looks into but for the array. All others are refused, with the name; so
 *   are opcodes that neither needs.
 * - Work and memory are bounded: at most 65536 opcodes, each of which makes at most one record; bytes are views of the
 *   file; numbers are decoded only when the model asks for an array whose shape it has checked.
 * - No value is walked by recursion. A list may contain itself; we look a fixed number of steps deep.
 *
 * Protocols 2 to 5, of Python 2 (whose strings are bytes) and 3, with the names of NumPy 1 (`numpy.core`) and NumPy 2
 * (`numpy._core`), and Keras on TensorFlow or on NumPy. JAX and PyTorch pickle their arrays in ways of their own, which are refused.
 *
 * @module
 */
import type { NpyHeader } from "./npy-header.js";
import { runPickle } from "./pickle-machine.js";
import { ArrayRecord, failPickle, Inert, kindOf, type Value } from "./pickle-objects.js";

/** An array of a pickle: what an npy header would say of it, and its bytes. */
export interface PickledArray extends NpyHeader {
  /** The elements, undecoded. */
  readonly content: Uint8Array;
}

/**
 * The arrays in `bytes`, by key: what follows the header of an npy file of shape [] whose object is a dictionary.
 *
 * @throws FormatError when the program is not one that NumPy writes for a dictionary of arrays or Keras variables.
 */
export function readPickledArrays(bytes: Uint8Array): ReadonlyMap<string, PickledArray> {
  const whole = runPickle(bytes);
  const objects = whole instanceof ArrayRecord && whole.kind.code.startsWith("O") ? whole.data : null;
  const dictionary = Array.isArray(objects) && objects.length === 1 ? objects[0] : null;
  if (!(dictionary instanceof Map)) return failPickle("the object must be a dictionary.", kindOf(dictionary ?? whole));
  const arrays = new Map<string, PickledArray>();
  for (const [key, value] of dictionary) {
    const array = valueOf(value);
    if (typeof key !== "string" || !(array instanceof ArrayRecord) || !(array.data instanceof Uint8Array)) {
      return failPickle("the dictionary must hold arrays of numbers by name.", `${kindOf(array)} for ${kindOf(key)}`);
    }
    const { kind, shape, fortranOrder, data } = array;
    arrays.set(key, { descr: kind.order + kind.code, shape, fortranOrder, content: data });
  }
  return arrays;
}

/**
 * The array of a Keras variable: it is an object with a `_value`. On NumPy that is the array; on TensorFlow
 * `partial(ResourceVariable, initial_value=array, ...)()`; a partial's state is (function, arguments, keywords, attributes).
 */
function valueOf(variable: Value): Value {
  const value = variable instanceof Inert && variable.state instanceof Map ? variable.state.get("_value") : variable;
  if (!(value instanceof Inert && Array.isArray(value.state))) return value ?? variable;
  const keywords = value.state[2];
  return keywords instanceof Map ? (keywords.get("initial_value") ?? value) : value;
}
