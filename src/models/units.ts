/**
 * The units in which a pass walks the graph: single nodes, or chains of nodes that read and write memory once.
 *
 *     BatchNormalization -> ReLU            x is read, y written; what lies between never exists
 *     BatchNormalization -> Add -> ReLU     x and the other way through a residual block are read, y written
 *     Conv2D -> Add, Conv2D -> ReLU         a tile of y is finished while it is near
 *     Conv2D -> BatchNormalization -> ...   the same, in inference
 *
 * A node joins the unit before it when nobody else reads that one's output. Each layer says for itself whether it can be
 * a part ({@link Layer.finish}), or a head ({@link Layer.callFinished}).
 *
 *     BatchNormalization -> ReLU -> Conv2D  two units; but if the kernel is one pixel, a tile normalizes what it reads
 *
 * There the first unit only finds out by what numbers, and leaves the rest to its reader ({@link Layer.callAhead},
 * {@link Layer.takesPrologue}). The numbers are those of single nodes, to the bit.
 *
 * @module
 */
import { FINISHES, type Finish, type Layer, type LayerNode, type SymbolicTensor } from "../layers/layer.js";
import { shapesAgree } from "../tensor/shape.js";

/** Nodes that run as one. */
export interface Unit {
  /** The first node: whatever has weights. */
  readonly head: LayerNode;
  /** The node whose output is the unit's. */
  readonly last: LayerNode;
  /** What it reads: the inputs of the head, then the other input of an addition. */
  readonly inputs: readonly SymbolicTensor[];
  /** What is done to the head's output, in this order. */
  readonly finishes: readonly Finish[];
  /** The layer that normalizes it, where that is among these. */
  readonly normalization?: Layer | undefined;
  /** Whether the one unit that reads the output can do the work of this one to what it reads. */
  readonly isLeftToReader?: boolean;
}

/** Every node by itself, for passes of which everything is wanted. */
export function singleUnits(nodes: readonly LayerNode[]): readonly Unit[] {
  return nodes.map((node) => ({ head: node, last: node, inputs: node.inputs, finishes: [] }));
}

/**
 * `nodes`, in the order in which they run, as units, in the order in which these can run; for `inference`, where
 * normalizations do not depend on the batch and there is no way back.
 */
export function joinedUnits(
  nodes: readonly LayerNode[],
  outputs: readonly SymbolicTensor[],
  inference: boolean,
): readonly Unit[] {
  const reads = new Map<LayerNode, number>();
  for (const { node } of [...nodes.flatMap((node) => node.inputs), ...outputs]) {
    reads.set(node, (reads.get(node) ?? 0) + 1);
  }
  const unitEndingAt = new Map<LayerNode, Unit>();
  for (const unit of singleUnits(nodes)) {
    const before = unit.inputs
      .map((x) => unitEndingAt.get(x.node))
      .filter((candidate) => candidate !== undefined)
      .filter((candidate) => reads.get(candidate.last) === 1)
      .filter((candidate) => canJoin(candidate, unit.head, inference))
      // of two that could be finished, the one that runs last has the other's output to add
      .sort((a, b) => nodes.indexOf(a.last) - nodes.indexOf(b.last))
      .at(-1);
    if (before === undefined) {
      unitEndingAt.set(unit.last, unit);
      continue;
    }
    unitEndingAt.delete(before.last);
    unitEndingAt.set(unit.last, joined(before, unit.head));
  }
  const readers = new Map(nodes.flatMap((node) => node.inputs.map((x) => [x.node, node] as const)));
  return [...unitEndingAt.values()].map((unit) => {
    const reader = reads.get(unit.last) === 1 ? readers.get(unit.last) : undefined;
    return reader !== undefined && canLeave(unit, reader) ? { ...unit, isLeftToReader: true } : unit;
  });
}

/** Whether `node` can be done with `unit`, which ends in one of its inputs. */
function canJoin({ head, last, finishes }: Unit, { layer, inputs }: LayerNode, inference: boolean): boolean {
  const { finish } = layer;
  // weights that a layer's second application changes too must change in the order of the nodes
  if (finish === undefined || head.layer.callFinished === undefined || head.layer.nodes.length > 1) return false;
  if (layer.dtype !== head.layer.dtype || (finish === "normalize" && !inference)) return false;
  const before = finishes.at(-1);
  const inOrder =
    before === undefined
      ? head.layer.firstFinishes.includes(finish)
      : FINISHES.indexOf(finish) > FINISHES.indexOf(before);
  if (!inOrder || finish !== "add") return inOrder && inputs.length === 1;
  return inputs.length === 2 && inputs.every(({ shape }) => shapesAgree(shape, last.output.shape));
}

/** Whether `unit` is a normalization, with a ReLU or without, that the layer of `reader` can do to what it reads. */
function canLeave({ head, finishes }: Unit, { layer }: LayerNode): boolean {
  if (!layer.takesPrologue || layer.dtype !== head.layer.dtype) return false;
  const isNormalization = head.layer.callAhead !== undefined && head.layer.finish === "normalize";
  return isNormalization && finishes.every((finish) => finish === "rectify");
}

function joined(unit: Unit, node: LayerNode): Unit {
  const { last, inputs, finishes, normalization } = unit;
  const others = node.inputs.filter((x) => x.node !== last);
  const finish = node.layer.finish;
  return {
    ...unit,
    last: node,
    inputs: [...inputs, ...others],
    finishes: finish === undefined ? finishes : [...finishes, finish],
    normalization: finish === "normalize" ? node.layer : normalization,
  };
}
