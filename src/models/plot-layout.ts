/**
 * Where the nodes and edges of a model's graph go in a drawing: in rows from top to bottom, in lanes from left to right.
 *
 * - The row of a node is its distance from the inputs, along the longest way.
 * - Lane 0 holds the main line: from the first output back to an input, at each node along its deepest input.
 * - What is left are branches, such as a projected shortcut. Each takes the first lane that is free between the row
 *   where it forks and the row where it joins.
 * - An edge goes straight down where nothing stands in its way. Into a lane further right it leaves its source sideways,
 *   and from there it joins its target from the side. Every other edge, such as an identity shortcut, passes by in a
 *   track of its own, right of the lanes at its ends.
 *
 * @module
 */
import type { LayerNode, SymbolicTensor } from "../layers/layer.js";

/** A node in its place. */
export interface PlacedNode {
  /** What is drawn. */
  readonly node: LayerNode;
  /** Counted from the top. */
  readonly row: number;
  /** Counted from the left. */
  readonly lane: number;
}

/** An edge with the way that it takes. */
export interface PlacedEdge {
  /** Where it begins. */
  readonly from: PlacedNode;
  /** Where it ends. */
  readonly to: PlacedNode;
  /** `down`: straight; `fork`: sideways, then down; `join`: down, then sideways; `pass`: through a track. */
  readonly way: "down" | "fork" | "join" | "pass";
  /** Of an edge that passes: the number of its track among those right of {@link PlacedEdge.gutter}. */
  readonly track: number;
  /** Of an edge that passes: the lane right of which its track is. */
  readonly gutter: number;
}

/** A graph in its places. */
export interface GraphLayout {
  readonly nodes: readonly PlacedNode[];
  readonly edges: readonly PlacedEdge[];
  /** How many rows there are. */
  readonly rows: number;
  /** How many tracks there are right of every lane. */
  readonly tracks: readonly number[];
}

/** What of a model is drawn. */
export interface GraphToPlace {
  readonly graphNodes: readonly LayerNode[];
  readonly outputs: readonly SymbolicTensor[];
}

/** Intervals of rows that are taken, by number of lane or track. An interval ends before its last row. */
class Occupied {
  readonly #intervals: (readonly [number, number])[][] = [];

  /** Takes the first number from `least` on that is free from row `top` to row `bottom`. */
  take(top: number, bottom: number, least = 0): number {
    for (let number = least; ; number++) {
      this.#intervals[number] ??= [];
      if (this.#intervals[number].some(([start, end]) => top < end && start < bottom)) continue;
      this.#intervals[number].push([top, bottom]);
      return number;
    }
  }

  /** One more than the highest number that was taken. */
  get count(): number {
    return this.#intervals.length;
  }
}

/** Gives every node and every edge of a graph its place. */
export function layOut({ graphNodes, outputs }: GraphToPlace): GraphLayout {
  const row = rowsOf(graphNodes);
  const rowOf = (node: LayerNode): number => row.get(node) ?? 0;
  const lane = lanesOf(graphNodes, outputs, rowOf);
  const places = new Map<LayerNode, PlacedNode>(
    graphNodes.map((node) => [node, { node, row: rowOf(node), lane: lane.get(node) ?? 0 }]),
  );
  const nodes = [...places.values()];
  const lanes = Math.max(...nodes.map((place) => place.lane)) + 1;
  const rowsInLane = Array.from({ length: lanes }, () => new Set<number>());
  for (const place of nodes) rowsInLane[place.lane].add(place.row);

  const tracks = rowsInLane.map(() => new Occupied());
  const edges: PlacedEdge[] = [];
  for (const to of nodes) {
    for (const source of new Set(to.node.inputs.map((x) => x.node))) {
      const from = places.get(source);
      if (from === undefined) continue;
      const way = wayOf(from, to, rowsInLane);
      const gutter = Math.max(from.lane, to.lane);
      const track = way === "pass" ? tracks[gutter].take(from.row, to.row) : 0;
      edges.push({ from, to, way, track, gutter });
    }
  }
  const rows = Math.max(...nodes.map((place) => place.row)) + 1;
  return { nodes, edges, rows, tracks: tracks.map((gutter) => gutter.count) };
}

function rowsOf(graphNodes: readonly LayerNode[]): ReadonlyMap<LayerNode, number> {
  const row = new Map<LayerNode, number>();
  for (const node of graphNodes) {
    row.set(node, Math.max(0, ...node.inputs.map((x) => (row.get(x.node) ?? -1) + 1)));
  }
  return row;
}

function lanesOf(
  graphNodes: readonly LayerNode[],
  outputs: readonly SymbolicTensor[],
  rowOf: (node: LayerNode) => number,
): ReadonlyMap<LayerNode, number> {
  const lane = new Map<LayerNode, number>();
  const inGraph = new Set(graphNodes);
  for (let node: LayerNode | undefined = outputs[0].node; node !== undefined; ) {
    lane.set(node, 0);
    node = node.inputs
      .map((x) => x.node)
      .filter((parent) => inGraph.has(parent))
      .reduce<LayerNode | undefined>((a, b) => (a === undefined || rowOf(b) >= rowOf(a) ? b : a), undefined);
  }

  const readers = new Map<LayerNode, LayerNode[]>();
  for (const node of graphNodes) {
    for (const { node: parent } of node.inputs) readers.set(parent, [...(readers.get(parent) ?? []), node]);
  }
  const lanes = new Occupied();
  for (const start of graphNodes) {
    if (lane.has(start)) continue;
    const branch = [start];
    const freeReader = (node: LayerNode): LayerNode | undefined =>
      readers.get(node)?.find((reader) => !lane.has(reader) && !branch.includes(reader));
    for (let next = freeReader(start); next !== undefined; next = freeReader(next)) branch.push(next);
    const end = branch[branch.length - 1];
    const top = Math.min(rowOf(start), ...start.inputs.map((x) => rowOf(x.node)));
    const bottom = Math.max(rowOf(end) + 1, ...(readers.get(end) ?? []).map(rowOf));
    const number = lanes.take(top, bottom, 1);
    for (const node of branch) lane.set(node, number);
  }
  return lane;
}

function wayOf(from: PlacedNode, to: PlacedNode, rowsInLane: readonly ReadonlySet<number>[]): PlacedEdge["way"] {
  const isFree = (lane: number, top: number, bottom: number): boolean => {
    for (let row = top; row <= bottom; row++) if (rowsInLane[lane].has(row)) return false;
    return true;
  };
  if (from.lane === to.lane) return isFree(to.lane, from.row + 1, to.row - 1) ? "down" : "pass";
  if (from.lane < to.lane) return isFree(to.lane, from.row, to.row - 1) ? "fork" : "pass";
  return isFree(from.lane, from.row + 1, to.row) ? "join" : "pass";
}
