/**
 * The inner loops of a convolution with few filters: vectors run along the positions of a row.
 *
 *     out[position, f] = sum over taps and channels of plane[channel][position + place of tap] * weights[tap, channel, f]
 *                        + bias[f]
 *
 * Three filters would fill three lanes of a vector of filters, and each of its products would need a value of the image
 * spread over one. Here the weights are spread, and a vector of positions is read for all filters.
 *
 *                              plane[c][p .. p + 3]    plane[c][p + 4 .. p + 7]
 *     weights[tap, c, 0] x4          sum 00                    sum 01             all sums stay in registers while taps and
 *     weights[tap, c, 1] x4          sum 10                    sum 11             channels pass by
 *     weights[tap, c, 2] x4          sum 20                    sum 21
 *
 * So a channel must lie by itself: an image is packed in *planes* of one channel (`panel-lines.ts`).
 *
 * @module
 */
import { type Body, type Local, type NamedFunction, type Signature, wasmFunction } from "../../assembly/code.js";
import { doWhile, leaveWhen, when, whileLoop } from "../../assembly/control.js";
import { f32, f64, i32, v128 } from "../../assembly/instructions.js";
import { type Family, family } from "./family.js";
import { doubles, type Lanes, singles } from "./lanes.js";
import { type PackKernel, packParameters } from "./panel-kernels.js";
import { storeSideBySide } from "./stores.js";
import { storeFour, transposed } from "./transpose.js";

/** The most filters of a group. Weights and biases are packed for so many. */
export const FEW_FILTERS = 4;

/** Vectors of positions that are computed together: the kernels that there are. */
export const FEW_FILTERS_VECTORS: readonly number[] = [4, 2];

/** Filters that a kernel has sums for; fewer are computed with one of these. */
const FILTERS = [3, FEW_FILTERS] as const;

/** Channels in one turn of the inner loop. */
const UNROLL = 4;

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

type FewFiltersParameter =
  /** The place of each of `taps` taps, at least 1, in a plane. */
  | "places"
  | "taps"
  /** How many, and bytes from the plane of one to that of the next. */
  | "channels"
  | "planeBytes"
  /** The plane of the first channel. */
  | "source"
  /** [tap][channel][{@link FEW_FILTERS}], and [{@link FEW_FILTERS}], of the type of the sums. */
  | "weights"
  | "bias"
  /** The first position of a row of `columns`, and bytes from one to the next. */
  | "out"
  | "outStep"
  | "columns"
  /** How many there are. */
  | "filters"
  /** Scratch memory for all sums. */
  | "spill";

const fewFiltersParameters: Record<FewFiltersParameter, "i32"> = {
  ...{ places: "i32", taps: "i32", channels: "i32", planeBytes: "i32", source: "i32", weights: "i32", bias: "i32" },
  ...{ out: "i32", outStep: "i32", columns: "i32", filters: "i32", spill: "i32" },
};

/**
 * A kernel that computes a row of positions. It computes whole vectors of them, and drops those that do not exist; so it
 * reads up to a vector less one value behind the end of a line.
 */
export type FewFiltersKernel = NamedFunction<Record<FewFiltersParameter, "i32">>;

function fewFiltersKernel(lanes: Lanes, vectors: number, filters: number): FewFiltersKernel {
  const name = `fewFilters${filters}_${lanes.name}_${vectors}`;
  return wasmFunction(name, fewFiltersParameters, (p, local) => {
    const width = vectors * lanes.perVector;
    const sums = upTo(filters).map(() => upTo(vectors).map(() => local("v128")));
    const [place, end, source, weightsOfTap, weights, channel, count, from] = upTo(8).map(() => local("i32"));
    const weightBytes = FEW_FILTERS * lanes.bytes;
    const positions = upTo(vectors).map(() => local("v128"));
    const weight = local("v128");
    const turn = (ahead: number): Body => [
      positions.map((vector, j) => vector.set(v128.load(source, 16 * j))),
      source.set(i32.add(source, p.planeBytes)),
      sums.map((row, f) => [
        weight.set(lanes.splat(weights, ahead * weightBytes + f * lanes.bytes)),
        row.map((sum, j) => sum.set(lanes.addProduct(sum, positions[j], weight))),
      ]),
    ];
    const addTap = [
      source.set(i32.add(p.source, i32.load(place))),
      weights.set(weightsOfTap),
      channel.set(p.channels),
      doWhile(
        [
          upTo(UNROLL).map((ahead) => [ahead === 0 ? [] : leaveWhen(i32.eq(channel, ahead)), turn(ahead)]),
          weights.set(i32.add(weights, UNROLL * weightBytes)),
          channel.set(i32.sub(channel, UNROLL)),
        ],
        channel,
      ),
      weightsOfTap.set(i32.add(weightsOfTap, i32.mul(p.channels, weightBytes))),
      place.set(i32.add(place, 4)),
    ];
    const storeOne = (f: number): Body => {
      const offset = f * width * lanes.bytes;
      const sum = lanes === doubles ? f32.demote_f64(f64.load(from, offset)) : f32.load(from, offset);
      return when(i32.gt_s(p.filters, f), f32.store(p.out, sum, 4 * f));
    };
    const store = [
      sums.map((row, f) => [
        weight.set(lanes.splat(p.bias, f * lanes.bytes)),
        row.map((sum) => sum.set(lanes.add(sum, weight))),
      ]),
      storeSideBySide(p.spill, sums.flat()),
      from.set(p.spill),
      count.set(width),
      when(i32.lt_s(p.columns, width), count.set(p.columns)),
      doWhile(
        [
          upTo(filters).map(storeOne),
          from.set(i32.add(from, lanes.bytes)),
          p.out.set(i32.add(p.out, p.outStep)),
          count.set(i32.sub(count, 1)),
        ],
        count,
      ),
    ];
    return [
      end.set(i32.add(p.places, i32.shl(p.taps, 2))),
      doWhile(
        [
          sums.flat().map((sum) => sum.set(v128.zero())),
          place.set(p.places),
          weightsOfTap.set(p.weights),
          doWhile(addTap, i32.ne(place, end)),
          store,
          p.source.set(i32.add(p.source, width * lanes.bytes)),
          p.columns.set(i32.sub(p.columns, width)),
        ],
        i32.gt_s(p.columns, 0),
      ),
    ];
  });
}

