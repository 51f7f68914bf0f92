// Removes the compiled output, so that no stale file of a renamed module is ever tested or published.
import { rmSync } from "node:fs";

rmSync(new URL("../build/", import.meta.url), { recursive: true, force: true });
