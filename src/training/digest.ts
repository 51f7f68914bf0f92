/**
 * One number for all weights of a model: two runs that have it in common have gone the same way, to the bit.
 *
 * @module
 */
import { checkModel } from "../models/check-model.js";
import type { Model } from "../models/model.js";

/**
 * The SHA-256, in hexadecimal, of all weights, moving statistics included: their bytes in this machine's order, by path.
 *
 * @throws TypeError when `model` is no model.
 */
export async function weightsSha256(model: Model): Promise<string> {
  checkModel("weightsSha256", model);
  const parts = Array.from(model.weightsByPath().values(), (weight) => weight.read().data);
  const bytes = new Uint8Array(parts.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let at = 0;
  for (const { buffer, byteOffset, byteLength } of parts) {
    bytes.set(new Uint8Array(buffer, byteOffset, byteLength), at);
    at += byteLength;
  }
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
