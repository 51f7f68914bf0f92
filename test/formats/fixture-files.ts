/** The files of fixtures/. */
import { readFileSync } from "node:fs";

/** The bytes of a fixture, in a buffer of their own. */
export function fixture(name: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`../../../fixtures/formats/${name}`, import.meta.url)));
}

/** The bytes of a file of fixtures/, for example `files/first-resnet.keras`. */
export function kerasFixture(path: string): Uint8Array {
  return fixture(`../${path}`);
}
