import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { describe, it } from "node:test";
import { readModel } from "../../src/formats/read-model.js";
import { readZip } from "../../src/formats/zip.js";
import { serializeLayer } from "../../src/models/graph-config.js";
import { isKerasConfig } from "../../src/serialization/config.js";
import { kerasFixture } from "../formats/fixture-files.js";

/**
 * What Keras writes and we do not, each at its default: Keras fills it in. (`compile_config` is the training's, not the
 * model's; `build_config` repeats shapes that the graph has.)
 */
const DEFAULTS: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ["optional", false],
  ["renorm", false],
  ["renorm_clipping", null],
  ["renorm_momentum", 0.99],
  ["quantization_config", null],
  ["activity_regularizer", null],
  ["mask", null],
]);
const UNWRITTEN = new Set(["build_config", "compile_config", "shared_object_id"]);

/** `value` without what is at its default. */
function essential(value: unknown, isModel = false): unknown {
  if (Array.isArray(value)) return value.map((item) => essential(item));
  if (!isKerasConfig(value)) return value;
  const entries = Object.entries(value).filter(([key, item]) => {
    if (UNWRITTEN.has(key) || (DEFAULTS.has(key) && DEFAULTS.get(key) === item)) return false;
    // the policy of a model itself: its layers have their own
    return !(isModel && key === "dtype");
  });
  const holdsModel = value["class_name"] === "Functional" || value["class_name"] === "Sequential";
  return Object.fromEntries(entries.map(([key, item]) => [key, essential(item, holdsModel && key === "config")]));
}

describe("serializeLayer", () => {
  const files = ["layers", "files"].flatMap((folder) =>
    readdirSync(new URL(`../../../fixtures/${folder}`, import.meta.url))
      .filter((file) => file.endsWith(".keras") && !file.startsWith("keras2-"))
      .map((file) => `${folder}/${file}`),
  );
  for (const file of files) {
    it(`writes the configuration that Keras 3 wrote, but for defaults: ${file}`, () => {
      const bytes = kerasFixture(file);
      const config: unknown = JSON.parse(new TextDecoder().decode(readZip(bytes).get("config.json")?.read()));
      const written: unknown = JSON.parse(JSON.stringify(serializeLayer(readModel(bytes, file))));
      assert.deepEqual(essential(written), essential(config));
    });
  }
});
