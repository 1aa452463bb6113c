"""Expressions to compare: written by hand, grown from the grammar, and mutated. The same seed gives the same cases."""

import json
import random
import unicodedata
from pathlib import Path

TABLE = Path(__file__).parents[2] / "golden" / "expressions"

CONTEXTS = [
    json.loads((TABLE / "contexts.json").read_text()),
    {
        "github": {"ref": "refs/tags/v1.2.0", "event_name": "release", "sha": "", "run_attempt": "2",
                   "event": {"release": {"tag_name": "v1.2.0", "assets": [], "draft": True},
                             "10": "ten", "2": "two", "body": "it's {0} }} ${{ x }}", "Größe": "STRASSE"}},
        "env": {"MODE": "prod", "mode": "dev", "Empty": "", "N": "007"},
        "vars": {"REGION": "eu-west-1", "LIMIT": "1e3", "LIST": "[1, 2.50, \"drei\", null, {\"k\": [true]}]"},
        "job": {"status": "failure"},
        "needs": {"Build": {"result": "success", "outputs": {"image": "a:b", "digits": "00"}},
                  "test": {"result": "skipped", "outputs": {}}},
        "steps": {"x": {"outcome": "failure", "conclusion": "success", "outputs": {"a-b": "1", "__c": "2"}}},
        "matrix": {"v": [3.10, 3.9, -0.0, 1e21, 1e-7, 123456789012345678], "os": "Linux", "nested": {"a": [[1], [2, [3]]]}},
        "strategy": {"fail-fast": False, "job-index": 0, "job-total": 2, "max-parallel": 2},
        "runner": {"os": "Linux", "arch": "X64", "temp": "/tmp"},
        "secrets": {"TOKEN": "***", "github_token": "t"},
        "inputs": {"dry": False, "count": 0, "who": "Ünï ÇØDÉ", "choice": "b"},
    },
    {"github": None, "needs": {}, "matrix": [], "env": {}},
]

PATHS = [
    "github.ref", "github.event.list", "github.event.list[2]", "github.event.*", "github.event.commits.*.message",
    "github.event.commits.*.author.name", "github.event.nested.*[0]", "github.event.nested.*.*", "github.*.list",
    "github['ref']", "github.Mixed['case']", "github.mixed.Case", "github.nothing.at.all", "github.event['10']",
    "github.event[10]", "github.event.Größe", "github.event['größe']", "env.MODE", "env.mode", "env.Mode", "env['N']",
    "vars.LIST", "vars.limit", "job.status", "needs.build.result", "needs.*.result", "needs.train.outputs.list",
    "needs.*.outputs.*", "steps.x.outputs.a-b", "steps.x.outputs['a-b']", "steps.*.outcome", "matrix.v", "matrix.v[0]",
    "matrix.v[-1]", "matrix.v[1.9]", "matrix.v['1']", "matrix.v[true]", "matrix.v[null]", "matrix.v.*", "matrix.nested.a",
    "matrix.nested.a.*", "matrix.nested.a.*.*", "matrix.nested.*.*[0]", "matrix.python", "matrix.flag", "matrix.big",
    "strategy.job-index", "strategy.fail-fast", "runner.os", "secrets.TOKEN", "secrets.GITHUB_TOKEN", "inputs.dry",
    "inputs.count", "inputs.who", "inputs.none", "github", "matrix", "needs", "env", "jobs", "steps.y.outputs.z",
]

