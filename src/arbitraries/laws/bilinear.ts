/**
 * Laws of layers that multiply an input by a kernel: convolutions and dense layers.
 *
 * f(x, kernel) is linear in each of both. Its gradients are the adjoints of the two linear maps, which says all about them:
 *
 *     sum f(x, kernel) dy  =  sum x dx  =  sum kernel dKernel
 *
 * All but scaling is drawn in whole numbers, so nothing is allowed.
 *
 * @module
 */
import fc from "fast-check";
import { scaleByPowerOfTwo } from "../../arithmetic/powers-of-two.js";
import { type Tensor, tensor } from "../../tensor/tensor.js";
import { contiguous } from "../../tensor/tensor.js";
import { backwards, expectClose, expectSame, expectShape, flipped, generated, inner, mapped, plus } from "./algebra.js";
import { type Awaitable, type Law, lawOf } from "./law.js";

/** A layer with a kernel, forward. */
export interface KernelForward<Config> {
  /** The output, given an input, a kernel and, perhaps, a bias. */
  forward(x: Tensor, kernel: Tensor, bias: Tensor | undefined, config: Config): Awaitable<Tensor>;
}

/** A layer with a kernel, forward and backward. */
export interface KernelImplementation<Config> extends KernelForward<Config> {
  /** The gradients of the loss, given its derivative `dy` for the output. */
  backward(
    dy: Tensor,
    x: Tensor,
    kernel: Tensor,
    config: Config,
  ): Awaitable<{ readonly dx: Tensor; readonly dKernel: Tensor; readonly dBias: Tensor }>;
}

/** What these laws are tried on. */
export interface BilinearCase<Config> {
  readonly config: Config;
  readonly x: Tensor;
  readonly kernel: Tensor;
  readonly dy: Tensor;
}

/** Laws of forward: `whole` draws whole numbers, `ordinary` others. */
export function bilinearLaws<Config>(
  whole: fc.Arbitrary<BilinearCase<Config>>,
  ordinary: fc.Arbitrary<BilinearCase<Config>>,
): readonly Law<KernelForward<Config>>[] {
  return [
    lawOf("is additive in the input", whole, async (mine, { x, kernel, config }) => {
      const other = backwards(x);
      const sum = plus(
        await mine.forward(x, kernel, undefined, config),
        await mine.forward(other, kernel, undefined, config),
      );
      expectSame("f(a + b)", await mine.forward(plus(x, other), kernel, undefined, config), sum);
    }),
    lawOf("is additive in the kernel", whole, async (mine, { x, kernel, config }) => {
      const other = backwards(kernel);
      const sum = plus(
        await mine.forward(x, kernel, undefined, config),
        await mine.forward(x, other, undefined, config),
      );
      expectSame("f(x, a + b)", await mine.forward(x, plus(kernel, other), undefined, config), sum);
    }),
    lawOf("adds the bias to every output", whole, async (mine, { x, kernel, dy, config }) => {
      const outputs = dy.shape[dy.dimension - 1];
      const bias = tensor(contiguous(dy).data.slice(0, outputs), [outputs]);
      const y = await mine.forward(x, kernel, undefined, config);
      const expected = generated(y.shape, y, (...index) => y.get(...index) + bias.get(index[index.length - 1]));
      expectSame("f(x) + bias", await mine.forward(x, kernel, bias, config), expected);
    }),
    lawOf("gives the batch in the order of the input", whole, async (mine, { x, kernel, config }) => {
      const expected = flipped(await mine.forward(x, kernel, undefined, config), 0);
      expectSame("y of the flipped batch", await mine.forward(flipped(x, 0), kernel, undefined, config), expected);
    }),
    // rounding commutes with a power of two as long as nothing overflows or vanishes: ordinary numbers are far from both
    lawOf(
      "scales by powers of two without rounding",
      fc.tuple(ordinary, fc.integer({ min: -8, max: 8 })),
      async (mine, [{ x, kernel, config }, power]) => {
        const scale = (value: number): number => scaleByPowerOfTwo(value, power);
        const expected = mapped(await mine.forward(x, kernel, undefined, config), scale);
        expectSame(`f(2^${power} x)`, await mine.forward(mapped(x, scale), kernel, undefined, config), expected);
        expectSame(
          `f(x, 2^${power} kernel)`,
          await mine.forward(x, mapped(kernel, scale), undefined, config),
          expected,
        );
      },
    ),
  ];
}

/** Laws of backward. */
export function bilinearGradientLaws<Config>(
  whole: fc.Arbitrary<BilinearCase<Config>>,
): readonly Law<KernelImplementation<Config>>[] {
  return [
    lawOf("has the adjoint for its input gradient", whole, async (mine, { x, kernel, dy, config }) => {
      const y = await mine.forward(x, kernel, undefined, config);
      const { dx } = await mine.backward(dy, x, kernel, config);
      expectShape("dx", dx, x.shape);
      expectClose("sum x dx", inner(x, dx), inner(y, dy));
    }),
    lawOf("has the adjoint for its kernel gradient", whole, async (mine, { x, kernel, dy, config }) => {
      const y = await mine.forward(x, kernel, undefined, config);
      const { dKernel } = await mine.backward(dy, x, kernel, config);
      expectShape("dKernel", dKernel, kernel.shape);
      expectClose("sum kernel dKernel", inner(kernel, dKernel), inner(y, dy));
    }),
    lawOf("sums dy for the bias gradient", whole, async (mine, { x, kernel, dy, config }) => {
      const { dBias } = await mine.backward(dy, x, kernel, config);
      const outputs = dy.shape[dy.dimension - 1];
      const sums = new Float64Array(outputs);
      for (const [i, value] of contiguous(dy).data.entries()) sums[i % outputs] += value;
      expectSame("dBias", dBias, tensor(sums, [outputs]));
    }),
  ];
}

/** The law of layers in which every output has a slice of the kernel's last axis to itself. */
export function outputOrderLaw<Config>(whole: fc.Arbitrary<BilinearCase<Config>>): Law<KernelForward<Config>> {
  return lawOf("gives the outputs in the order of the kernel", whole, async (mine, { x, kernel, config }) => {
    const y = await mine.forward(x, kernel, undefined, config);
    const expected = flipped(y, y.dimension - 1);
    const flippedKernel = flipped(kernel, kernel.dimension - 1);
    expectSame("y of the flipped kernel", await mine.forward(x, flippedKernel, undefined, config), expected);
  });
}

/** The law of layers that sum over all channels: their order does not matter; `axis` is that of the kernel's channels. */
export function channelOrderLaw<Config>(
  whole: fc.Arbitrary<BilinearCase<Config>>,
  axis: number,
): Law<KernelForward<Config>> {
  return lawOf("does not depend on the order of channels", whole, async (mine, { x, kernel, config }) => {
    const y = await mine.forward(flipped(x, x.dimension - 1), flipped(kernel, axis), undefined, config);
    expectSame("y of flipped channels", y, await mine.forward(x, kernel, undefined, config));
  });
}
