/**
 * The control block: the few words of shared memory through which the calling thread and its workers agree.
 *
 *     GENERATION  odd while jobs are open, even between them; opening and closing each add 1
 *     ACTIVE      workers that may be reading the description of the jobs, or computing tiles
 *     CLAIMED     for each thread: how many tiles of its share have been claimed
 *     FAILED      1 when some worker has left a message
 *     CLOSED      1 when the pool has been closed
 *     SLEEPERS    threads that are about to sleep, sleep, or have just been woken
 *
 * A worker that arrives late must not touch a job that is over. So it first counts itself into ACTIVE, and only then
 * looks whether the generation is still the one that it was woken for; the caller first closes the generation, and only
 * then waits until ACTIVE is 0. Atomic operations have one order that all threads see: either the worker sees the closed
 * generation, or the caller sees the worker. The description is rewritten only when ACTIVE has been 0.
 *
 * Every thread has a share of every job, as many tiles in a row as any other, and claims them first; then it helps the
 * threads behind it. Tiles beside each other mostly are rows beside each other: so a thread finds in its own cache what it
 * has written in the job before. And where there are many threads, they do not all wait for one word. Jobs with fewer tiles
 * than there are threads are dealt out one after the other.
 *
 *     tiles of a job      0  1  2  3  4  5  6  7  8  9  10 11        thread 1 claims 4, 5, 6, 7, then what is left of
 *     shares              ---- 0 ----  ---- 1 ----  ---- 2 ----      thread 2's share, then of thread 0's
 *
 *     jobs of 1, 2, 1, 1  0 | 0  1 | 0 | 0
 *     shares              0 | 1  2 | 0 | 1
 *
 * Waking costs a microsecond even where nobody sleeps, so it is only done where somebody may: who is about to sleep counts
 * itself into SLEEPERS before it looks at the word for the last time, and who changes a word looks at SLEEPERS after that.
 *
 * @module
 */
import type { FloatArray } from "../tensor/dtype.js";
import { compact } from "./integers.js";
import { shareStart } from "./shares.js";

/** Words are 64 bytes apart, so that claiming tiles does not disturb those who spin on another word. */
const APART = 16;
export const GENERATION = 0;
export const ACTIVE: number = APART;
export const FAILED: number = 2 * APART;
export const CLOSED: number = 3 * APART;
const SLEEPERS = 4 * APART;
const MESSAGE_LENGTH = 5 * APART;
const JOB_COUNT = 5 * APART + 1;
/** For each job: letters of its name, arrays, numbers and tiles. */
const COUNTS = 5 * APART + 2;
const COUNTS_PER_JOB = 4;

/** The most jobs that run together. */
export const MAX_JOBS = 64;

/** More than any share has tiles, and far from where a word begins anew. */
const NONE_LEFT = 2 ** 30;

/** The first of as many words as there are threads. */
const CLAIMED = Math.ceil((COUNTS + MAX_JOBS * COUNTS_PER_JOB) / APART) * APART;

