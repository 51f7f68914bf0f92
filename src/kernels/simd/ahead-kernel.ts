/**
 * Products that read the next panel ahead, while they multiply with this one.
 *
 * A panel of a large right operand comes from memory, at the pace of memory, when its first tile needs it. Where many tiles
 * follow, that does not count. In the last layers of a ResNet50, for one image, thirteen do.
 *
 *     panel p      | tile 0 | tile 1 |  ...  | tile 12 |        rounds of all tiles, one after another
 *     panel p + 1  ^---^---^---^---^---^---  ...  ---^          one number is read in each, some bytes further on
 *
 * What is read is not used. It is the pace that counts: the processor sees that memory is read from front to back, slowly
 * enough that it has fetched each line before it is asked for. All lines in a row, between two panels, would be waited for.
 *
 * @module
 */
import { type NamedFunction, type Signature, wasmFunction } from "../../assembly/code.js";
import { call } from "../../assembly/control.js";
import { i32 } from "../../assembly/instructions.js";
import { CACHE_LINE } from "../../tensor/heap.js";
import { type Family, family } from "./family.js";
import { type Lanes, tileRows, WIDE_PANEL_VECTORS } from "./lanes.js";
import {
  callWith,
  eachKind,
  multiplyTiles,
  type ProductParameter,
  productParameters,
  type TileParameter,
  tileParameters,
  UNROLL,
} from "./product-kernel.js";

/** What is told beside what every product is: where to read, and how many bytes further on in each round. */
type AheadParameter = ProductParameter | "ahead" | "aheadStep";

/** A kernel for one panel of some width. */
type AheadKernel = NamedFunction<Record<AheadParameter, "i32">>;

function makeTileKernel(
  lanes: Lanes,
  vectors: number,
): NamedFunction<Record<TileParameter | "ahead" | "aheadStep", "i32">> {
  const parameters = { ...tileParameters, ahead: "i32", aheadStep: "i32" } as const;
  return wasmFunction(`tiles_ahead_${lanes.name}_${vectors}`, parameters, (p, local) => {
    const unused = local("i32");
    const readAhead = [unused.set(i32.load(p.ahead)), p.ahead.set(i32.add(p.ahead, p.aheadStep))];
    return multiplyTiles(lanes, vectors, p, readAhead, local);
  });
}

const tiles = family(makeTileKernel, () => WIDE_PANEL_VECTORS);

function makeAheadKernel(lanes: Lanes, vectors: number): AheadKernel {
  const parameters: Record<AheadParameter, "i32"> = { ...productParameters, ahead: "i32", aheadStep: "i32" };
  return wasmFunction(`product_ahead_${lanes.name}_${vectors}`, parameters, (p, local) => {
    const rounds = local("i32");
    const rows = tileRows(vectors);
    return eachKind(
      vectors,
      p,
      (kind) => [
        call(tiles.of(lanes, vectors), { ...p, ...kind }),
        rounds.set(i32.mul(i32.div_u(i32.add(kind.count, rows - 1), rows), kind.segmentCount)),
        rounds.set(i32.mul(rounds, i32.div_u(i32.add(kind.length, UNROLL - 1), UNROLL))),
        p.ahead.set(i32.add(p.ahead, i32.mul(p.aheadStep, rounds))),
      ],
      local,
    );
  });
}

const kernels = family(makeAheadKernel, () => WIDE_PANEL_VECTORS);

/** The kernels for all panels but the narrowest. */
export const aheadKernels: readonly NamedFunction<Signature>[] = [...tiles.all, ...kernels.all];

/** The kernel for panels of `vectors` vectors of `lanes`, more than one. */
export const aheadKernel: Family<AheadKernel> = kernels.of;

/** The kernel of {@link aheadKernel} on this thread. */
export function aheadFunction(
  lanes: Lanes,
  vectors: number,
): (values: Readonly<Record<AheadParameter, number>>) => void {
  return callWith(aheadKernel(lanes, vectors), "ahead", "aheadStep");
}

/** Bytes that a round reads. */
const READ_BYTES = 4;

/**
 * How many bytes further a round reads, so that `rounds` of them read nothing behind the first `bytes`; 0 where steps would
 * be shorter than what is read. A step beyond a line of the cache would leave some out.
 */
export function aheadStep(bytes: number, rounds: number): number {
  const step = Math.min(CACHE_LINE, Math.floor(bytes / rounds));
  return step < READ_BYTES ? 0 : step;
}
