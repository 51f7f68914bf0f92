/**
 * Batches made ahead, by a worker, while the trainer is busy with its step.
 *
 * Batches come in order, nearly always: with each that is taken, those that follow it are requested, one for each slot. When
 * the next step asks, its batch lies ready in shared memory and is copied from there. A batch is the same whoever makes it,
 * so nothing that may go wrong with the worker can change a run: what it has not begun, or failed to make, or does not
 * answer about, the trainer makes itself.
 *
 * @module
 */
import { type StartedWorker, startWorker } from "../parallel/start-worker.js";
import type { FloatArray } from "../tensor/dtype.js";
import type { BatchRecipe } from "./batch-maker.js";
import { Slots, type SlotsLayout } from "./prefetch-slots.js";

/** Batches that are made ahead: one that is ready, and one in the making. */
const SLOTS = 2;
/** Milliseconds after which a worker that is at a batch is taken for dead. */
const PATIENCE = 10_000;

/** What the worker is sent. */
export interface PrefetchSetup {
  readonly recipe: BatchRecipe;
  readonly layout: SlotsLayout;
  readonly buffer: SharedArrayBuffer;
}

let registry: FinalizationRegistry<StartedWorker> | undefined;

/** The trainer's side of a worker that makes batches. */
export class Prefetcher {
  readonly #slots: Slots;
  readonly #worker: StartedWorker;
  readonly #batchesPerEpoch: number;
  #isOpen = true;

  private constructor(slots: Slots, worker: StartedWorker, batchesPerEpoch: number) {
    this.#slots = slots;
    this.#worker = worker;
    this.#batchesPerEpoch = batchesPerEpoch;
  }

  /**
   * Starts a worker for `recipe`; nothing where there are no workers or no shared memory. Images in shared memory are
   * read in place; others are copied to the worker, once.
   */
  static start(recipe: BatchRecipe): Prefetcher | undefined {
    if (typeof SharedArrayBuffer !== "function") return undefined;
    const { shape, batchSize } = recipe;
    const slots = new Slots({ slots: SLOTS, batchSize, imageSize: shape[1] * shape[2] * shape[3] });
    const setup: PrefetchSetup = { recipe, layout: slots.layout, buffer: slots.buffer };
    // a worker that breaks down leaves its batches to the trainer: there is nothing to tell
    const worker = startWorker(new URL("./prefetch-worker.js", import.meta.url), setup, () => {});
    if (worker === undefined) return undefined;
    const prefetcher = new Prefetcher(slots, worker, Math.ceil(shape[0] / batchSize));
    // whoever forgets to close it leaves no thread behind
    registry ??= new FinalizationRegistry((forgotten) => forgotten.terminate());
    registry.register(prefetcher, worker, prefetcher);
    return prefetcher;
  }

  /**
   * Copies batch `index` of `epoch` to `x` and `labels` and returns true, if the worker has made it or is at it; in any
   * case asks the worker for the batches that follow.
   */
  take(epoch: number, index: number, x: FloatArray, labels: Int32Array): boolean {
    if (!this.#isOpen) return false;
    const slot = this.#slots.find(epoch, index);
    let isTaken = false;
    if (slot >= 0) {
      const answer = this.#slots.await(slot, PATIENCE);
      if (answer === "no answer") {
        this.close();
        return false;
      }
      if (answer === "ready") {
        x.set(this.#slots.images(slot).subarray(0, x.length));
        labels.set(this.#slots.labels(slot).subarray(0, labels.length));
        this.#slots.release(slot);
        isTaken = true;
      }
    }
    this.#expectAfter(epoch, index);
    return isTaken;
  }

  /** Ends the worker. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    registry?.unregister(this);
    this.#slots.close();
    this.#worker.terminate();
  }

  #expectAfter(epoch: number, index: number): void {
    const expected: (readonly [epoch: number, index: number])[] = [];
    for (let ahead = 0; ahead < SLOTS; ahead++) {
      [epoch, index] = index + 1 < this.#batchesPerEpoch ? [epoch, index + 1] : [epoch + 1, 0];
      expected.push([epoch, index]);
    }
    const held = new Set(expected.map(([e, i]) => this.#slots.find(e, i)));
    for (const [e, i] of expected) {
      if (this.#slots.find(e, i) >= 0) continue;
      for (let slot = 0; slot < SLOTS; slot++) {
        if (!held.has(slot) && this.#slots.request(slot, e, i)) {
          held.add(slot);
          break;
        }
      }
    }
  }
}