LITERALS = [
    "null", "true", "false", "0", "1", "-1", "1.5", "-0", "+3", ".5", "5.", "0x1F", "0xg", "0o17", "0o8", "1e3", "1E-7",
    "1e400", "-1e400", "123456789012345678", "0.1", "0.30000000000000004", "1e15", "1e16", "123456789012345.6", "1e-5",
    "0.00001234", "0.0001", "NaN", "Infinity", "-Infinity", "+Infinity", "''", "' '", "'0'", "'1'", "'01'", "'1.0'",
    "'abc'", "'ABC'", "'true'", "'null'", "'NaN'", "'Infinity'", "'0x10'", "'0o10'", "'0b1'", "'0X1'", "'0xffffffff'", "0x80000000", "0x7fffffff", "0x100000000", "0o37777777777", "0x", "' 12 '", "'1e2'", "'-'",
    "'it''s'", "''''", "'a''b''c'", "'{0}'", "'{{'", "'straße'", "'STRASSE'", "'ı'", "'I'", "'İ'", "'ſ'", "'ﬁ'", "'ŉ'",
    "'Ωµ'", "'ΩΜ'", "'ж'", "'Ж'", "'ǆ'", "'ǅ'", "'Ǆ'", "'ա'", "'Ա'", "'ა'", "'𐐨'", "'𐐀'", "'😀'", "'\ue000'",
    "'[1,2,3]'", "'{\"a\": {\"b\": [1, \"x\"]}, \"A\": 2}'", "'{\"2\": 1, \"1\": 2, \"b\": 3}'", "'\\n'", "'\"q\"'",
    "'\u2028'", "'\x7f'", "'a\tb'", "'two\nlines'",
]

JSON_TEXTS = [
    "[]", "{}", "[1, 2.0, 3e0, -0, 1e21, 1e-7]", '{"a": 1, "b": [true, false, null]}', '"text"', "12", "null", "true",
    '{"x": {"y": {"z": [[], {}, [{}]]}}}', '["\\u00e9\\n\\"\\\\\\/", "\\ud83d\\ude00"]', "", " ", "[1,]", "{a: 1}", "[1] 2",
    '{"a": 1, "a": 2}', '{"a": 1, "A": 2, "b": 3}', '{"10": 1, "9": 2, "x": 3}', "01", "1.", "nan", "[1 2]", "'a'",
    '{"constructor": 1, "toString": 2, "__proto__": 3}', "1e999", "[0.1, 100, 1e2, 12345678901234567890]", "\"\\x\"",
]

FORMATS = [
    "{0}", "{0}{1}", "{1}-{0}", "{{0}}", "{{{0}}}", "a{0}b{1}c", "{0} {0}", "{2}", "{", "}", "{}", "{x}", "{0", "0}", "{-1}",
    "{0:x}", "{0x}", "{00}", "{ 0}", "{{}}", "}}{{", "it''s {0}", "{256}", "{99999999999}", "%s {0}", "",
]

OPERATORS = ["==", "!=", "<", "<=", ">", ">=", "&&", "||"]

