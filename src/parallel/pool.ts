/**
 * The worker pool.
 *
 * @module
 */

/** Threads that share the tiles of a job. */
export class WorkerPool {
  /** Threads that compute, the calling one included. */
  readonly threads: number;

  constructor(threads: number) {
    this.threads = threads;
  }

  /** Ends the worker threads. */
  close(): void {}
}
