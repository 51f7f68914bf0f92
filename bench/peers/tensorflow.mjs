/**
 * TensorFlow on the CPU, as Keras's layers call it.
 *
 * @module
 */
import { openPython } from "./python-peer.mjs";

/** Opens the peer. TensorFlow's thread pools run with denormal numbers flushed to zero (`ScopedFlushDenormal`), on purpose. */
export async function open() {
  return { ...(await openPython("tensorflow", "tensorflow_peer.py")), flushes: true };
}
