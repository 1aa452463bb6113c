"""Every expression comes to what GitHub's own evaluator says, or differs by a named rule of its runner."""

from collections import Counter

from expression_cases import cases
from oracle import HERE, WEIR, check_counts, converse, members

GROWN = 90_000
SEED = 20_260_101

# What weir refuses on purpose though the package takes it, by what its message says.
LIMITS = {
    "a number in JSON with an exponent of more than nine digits": "exponent overflow",
}


def comparable(value):
    """Objects with their order, numbers without regard to how they are written, true apart from 1."""
    if isinstance(value, dict):
        inner = value["members"]
        # The package's objects come wrapped once more, since JavaScript would sort their members.
        if len(inner) == 1 and inner[0][0] == "members":
            inner = inner[0][1]
        return ("object", tuple((name, comparable(member)) for name, member in inner))
    if isinstance(value, list):
        return ("array", tuple(comparable(item) for item in value))
    if isinstance(value, bool):
        return ("boolean", value)
    if isinstance(value, (int, float)):
        return float(value)
    # A lone half of a surrogate pair, which no UTF-8 text can hold, is written as U+FFFD.
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if isinstance(value, str) else value


def outcome(answer):
    found = members(answer)
    return "error" if "error" in found else (found["kind"], comparable(found["value"]))


def limit_of(answer):
    message = members(answer).get("error", "")
    return next((name for name, words in LIMITS.items() if words in message), None)


def test_every_expression_is_alike():
    lines = list(cases(GROWN, SEED))
    same, rules, limits, errors, unexplained = 0, Counter(), Counter(), 0, []
    weir = converse([str(WEIR), "expr", "--batch"], lines)
    package = converse(["node", "expression_oracle.mjs"], lines, cwd=HERE)
    for line, ours, theirs in zip(lines, weir, package, strict=True):
        theirs = members(theirs)
        published = outcome(theirs["published"])
        runner = outcome(theirs["runner"]) if "runner" in theirs else published
        found = outcome(ours)
        errors += published == "error"
        if found == published == runner:
            same += 1
        elif found == runner:
            for rule in theirs["rules"] or ["several rules together"]:
                rules[rule] += 1
        elif (limit := limit_of(ours)) is not None:
            limits[limit] += 1
        else:
            unexplained.append((line["expr"], found, published, runner, theirs.get("rules")))
    assert not unexplained, f"{len(unexplained)} differ, the first: {unexplained[:10]}"
    check_counts("expressions", {"cases": len(lines), "alike": same, "errors alike among them": errors,
                                 "rules of the runner": dict(rules), "limits": dict(limits)})


def test_a_batch_is_answered_in_order_and_each_line_by_itself():
    lines = [{"expr": "1"}, {"expr": 2}, {"contexts": {}}, {"expr": "github.x", "contexts": []}, {"expr": "'last'"}]
    answers = [members(answer) for answer in converse([str(WEIR), "expr", "--batch"], lines)]
    assert [sorted(answer) for answer in answers] == [["kind", "value"], ["error"], ["error"], ["error"], ["kind", "value"]]
    assert answers[4] == {"kind": "string", "value": "last"}
