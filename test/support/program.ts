/**
 * Programs that run in a process of their own: what they do to the kernels must not reach the tests beside them.
 *
 * @module
 */
import { spawnSync } from "node:child_process";

/** How a program is started. */
interface ProgramOptions {
  /** Of Node. */
  readonly flags?: readonly string[];
  /** What is done before anything is imported. */
  readonly before?: string;
}

/** What `program` prints, and warns of. It is given what `modules` name, by their paths in `src/`. */
export function runProgram(
  modules: Readonly<Record<string, readonly string[]>>,
  program: string,
  { flags = [], before = "" }: ProgramOptions = {},
): { readonly stdout: string; readonly stderr: string } {
  const imports = Object.entries(modules).map(([path, names]) => {
    const { href } = new URL(`../../src/${path}`, import.meta.url);
    return `const { ${names.join(", ")} } = await import(${JSON.stringify(href)});`;
  });
  const script = [before, ...imports, program].join("\n");
  return spawnSync(process.execPath, [...flags, "--input-type=module", "-e", script], { encoding: "utf8" });
}

/** What {@link LOSE_A_KERNEL} uses. */
export const LOSING_MODULES = {
  "kernels/simd/module.js": ["simdModule"],
  "kernels/simd/thread.js": ["startThread"],
  "tensor/heap.js": ["sharedHeap"],
} as const;

/**
 * Has a kernel compute nothing from now on, as if the engine had compiled it anew: one of float32 sums, which inference does not
 * use.
 */
export const LOSE_A_KERNEL = `
  const { Instance } = WebAssembly;
  WebAssembly.Instance = function (...given) {
    return { exports: { ...new Instance(...given).exports, packPanels_float32_2: () => {} } };
  };
  startThread(simdModule(), sharedHeap().handle, 0);`;
