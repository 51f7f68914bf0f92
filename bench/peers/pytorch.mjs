/**
 * PyTorch on the CPU.
 *
 * @module
 */
import { openPython } from "./python-peer.mjs";

/** Opens the peer. */
export const open = () => openPython("pytorch", "pytorch_peer.py");
