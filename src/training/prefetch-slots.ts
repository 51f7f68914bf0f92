/**
 * Slots: shared memory through which a worker hands batches to the thread that trains.
 *
 *     state of a slot     changed by
 *     IDLE                trainer -> REQUESTED, once epoch, index and ticket say what is wanted
 *     REQUESTED           worker  -> WORKING;   trainer -> IDLE, when it makes the batch itself or wants another
 *     WORKING             worker  -> READY, or FAILED
 *     READY, FAILED       trainer -> IDLE
 *
 * Either side leaves REQUESTED by compare-and-exchange, so exactly one of them gets the slot; in every other state one
 * side alone may change it, and only that side may touch what is in it.
 *
 * @module
 */

const IDLE = 0;
const REQUESTED = 1;
const WORKING = 2;
const READY = 3;
const FAILED = 4;

/** Words of a slot: its state, the epoch and index of its batch, and how many requests came before. */
const WORDS = 4;
const [STATE, EPOCH, INDEX, TICKET] = [0, 1, 2, 3];
/** The words before the first slot. BELL counts requests: the worker sleeps until it changes. */
const [BELL, CLOSED, HEAD] = [0, 1, 2];

/** What the memory of a {@link Slots} is laid out for. */
export interface SlotsLayout {
  readonly slots: number;
  readonly batchSize: number;
  readonly imageSize: number;
}

/** Both sides' view of the slots in `buffer`. */
export class Slots {
  readonly buffer: SharedArrayBuffer;
  readonly layout: SlotsLayout;
  readonly #words: Int32Array;
  readonly #images: readonly Float32Array[];
  readonly #labels: readonly Int32Array[];

  constructor(layout: SlotsLayout, buffer: SharedArrayBuffer = new SharedArrayBuffer(bytesFor(layout))) {
    const { slots, batchSize, imageSize } = layout;
    this.buffer = buffer;
    this.layout = layout;
    this.#words = new Int32Array(buffer, 0, HEAD + slots * WORDS);
    const start = this.#words.byteLength;
    const bytes = 4 * batchSize * (imageSize + 1);
    const numbers = Array.from({ length: slots }, (_, slot) => start + slot * bytes);
    this.#images = numbers.map((at) => new Float32Array(buffer, at, batchSize * imageSize));
    this.#labels = numbers.map((at) => new Int32Array(buffer, at + 4 * batchSize * imageSize, batchSize));
  }

  /** Where the images of `slot` are, [B, H, W, C] for a whole batch. */
  images(slot: number): Float32Array {
    return this.#images[slot];
  }

  /** Where the labels of `slot` are. */
  labels(slot: number): Int32Array {
    return this.#labels[slot];
  }

  // the side of the trainer

  /** The slot that has, or will have, this batch; -1 where none has. */
  find(epoch: number, index: number): number {
    for (let slot = 0; slot < this.layout.slots; slot++) {
      const state = this.#load(slot, STATE);
      if (state === IDLE || state === FAILED) continue;
      if (this.#load(slot, EPOCH) >>> 0 === epoch && this.#load(slot, INDEX) === index) return slot;
    }
    return -1;
  }

  /**
   * Waits for the batch of `slot` if the worker is at it. Returns whether it is there; if not, the slot is idle, or
   * after `patience` milliseconds still with a worker who does not answer.
   */
  await(slot: number, patience: number): "ready" | "not made" | "no answer" {
    if (this.#exchange(slot, REQUESTED, IDLE)) return "not made"; // by the time it were made, it is made here
    Atomics.wait(this.#words, this.#at(slot, STATE), WORKING, patience);
    const state = this.#load(slot, STATE);
    if (state === WORKING) return "no answer";
    if (state === READY) return "ready";
    this.release(slot);
    return "not made";
  }

  /** Gives a slot that is READY or FAILED back. */
  release(slot: number): void {
    this.#store(slot, STATE, IDLE);
  }

  /** Asks the worker for a batch, in a slot that the trainer has; returns whether it has `slot`. */
  request(slot: number, epoch: number, index: number): boolean {
    this.#exchange(slot, REQUESTED, IDLE);
    const state = this.#load(slot, STATE);
    if (state === REQUESTED || state === WORKING) return false;
    this.#store(slot, EPOCH, epoch);
    this.#store(slot, INDEX, index);
    this.#store(slot, TICKET, Atomics.load(this.#words, BELL));
    this.#store(slot, STATE, REQUESTED);
    this.#ring();
    return true;
  }

  /** Lets the worker end. */
  close(): void {
    Atomics.store(this.#words, CLOSED, 1);
    this.#ring();
  }

  // the side of the worker

  /** Makes what is requested, oldest first, until the slots are closed. */
  serve(make: (epoch: number, index: number, images: Float32Array, labels: Int32Array) => void): void {
    for (;;) {
      const bell = Atomics.load(this.#words, BELL);
      if (Atomics.load(this.#words, CLOSED) === 1) return;
      const slot = this.#oldestRequest();
      if (slot < 0) Atomics.wait(this.#words, BELL, bell);
      else if (this.#exchange(slot, REQUESTED, WORKING)) this.#work(slot, make);
    }
  }

  #work(slot: number, make: Parameters<Slots["serve"]>[0]): void {
    let state = FAILED;
    try {
      make(this.#load(slot, EPOCH) >>> 0, this.#load(slot, INDEX), this.#images[slot], this.#labels[slot]);
      state = READY;
    } finally {
      this.#store(slot, STATE, state);
      Atomics.notify(this.#words, this.#at(slot, STATE));
    }
  }

  #oldestRequest(): number {
    let oldest = -1;
    for (let slot = 0; slot < this.layout.slots; slot++) {
      if (this.#load(slot, STATE) !== REQUESTED) continue;
      // tickets wrap around, so it is their difference that counts
      const isOlder = oldest < 0 || ((this.#load(slot, TICKET) - this.#load(oldest, TICKET)) | 0) < 0;
      if (isOlder) oldest = slot;
    }
    return oldest;
  }

  #at(slot: number, word: number): number {
    return HEAD + slot * WORDS + word;
  }

  #load(slot: number, word: number): number {
    return Atomics.load(this.#words, this.#at(slot, word));
  }

  #store(slot: number, word: number, value: number): void {
    Atomics.store(this.#words, this.#at(slot, word), value);
  }

  #exchange(slot: number, from: number, to: number): boolean {
    return Atomics.compareExchange(this.#words, this.#at(slot, STATE), from, to) === from;
  }

  #ring(): void {
    Atomics.add(this.#words, BELL, 1);
    Atomics.notify(this.#words, BELL);
  }
}

function bytesFor({ slots, batchSize, imageSize }: SlotsLayout): number {
  return 4 * (HEAD + slots * WORDS) + slots * 4 * batchSize * (imageSize + 1);
}
