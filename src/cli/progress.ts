/**
 * Progress of long work: a bar on a terminal, plain lines elsewhere, both on stderr.
 *
 * @module
 */

/** One piece of long work. */
export interface Progress {
  /** Reports that `done` of `total` parts are done. */
  readonly update: (done: number, total: number) => void;
  /** Clears the bar. */
  readonly end: () => void;
}

const WIDTH = 30;
/** Work shorter than this prints nothing. */
const QUIET_MS = 1000;
/** Lines on something that is no terminal come no closer than this. */
const LINE_MS = 10_000;

/** Where progress is reported. */
export interface ProgressStream {
  /** Whether it is a terminal. */
  readonly isTTY?: boolean;
  /** Shows `text`. */
  readonly write: (text: string) => unknown;
}

/**
 * Begins to report `task`.
 *
 * @param stream - Where to. @defaultValue stderr
 * @param clock - The time in milliseconds. @defaultValue performance.now
 */
export function startProgress(
  task: string,
  stream: ProgressStream = { isTTY: process.stderr.isTTY, write: (text) => process.stderr.write(text) },
  clock: () => number = () => performance.now(),
): Progress {
  const start = clock();
  let lastLine = start;
  let drawn = false;
  return {
    update(done, total) {
      const now = clock();
      if (now - start < QUIET_MS) return;
      const seconds = (now - start) / 1000;
      const left = done === 0 ? "" : `, ${((seconds / done) * (total - done)).toFixed(0)} s left`;
      if (stream.isTTY === true) {
        const filled = Math.round((WIDTH * done) / Math.max(total, 1));
        stream.write(`\r${task} [${"#".repeat(filled)}${".".repeat(WIDTH - filled)}] ${done}/${total}${left}\u001b[K`);
        drawn = true;
      } else if (now - lastLine >= LINE_MS) {
        stream.write(`${task} ${done}/${total}, ${seconds.toFixed(0)} s${left}\n`);
        lastLine = now;
      }
    },
    end() {
      if (drawn) stream.write("\r\u001b[K");
    },
  };
}
