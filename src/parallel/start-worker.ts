/**
 * Starting a worker where Node or a browser runs us.
 *
 * @module
 */

/** What a worker is sent first: everything that it needs to take part. */
export interface WorkerSetup {
  readonly control: SharedArrayBuffer;
  /** The memory of the shared heap. */
  readonly heap: WebAssembly.Memory | ArrayBufferLike;
  /** The module whose export `jobs` is the job table. */
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
export function startWorker(
  url: URL,
  setup: WorkerSetup,
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

/** In the worker: calls `start` with the setup that the pool has sent. */
export function onSetup(start: (setup: WorkerSetup) => void): void {
  const port = globalThis.process?.getBuiltinModule?.("node:worker_threads").parentPort;
  if (port) port.once("message", start);
  else globalThis.addEventListener("message", (event: MessageEvent<WorkerSetup>) => start(event.data), { once: true });
}
