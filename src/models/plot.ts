/**
 * A model's graph as a drawing: a box for every application of a layer, with its name, class and output shape, in the
 * colour of its class; what flows on between them, with shortcuts beside the main line. The counterpart of Keras's
 * `plot_model`, without Graphviz.
 *
 * The drawing is SVG: text, and so searchable. It follows the reader's light or dark theme; pointing at a box shows its
 * parameters.
 *
 * @module
 */
import type { Layer, LayerNode } from "../layers/layer.js";
import { checkModel } from "./check-model.js";
import type { Model } from "./model.js";
import { type GraphLayout, layOut, type PlacedEdge, type PlacedNode } from "./plot-layout.js";
import { formatOutputShape, formatParameters } from "./summary.js";

const BOX_HEIGHT = 38;
const ROW_HEIGHT = 58;
const MARGIN = 24;
const TRACK_WIDTH = 20;
/** Of a character, in the fonts below. */
const NAME_WIDTH = 7.3;
const DETAIL_WIDTH = 6.7;
const LONGEST_NAME = 40;
const CORNER = 8;
/** How far from the middle of a box's right side edges leave (below) and arrive (above). */
const PORT = 8;

const COLOURS: Readonly<Record<string, string>> = {
  InputLayer: "#64748b",
  Conv2D: "#3b82f6",
  DepthwiseConv2D: "#06b6d4",
  Dense: "#6366f1",
  BatchNormalization: "#10b981",
  Activation: "#f59e0b",
  ReLU: "#f59e0b",
  LeakyReLU: "#eab308",
  Softmax: "#ca8a04",
  Add: "#ef4444",
  Concatenate: "#f97316",
  MaxPooling2D: "#a855f7",
  AveragePooling2D: "#8b5cf6",
  GlobalAveragePooling2D: "#d946ef",
  GlobalMaxPooling2D: "#ec4899",
  ZeroPadding2D: "#94a3b8",
  Flatten: "#a8a29e",
  Reshape: "#a8a29e",
  Dropout: "#78716c",
  Rescaling: "#84cc16",
  Functional: "#14b8a6",
  Sequential: "#14b8a6",
};

// Dark on white, or, where the reader's theme is dark, light on near black; the classes' colours stand out on both.
const STYLE = `
  .back { fill: #ffffff }
  .box { fill: #f8fafc; stroke-width: 1.5 }
  text { fill: #0f172a; font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; font-size: 11px }
  .name { font-size: 12px; font-weight: 600 }
  .title { font-size: 17px; font-weight: 700 }
  .detail { fill: #475569 }
  .shape { text-anchor: end }
  .edge { fill: none; stroke: #64748b; stroke-width: 1.5 }
  .head { fill: #64748b }
  .edge.aside { stroke: #dc2626; stroke-width: 2 }
  .head.aside { fill: #dc2626 }
  @media (prefers-color-scheme: dark) {
    .back { fill: #0f172a }
    .box { fill: #1e293b }
    text { fill: #f1f5f9 }
    .detail { fill: #cbd5e1 }
    .edge { stroke: #94a3b8 }
    .head { fill: #94a3b8 }
    .edge.aside { stroke: #f87171 }
    .head.aside { fill: #f87171 }
  }`;

/** A lane's horizontal extent. */
interface LaneExtent {
  readonly left: number;
  readonly width: number;
}

/** The graph of `model` as an SVG document. @throws TypeError when it is no model. */
export function plotModel(model: Model): string {
  checkModel("plotModel", model);
  const layout = layOut(model);
  const lanes = laneExtents(layout);
  const last = lanes[lanes.length - 1];
  const title = `${model.name}: ${formatParameters(model)} parameters`;
  const width = Math.ceil(
    Math.max(last.left + last.width + gutterWidth(layout.tracks[lanes.length - 1]), MARGIN * 2 + title.length * 10.5),
  );
  const legend = drawLegend(layout, width);
  const top = MARGIN + 32 + legend.height;
  const height = top + layout.rows * ROW_HEIGHT - (ROW_HEIGHT - BOX_HEIGHT) + MARGIN;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" ` +
      `role="img" aria-label="${escape(title)}">`,
    `<style>${STYLE}\n</style>`,
    `<rect class="back" width="${width}" height="${height}"/>`,
    `<text class="title" x="${MARGIN}" y="${MARGIN + 14}">${escape(title)}</text>`,
    ...legend.lines,
    // edges first: where one crosses a box, it passes behind
    ...layout.edges.map((edge) => drawEdge(edge, lanes, top)),
    ...layout.nodes.map((place) => drawBox(place, lanes[place.lane], top)),
    "</svg>\n",
  ].join("\n");
}

function laneExtents({ nodes, tracks }: GraphLayout): readonly LaneExtent[] {
  let left = MARGIN;
  return tracks.map((count, lane) => {
    const widths = nodes.filter((place) => place.lane === lane).map(({ node }) => boxWidth(node));
    const extent = { left, width: Math.ceil(Math.max(120, ...widths)) };
    left += extent.width + gutterWidth(count);
    return extent;
  });
}

function gutterWidth(tracks: number): number {
  return MARGIN + tracks * TRACK_WIDTH;
}

