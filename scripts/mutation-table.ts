/**
 * Writes docs/mutations.md: what the conformance kit says of every known mistake, and of honest float32 candidates.
 *
 *     npm run build && node build/scripts/mutation-table.js [cases]
 *
 * @module
 */
import { writeFileSync } from "node:fs";
import { DATA_SETS } from "../src/oracle/data-sets.js";
import { honestBackends } from "../src/oracle/mutations/honest.js";
import { MUTANTS } from "../src/oracle/mutations/mutants.js";
import { formatWatch, type Honest, type Watched, watchHonest, watchMutant } from "../src/oracle/mutations/watch.js";

const DOCUMENT = new URL("../../docs/mutations.md", import.meta.url);
const cases = Number(process.argv[2] ?? 128);

const mutants: Watched[] = [];
for (const mutant of MUTANTS) mutants.push(await watchMutant(mutant, cases));
const honest: Honest[] = [];
for (const backend of honestBackends()) honest.push(await watchHonest(backend, cases));

const text = `# Who watches the oracle?

Every known mistake is planted in the reference, one at a time, and the conformance kit is run on the result: it must find
all of them, and pass what is not wrong. This page is made by

    npm run build && node build/scripts/mutation-table.js ${process.argv.slice(2).join(" ")}`.trimEnd();

const notes = `
with ${cases} cases an operation, as float32. A test is one of those of \`src/oracle/judgement.ts\`; "failure" means that no
result came that could be judged. The data sets:

${DATA_SETS.map(({ name, description }) => `- **${name}**: ${description}`).join("\n")}

What no bound for float32 sums can see: sums in float64 whose results are cut off rather than rounded. They err by less than
a float32 sum of two terms may, so they are not in the table.

`;

writeFileSync(DOCUMENT, `${text}\n${notes}${formatWatch(mutants, honest)}`);
const wrong = mutants.filter(({ right }) => !right);
const alarms = honest.filter((candidate) => candidate.alarms.length > 0);
for (const { mutant } of wrong) {
  console.log(`${mutant.control ? "false alarm" : "missed"}: ${mutant.operation}: ${mutant.mistake}`);
}
for (const { backend } of alarms) console.log(`false alarm: ${backend}`);
console.log(`${mutants.length - wrong.length} of ${mutants.length} mutants as they should be`);
process.exitCode = wrong.length + alarms.length > 0 ? 1 : 0;
