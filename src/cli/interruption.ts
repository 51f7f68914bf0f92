/**
 * Ctrl-C in long work: the first lets it end in good order, the second ends the process at once.
 *
 * @module
 */

/** Signals that ask a process to end, with the exit codes that shells know them by. */
const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const;

/** Listens for signals until it is ended. */
export class Interruption {
  readonly #controller = new AbortController();
  readonly #told: () => void;
  #exitCode: number | undefined;

  /** @param told - Called at once when the first signal comes. */
  constructor(told: () => void) {
    this.#told = told;
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, this.#receive);
  }

  /** Is aborted by the first signal. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The exit code that tells of the signal; undefined when none came. */
  get exitCode(): number | undefined {
    return this.#exitCode;
  }

  /** Leaves signals to do what they usually do. */
  end(): void {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.off(signal, this.#receive);
  }

  readonly #receive = (signal: NodeJS.Signals): void => {
    // without a listener the next one ends the process, even in the middle of a step
    this.end();
    this.#exitCode = signal === "SIGTERM" ? EXIT_CODES.SIGTERM : EXIT_CODES.SIGINT;
    this.#told();
    this.#controller.abort();
  };
}