function boxWidth(node: LayerNode): number {
  const detail = node.layer.className.length + 3 + formatOutputShape(node.output.shape).length;
  return 24 + Math.max(label(node).length * NAME_WIDTH, detail * DETAIL_WIDTH);
}

/** The layer's name; for a layer that is applied several times, with the number of the application. */
function label({ layer, index }: LayerNode): string {
  const suffix = layer.nodes.length > 1 ? `[${index}]` : "";
  return (layer.name.length > LONGEST_NAME ? `${layer.name.slice(0, LONGEST_NAME - 1)}…` : layer.name) + suffix;
}

function colourOf({ className }: Layer): string {
  return COLOURS[className] ?? "#737373";
}

function boxTop({ row }: PlacedNode, top: number): number {
  return top + row * ROW_HEIGHT;
}

function drawBox(place: PlacedNode, { left, width }: LaneExtent, top: number): string {
  const { layer, output } = place.node;
  const y = boxTop(place, top);
  const shape = formatOutputShape(output.shape);
  const colour = colourOf(layer);
  return [
    "<g>",
    `<title>${escape(`${layer.name} (${layer.className}) ${shape}, ${formatParameters(layer)} parameters`)}</title>`,
    `<rect class="box" stroke="${colour}" x="${left}" y="${y}" width="${width}" height="${BOX_HEIGHT}" rx="5"/>`,
    `<path fill="${colour}" d="M${left + 5} ${y}h3v${BOX_HEIGHT}h-3a5 5 0 0 1 -5 -5v${10 - BOX_HEIGHT}a5 5 0 0 1 5 -5z"/>`,
    `<text class="name" x="${left + 15}" y="${y + 16}">${escape(label(place.node))}</text>`,
    `<text class="detail" x="${left + 15}" y="${y + 31}">${escape(layer.className)}</text>`,
    `<text class="detail shape" x="${left + width - 9}" y="${y + 31}">${shape}</text>`,
    "</g>",
  ].join("");
}

function drawEdge({ from, to, way, track, gutter }: PlacedEdge, lanes: readonly LaneExtent[], top: number): string {
  const source = lanes[from.lane];
  const target = lanes[to.lane];
  const [fromX, toX] = [source.left + source.width / 2, target.left + target.width / 2];
  const [fromRight, toRight] = [source.left + source.width, target.left + target.width];
  const fromBottom = boxTop(from, top) + BOX_HEIGHT;
  const leaving = boxTop(from, top) + BOX_HEIGHT / 2 + PORT;
  const arriving = boxTop(to, top) + BOX_HEIGHT / 2 - PORT;
  const toTop = boxTop(to, top);
  const down = `a${CORNER} ${CORNER} 0 0 1 ${CORNER} ${CORNER}`;
  const left = `a${CORNER} ${CORNER} 0 0 1 ${-CORNER} ${CORNER}`;
  const intoTop = `M${toX} ${toTop}l-4 -7h8z`;
  const intoSide = `M${toRight} ${arriving}l7 -4v8z`;
  switch (way) {
    case "down":
      return edge("", `M${fromX} ${fromBottom}V${toTop - 6}`, intoTop);
    case "fork":
      return edge(" aside", `M${fromRight} ${leaving}H${toX - CORNER}${down}V${toTop - 6}`, intoTop);
    case "join":
      return edge(" aside", `M${fromX} ${fromBottom}V${arriving - CORNER}${left}H${toRight + 6}`, intoSide);
    case "pass": {
      const x = lanes[gutter].left + lanes[gutter].width + (track + 1) * TRACK_WIDTH;
      const d = `M${fromRight} ${leaving}H${x - CORNER}${down}V${arriving - CORNER}${left}H${toRight + 6}`;
      return edge(" aside", d, intoSide);
    }
  }
}

function edge(kind: string, line: string, head: string): string {
  return `<path class="edge${kind}" d="${line}"/><path class="head${kind}" d="${head}"/>`;
}

/** One entry for every class in the drawing, and one for what leaves the main line. */
function drawLegend({ nodes, edges }: GraphLayout, width: number): { lines: readonly string[]; height: number } {
  const layers = new Map(nodes.map(({ node }) => [node.layer.className, node.layer]));
  const entries = [...layers].map(([name, layer]) => ({
    name,
    mark: (x: number, y: number) => `<rect fill="${colourOf(layer)}" x="${x}" y="${y}" width="12" height="12" rx="3"/>`,
  }));
  if (edges.some(({ way }) => way !== "down")) {
    const mark = (x: number, y: number): string => `<path class="edge aside" d="M${x} ${y + 6}h12"/>`;
    entries.push({ name: "shortcut or branch", mark });
  }
  let [x, y] = [MARGIN, MARGIN + 30];
  const lines = entries.map(({ name, mark }) => {
    const advance = 12 + 6 + name.length * DETAIL_WIDTH + 16;
    if (x > MARGIN && x + advance > width - MARGIN) [x, y] = [MARGIN, y + 20];
    const line = `${mark(x, y)}<text x="${x + 18}" y="${y + 10}">${escape(name)}</text>`;
    x = Math.ceil(x + advance);
    return line;
  });
  return { lines, height: y - MARGIN };
}

/** `text` within XML, which allows no control characters. */
function escape(text: string): string {
  return Array.from(text, (character) => (character < " " ? "\ufffd" : character))
    .join("")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