const MAX_NAME = 64;
const MAX_MESSAGE = 1024;
/** The most arrays of a job. */
export const MAX_ARRAYS = 12;
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
  readonly #threads: number;
  readonly #names: Uint16Array;
  readonly #message: Uint16Array;
  /** [wide, byteOffset, length] of every array */
  readonly #arrays: Float64Array;
  readonly #numbers: Float64Array;

  /** The control block of so many threads: a new one, or the one in `buffer`. */
  constructor(threads: number, buffer: SharedArrayBuffer = new SharedArrayBuffer(Control.#bytes(threads))) {
    this.#threads = threads;
    this.buffer = buffer;
    this.words = new Int32Array(buffer, 0, CLAIMED + threads * APART);
    let at = this.words.byteLength;
    this.#arrays = new Float64Array(buffer, at, MAX_JOBS * 3 * MAX_ARRAYS);
    at += this.#arrays.byteLength;
    this.#numbers = new Float64Array(buffer, at, MAX_JOBS * MAX_NUMBERS);
    at += this.#numbers.byteLength;
    this.#names = new Uint16Array(buffer, at, MAX_JOBS * MAX_NAME);
    at += this.#names.byteLength;
    this.#message = new Uint16Array(buffer, at, MAX_MESSAGE);
  }

  static #bytes(threads: number): number {
    const words = CLAIMED + threads * APART;
    return 4 * words + MAX_JOBS * (8 * (3 * MAX_ARRAYS + MAX_NUMBERS) + 2 * MAX_NAME) + 2 * MAX_MESSAGE;
  }

  /**
   * Writes what the next jobs are, of which no tile has been claimed. Only while none is open and ACTIVE is 0.
   *
   * @throws Error when a job does not fit.
   */
  describe(jobs: readonly Description<FloatArray>[]): void {
    if (jobs.length > MAX_JOBS) {
      throw new Error(`internal: worker pool: at most ${MAX_JOBS} jobs run together. Received ${jobs.length}.`);
    }
    this.words[JOB_COUNT] = jobs.length;
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
    }
    for (let share = 0; share < this.#threads; share++) this.words[CLAIMED + share * APART] = 0;
  }

  /** How many jobs {@link describe} wrote. This and what follows only while counted into ACTIVE. */
  get jobCount(): number {
    return this.words[JOB_COUNT];
  }

  /** The tiles of a job. */
  tilesOf(job: number): number {
    return this.words[COUNTS + job * COUNTS_PER_JOB + 3];
  }

  /** A job as {@link describe} wrote it. */
  description(job: number): Description<ArrayPlace> {
    const counts = COUNTS + job * COUNTS_PER_JOB;
    const arrays: ArrayPlace[] = [];
    for (let i = 0, at = job * 3 * MAX_ARRAYS; i < this.words[counts + 1]; i++, at += 3) {
      const wide = this.#arrays[at] === 1;
      arrays.push({ wide, byteOffset: this.#arrays[at + 1], length: this.#arrays[at + 2] });
    }
    const numbers: number[] = [];
    for (let i = 0; i < this.words[counts + 2]; i++) numbers.push(compact(this.#numbers[job * MAX_NUMBERS + i]));
    return {
      name: readText(this.#names, job * MAX_NAME, this.words[counts]),
      arrays,
      numbers,
      tiles: this.tilesOf(job),
    };
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

  /**
   * Computes tiles until none is left to claim, those of the share of `thread` first. The tiles of all jobs are numbered one job
   * after the other.
   */
  claimTiles(thread: number, compute: (tile: number) => void): void {
    for (let i = 0; i < this.#threads; i++) this.#claimShare((thread + i) % this.#threads, compute);
  }

  /** Computes what is left of a share, job by job. */
  #claimShare(share: number, compute: (tile: number) => void): void {
    const threads = this.#threads;
    const jobs = this.jobCount;
    const claim = (): number => Atomics.add(this.words, CLAIMED + share * APART, 1);
    let claimed = claim();
    let before = 0; // tiles of the share in the jobs before
    let first = 0;
    let dealt = 0; // tiles of jobs that have fewer than there are threads
    for (let job = 0; job < jobs; job++) {
      const tiles = this.tilesOf(job);
      const isDealt = tiles < threads;
      const from = isDealt ? (share + threads - (dealt % threads)) % threads : shareStart(tiles, share, threads);
      const count = isDealt ? Number(from < tiles) : shareStart(tiles, share + 1, threads) - from;
      for (; claimed < before + count; claimed = claim()) compute(first + from + claimed - before);
      before += count;
      first += tiles;
      if (isDealt) dealt += tiles;
    }
  }

  /** Lets nobody claim another tile of the jobs that are open. */
  cancelTiles(): void {
    for (let share = 0; share < this.#threads; share++) {
      Atomics.store(this.words, CLAIMED + share * APART, NONE_LEFT);
    }
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
  let text = "";
  for (let i = 0; i < length; i++) text += String.fromCharCode(source[at + i]);
  return text;
}
