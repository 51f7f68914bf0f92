#!/usr/bin/env node
/**
 * The command line: `touchstone <command>`. One file per command, `program.ts` puts them together; this one is about the
 * process. Of the library nothing is loaded before it is known what is asked for, and in which process: that is most of what
 * a short command takes.
 *
 * @module
 */
import { errorCode } from "../formats/file-reason.js";
import { EXIT, fileError } from "./errors.js";
import { endWith, runCommand } from "./program.js";
import { startWithWideVectors } from "./wide-vectors.js";

startWithWideVectors();

// `touchstone ... | head`: the reader has left, which is no error, and there is nobody to tell
process.stdout.on("error", (error) => {
  process.exit(
    errorCode(error) === "EPIPE" ? EXIT.brokenPipe : endWith(fileError("written", "standard output", error)),
  );
});
process.stderr.on("error", () => process.exit(EXIT.brokenPipe));

process.exitCode = await runCommand();
