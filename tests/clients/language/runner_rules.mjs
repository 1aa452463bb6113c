// Where GitHub's runner, which evaluates the expressions of steps, answers otherwise than its published package, weir
// follows the runner. Each rule below is one such place and can be switched on alone, so that every difference between
// weir and the package is explained by name.
import { data, Evaluator, Lexer, wellKnownFunctions } from "@actions/expressions";
import { Binary, FunctionCall, Grouping, IndexAccess, Logical, Unary } from "@actions/expressions/ast";
import * as comparison from "@actions/expressions/result";

export const RULES = {
  "quotes": "every '' of a string is one quote; the package replaces the first alone",
  "number-text": "a number becomes text with 15 significant digits as in .NET (1E+16); the package has 15 decimals",
  "numbers": "0b1 and 0X1 are no numbers, and hexadecimal and octal ones have 32 bits: 0xffffffff is -1",
  "letters": "case is folded letter by letter; the package turns ß into SS",
  "format": "{0:x} and {0x} are errors in a format; the package reads them as {0}",
  "lazy": "an argument that is not needed is not evaluated, so it cannot fail",
  "json-order": "members stay in the order of the text; the package puts names that are numbers first",
  "json-case": "of members that differ in case only the last value counts; the package keeps the first",
  "trailing-comma": "a comma before the closing parenthesis is an error",
  "depth": "50 levels of the expression's tree; the package counts other levels",
  "env-case": "members of env are told apart by case",
};

// ---- text of numbers: .NET's G15

export function g15(value) {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "Infinity" : "-Infinity";
  if (value === 0) return "0";
  const [mantissa, exponentText] = Math.abs(value).toExponential(14).split("e");
  const exponent = Number(exponentText);
  const digits = mantissa.replace(".", "").replace(/0+$/, "");
  const sign = value < 0 ? "-" : "";
  if (exponent > -5 && exponent < 15) {
    if (exponent < 0) return sign + "0." + "0".repeat(-exponent - 1) + digits;
    if (digits.length <= exponent + 1) return sign + digits + "0".repeat(exponent + 1 - digits.length);
    return sign + digits.slice(0, exponent + 1) + "." + digits.slice(exponent + 1);
  }
  const power = String(Math.abs(exponent)).padStart(2, "0");
  return `${sign}${digits[0]}${digits.length > 1 ? "." + digits.slice(1) : ""}E${exponent < 0 ? "-" : "+"}${power}`;
}

// ---- numbers in text

const published = data.StringData.prototype.number;
let rulesNow = new Set();
data.StringData.prototype.number = function () {
  const text = this.value.trim();
  if (!rulesNow.has("numbers") || !/^0[xXoObB]/.test(text)) return published.call(this);
  const digits = text.slice(2).replace(/^0+(?=.)/, "");
  const hexadecimal = text[1] === "x" && /^[0-9a-fA-F]{1,8}$/.test(digits);
  const octal = text[1] === "o" && /^[0-7]{1,11}$/.test(digits);
  if (!hexadecimal && !octal) return NaN;
  const value = parseInt(digits, hexadecimal ? 16 : 8);
  return value > 0xffffffff ? NaN : value | 0;
};

// Which rules hold for what is lexed and evaluated next.
export function applyRules(rules) {
  rulesNow = rules;
}

// ---- letters

export function foldLetters(text) {
  let out = "";
  for (const letter of text) {
    if (letter === "ı" || letter === "ſ") {
      out += letter;
      continue;
    }
    const upper = letter.toUpperCase();
    out += [...upper].length === 1 ? upper : letter;
  }
  return out;
}

// ---- JSON as the runner reads it: members in order, names without regard to case

class Members extends data.Dictionary {
  constructor(merge) {
    super();
    this.merge = merge; // a later value takes the place of one whose name differs in case
    this.indexMap = Object.create(null);
    this.all = [];
  }
  add(key, value) {
    this.all.push([key, value]);
    const at = this.indexMap[key.toLowerCase()];
    if (at === undefined) super.add(key, value);
    else if (this.merge) this.v[at] = value;
  }
}

export class CaseSensitiveMembers extends data.Dictionary {
  constructor() {
    super();
    this.byName = new Map();
  }
  add(key, value) {
    this.byName.set(key, value);
    this.keys.push(key);
    this.v.push(value);
  }
  get(key) {
    return this.byName.get(key);
  }
  pairs() {
    return this.keys.map((key) => ({ key, value: this.byName.get(key) }));
  }
}

// The same members, told apart by case.
export function exactly(members) {
  if (!(members instanceof data.Dictionary)) return members;
  const out = new CaseSensitiveMembers();
  members.all.forEach(([key, value]) => out.add(key, value));
  return out;
}

