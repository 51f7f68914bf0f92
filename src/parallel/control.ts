/**
 * The control block: the few words of shared memory through which the calling thread and its workers agree.
 *
 *     GENERATION  odd while a job is open, even between jobs; opening and closing each add 1
 *     ACTIVE      workers that may be reading the description of the job, or computing tiles
 *     NEXT        the next tile to claim
 *     TILES       tiles of the job
 *     FAILED      1 when some worker has left a message
 *     CLOSED      1 when the pool has been closed
 *     SLEEPERS    threads that are about to sleep, sleep, or have just been woken
 *
 * A worker that arrives late must not touch a job that is over. So it first counts itself into ACTIVE, and only then
 * looks whether the generation is still the one that it was woken for; the caller first closes the generation, and only
 * then waits until ACTIVE is 0. Atomic operations have one order that all threads see: either the worker sees the closed
 * generation, or the caller sees the worker. The description is rewritten only when ACTIVE has been 0.
 *
 * Waking costs a microsecond even where nobody sleeps, so it is only done where somebody may: who is about to sleep counts
 * itself into SLEEPERS before it looks at the word for the last time, and who changes a word looks at SLEEPERS after that.
 *
 * @module
 */
import type { FloatArray } from "../tensor/dtype.js";

/** Words are 64 bytes apart, so that claiming tiles does not disturb those who spin on another word. */
const APART = 16;
export const GENERATION = 0;
export const ACTIVE: number = APART;
export const NEXT: number = 2 * APART;
export const TILES: number = 3 * APART;
export const FAILED: number = 4 * APART;
export const CLOSED: number = 5 * APART;
const SLEEPERS = 6 * APART;
const NAME_LENGTH = 7 * APART;
const MESSAGE_LENGTH = 7 * APART + 1;
const ARRAY_COUNT = 7 * APART + 2;
const NUMBER_COUNT = 7 * APART + 3;
const WORDS = 8 * APART;

const MAX_NAME = 64;
const MAX_MESSAGE = 1024;
const MAX_ARRAYS = 12;
const MAX_NUMBERS = 64;

/** How often a thread looks again before it sleeps: some tens of microseconds, about what waking up costs. */
const SPINS = 100_000;

/** Where an array of a job lies in the shared heap. */
export interface ArrayPlace {
  readonly wide: boolean;
  readonly byteOffset: number;
  readonly length: number;
}

/** A job as its description in the control block tells it. */
export interface Description {
  readonly name: string;
  readonly arrays: readonly ArrayPlace[];
  readonly numbers: readonly number[];
}

/** Typed access to a control block. */
export class Control {
  readonly buffer: SharedArrayBuffer;
  readonly words: Int32Array;
  readonly #name: Uint16Array;
  readonly #message: Uint16Array;
  /** [wide, byteOffset, length] of every array */
  readonly #arrays: Float64Array;
  readonly #numbers: Float64Array;

  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(Control.#bytes())) {
    this.buffer = buffer;
    this.words = new Int32Array(buffer, 0, WORDS);
    let at = this.words.byteLength;
    this.#arrays = new Float64Array(buffer, at, 3 * MAX_ARRAYS);
    at += this.#arrays.byteLength;
    this.#numbers = new Float64Array(buffer, at, MAX_NUMBERS);
    at += this.#numbers.byteLength;
    this.#name = new Uint16Array(buffer, at, MAX_NAME);
    at += this.#name.byteLength;
    this.#message = new Uint16Array(buffer, at, MAX_MESSAGE);
  }

