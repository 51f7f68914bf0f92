/** The files of fixtures/formats/. */
import { readFileSync } from "node:fs";

/** The bytes of a fixture, in a buffer of their own. */
export function fixture(name: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`../../../fixtures/formats/${name}`, import.meta.url)));
}