/** Packs pixels in planes, like the kernels of `panel-kernels.ts` in panels of one channel. */
function packPlanesKernel(lanes: Lanes): PackKernel {
  return wasmFunction(`packPlanes_${lanes.name}`, packParameters, (p, local) => {
    const [from, plane, left, pixel] = upTo(4).map(() => local("i32"));
    const others = upTo(3).map(() => local("i32"));
    const storeOne = (at: Local<"i32">, i: number): Body =>
      lanes === doubles
        ? f64.store(plane, f64.promote_f32(f32.load(at)), 8 * i)
        : f32.store(plane, f32.load(at), 4 * i);
    const nextChannels = (channels: number): Body => [
      from.set(i32.add(from, 4 * channels)),
      left.set(i32.sub(left, channels)),
    ];
    const nextPlane = plane.set(i32.add(plane, p.panelBytes));
    const fourByFour = [
      others.map((other, i) => other.set(i32.add(i === 0 ? from : others[i - 1], p.fromStep))),
      transposed(
        [from, ...others].map((each) => v128.load(each)),
        local,
        (channel) => [storeFour(lanes, plane, channel, 0), nextPlane],
      ),
      nextChannels(4),
    ];
    const oneChannel = (pixels: number): Body => [
      pixel.set(from),
      upTo(pixels).map((i) => [storeOne(pixel, i), pixel.set(i32.add(pixel, p.fromStep))]),
      nextPlane,
      nextChannels(1),
    ];
    const somePixels = (pixels: number): Body => [
      ...[from.set(p.from), plane.set(p.to), left.set(p.columns)],
      pixels === 4 ? whileLoop(i32.ge_s(left, 4), fourByFour) : [],
      whileLoop(left, oneChannel(pixels)),
      p.from.set(i32.add(p.from, i32.mul(p.fromStep, pixels))),
      p.to.set(i32.add(p.to, pixels * lanes.bytes)),
      p.count.set(i32.sub(p.count, pixels)),
    ];
    return [whileLoop(i32.ge_s(p.count, 4), somePixels(4)), whileLoop(p.count, somePixels(1))];
  });
}

/** The kernels for one way to sum and one width of vectors of positions. */
interface FewFiltersKernels {
  readonly packPlanes: PackKernel;
  /** The kernel for so many filters. */
  readonly weigh: (filters: number) => FewFiltersKernel;
  /** What the module must contain. */
  readonly all: readonly NamedFunction<Signature>[];
}

const packPlanes: Readonly<Record<Lanes["name"], PackKernel>> = {
  float32: packPlanesKernel(singles),
  float64: packPlanesKernel(doubles),
};

function kernelsFor(lanes: Lanes, vectors: number): FewFiltersKernels {
  const [three, four] = FILTERS.map((filters) => fewFiltersKernel(lanes, vectors, filters));
  return { packPlanes: packPlanes[lanes.name], weigh: (filters) => (filters <= 3 ? three : four), all: [three, four] };
}

const kernelSets = family(kernelsFor, () => FEW_FILTERS_VECTORS);

/** All kernels of convolutions with few filters. */
export const fewFiltersFunctions: readonly NamedFunction<Signature>[] = [
  ...Object.values(packPlanes),
  ...kernelSets.all.flatMap(({ all }) => all),
];

/** The kernels that sum in `lanes`, `vectors` vectors of positions at a time. @throws Error when there are none. */
export const fewFiltersKernels: Family<FewFiltersKernels> = kernelSets.of;
