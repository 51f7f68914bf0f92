/**
 * Starting a worker where Node or a browser runs us.
 *
 * @module
 */

import type { WorkerContext } from "./job.js";

/** What a worker of the pool is sent first: everything that it needs to take part. */
export interface WorkerSetup extends WorkerContext {
  /** Threads of the pool, the calling one included. */
  readonly threads: number;
  readonly control: SharedArrayBuffer;
  /** The module whose exports are a `JobModule`. */
  readonly jobsUrl: string;
}

/** A worker that runs. */
export interface StartedWorker {
  terminate(): void;
}

/**
 * Starts the module at `url` as a worker that does not keep the process alive, and sends it `setup`. `onError` hears,
 * later, why a worker could not be loaded or broke down. Returns nothing where there are no workers.
 */
export function startWorker<Setup>(
  url: URL,
  setup: Setup,
  onError: (message: string) => void,
): StartedWorker | undefined {
  const threads = globalThis.process?.getBuiltinModule?.("node:worker_threads");
  if (threads !== undefined) {
    // without the flags of the caller: some, like --input-type, do not let a worker load a file
    const worker = new threads.Worker(url, { execArgv: [] });
    worker.on("error", (error) => onError(error instanceof Error ? error.message : String(error)));
    worker.postMessage(setup);
    worker.unref();
    return { terminate: () => void worker.terminate() };
  }
  if (typeof globalThis.Worker !== "function") return undefined;
  const worker = new globalThis.Worker(url, { type: "module" });
  worker.addEventListener("error", (event) => onError(event.message));
  worker.postMessage(setup);
  return { terminate: () => worker.terminate() };
}

/** In the worker: calls `start` with the setup that {@link startWorker} was given; both must name the same type. */
export function onSetup<Setup>(start: (setup: Setup) => void): void {
  const port = globalThis.process?.getBuiltinModule?.("node:worker_threads").parentPort;
  if (port) port.once("message", start);
  else globalThis.addEventListener("message", (event: MessageEvent<Setup>) => start(event.data), { once: true });
}
