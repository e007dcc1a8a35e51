// Runs inside the sandbox: runs a project's test script, and reports its exit code as the outcome of each file with
// tests, as jest writes it with `--json`. A script that could not be run at all (126, 127) gives no report.
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";

const KEPT = 8000;
const [report, script, ...files] = process.argv.slice(2);
const child = spawn("sh", ["-c", script], {
  stdio: ["ignore", "pipe", "pipe"],
  env: { ...process.env, PATH: `${process.cwd()}/node_modules/.bin:${process.env.PATH}` },
});
let printed = "";
for (const [stream, ours] of [[child.stdout, process.stdout], [child.stderr, process.stderr]]) {
  stream.on("data", (data) => {
    ours.write(data);
    printed = (printed + data).slice(-KEPT);
  });
}
child.on("close", (code, signal) => {
  const exit = code ?? 128;
  const failed = exit !== 0;
  const message = `the test script ended with ${signal ?? `exit code ${exit}`}\n${printed}`;
  if (exit !== 126 && exit !== 127) {
    const testResults = files.map((name) => ({
      name,
      status: failed ? "failed" : "passed",
      message: "",
      assertionResults: [
        { title: "npm test", ancestorTitles: [], status: failed ? "failed" : "passed", failureMessages: failed ? [message] : [] },
      ],
    }));
    writeFileSync(report, JSON.stringify({ testResults }));
  }
  process.exitCode = exit;
});
