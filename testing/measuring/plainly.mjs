// Stands at the head of a plain program that is made of a JavaScript test file (see `controls/plain_javascript.py`).
// It gives what tests ask of their frameworks, runs them, and tells the values that their assertions are about.
const __given = (({ writeSync, unlinkSync }, { createHook }, file, word) => {
  const { stringify } = JSON, { isArray } = Array, { getPrototypeOf, keys } = Object;
  const [text, plainObject, now, exit, on] = [String, Object.prototype, Date.now, process.reallyExit, process.on];
  const PromiseOf = Promise, resolve = Promise.resolve.bind(Promise), wait = setTimeout;
  unlinkSync(file);
  const home = file.slice(0, file.lastIndexOf("/") + 1);
  let [suite, again, first, found, values] = [[], 0, [], [], []];
  const tests = [];

  const converted = [String, Number, Boolean, Date, URL].map((kind) => kind.prototype); // a loose comparison converts them
  const written = (value, depth = 0) => {
    if (value === null) return ["null", ""];
    const kind = typeof value;
    if (kind === "undefined") return ["undefined", ""];
    if (kind === "boolean" || kind === "number" || kind === "string") return [kind, text(value)];
    if (kind === "bigint") return ["object", "of the language"];
    if (kind !== "object" || depth > 20) return ["object", kind];
    const parts = [];
    if (isArray(value)) {
      for (let n = 0; n < value.length; n++) parts[n] = written(value[n], depth + 1);
      return ["array", parts];
    }
    const shape = getPrototypeOf(value);
    if (converted.includes(shape)) return ["object", "of the language"];
    if (shape !== plainObject && shape !== null) return ["object", text(shape.constructor?.name)];
    for (const key of keys(value)) parts[parts.length] = [key, written(value[key], depth + 1)];
    return ["dict", parts];
  };
  const put = (one) => writeSync(1, `\n${word} ${stringify(one)}\n`);
  const tell = (one) => {
    found.push(one);
    if (!again) put(one);
  };
  const told = (claim, value) => {
    if (!again) values.push(value);
    tell({ claim, value: written(value) });
  };
  // A value that is asked for twice is the same: else whoever asks later gets another one.
  const differing = (claim, one, other) => {
    if (!again && stringify(written(one)) !== stringify(written(other))) put({ twice: claim, value: written(other) });
    return one;
  };
  const read = (claim, owner, name) => differing(claim, owner[name], owner[name]);
  const awaitTwice = async (claim, value) => {
    const one = await value;
    return value instanceof PromiseOf || typeof value?.then !== "function" ? one : differing(claim, one, await value);
  };

  // What the language gives: functions that the project has put in their place are seen at the end.
  const { getOwnPropertyNames, getOwnPropertyDescriptor } = Object;
  const held = (name) => {
    const [owner, inner] = [globalThis[name], globalThis[name]?.prototype];
    return [[name, owner], [`${name}.prototype`, inner]].filter(([, one]) => one !== null && one !== undefined);
  };
  const functions = [];
  for (const global of ["JSON", "Math", "Reflect", "Object", "Array", "String", "Number", "Boolean", "Date", "RegExp", "Map", "Set", "Promise", "Symbol", "Error", "BigInt"])
    for (const [path, owner] of held(global))
      for (const name of getOwnPropertyNames(owner)) {
        const { value } = getOwnPropertyDescriptor(owner, name) ?? {};
        if (typeof value === "function") functions.push({ path: `${path}.${name}`, owner, name, value });
      }
  const replaced = () => functions.find(({ owner, name, value }) => getOwnPropertyDescriptor(owner, name)?.value !== value)?.path;
  let timers = 0;
  createHook({ init: (_, kind) => void (timers += kind === "Timeout") }).enable();
  const settled = (value) => {
    if (value instanceof PromiseOf) value.catch(() => {});
  };
  const anything = new Proxy(function () {}, {
    get: (_, name) => (name === "then" ? undefined : anything),
    apply: () => anything,
    construct: () => anything,
  });
  const called = (run) => {
    try {
      settled(typeof run === "function" ? run() : run);
    } catch {}
  };
  const awaited = async (run) => {
    try {
      await (typeof run === "function" ? run() : run);
    } catch {}
  };
  const expect = (value) => (settled(value), anything);
  for (const name of ["any", "anything", "objectContaining", "arrayContaining", "stringContaining", "extend"]) expect[name] = anything;
  const assert = new Proxy((value) => settled(value), {
    get: (_, name) =>
      ({ throws: called, doesNotThrow: called, rejects: awaited, doesNotReject: awaited, strict: assert, default: assert })[name] ??
      ((value) => settled(value)),
  });

  const declared = (...given) => {
    const run = given.find((one) => typeof one === "function");
    if (run) tests.push({ run, suites: [...suite] });
  };
  declared.each = (rows) => (_, run) => rows.forEach((row) => declared(() => run(...(isArray(row) ? row : [row]))));
  for (const name of ["skip", "todo", "fails"]) declared[name] = () => {};
  for (const name of ["only", "concurrent", "sequential"]) declared[name] = declared;
  const described = (_, ...given) => {
    const outer = suite;
    suite = [...outer, { beforeEach: [], afterEach: [], before: [], after: [] }];
    given.find((one) => typeof one === "function")?.();
    suite = outer;
  };
  for (const name of ["skip", "todo"]) described[name] = () => {};
  for (const name of ["only", "concurrent"]) described[name] = described;
  described.each = (rows) => (title, run) => rows.forEach((row) => described(title, () => run(...(isArray(row) ? row : [row]))));
  const root = { beforeEach: [], afterEach: [], before: [], after: [] };
  suite = [root];
  const hook = (name) => (run) => void suite.at(-1)[name].push(run);
  const framework = {
    test: declared, it: declared, describe: described, suite: described, context: described, expect, assert,
    before: hook("before"), beforeAll: hook("before"), after: hook("after"), afterAll: hook("after"),
    beforeEach: hook("beforeEach"), afterEach: hook("afterEach"), vi: undefined, jest: undefined,
  };
  for (const [name, value] of Object.entries(framework)) declared[name] ??= value;

  const each = async ({ run, suites }) => {
    try {
      for (const one of suites) for (const early of [...(one.ran ? [] : one.before), ...one.beforeEach]) await early();
      for (const one of suites) one.ran = true;
      const inner = [];
      const title = (...given) => resolve(inner.push(given.find((one) => typeof one === "function")));
      const context = new Proxy({}, { get: (_, name) => (name === "test" ? title : anything) });
      if (run.length < 1) await run();
      else await run(context);
      for (const one of inner) await one?.(context);
      for (const one of [...suites].reverse()) for (const late of one.afterEach) await late();
    } catch (problem) {
      const others = text(problem?.stack).split("\n").some((line) => line.includes(home) && !line.includes(file) && !line.includes("/node_modules/"));
      tell({ error: text(problem?.code ?? problem?.name ?? "error"), said: text(problem?.message ?? problem).slice(0, 200), others });
    }
  };
  const go = async () => {
    on.call(process, "unhandledRejection", () => {});
    for (const one of tests) await each(one);
    put({ ended: true });
    const changed = replaced();
    if (changed) put({ changed });
    if (timers) {
      const before = stringify(values.map((value) => written(value)));
      await new PromiseOf((done) => wait(done, 1500));
      const after = values.map((value) => written(value));
      if (stringify(after) !== before) put({ later: after });
    }
    [first, again] = [stringify(found), 1];
    for (const until = now() + 250; again < 600 && now() < until; again++) {
      found = [];
      for (const one of tests) await each(one);
      if (stringify(found) !== first) {
        put({ again, found });
        if (again < 5) break;
      }
    }
    await new PromiseOf((done) => wait(done, 0));
    exit.call(process, 0);
  };
  return { test: declared, assert, told, read, awaitTwice, go, ...framework };
})(FS, HOOKS, FILE, WORD);
