/**
 * Kernels that exist once for each way to sum and each width of a panel.
 *
 * @module
 */
import { doubles, type Lanes, PANEL_VECTORS, singles } from "./lanes.js";

/** One kernel of a family, or one set of kernels. */
export type Family<K> = (lanes: Lanes, vectors: number) => K;

/** What `make` makes for a width of a panel, made when it is first asked for. */
export function forEachWidth<T>(make: (vectors: number) => T): (vectors: number) => T {
  const made = new Map<number, T>();
  return (vectors) => {
    const known = made.get(vectors);
    if (known !== undefined) return known;
    const value = make(vectors);
    made.set(vectors, value);
    return value;
  };
}

/** What `make` makes for each way to sum and each of its widths, and how to find one of them. */
export function family<K>(
  make: Family<K>,
  widthsOf: (lanes: Lanes) => readonly number[] = () => PANEL_VECTORS,
): { readonly all: readonly K[]; readonly of: Family<K> } {
  const members = [singles, doubles].flatMap((lanes) =>
    widthsOf(lanes).map((vectors) => ({ lanes, vectors, made: make(lanes, vectors) })),
  );
  return {
    all: members.map(({ made }) => made),
    of(lanes, vectors) {
      const member = members.find((each) => each.lanes === lanes && each.vectors === vectors);
      if (member === undefined) throw new Error(`internal: simd: no panel is ${vectors} vectors wide.`);
      return member.made;
    },
  };
}
