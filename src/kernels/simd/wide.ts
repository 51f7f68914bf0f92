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

/** What was found in the arguments of the process when there were so many; to ask the process itself for them takes longer. */
let known: { readonly flags: readonly string[]; readonly count: number; readonly vectors: 2 | 4 } | undefined;

/** Vectors across a full panel. */
export function panelVectors(): 2 | 4 {
  if (known === undefined || known.flags.length !== known.count) {
    const flags = globalThis.process?.execArgv ?? [];
    const others = globalThis.process?.env?.["NODE_OPTIONS"] ?? "";
    known = { flags, count: flags.length, vectors: [...flags, others].some((flag) => FLAG.test(flag)) ? 4 : 2 };
  }
  return known.vectors;
}
