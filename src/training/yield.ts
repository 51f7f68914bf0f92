/**
 * A turn for the event loop, so that signals, timers and messages are served between steps.
 *
 * A timer would wait a millisecond or four; `setImmediate` in Node, and a message to oneself elsewhere, cost microseconds.
 *
 * @module
 */

/** Resolves after the event loop has served what was waiting. */
export function yieldToEvents(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === "function") {
      setImmediate(resolve);
      return;
    }
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
}
