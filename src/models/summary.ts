/**
 * The table that Keras prints of a model: its layers, their output shapes and parameters. Keras: `model.summary()`.
 *
 * A chain of layers has three columns; any other graph has a fourth, which names for every application of a layer what
 * it reads, as `layer[application][0]`. A model inside is one row, unless it is asked to be shown.
 *
 * The text is Keras's, character for character, as it stands in a file or a pipe: 80 columns wide unless said otherwise.
 *
 * @module
 */
import type { Layer, LayerNode } from "../layers/layer.js";
import type { Variable } from "../layers/variable.js";
import { expectOptions } from "../serialization/options.js";
import type { SymbolicShape } from "../tensor/shape.js";
import { checkModel } from "./check-model.js";
import { Model } from "./model.js";
import { type Alignment, boxTable, type Column, wrapText } from "./text-table.js";

/** Options of {@link summary}. */
export interface SummaryOptions {
  /** The width of the terminal: nothing is printed beyond it. @defaultValue 80 */
  readonly columns?: number;
  /**
   * The width of the table.
   *
   * @defaultValue `columns - 4`, at most 88 for a chain of layers and 108 for another graph, 12 more with `showTrainable`
   */
  readonly lineLength?: number;
  /** Whether the layers of inner models have rows of their own. @defaultValue false */
  readonly expandNested?: boolean;
  /** Whether a column says which layers are trained. @defaultValue false */
  readonly showTrainable?: boolean;
}

/** A column before its width is known: it ends at this share of the line. */
interface Heading {
  readonly header: string;
  readonly end: number;
  readonly alignment: Alignment;
}

const CHAIN: readonly Heading[] = [
  { header: "Layer (type)", end: 0.45, alignment: "left" },
  { header: "Output Shape", end: 0.8, alignment: "left" },
  { header: "Param #", end: 1, alignment: "right" },
];
const GRAPH: readonly Heading[] = [
  { header: "Layer (type)", end: 0.3, alignment: "left" },
  { header: "Output Shape", end: 0.56, alignment: "left" },
  { header: "Param #", end: 0.74, alignment: "right" },
  { header: "Connected to", end: 1, alignment: "left" },
];

/**
 * The summary of `model`, without a line end after its last line.
 *
 * @throws RangeError when `columns` is below 40, or `lineLength` leaves a column no room.
 * @throws TypeError when `model` is no model, or an option is none of {@link SummaryOptions}.
 */
export function summary(model: Model, options: SummaryOptions = {}): string {
  checkModel("summary", model);
  expectOptions("summary", options, ["columns", "lineLength", "expandNested", "showTrainable"]);
  const { columns = 80, expandNested = false, showTrainable = false } = options;
  if (!Number.isSafeInteger(columns) || columns < 40) {
    throw new RangeError(`summary: \`columns\` must be a whole number of at least 40. Received columns=${columns}.`);
  }
  const isChain = model.className === "Sequential" || isLinear(model);
  const headings = isChain ? CHAIN : GRAPH;
  const lineLength = options.lineLength ?? Math.min((isChain ? 88 : 108) + (showTrainable ? 12 : 0), columns - 4);
  const trainableColumn: Heading = { header: "Trainable", end: 1, alignment: "center" };
  const widened = [...headings.map((heading) => ({ ...heading, end: heading.end * 0.9 })), trainableColumn];
  const nodes = new Set(model.graphNodes);

  const fields = (layer: Layer, prefix: string): readonly string[] => [
    `${prefix}${layer.name} (${layer.className})`,
    // of the latest application, as Keras has it
    formatOutputShape(layer.nodes.at(-1)?.output.shape ?? []),
    formatParameters(layer),
    ...(isChain ? [] : [connections(layer, nodes)]),
    ...(showTrainable ? [layer.weights.length === 0 ? "-" : layer.trainable ? "Y" : "N"] : []),
  ];
  const rowsOf = (layer: Layer, level: number): readonly (readonly string[])[] => [
    fields(layer, level === 0 ? "" : `${"   ".repeat(level)}└ `),
    ...(expandNested && layer instanceof Model ? rowLayers(layer).flatMap((inner) => rowsOf(inner, level + 1)) : []),
  ];
  const rows = rowLayers(model).flatMap((layer) => rowsOf(layer, 0));

  const table = boxTable(tableColumns(showTrainable ? widened : headings, lineLength), rows);
  const prose = (text: string): readonly string[] => wrapText(text, columns, "fold");
  const lines = [
    ...prose(`Model: "${model.name}"`),
    ...table.map((line) => line.slice(0, columns)),
    ...parameterLines(model).flatMap(prose),
  ];
  return lines.join("\n");
}

