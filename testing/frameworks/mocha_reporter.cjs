// Runs inside the sandbox, by mocha's --require and as its --reporter: writes what jest writes with `--json`.
// mocha ends at the first file that cannot be loaded; here such a file fails, and the others run.
const { writeFileSync } = require("node:fs");
const { createRequire } = require("node:module");
const { dirname, join } = require("node:path");

const unloaded = [];
const mocha = dirname(createRequire(join(process.cwd(), "package.json")).resolve("mocha/package.json"));
for (const place of ["lib/nodejs/esm-utils.js", "lib/esm-utils.js"]) {
  try {
    const loader = require(join(mocha, place));
    const load = loader.requireOrImport;
    loader.requireOrImport = async (file, ...rest) => {
      try {
        return await load(file, ...rest);
      } catch (error) {
        unloaded.push({ file, error });
        return {};
      }
    };
    break;
  } catch {
    // another version of mocha
  }
}

module.exports = class {
  constructor(runner) {
    const files = new Map();
    const of = (file) => {
      if (!files.has(file)) files.set(file, { name: file, status: "passed", message: "", assertionResults: [] });
      return files.get(file);
    };
    const add = (test, status, error) => {
      const titles = test.titlePath();
      of(test.file ?? "unknown").assertionResults.push({
        ancestorTitles: titles.slice(0, -1),
        title: titles.at(-1),
        status,
        failureMessages: error ? [describe(error)] : [],
      });
    };
    runner.on("pass", (test) => add(test, "passed"));
    runner.on("pending", (test) => add(test, "pending"));
    runner.on("fail", (test, error) => add(test, "failed", error));
    runner.once("end", () => {
      for (const { file, error } of unloaded) Object.assign(of(file), { status: "failed", message: describe(error) });
      writeFileSync("/out/report.json", JSON.stringify({ testResults: [...files.values()] }));
    });
  }
};

function describe(error) {
  return String(error?.stack ?? error?.message ?? error ?? "failed");
}
