// Runs inside the sandbox as `node --test --test-reporter=THIS`: writes what jest and vitest write with `--json`.
// node's own reporters name neither a test's file nor what was printed when a file could not be loaded.
export default async function* report(source) {
  const files = new Map();
  const open = new Map();
  const of = (file) => {
    if (!files.has(file)) files.set(file, { name: file, status: "passed", message: "", assertionResults: [], printed: "" });
    return files.get(file);
  };
  for await (const { type, data } of source) {
    if (!data || typeof data.file !== "string") continue;
    if (type === "test:stderr") {
      const entry = of(data.file);
      if (entry.printed.length < 20000) entry.printed += data.message;
    } else if (type === "test:start") {
      const titles = (open.get(data.file) ?? []).slice(0, data.nesting);
      titles.push(data.name);
      open.set(data.file, titles);
    } else if (type === "test:pass" || type === "test:fail") {
      add(of(data.file), (open.get(data.file) ?? []).slice(0, data.nesting), type === "test:fail", data);
    }
  }
  yield JSON.stringify({ testResults: [...files.values()].map(settled) });
}

function add(entry, titles, failed, data) {
  const error = data.details?.error;
  const whole = data.nesting === 0 && (data.name === entry.name || entry.name.endsWith(`/${data.name}`));
  if (whole) {
    if (failed) [entry.status, entry.message] = ["failed", describe(error)];
  } else if (data.details?.type !== "suite") {
    const skipped = data.skip !== undefined || data.todo !== undefined;
    entry.assertionResults.push({
      ancestorTitles: titles,
      title: data.name,
      status: skipped ? "pending" : failed ? "failed" : "passed",
      failureMessages: failed ? [describe(error)] : [],
    });
  } else if (failed && error?.failureType !== "subtestsFailed") {
    [entry.status, entry.message] = ["failed", describe(error)];
  }
}

function describe(error) {
  const cause = error?.cause ?? error;
  return String(cause?.stack ?? cause?.message ?? cause ?? "failed");
}

function settled({ printed, ...entry }) {
  // A file that did not load says only "test failed"; why stands in what it printed.
  if (entry.status === "failed" && entry.assertionResults.length === 0 && printed) entry.message = printed;
  return entry;
}