HANDWRITTEN = [
    "", " ", "()", "(", ")", "1 2", "a b", "foo", "foo()", "github.", "github..ref", "github.[0]", ".github", "github.1",
    "github.*", "*", "github[*]", "github.event[*].message", "[1]", "'a'.b", "true.x", "1.x", "(github).ref",
    "('a')[0]", "(github.event.list)[0]", "contains('a','a',)", "contains(,)", "contains('a',,'b')", "contains('a')",
    "contains('a','b','c')", "format()", "join()", "case(true, 1)", "case(true, 1, 2)", "case(false, 1, 2)",
    "case(false, 1, true, 2, 3)", "case(false, 1, false, 2, 3)", "case(1, 1, 2)", "case('true', 1, 2)", "case(null, 1, 2)",
    "case(true, 1, 2, 3)", "case()", "case(true, 'x', fromJSON(''))", "case(false, fromJSON(''), 'y')", "CASE(true,1,2)",
    "case(github.ref == 'refs/heads/main', 'prod', github.event_name == 'push', 'dev', 'none')",
    "!true", "!!'a'", "!''", "! true", "!(true && false)", "!true == false", "!1 < 2", "-1 < 0", "1 - 1", "1 + 1", "2 * 3",
    "a == 'x", "'unterminated", "\"double\"", "$x", "@", "#", "a?b:c", "true ? 1 : 2", "1 = 1", "1 & 1", "1 | 1", "1 === 1",
    "1 <> 2", "1 => 2", "true and false", "not true", "None", "True", "TRUE", "NULL", "nan", "infinity",
    "success()", "failure()", "always()", "cancelled()", "Success()", "success('Build')", "failure('test')", "success(1)",
    "always(1)", "cancelled('x')", "hashFiles('x')", "hashFiles()", "true || hashFiles('x')", "false && foo", "true || foo()",
    "true || contains('a')", "false && fromJSON('')", "true || fromJSON('x')", "contains(github, fromJSON(''))",
    "contains(fromJSON('[]'), fromJSON(''))", "startsWith(github, fromJSON(''))", "startsWith('a', fromJSON(''))",
    "format('a', fromJSON(''))", "format('{1}', fromJSON(''), 'b')", "join('a', fromJSON(''))",
    "join(fromJSON('[1]'), fromJSON(''))", "join(fromJSON('[1,2]'), fromJSON(''))", "'a'[fromJSON('')]",
    "null[fromJSON('')]", "github[fromJSON('')]", "github.ref[0]", "matrix.v[fromJSON('\"1\"')]", "github[github.nope]",
    "github[null]", "github[true]", "github[1]", "github[github]", "toJSON(toJSON('a'))", "toJSON(NaN)", "toJSON(1e20)",
    "toJSON(-0)", "toJSON(1e21)", "toJSON(0.1)", "toJSON(github.event.*)", "toJSON(matrix)", "toJSON(null)",
    "fromJSON(toJSON(github)) == github", "github == github", "github.event == github.event", "github.* == github.*",
    "fromJSON('[1]') == fromJSON('[1]')", "github.event.list == github.event.list", "github < github", "null >= null",
    "null <= null", "NaN == NaN", "NaN != NaN", "NaN < 1", "NaN >= NaN", "Infinity > 1e308", "-0 == 0", "'a' < 'B'",
    "'B' < 'a'", "'_' < 'a'", "'Z' < '_'", "'ß' == 'SS'", "'ß' == 'ẞ'", "'é' == 'É'", "'\ue000' < '😀'", "'10' < '9'",
    "10 < '9'", "'10' < 9", "true < '2'", "'1' == true", "'true' == true", "null == 0", "null == false", "null == ''",
    "'' == 0", "' ' == 0", "'\t' == 0", "'\u00a0' == 0", "'\ufeff1' == 1", "'1_000' == 1000", "'0X1' == 1", "'1f' == 1",
    "join(github.event.list)", "join(github.event.list, ' ')", "join(github.event.list, null)", "join(github.event.list, github)",
    "join(github)", "join(null)", "join(needs.*.result, ', ')", "contains(needs.*.result, 'failure')",
    "contains(github.event.labels.*.name, 'ml')", "contains(github.event.list, '1')", "contains(null, '')", "contains('', null)",
    "contains(1.5, '.5')", "contains(true, 'RU')", "startsWith(null, '')", "startsWith(123, 12)", "endsWith('ABC', 'bc')",
    "endsWith('straße', 'SSE')", "contains('straße', 'ASS')", "contains('ABC', '')", "startsWith('', 'a')",
    "github . ref", "github\n.\tref", "github['re''f']", "format ( '{0}' , 1 )", "contains\t('a','A')", "github.\u00e9",
    "github.a\u00a0b", "\u00a0true", "true\u3000", "1\u00a0== 1", "github['ref'].x.y[0][1].*",
    "github.event.pull_request.draft == false && github.event.pull_request.number > 6",
    "(true && false) || (1 == 1)", "true && 'a' || 'b'", "false && 'a' || 'b'", "'' || null", "null || ''", "0 && 1",
    "inputs.dry && 'yes' || 'no'", "github.ref == 'refs/heads/main' && github.event_name == 'push'",
    "startsWith(github.ref, 'refs/tags/') && !contains(github.ref, '-rc')", "format('{0}', github)", "format('{0}', github.*)",
    "format(1.50)", "format(null)", "format(github)", "format('{0}{1}', 'a')", "toJSON()", "toJSON(1, 2)", "fromJSON(1)",
    "fromJSON(true)", "fromJSON(null)", "fromJSON(github)", "fromJSON('\"a\"') == 'A'", "fromJSON('1') == 1",
    "true && true && true || false", "1 < 2 == true", "1 < 2 < 3", "3 > 2 > 1", "1 == 1 == 1", "a.b.c", "github-ref",
    "github_ref", "_x", "-x", "x-", "0x", "0o", "0b1", "1e", "1e+", "--1", "+-1", "1..2", "1.2.3", ".", "..", "-", "+",
]


