/** Real configurations, damaged: what is made of them is a model, or an error for the user. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { describe, it } from "node:test";
import fc from "fast-check";
import { parseConfig } from "../../src/formats/json.js";
import { readZip } from "../../src/formats/zip.js";
import { serial } from "../../src/kernels/execution.js";
import { modelFromConfig } from "../../src/models/from-config.js";
import { serializeLayer } from "../../src/models/graph-config.js";
import type { Model } from "../../src/models/model.js";
import { predict } from "../../src/models/predict.js";
import { isKerasConfig } from "../../src/serialization/config.js";
import { sizeOf } from "../../src/tensor/shape.js";
import { zeros } from "../../src/tensor/tensor.js";
import { kerasFixture } from "../formats/fixture-files.js";
import { assertReadsOrRefuses } from "../formats/user-errors.js";

/** The config.json of every archive among the fixtures. */
const configs: readonly string[] = ["layers", "files"].flatMap((folder) =>
  readdirSync(new URL(`../../../fixtures/${folder}`, import.meta.url))
    .filter((file) => file.endsWith(".keras"))
    .map((file) => {
      const entry = readZip(kerasFixture(`${folder}/${file}`)).get("config.json");
      return new TextDecoder().decode(entry?.read());
    }),
);

/** What we do not read; damage there would be wasted. */
const UNREAD = new Set([
  "build_config",
  "compile_config",
  "keras_version",
  "registered_name",
  "shared_object_id",
  "seed",
]);

/** Every place of a value: a list or dictionary, and a key in it. */
function placesIn(value: unknown): [holder: Record<string, unknown> | unknown[], key: string][] {
  const places: [Record<string, unknown> | unknown[], string][] = [];
  const waiting: unknown[] = [value];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const holder: Record<string, unknown> | unknown[] | undefined = Array.isArray(next)
      ? next
      : isKerasConfig(next)
        ? Object.assign(next)
        : undefined;
    for (const key of Object.keys(holder ?? {})) {
      if (holder === undefined || UNREAD.has(key)) continue;
      places.push([holder, key]);
      waiting.push(Reflect.get(holder, key));
    }
  }
  return places;
}

const hostile = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    false,
    0,
    -1,
    1,
    2,
    3,
    1.5,
    1e9,
    2 ** 31,
    2 ** 53,
    -(2 ** 53),
    Number.POSITIVE_INFINITY,
    Number.NaN,
    1e-300,
    "",
    "x",
    "same",
    "channels_first",
    "relu",
    "__proto__",
    "constructor",
    "a/b",
    "line\nbreak",
    "mixed_float16",
    "Conv2D",
    "Functional",
    "x".repeat(100000),
  ),
  fc
    .constantFrom("[]", "{}", "[[]]", "[null]", "[0]", "[-1, -1]", "[1000000000, 1000000000]", '{"class_name": 3}')
    .map((text): unknown => JSON.parse(text)),
  fc.array(fc.integer({ min: -2, max: 5 }), { maxLength: 6 }),
);
const where = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });
type Mutation = (places: [Record<string, unknown> | unknown[], string][]) => void;
const pick = <Item>(items: readonly Item[], at: number): Item => items[Math.floor(at * items.length)];
const replace = fc.tuple(where, hostile).map(
  ([at, value]): Mutation =>
    (places) => {
      const [holder, key] = pick(places, at);
      Reflect.set(holder, key, structuredClone(value));
    },
);
const remove = where.map(
  (at): Mutation =>
    (places) => {
      const [holder, key] = pick(places, at);
      if (Array.isArray(holder)) holder.splice(Number(key), 1);
      else Reflect.deleteProperty(holder, key);
    },
);
/** Puts one part where another was: lists where numbers are expected, layers in layers, other layers' names. */
const transplant = fc.tuple(where, where).map(
  ([from, to]): Mutation =>
    (places) => {
      const [source, sourceKey] = pick(places, from);
      const [holder, key] = pick(places, to);
      Reflect.set(holder, key, structuredClone(Reflect.get(source, sourceKey)));
    },
);
const repeat = where.map(
  (at): Mutation =>
    (places) => {
      const [holder, key] = pick(places, at);
      if (Array.isArray(holder)) holder.push(structuredClone(Reflect.get(holder, key)));
    },
);
const mutations = fc.array(fc.oneof(replace, replace, remove, transplant, repeat), { minLength: 1, maxLength: 4 });

/** Whether every tensor has at most 10000 elements; an open dimension counts once. */
function isSmall({ graphNodes, weights }: Model): boolean {
  const shapes = [...graphNodes.map(({ output }) => output.shape), ...weights.map(({ shape }) => shape)];
  return shapes.every((shape) => sizeOf(shape.map((size) => size ?? 1)) <= 10000);
}

describe("modelFromConfig on damaged configurations", () => {
  it("gives a model whose own configuration reads back and that predicts, or an error of one line", () => {
    fc.assert(
      fc.property(fc.constantFrom(...configs), mutations, (text, list) => {
        const config: unknown = JSON.parse(text);
        for (const mutate of list) {
          const places = placesIn(config);
          if (places.length > 0) mutate(places);
        }
        let model: Model | undefined;
        assertReadsOrRefuses(() => {
          model = modelFromConfig(config);
        }, 2000);
        if (model === undefined) return;
        const written = JSON.stringify(serializeLayer(model));
        const again = modelFromConfig(parseConfig("test", written));
        assert.equal(JSON.stringify(serializeLayer(again)), written);
        if (isSmall(again)) {
          const inputs = again.inputs.map(({ shape }) =>
            zeros(
              shape.map((size) => size ?? 1),
              "float32",
            ),
          );
          assertReadsOrRefuses(() => predict(again, inputs, { execution: serial }), 2000);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
