/**
 * The control block: the few words of shared memory through which the calling thread and its workers agree.
 *
 *     GENERATION  odd while jobs are open, even between them; opening and closing each add 1
 *     ACTIVE      workers that may be reading the description of the jobs, or computing tiles
 *     NEXT        the next tile to claim
 *     TILES       tiles of all jobs that are open
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
const TILES = 3 * APART;
export const FAILED: number = 4 * APART;
export const CLOSED: number = 5 * APART;
const SLEEPERS = 6 * APART;
const MESSAGE_LENGTH = 7 * APART;
const JOB_COUNT = 7 * APART + 1;
/** For each job: letters of its name, arrays, numbers and tiles. */
const COUNTS = 7 * APART + 2;
const COUNTS_PER_JOB = 4;
const WORDS = 8 * APART;

const MAX_JOBS = 3;
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

/** A job, with arrays as the calling thread sees them or as the control block tells where they lie. */
export interface Description<A> {
  readonly name: string;
  readonly arrays: readonly A[];
  readonly numbers: readonly number[];
  readonly tiles: number;
}

/** Typed access to a control block. */
export class Control {
  readonly buffer: SharedArrayBuffer;
  readonly words: Int32Array;
  readonly #names: Uint16Array;
  readonly #message: Uint16Array;
  /** [wide, byteOffset, length] of every array */
  readonly #arrays: Float64Array;
  readonly #numbers: Float64Array;

  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(Control.#bytes())) {
    this.buffer = buffer;
    this.words = new Int32Array(buffer, 0, WORDS);
    let at = this.words.byteLength;
    this.#arrays = new Float64Array(buffer, at, MAX_JOBS * 3 * MAX_ARRAYS);
    at += this.#arrays.byteLength;
    this.#numbers = new Float64Array(buffer, at, MAX_JOBS * MAX_NUMBERS);
    at += this.#numbers.byteLength;
    this.#names = new Uint16Array(buffer, at, MAX_JOBS * MAX_NAME);
    at += this.#names.byteLength;
    this.#message = new Uint16Array(buffer, at, MAX_MESSAGE);
  }

  static #bytes(): number {
    return 4 * WORDS + MAX_JOBS * (8 * (3 * MAX_ARRAYS + MAX_NUMBERS) + 2 * MAX_NAME) + 2 * MAX_MESSAGE;
  }

  /**
   * Writes what the next jobs are. Only while none is open and ACTIVE is 0.
   *
   * @throws Error when a job does not fit.
   */
  describe(jobs: readonly Description<FloatArray>[]): void {
    if (jobs.length > MAX_JOBS) {
      throw new Error(`internal: worker pool: at most ${MAX_JOBS} jobs run together. Received ${jobs.length}.`);
    }
    this.words[JOB_COUNT] = jobs.length;
    let allTiles = 0;
    for (let job = 0; job < jobs.length; job++) {
      const { name, arrays, numbers, tiles } = jobs[job];
      if (name.length > MAX_NAME || arrays.length > MAX_ARRAYS || numbers.length > MAX_NUMBERS) {
        throw new Error(
          `internal: worker pool: a job has at most ${MAX_NAME} letters, ${MAX_ARRAYS} arrays and ${MAX_NUMBERS} numbers. ` +
            `Received "${name}" with ${arrays.length} arrays and ${numbers.length} numbers.`,
        );
      }
      writeText(this.#names, job * MAX_NAME, name);
      let at = job * 3 * MAX_ARRAYS;
      for (const array of arrays) {
        this.#arrays[at++] = array instanceof Float64Array ? 1 : 0;
        this.#arrays[at++] = array.byteOffset;
        this.#arrays[at++] = array.length;
      }
      for (let i = 0; i < numbers.length; i++) this.#numbers[job * MAX_NUMBERS + i] = numbers[i];
      const counts = COUNTS + job * COUNTS_PER_JOB;
      this.words[counts] = name.length;
      this.words[counts + 1] = arrays.length;
      this.words[counts + 2] = numbers.length;
      this.words[counts + 3] = tiles;
      allTiles += tiles;
    }
    this.words[TILES] = allTiles;
  }

  /** What {@link describe} wrote. Only while counted into ACTIVE. */
  description(): Description<ArrayPlace>[] {
    return Array.from({ length: this.words[JOB_COUNT] }, (_, job) => {
      const counts = COUNTS + job * COUNTS_PER_JOB;
      const places = job * 3 * MAX_ARRAYS;
      const numbers = job * MAX_NUMBERS;
      return {
        name: readText(this.#names, job * MAX_NAME, this.words[counts]),
        arrays: Array.from({ length: this.words[counts + 1] }, (_unused, i) => ({
          wide: this.#arrays[places + 3 * i] === 1,
          byteOffset: this.#arrays[places + 3 * i + 1],
          length: this.#arrays[places + 3 * i + 2],
        })),
        numbers: Array.from(this.#numbers.subarray(numbers, numbers + this.words[counts + 2])),
        tiles: this.words[counts + 3],
      };
    });
  }

  /** Leaves `message` for the caller, unless another worker has left one already. */
  fail(message: string): void {
    if (Atomics.compareExchange(this.words, FAILED, 0, 2) !== 0) return; // 2: the message is being written
    this.words[MESSAGE_LENGTH] = writeText(this.#message, 0, message.slice(0, MAX_MESSAGE));
    Atomics.store(this.words, FAILED, 1);
  }

  /** Takes the message that a worker has left, if any. */
  takeFailure(): string | undefined {
    if (Atomics.load(this.words, FAILED) !== 1) return undefined;
    const message = readText(this.#message, 0, this.words[MESSAGE_LENGTH]);
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

  /** Lets nobody claim another tile of the jobs that are open. */
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

function writeText(target: Uint16Array, at: number, text: string): number {
  for (let i = 0; i < text.length; i++) target[at + i] = text.charCodeAt(i);
  return text.length;
}

function readText(source: Uint16Array, at: number, length: number): string {
  return String.fromCharCode(...source.subarray(at, at + length));
}
