/**
 * All kernels of element-wise passes and reductions, for the module.
 *
 * @module
 */
import type { NamedFunction, Signature } from "../../assembly/code.js";
import { columnSumsKernels, deviationSquaresKernels, normalizationSumsKernels } from "./column-kernels.js";
import {
  boundedGradientKernels,
  boundedKernels,
  finishKernels,
  rectifyGradientKernel,
  rectifyKernel,
  sumKernels,
} from "./element-kernels.js";
import { imageGreatestGradientKernel, imageGreatestKernel } from "./image-greatest-kernels.js";
import { poolGradientKernels, poolGreatestKernel, poolPlacesKernel } from "./pool-kernels.js";
import { adamKernel, amsgradKernel, penaltyKernel, sgdKernels } from "./update-kernels.js";
import { normalizationGradientKernels, normalizeKernels } from "./normalize-kernels.js";
import { dropKernel, rescaleKernel, sigmoidGradientKernel, tanhGradientKernel } from "./wide-element-kernels.js";

const columnKernels = [
  columnSumsKernels,
  deviationSquaresKernels,
  normalizationSumsKernels.plain,
  normalizationSumsKernels.masked,
].flatMap(({ double, single }) => [...double, ...single].map(({ kernel }): NamedFunction<Signature> => kernel));

/** In no order that matters. */
export const passKernels: readonly NamedFunction<Signature>[] = [
  ...columnKernels,
  ...Object.values(normalizeKernels).flatMap((kernels) => Object.values(kernels)),
  ...Object.values(normalizationGradientKernels).flatMap((kernels) => Object.values(kernels)),
  ...sumKernels.flat(),
  ...Object.values(finishKernels),
  rectifyKernel,
  rectifyGradientKernel,
  ...Object.values(boundedKernels),
  ...Object.values(boundedGradientKernels),
  sigmoidGradientKernel,
  tanhGradientKernel,
  rescaleKernel,
  dropKernel,
  poolGreatestKernel,
  poolPlacesKernel,
  ...Object.values(poolGradientKernels),
  imageGreatestKernel,
  imageGreatestGradientKernel,
  adamKernel,
  amsgradKernel,
  ...Object.values(sgdKernels),
  penaltyKernel,
];
