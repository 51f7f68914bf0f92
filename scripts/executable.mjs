// Makes the compiled command executable. npm does so when it links the package, once; a build makes a new file.
import { chmodSync } from "node:fs";

chmodSync(new URL("../build/src/cli/main.js", import.meta.url), 0o755);