/** Keras does not count the input among the layers of a Sequential. */
function rowLayers(model: Model): readonly Layer[] {
  const { layers, className } = model;
  return className === "Sequential" ? layers.filter((layer) => layer.className !== "InputLayer") : layers;
}

/** Whether every node reads exactly the one before it, and no layer is applied twice. */
function isLinear({ graphNodes, layers }: Model): boolean {
  return (
    layers.length === graphNodes.length &&
    graphNodes.every(({ inputs }, i) => inputs.length === Math.min(i, 1) && inputs[0]?.node === graphNodes[i - 1])
  );
}

/**
 * Widths as Keras and `rich` share out a line: shares of it rounded down, then what borders and blanks need, 3 a column
 * and one more, is taken off all columns alike.
 */
function tableColumns(headings: readonly Heading[], lineLength: number): readonly Column[] {
  let excess = 3 * headings.length + 1;
  const columns = headings.map(({ header, end, alignment }, i) => {
    const start = i === 0 ? 0 : Math.floor(headings[i - 1].end * lineLength);
    const share = roundHalfEven(excess / (headings.length - i));
    excess -= share;
    return { header, alignment, width: Math.floor(end * lineLength) - start - share };
  });
  if (!Number.isSafeInteger(lineLength) || columns.some(({ width }) => width < 1)) {
    throw new RangeError(
      "summary: `lineLength` must be a whole number that leaves every column at least one character. " +
        `Received lineLength=${lineLength}.`,
    );
  }
  return columns;
}

/** `shape` as Keras prints it: `(None, 32, 32, 3)`. */
export function formatOutputShape(shape: SymbolicShape): string {
  return `(${shape.map((size) => size ?? "None").join(", ")})`;
}

/** How many numbers the weights of `layer` hold, as Keras prints it: `25,636,712`. */
export function formatParameters({ weights }: Layer): string {
  return withCommas(countParams(weights));
}

/** What the applications of `layer` within the model read. */
function connections(layer: Layer, nodes: ReadonlySet<LayerNode>): string {
  const sources = layer.nodes.filter((node) => nodes.has(node)).flatMap((node) => node.inputs);
  return sources.map(({ node }) => `${node.layer.name}[${node.index}][0]`).join(", ") || "-";
}

function countParams(weights: readonly Variable[]): number {
  return weights.reduce((sum, { size }) => sum + size, 0);
}

function parameterLines(model: Model): readonly string[] {
  const trainable = model.trainableWeights;
  const frozen = model.weights.filter((weight) => !trainable.includes(weight));
  const line = (what: string, weights: readonly Variable[]): string =>
    ` ${what}: ${withCommas(countParams(weights))} (${readableMemorySize(memorySize(weights))})`;
  return [
    line("Total params", model.weights),
    line("Trainable params", trainable),
    line("Non-trainable params", frozen),
  ];
}

function memorySize(weights: readonly Variable[]): number {
  return weights.reduce((sum, { size, dtype }) => sum + size * (dtype === "float64" ? 8 : 4), 0);
}

/** `bytes` in the largest unit of which there is at least one: `448.00 B`, `1.05 MB`. */
export function readableMemorySize(bytes: number): string {
  const units = ["B", "KB", "MB", "GB", "TB", "PB"];
  let unit = 0;
  while (bytes >= 1024 && unit < units.length - 1) {
    bytes /= 1024;
    unit++;
  }
  // Python rounds ties to even, `toFixed` up: 1.125 is 1.12 there and 1.13 here
  const hundredths = roundHalfEven(bytes * 100);
  return `${Math.floor(hundredths / 100)}.${String(hundredths % 100).padStart(2, "0")} ${units[unit]}`;
}

function roundHalfEven(x: number): number {
  const below = Math.floor(x);
  const rest = x - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below;
}

function withCommas(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ",");
}
