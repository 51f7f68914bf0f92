/**
 * The worker that prepares batches: makes what the trainer requests, and sleeps while nothing is.
 *
 * @module
 */
import { onSetup } from "../parallel/start-worker.js";
import { BatchMaker } from "./batch-maker.js";
import type { PrefetchSetup } from "./prefetch.js";
import { Slots } from "./prefetch-slots.js";

onSetup<PrefetchSetup>(({ recipe, layout, buffer }) => {
  const maker = new BatchMaker(recipe);
  new Slots(layout, buffer).serve((epoch, index, images, labels) => {
    const size = Math.min(recipe.batchSize, recipe.shape[0] - index * recipe.batchSize);
    maker.make(epoch, index, images, labels.subarray(0, size));
  });
});