// What JSON.parse takes, but with members in order.
export function readJson(text, { merge = true } = {}) {
  JSON.parse(text); // its errors are ours
  let at = 0;
  const skip = () => {
    while (at < text.length && " \t\r\n".includes(text[at])) ++at;
  };
  const string = () => {
    const start = at++;
    while (text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
    ++at;
    return JSON.parse(text.slice(start, at));
  };
  const value = () => {
    skip();
    if (text[at] === '"') return new data.StringData(string());
    if (text[at] === "[") {
      const items = [];
      ++at;
      skip();
      while (text[at] !== "]") {
        items.push(value());
        skip();
        if (text[at] === ",") ++at;
        skip();
      }
      ++at;
      return new data.Array(...items);
    }
    if (text[at] === "{") {
      const exact = new Map(); // the last of equal names counts, in the place of the first
      ++at;
      skip();
      while (text[at] !== "}") {
        const key = string();
        skip();
        ++at; // ":"
        exact.set(key, value());
        skip();
        if (text[at] === ",") ++at;
        skip();
      }
      ++at;
      const members = new Members(merge);
      for (const [key, member] of exact) members.add(key, member);
      return members;
    }
    const start = at;
    while (at < text.length && !",]} \t\r\n".includes(text[at])) ++at;
    const word = text.slice(start, at);
    if (word === "null") return new data.Null();
    if (word === "true" || word === "false") return new data.BooleanData(word === "true");
    return new data.NumberData(Number(word));
  };
  return value();
}

// ---- toJSON over our own members, which JSON.stringify would sort

function writeJson(value, rules, indent = "") {
  const inner = indent + "  ";
  if (value instanceof data.Array) {
    const items = value.values().map((item) => inner + writeJson(item, rules, inner));
    return items.length === 0 ? "[]" : `[\n${items.join(",\n")}\n${indent}]`;
  }
  if (value instanceof data.Dictionary) {
    const members = value.pairs().map((p) => `${inner}${JSON.stringify(p.key)}: ${writeJson(p.value, rules, inner)}`);
    return members.length === 0 ? "{}" : `{\n${members.join(",\n")}\n${indent}}`;
  }
  if (value instanceof data.Null) return "null";
  if (value instanceof data.BooleanData) return value.coerceString();
  if (value instanceof data.StringData) return JSON.stringify(value.value);
  if (rules.has("number-text")) return g15(value.value);
  return JSON.stringify(value.value);
}

// ---- comparison and functions

function textOf(value, rules) {
  if (value instanceof data.NumberData && rules.has("number-text")) return g15(value.value);
  return value.coerceString();
}

function less(left, right, rules) {
  const [a, b] = comparison.coerceTypes(left, right);
  if (a.kind === data.Kind.String && b.kind === data.Kind.String && rules.has("letters")) {
    return foldLetters(a.value) < foldLetters(b.value);
  }
  return comparison.lessThan(left, right);
}

function equal(left, right, rules) {
  if (left.kind === data.Kind.String && right.kind === data.Kind.String && rules.has("letters")) {
    return foldLetters(left.value) === foldLetters(right.value);
  }
  return comparison.equals(left, right);
}

function formatted(pattern, argument, count, rules) {
  const fail = () => {
    throw new Error(`the format is not valid: ${pattern}`);
  };
  let out = "";
  for (let i = 0; i < pattern.length; ++i) {
    const c = pattern[i];
    if (c !== "{" && c !== "}") {
      out += c;
      continue;
    }
    if (pattern[i + 1] === c) {
      out += c;
      ++i;
      continue;
    }
    const found = c === "{" ? /^(\d+)([^}]*)\}/.exec(pattern.slice(i + 1)) : null;
    if (!found || (found[2] !== "" && rules.has("format"))) fail();
    if (Number(found[1]) >= count) fail();
    out += textOf(argument(Number(found[1])), rules);
    i += found[0].length;
  }
  return out;
}

class Rules extends Evaluator {
  constructor(tree, context, functions, rules) {
    super(tree, context, functions);
    this.rules = rules;
  }

  visitBinary(binary) {
    const left = this.eval(binary.left);
    const right = this.eval(binary.right);
    const is = {
      "==": () => equal(left, right, this.rules),
      "!=": () => !equal(left, right, this.rules),
      "<": () => less(left, right, this.rules),
      "<=": () => equal(left, right, this.rules) || less(left, right, this.rules),
      ">": () => less(right, left, this.rules),
      ">=": () => equal(left, right, this.rules) || less(right, left, this.rules),
    };
    return new data.BooleanData(is[binary.operator.lexeme]());
  }

