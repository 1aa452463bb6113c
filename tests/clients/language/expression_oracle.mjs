// Asks GitHub's own evaluator: JSON lines {expr, contexts} in, one line each out:
//   {"published": A, "runner": B, "rules": […]}
// A is the answer of the package as it is published; B that with the rules of runner_rules.mjs, which is left out where
// it is the same; `rules` names those that alone change the answer. An answer is {kind, value} or {error}.
import { createInterface } from "node:readline";
import { data, Parser } from "@actions/expressions";
import { applyRules, CaseSensitiveMembers, evaluate, exactly, lex, readJson, RULES } from "./runner_rules.mjs";

const CONTEXTS = ["github", "env", "vars", "job", "jobs", "steps", "runner", "secrets", "strategy", "matrix", "needs", "inputs"];
const ALL = new Set(Object.keys(RULES));
const KINDS = ["string", "array", "object", "boolean", "number", "object", "null"];

function plain(value) {
  if (value instanceof data.Array) return value.values().map(plain);
  if (value instanceof data.Dictionary) return { members: value.pairs().map((p) => [p.key, plain(p.value)]) };
  if (value instanceof data.Null) return null;
  if (value instanceof data.NumberData && !Number.isFinite(value.value)) return String(value.value);
  return value.value;
}

// success() and its like speak of job.status, else of the results of needs, as `weir expr` has it.
function functionsOver(contexts) {
  const status = contexts.job?.status;
  const results = Object.values(contexts.needs ?? {}).map((need) => need?.result ?? "success");
  const success = status ? status === "success" : results.every((result) => result === "success");
  const failure = status ? status === "failure" : results.includes("failure");
  const needed = (name) => {
    const key = Object.keys(contexts.needs ?? {}).find((n) => n.toLowerCase() === name.coerceString().toLowerCase());
    return key === undefined ? "" : contexts.needs[key]?.result ?? "";
  };
  const bool = (value) => new data.BooleanData(value);
  const list = [
    { name: "always", minArgs: 0, maxArgs: 0, call: () => bool(true) },
    { name: "cancelled", minArgs: 0, maxArgs: 0, call: () => bool(status === "cancelled") },
    { name: "success", minArgs: 0, maxArgs: 255,
      call: (...names) => bool(names.length === 0 ? success : names.every((n) => needed(n) === "success")) },
    { name: "failure", minArgs: 0, maxArgs: 255,
      call: (...names) => bool(names.length === 0 ? failure : names.some((n) => needed(n) === "failure")) },
    { name: "hashFiles", minArgs: 1, maxArgs: 255, call: () => { throw new Error("there is no workspace"); } },
  ];
  return list;
}

const known = new Map(); // contexts by their text: cases share few
function read(text) {
  if (known.has(text)) return known.get(text);
  const values = JSON.parse(text);
  const make = (caseSensitive) => {
    const given = readJson(text);
    const context = new data.Dictionary();
    for (const name of CONTEXTS) {
      const value = given.get(name) ?? new data.Null();
      context.add(name, caseSensitive && name === "env" ? exactly(value) : value);
    }
    return context;
  };
  const list = functionsOver(values);
  const made = { folded: make(false), exact: make(true), list, functions: new Map(list.map((f) => [f.name.toLowerCase(), f])) };
  known.set(text, made);
  return made;
}

function answer(expression, contexts, rules) {
  applyRules(rules);
  try {
    const tree = new Parser(lex(expression, rules), CONTEXTS, contexts.list).parse();
    if (tree === undefined) throw new Error("there is no expression");
    const context = rules.has("env-case") ? contexts.exact : contexts.folded;
    const value = evaluate(tree, context, contexts.functions, rules);
    return { kind: KINDS[value instanceof CaseSensitiveMembers ? 2 : value.kind], value: plain(value) };
  } catch (error) {
    return { error: String(error.message ?? error) };
  }
}

const same = (a, b) => JSON.stringify(a.error === undefined ? a : "error") === JSON.stringify(b.error === undefined ? b : "error");

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  // The text as it came: an object of JavaScript would change the order of its members.
  const contexts = read(request.contexts ? line.slice(line.indexOf('"contexts": ') + 12, -1) : "{}");
  const published = answer(request.expr, contexts, new Set());
  const runner = answer(request.expr, contexts, ALL);
  const out = { published };
  if (!same(published, runner)) {
    out.runner = runner;
    out.rules = [...ALL].filter((rule) => !same(published, answer(request.expr, contexts, new Set([rule]))));
  }
  process.stdout.write(JSON.stringify(out) + "\n");
}
