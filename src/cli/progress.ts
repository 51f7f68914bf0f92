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

/** Begins to report `task`. */
export function startProgress(task: string): Progress {
  const { stderr } = process;
  const start = performance.now();
  let lastLine = start;
  let drawn = false;
  return {
    update(done, total) {
      const now = performance.now();
      if (now - start < QUIET_MS) return;
      const seconds = (now - start) / 1000;
      const left = done === 0 ? "" : `, ${((seconds / done) * (total - done)).toFixed(0)} s left`;
      if (stderr.isTTY) {
        const filled = Math.round((WIDTH * done) / Math.max(total, 1));
        stderr.write(`\r${task} [${"#".repeat(filled)}${".".repeat(WIDTH - filled)}] ${done}/${total}${left}\u001b[K`);
        drawn = true;
      } else if (now - lastLine >= LINE_MS) {
        stderr.write(`${task} ${done}/${total}, ${seconds.toFixed(0)} s${left}\n`);
        lastLine = now;
      }
    },
    end() {
      if (drawn) stderr.write("\r\u001b[K");
    },
  };
}