  static #bytes(): number {
    return 4 * WORDS + 8 * (3 * MAX_ARRAYS + MAX_NUMBERS) + 2 * (MAX_NAME + MAX_MESSAGE);
  }

  /**
   * Writes what the next job is. Only while no job is open and ACTIVE is 0.
   *
   * @throws Error when the job does not fit.
   */
  describe(name: string, arrays: readonly FloatArray[], numbers: readonly number[]): void {
    if (name.length > MAX_NAME || arrays.length > MAX_ARRAYS || numbers.length > MAX_NUMBERS) {
      throw new Error(
        `internal: worker pool: a job has at most ${MAX_NAME} letters, ${MAX_ARRAYS} arrays and ${MAX_NUMBERS} numbers. ` +
          `Received "${name}" with ${arrays.length} arrays and ${numbers.length} numbers.`,
      );
    }
    this.words[NAME_LENGTH] = writeText(this.#name, name);
    this.words[ARRAY_COUNT] = arrays.length;
    this.words[NUMBER_COUNT] = numbers.length;
    let at = 0;
    for (const array of arrays) {
      this.#arrays[at++] = array instanceof Float64Array ? 1 : 0;
      this.#arrays[at++] = array.byteOffset;
      this.#arrays[at++] = array.length;
    }
    this.#numbers.set(numbers);
  }

  /** What {@link describe} wrote. Only while counted into ACTIVE. */
  description(): Description {
    const arrays = Array.from({ length: this.words[ARRAY_COUNT] }, (_, i) => ({
      wide: this.#arrays[3 * i] === 1,
      byteOffset: this.#arrays[3 * i + 1],
      length: this.#arrays[3 * i + 2],
    }));
    return {
      name: readText(this.#name, this.words[NAME_LENGTH]),
      arrays,
      numbers: Array.from(this.#numbers.subarray(0, this.words[NUMBER_COUNT])),
    };
  }

  /** Leaves `message` for the caller, unless another worker has left one already. */
  fail(message: string): void {
    if (Atomics.compareExchange(this.words, FAILED, 0, 2) !== 0) return; // 2: the message is being written
    this.words[MESSAGE_LENGTH] = writeText(this.#message, message.slice(0, MAX_MESSAGE));
    Atomics.store(this.words, FAILED, 1);
  }

  /** Takes the message that a worker has left, if any. */
  takeFailure(): string | undefined {
    if (Atomics.load(this.words, FAILED) !== 1) return undefined;
    const message = readText(this.#message, this.words[MESSAGE_LENGTH]);
    Atomics.store(this.words, FAILED, 0);
    return message;
  }

  /** Claims tiles and computes them until none is left. */
  claimTiles(compute: (tile: number) => void): void {
    const tiles = this.words[TILES];
    for (let tile = this.#claim(); tile < tiles; tile = this.#claim()) compute(tile);
  }

  #claim(): number {
    return Atomics.add(this.words, NEXT, 1);
  }

  /** Lets nobody claim another tile of the job that is open. */
  cancelTiles(): void {
    Atomics.store(this.words, NEXT, this.words[TILES]);
  }

  /** Returns the value of `word` as soon as it is not `value`; after `timeout` milliseconds asleep, whatever it is. */
  waitWhile(word: number, value: number, timeout: number = Number.POSITIVE_INFINITY): number {
    for (let spin = 0; spin < SPINS; spin++) {
      const now = Atomics.load(this.words, word);
      if (now !== value) return now;
    }
    Atomics.add(this.words, SLEEPERS, 1);
    Atomics.wait(this.words, word, value, timeout); // not where the word has changed by now
    Atomics.sub(this.words, SLEEPERS, 1);
    return Atomics.load(this.words, word);
  }

  /** Adds `amount` to `word` and wakes whoever waits for it to change. */
  addAndNotify(word: number, amount: number): void {
    Atomics.add(this.words, word, amount);
    if (Atomics.load(this.words, SLEEPERS) > 0) Atomics.notify(this.words, word);
  }
}

function writeText(target: Uint16Array, text: string): number {
  for (let i = 0; i < text.length; i++) target[i] = text.charCodeAt(i);
  return text.length;
}

function readText(source: Uint16Array, length: number): string {
  return String.fromCharCode(...source.subarray(0, length));
}