  visitIndexAccess(access) {
    if (this.rules.has("lazy") && access.index.constructor.name !== "Star") {
      const base = this.eval(access.expr);
      if (base.primitive) return new data.Null();
    }
    return super.visitIndexAccess(access);
  }

  visitFunctionCall(call) {
    const rules = this.rules;
    const name = call.functionName.lexeme.toLowerCase();
    const known = new Map();
    const lazy = (index) => {
      if (!known.has(index)) known.set(index, this.eval(call.args[index]));
      return known.get(index);
    };
    if (!rules.has("lazy")) call.args.forEach((_, index) => lazy(index));
    const text = (value) => new data.StringData(value);
    const bool = (value) => new data.BooleanData(value);
    const fold = rules.has("letters") ? foldLetters : comparison.toUpperSpecial;
    switch (name) {
      case "case":
        for (let i = 0; i + 1 < call.args.length; i += 2) {
          if (lazy(i).kind !== data.Kind.Boolean) throw new Error("a condition of case must be true or false");
          if (lazy(i).value) return lazy(i + 1);
        }
        return lazy(call.args.length - 1);
      case "contains": {
        const where = lazy(0);
        if (where.primitive) {
          if (!lazy(1).primitive) return bool(false);
          if (!rules.has("letters")) {
            return bool(textOf(where, rules).toLowerCase().includes(textOf(lazy(1), rules).toLowerCase()));
          }
          return bool(fold(textOf(where, rules)).includes(fold(textOf(lazy(1), rules))));
        }
        if (where.kind !== data.Kind.Array) return bool(false);
        return bool(where.values().some((item) => equal(lazy(1), item, rules)));
      }
      case "startswith":
      case "endswith": {
        if (!lazy(0).primitive || !lazy(1).primitive) return bool(false);
        const [where, what] = [fold(textOf(lazy(0), rules)), fold(textOf(lazy(1), rules))];
        return bool(name === "startswith" ? where.startsWith(what) : where.endsWith(what));
      }
      case "format":
        return text(formatted(textOf(lazy(0), rules), (i) => lazy(i + 1), call.args.length - 1, rules));
      case "join": {
        if (lazy(0).primitive) return text(textOf(lazy(0), rules));
        if (lazy(0).kind !== data.Kind.Array) return text("");
        const items = lazy(0).values();
        let separator = ",";
        if (items.length > 1 && call.args.length > 1 && lazy(1).primitive) separator = textOf(lazy(1), rules);
        return text(items.map((item) => textOf(item, rules)).join(separator));
      }
      case "tojson":
        return text(writeJson(lazy(0), rules));
      case "fromjson": {
        const source = textOf(lazy(0), rules);
        if (source.trim() === "") throw new Error("empty input");
        if (rules.has("json-order") || rules.has("json-case")) {
          return readJson(source, { merge: rules.has("json-case") });
        }
        return wellKnownFunctions.fromjson.call(lazy(0));
      }
      default:
        return super.visitFunctionCall(call);
    }
  }
}

// ---- parsing

// Levels of the tree; a group is none, and && within && (|| within ||) is one level.
export function levels(node) {
  if (node instanceof Grouping) return levels(node.group);
  if (node instanceof Unary) return 1 + levels(node.expr);
  if (node instanceof Binary) return 1 + Math.max(levels(node.left), levels(node.right));
  if (node instanceof IndexAccess) return 1 + Math.max(levels(node.expr), levels(node.index));
  if (node instanceof FunctionCall) return 1 + Math.max(0, ...node.args.map(levels));
  if (node instanceof Logical) {
    const below = node.args.map((argument) => {
      let inner = argument;
      while (inner instanceof Grouping) inner = inner.group;
      const flat = inner instanceof Logical && inner.operator.type === node.operator.type;
      return levels(inner) - (flat ? 1 : 0);
    });
    return 1 + Math.max(...below);
  }
  return 1;
}

export function lex(expression, rules) {
  const tokens = new Lexer(expression).lex().tokens;
  for (const [index, token] of tokens.entries()) {
    if (rules.has("quotes") && token.lexeme.startsWith("'")) token.value = token.lexeme.slice(1, -1).replaceAll("''", "'");
    if (rules.has("trailing-comma") && token.lexeme === ")" && index > 0 && tokens[index - 1].lexeme === ",") {
      throw new Error("a comma before )");
    }
  }
  return tokens;
}

export function evaluate(tree, context, functions, rules) {
  if (rules.has("depth") && levels(tree) > 50) throw new Error("too deep");
  return (rules.size === 0 ? new Evaluator(tree, context, functions) : new Rules(tree, context, functions, rules)).evaluate();
}
