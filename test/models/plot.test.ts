import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Add } from "../../src/layers/add.js";
import { input } from "../../src/layers/input-layer.js";
import type { SymbolicTensor } from "../../src/layers/layer.js";
import { ReLU } from "../../src/layers/relu.js";
import { ResNet50 } from "../../src/models/applications/resnet.js";
import { Model } from "../../src/models/model.js";
import { plotModel } from "../../src/models/plot.js";
import { type GraphLayout, layOut, type PlacedEdge } from "../../src/models/plot-layout.js";
import { resnetV1 } from "../../src/models/resnet-v1.js";

/** Random graphs: every layer reads one or more of the tensors before it; the last, and some others, are outputs. */
const graphs = fc
  .record({
    inputs: fc.integer({ min: 1, max: 3 }),
    reads: fc.array(fc.array(fc.nat(), { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 25 }),
    outputs: fc.array(fc.nat(), { maxLength: 2 }),
  })
  .map(({ inputs, reads, outputs }) => {
    const entrances = Array.from({ length: inputs }, () => input({ shape: [2, 3] }));
    const tensors: SymbolicTensor[] = [...entrances];
    for (const read of reads) {
      const sources = read.map((choice) => tensors[choice % tensors.length]);
      tensors.push(sources.length === 1 ? new ReLU().apply(sources[0]) : new Add().apply(sources));
    }
    const ends = [tensors.length - 1, ...outputs.map((choice) => choice % tensors.length)];
    return new Model({ inputs: entrances, outputs: [...new Set(ends)].map((i) => tensors[i]) });
  });

/** The rows between the ends of `edge` in the lane where it runs straight down. */
function rowsPassed({ from, to, way }: PlacedEdge): { lane: number; rows: number[] } {
  const lane = way === "fork" ? to.lane : from.lane;
  const [first, last] = [way === "fork" ? from.row : from.row + 1, way === "join" ? to.row : to.row - 1];
  return { lane, rows: Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i) };
}

function checkLayout(layout: GraphLayout, model: Model): void {
  const taken = new Set(layout.nodes.map(({ lane, row }) => `${lane}/${row}`));
  assert.equal(taken.size, model.graphNodes.length, "two boxes in one place");
  const edges = new Set(layout.edges.map(({ from, to }) => [from.node, to.node]));
  const expected = model.graphNodes.flatMap((node) => [...new Set(node.inputs.map((x) => x.node))]);
  assert.equal(edges.size, expected.length);
  for (const edge of layout.edges) {
    assert.ok(edge.from.row < edge.to.row, "an edge that goes up");
    if (edge.way === "pass") continue;
    const { lane, rows } = rowsPassed(edge);
    for (const row of rows) assert.ok(!taken.has(`${lane}/${row}`), `an edge through the box in row ${row}`);
  }
  const passing = layout.edges.filter(({ way }) => way === "pass");
  for (const a of passing) {
    assert.ok(a.track < layout.tracks[a.gutter]);
    for (const b of passing) {
      if (a === b || a.gutter !== b.gutter || a.track !== b.track) continue;
      assert.ok(a.to.row <= b.from.row || b.to.row <= a.from.row, "two edges in one track");
    }
  }
}

describe("layOut", () => {
  it("puts no two boxes in one place, no straight edge through a box, and no two passing edges in one track", () => {
    fc.assert(fc.property(graphs, (model) => checkLayout(layOut(model), model)));
  });

  it("keeps a ResNet's blocks on one line, with identities passing by and projections beside it", () => {
    const model = resnetV1(20);
    const { edges, nodes, rows, tracks } = layOut(model);
    const ways = (wanted: string): number => edges.filter(({ way }) => way === wanted).length;
    assert.equal(ways("pass"), 7);
    assert.equal(ways("fork"), 2);
    assert.equal(ways("join"), 2);
    assert.deepEqual(
      nodes.filter(({ lane }) => lane !== 0).map(({ lane, node }) => [lane, node.layer.name]),
      [
        [1, "conv2d_9"],
        [1, "conv2d_16"],
      ],
    );
    assert.equal(rows, nodes.length - 2);
    assert.deepEqual(tracks, [1, 0]);
  });
});

/** Every element's opening tag in order, and a check that they close as they must. */
function elementsOf(svg: string): readonly string[] {
  const open: string[] = [];
  const elements: string[] = [];
  for (const [tag, closing, name, , selfClosing] of svg.matchAll(/<(\/?)(\w+)((?:\s[\w-:]+="[^"<]*")*)\s*(\/?)>/g)) {
    if (closing === "/") assert.equal(open.pop(), name);
    else elements.push(tag);
    if (closing === "" && selfClosing === "") open.push(name);
  }
  assert.deepEqual(open, []);
  assert.equal(svg.replaceAll(/<[^<>]*>/g, "").match(/[<>]/), null);
  return elements;
}

describe("plotModel", () => {
  it("draws one box for every application of a layer, within the picture", () => {
    const model = ResNet50();
    const elements = elementsOf(plotModel(model));
    const [, width, height] = /^<svg .*width="(\d+)" height="(\d+)"/.exec(elements[0]) ?? [];
    const boxes = elements.filter((element) => element.includes('class="box"'));
    assert.equal(boxes.length, model.graphNodes.length);
    for (const box of boxes) {
      const [x, y, w, h] = ["x", "y", "width", "height"].map((key) =>
        Number(new RegExp(` ${key}="(\\d+)"`).exec(box)?.[1]),
      );
      assert.ok(x >= 0 && y >= 0 && x + w <= Number(width) && y + h <= Number(height), box);
    }
  });

  it("shows name, class, shape, and parameters, and escapes them", () => {
    const x = input({ shape: [4, 5], name: 'in <"&">\u0007' });
    const rectify = new ReLU({ name: "a_name_that_is_longer_than_forty_characters" });
    const svg = plotModel(new Model({ inputs: x, outputs: rectify.apply(rectify.apply(x)), name: "<m>" }));
    elementsOf(svg);
    assert.match(svg, />in &lt;&quot;&amp;&quot;&gt;\ufffd</);
    assert.match(svg, />&lt;m&gt;: 0 parameters</);
    assert.match(svg, />a_name_that_is_longer_than_forty_charac…\[0\]</);
    assert.match(svg, />a_name_that_is_longer_than_forty_charac…\[1\]</);
    assert.match(svg, /<title>a_name_that_is_longer_than_forty_characters \(ReLU\) \(None, 4, 5\), 0 parameters</);
    assert.match(svg, /prefers-color-scheme: dark/);
  });
});
