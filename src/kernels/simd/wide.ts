/**
 * How wide panels should be here.
 *
 * V8 can make one register of 256 bits out of two vectors of 128, where the processor has such registers, in versions that
 * know the flag `--experimental-wasm-revectorize` and if it was given. Then sixteen float32 sums in a row are best; without
 * it, sixteen would not fit in registers, and eight are best. Either gives the same bits.
 *
 * @module
 */

const FLAG = /--experimental-wasm-revectorize\b/;

/** What was found for how many arguments of the process. */
let known: { readonly count: number; readonly vectors: 2 | 4 } | undefined;

/** Vectors across a full panel. */
export function panelVectors(): 2 | 4 {
  const count = globalThis.process?.execArgv?.length ?? 0;
  if (known?.count !== count) known = { count, vectors: flagIsGiven() ? 4 : 2 };
  return known.vectors;
}

function flagIsGiven(): boolean {
  const process = globalThis.process;
  const flags = [...(process?.execArgv ?? []), process?.env?.["NODE_OPTIONS"] ?? ""];
  return flags.some((flag) => FLAG.test(flag));
}