def nested(depth):
    """Expressions of about `depth` levels of each sort."""
    yield "(" * depth + "1" + ")" * depth
    yield "!" * depth + "true"
    yield "github" + ".a" * depth
    yield "github" + "['a']" * depth
    yield " == ".join(["1"] * (depth + 1))
    yield " && ".join(["true"] * (depth + 1))
    yield "format('{0}', " * depth + "1" + ")" * depth
    yield "(true && " * depth + "true" + ")" * depth
    yield "(true || " * (depth // 2) + "(true && " * (depth - depth // 2) + "true" + ")" * depth
    yield "github[" * depth + "'a'" + "]" * depth
    yield "(" * (depth // 2) + "!" * (depth - depth // 2) + "1" + ")" * (depth // 2)


class Grower:
    """Grows expressions from the grammar."""

    def __init__(self, chance):
        self.chance = chance

    def quoted(self, text):
        return "'" + text.replace("'", "''") + "'"

    def value(self, depth):
        pick = self.chance.random()
        if depth <= 0 or pick < 0.25:
            return self.chance.choice(LITERALS)
        if pick < 0.5:
            return self.chance.choice(PATHS)
        if pick < 0.62:
            return self.call(depth - 1)
        if pick < 0.67:
            return f"({self.expression(depth - 1)})"
        if pick < 0.72:
            return "!" + self.value(depth - 1)
        if pick < 0.80:
            return f"{self.value_with_members(depth - 1)}{self.member(depth - 1)}"
        return self.binary(depth - 1)

    def value_with_members(self, depth):
        pick = self.chance.random()
        if pick < 0.5:
            return self.chance.choice(PATHS)
        if pick < 0.8:
            return f"fromJSON({self.quoted(self.chance.choice(JSON_TEXTS))})"
        return f"({self.expression(depth)})"

    def member(self, depth):
        pick = self.chance.random()
        if pick < 0.3:
            return "." + self.chance.choice(["a", "b", "A", "x", "name", "outputs", "result", "list", "y-z", "_", "10"])
        if pick < 0.5:
            return self.chance.choice([".*", "[*]"])
        return f"[{self.expression(depth)}]"

    def call(self, depth):
        name = self.chance.choice(["contains", "startsWith", "endsWith", "format", "join", "toJSON", "fromJSON", "case",
                                   "success", "failure", "always", "cancelled", "hashFiles"])
        if self.chance.random() < 0.1:
            name = self.chance.choice([name.upper(), name.lower(), name + "x"])
        known = name.lower()
        if known == "format":
            first = self.quoted(self.chance.choice(FORMATS)) if self.chance.random() < 0.9 else self.value(depth)
            arguments = [first] + [self.value(depth) for _ in range(self.chance.randint(0, 3))]
        elif known == "fromjson":
            arguments = [self.quoted(self.chance.choice(JSON_TEXTS)) if self.chance.random() < 0.8 else self.value(depth)]
        elif known == "case":
            arguments = []
            for _ in range(self.chance.randint(1, 3)):
                arguments += [self.binary(depth) if self.chance.random() < 0.8 else self.value(depth), self.value(depth)]
            arguments.append(self.value(depth))
        elif known in ("always", "cancelled", "success", "failure", "hashfiles"):
            arguments = [self.value(depth)] if self.chance.random() < 0.2 else []
        else:
            arguments = [self.value(depth) for _ in range({"tojson": 1, "join": self.chance.randint(1, 2)}.get(known, 2))]
        if self.chance.random() < 0.03:
            arguments.append(self.value(depth))
        separator = self.chance.choice([", ", ",", " , "])
        return f"{name}({separator.join(arguments)})"

    def binary(self, depth):
        operator = self.chance.choice(OPERATORS)
        space = self.chance.choice(["", " ", " ", "\n"])
        return f"{self.value(depth)}{space}{operator}{space}{self.value(depth)}"

    def expression(self, depth):
        return self.binary(depth) if self.chance.random() < 0.4 else self.value(depth)


PIECES = ["(", ")", "[", "]", ".", "*", ",", "!", "=", "&", "|", "<", ">", "'", " ", "0", "e", "-", "+", "x", "{", "}", "$",
          "null", "github", "''", "==", "&&", "\u00a0", "é", "\n", "#", '"', "[*]", ".*", "1e5", "contains("]


def mutate(text, chance):
    """One to three small changes: a piece put in, taken out, doubled, swapped or replaced."""
    for _ in range(chance.randint(1, 3)):
        at = chance.randint(0, len(text))
        end = min(len(text), at + chance.randint(1, 4))
        change = chance.randint(0, 4)
        if change == 0:
            text = text[:at] + chance.choice(PIECES) + text[at:]
        elif change == 1:
            text = text[:at] + text[end:]
        elif change == 2:
            text = text[:end] + text[at:end] + text[end:]
        elif change == 3:
            text = text[:at] + text[at:end][::-1] + text[end:]
        else:
            text = text[:at] + chance.choice(PIECES) + text[end:]
    return text


def letters():
    """Every letter of an old Unicode, which no version of node or Python lacks, compared with its other cases."""
    for code in range(0x80, 0x2FFFF):
        letter = chr(code)
        if unicodedata.ucd_3_2_0.category(letter) in ("Cn", "Cs"):
            continue
        if letter.upper() != letter or letter.lower() != letter:
            yield f"'{letter}' == '{letter.upper()}'"
            yield f"'{letter}' == '{letter.lower()}'"
            yield f"contains('{letter.upper()}', '{letter}')"


def handwritten():
    table = [json.loads(line)["expression"] for line in (TABLE / "table.jsonl").read_text().splitlines()]
    out = HANDWRITTEN + table
    for depth in (1, 10, 23, 24, 25, 26, 45, 46, 47, 48, 49, 50, 51, 60):
        out += nested(depth)
    out += [f"fromJSON('{text}')".replace("''", "'") if "'" not in text else f"fromJSON('{text.replace(chr(39), chr(39) * 2)}')"
            for text in JSON_TEXTS]
    out += [f"toJSON(fromJSON('{text}'))" for text in JSON_TEXTS if "'" not in text]
    out += [f"{a} {operator} {b}" for a in LITERALS[:36] for b in LITERALS[:36] for operator in ("==", "<")]
    out += [f"format('{{0}}', {literal})" for literal in LITERALS]
    out += [f"toJSON({literal})" for literal in LITERALS]
    out += ["'" + "a" * 20_998 + "'", "'" + "a" * 20_999 + "'", "1" + " " * 20_999, "1" + " " * 21_000]
    return out


def cases(count, seed):
    """`count` cases {expr, contexts}: all that are written by hand, half of the rest grown, half mutated."""
    chance = random.Random(seed)
    grower = Grower(chance)
    base = handwritten()
    for index, expression in enumerate(base):
        yield {"expr": expression, "contexts": CONTEXTS[0 if index % 4 else index // 4 % len(CONTEXTS)]}
    for expression in letters():
        yield {"expr": expression, "contexts": {}}
    grown = []
    for index in range(count):
        if index % 2 == 0 or not grown:
            expression = grower.expression(chance.randint(1, 4))
            grown.append(expression)
        else:
            expression = mutate(chance.choice(base if chance.random() < 0.4 else grown[-200:]), chance)
        yield {"expr": expression, "contexts": chance.choice(CONTEXTS)}
