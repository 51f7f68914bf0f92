/**
 * Reading memory for nothing but to have it near.
 *
 * A loop that computes asks for a few lines of the cache at a time: the processor looks only so many instructions ahead, and
 * then waits. A loop that only reads asks for all that the processor can wait for at once.
 *
 * @module
 */
import { type NamedFunction, wasmFunction } from "../../assembly/code.js";
import { whileLoop } from "../../assembly/control.js";
import { i32 } from "../../assembly/instructions.js";
import { CACHE_LINE } from "../../tensor/heap.js";

/** Reads a number of each line of the cache from the address `from` to `end`. */
export const fetchLines: NamedFunction<Record<"from" | "end", "i32">> = wasmFunction(
  "fetchLines",
  { from: "i32", end: "i32" },
  ({ from, end }, local) => {
    const unused = local("i32");
    return [whileLoop(i32.lt_u(from, end), [unused.set(i32.load(from)), from.set(i32.add(from, CACHE_LINE))])];
  },
);
