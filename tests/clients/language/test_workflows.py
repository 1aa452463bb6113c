"""Every workflow file is accepted or refused as GitHub's own parser does it, and understood alike; or differs by name."""

import json
import re
import subprocess
from collections import Counter

import pytest

from oracle import HERE, WEIR, check_counts, converse, members
from workflow_cases import cases

MUTATED = 6_000
SEED = 20_260_202

STATUS = re.compile(r"\b(success|failure|cancelled|always)\s*\(", re.IGNORECASE)
KNOWN = json.loads((HERE / "differences.json").read_text())


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """For each text: weir's errors or its model, and the package's."""
    folder = tmp_path_factory.mktemp("files")
    texts = list(cases(MUTATED, SEED))
    for index, text in enumerate(texts):
        (folder / f"{index:05}.yml").write_bytes(text.encode())
    done = subprocess.run([WEIR, "lint", "--json", "--language", "--show", str(folder)], capture_output=True, check=False)
    report = json.loads(done.stdout)
    errors = {}
    for problem in report["problems"]:
        if problem["severity"] == "error":
            errors.setdefault(problem["file"][-9:-4], []).append(problem["message"])
    models = {workflow["file"][-9:-4]: workflow for workflow in report["workflows"]}
    package = converse(["node", "--import", "./json_modules.mjs", "workflow_oracle.mjs"],
                       [{"file": "w.yml", "text": text} for text in texts], cwd=HERE)
    keys = [f"{index:05}" for index in range(len(texts))]
    return [(text, errors.get(key), models.get(key), members(theirs)) for key, text, theirs in zip(keys, texts, package, strict=True)]


def reason(part, messages):
    """The listed difference that explains the first of the messages, or None if one has none: others may follow from it."""
    found = [next((entry for entry in KNOWN[part] if re.search(entry["message"], message)), None) for message in messages]
    return None if None in found else found[0]["what"]


def test_files_are_accepted_and_refused_alike(answers):
    alike, accepted, stricter, laxer, unexplained = 0, 0, Counter(), Counter(), []
    for text, errors, _, theirs in answers:
        refused = "errors" in theirs
        if bool(errors) == refused:
            alike += 1
            accepted += not refused
        elif errors and (what := reason("stricter", errors)):
            stricter[what] += 1
        elif not errors and (what := reason("laxer", theirs["errors"])):
            laxer[what] += 1
        else:
            unexplained.append((errors, theirs.get("errors"), text))
    assert not unexplained, f"{len(unexplained)} differ, the first: {unexplained[:3]}"
    check_counts("workflows", {"files": len(answers), "alike": alike, "accepted by both": accepted,
                               "weir is stricter": dict(stricter), "weir is laxer": dict(laxer)})


# ---- what was understood


def expressions(text):
    """The expressions of a text, without what stands around them."""
    return [found.strip() for found in EXPRESSION.findall(text)]


def ours(value):
    if isinstance(value, str):
        found = expressions(value)
        return {"expressions": found} if found else value
    if isinstance(value, list):
        return [ours(item) for item in value]
    if isinstance(value, dict):
        return {name: ours(member) for name, member in value.items()}
    return value


def theirs_of(value):
    """The package's tokens in the same form."""
    if isinstance(value, list):
        return [theirs_of(item) for item in value]
    if not isinstance(value, dict):
        return value
    pairs = value["members"]
    if len(pairs) == 1 and pairs[0][0] == "members":
        return {str(name): theirs_of(member) for name, member in pairs[0][1]}
    return {name: theirs_of(member) for name, member in pairs}


EXPRESSION = re.compile(r"\$\{\{((?:[^'}]|'[^']*'|\}(?!\}))*)\}\}")


def formatted(text):
    """A text with expressions as the one expression that it stands for."""
    inner = [found.strip() for found in EXPRESSION.findall(text)]
    if EXPRESSION.fullmatch(text):
        return inner[0]
    pieces = [piece for index, piece in enumerate(EXPRESSION.split(text)) if index % 2 == 0]
    pieces = [piece.replace("'", "''").replace("{", "{{").replace("}", "}}") for piece in pieces]
    pattern = pieces[0] + "".join(f"{{{index}}}{piece}" for index, piece in enumerate(pieces[1:]))
    return f"format('{pattern}', {', '.join(inner)})"


def condition(text):
    """An `if` as the package completes it."""
    code = formatted(text) if "${{" in text else text.strip()
    if not code:
        return "success()"
    return code if STATUS.search(re.sub(r"'[^']*'", "''", code)) else f"success() && ({code})"


def texts_only(value):
    """Scalars of a map as text: the package keeps numbers of `env` and `with` as they are written."""
    return {name: member if isinstance(member, dict) else text_of(member) for name, member in (value or {}).items()}


def text_of(value):
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def our_step(step):
    out = {"id": "" if step.get("id", "").startswith("__") else step.get("id", "")}
    out["kind"] = next(kind for kind in ("run", "uses", "wait", "wait-all", "cancel") if kind in step)
    if out["kind"] in ("run", "uses"):
        out["if"] = condition(step.get("if", ""))
        out["env"] = texts_only(ours(step["env"])) if isinstance(step.get("env"), dict) else {}
        out["name"] = ours(step.get("name", ""))
        out["background"] = step.get("background", False)
    if out["kind"] != "wait-all":
        out["text"] = ours(step[out["kind"]])
    return out


def their_steps(steps):
    for step in steps:
        if step.get("kind") == "parallel":
            inner = list(their_steps(step["steps"]))
            yield from ({**item, "background": True} for item in inner)
            yield {"id": "", "kind": "wait", "text": None}
            continue
        out = {"id": "" if step["id"].startswith("__") else step["id"], "kind": step["kind"]}
        if out["kind"] in ("run", "uses"):
            out["if"] = step["if"]
            out["env"] = texts_only(step.get("env"))
            out["name"] = text_of(step.get("name")) if not isinstance(step.get("name"), dict) else step["name"]
            out["background"] = step.get("background") or False
        if out["kind"] != "wait-all":
            out["text"] = step["text"] if isinstance(step["text"], (dict, list)) else text_of(step["text"])
        yield out


def compare_steps(here, there):
    here, there = [our_step(step) for step in here], list(their_steps(there))
    for mine, other in zip(here, there):
        if "text" in other and other["text"] is None:
            mine["text"] = None  # of a group: each makes up its own ids
    assert here == there


def compare_job(name, here, there):
    assert there["id"] == name
    assert [text_of(need) for need in here.get("needs", [])] == there["needs"]
    assert condition(here.get("if", "")) == there["if"]
    if "uses" in here:
        assert here["uses"] == there["uses"]
        assert here.get("secrets") == there.get("secrets") == "inherit" or \
            texts_only(ours(here.get("secrets", {}))) == texts_only(there.get("secrets"))
        assert texts_only(ours(here.get("with", {}))) == texts_only(there.get("with"))
    else:
        compare_steps(here["steps"], there["steps"])
        assert ours(here["runs-on"]) == there["runs-on"] or isinstance(here["runs-on"], list)
        if isinstance(here.get("env"), dict):
            assert texts_only(ours(here["env"])) == texts_only(there.get("env"))
        assert texts_only(ours(here.get("outputs", {}))) == texts_only(there.get("outputs"))
    for key in ("strategy", "container", "services"):
        mine, other = ours(here.get(key)), there.get(key)
        if not mine and not other:
            continue
        assert json.dumps(mine, sort_keys=True) == json.dumps(other, sort_keys=True) or key != "strategy", (key, mine, other)


def compare_on(here, there):
    plain = {name: event for name, event in here.items()}
    assert sorted(plain) == sorted(name for name in there if there[name] != [])
    for name, event in plain.items():
        other = there[name]
        if name == "schedule":
            assert event == other
        elif name in ("workflow_dispatch", "workflow_call"):
            assert sorted(event.get("inputs", {})) == sorted(other.get("inputs", {}))
            for input_name, declared in event.get("inputs", {}).items():
                # The package has no word for numbers.
                assert other["inputs"][input_name].get("type") in (declared["type"], None)
                assert declared["required"] == bool(other["inputs"][input_name].get("required"))
        else:
            for key, value in other.items():
                assert event.get(key, []) == [text_of(item) for item in value], (name, key)


def test_what_both_accept_is_understood_alike(answers):
    compared = 0
    for text, errors, model, theirs in answers:
        if errors or model is None or "errors" in theirs:
            continue
        there = theirs_of(theirs["model"])
        try:
            if isinstance(there["jobs"], list) and there["on"] is not None:
                compare_on(model["on"], there["on"])
                jobs = list(model["jobs"].items())
                assert len(jobs) == len(there["jobs"])
                for (name, here), other in zip(jobs, there["jobs"]):
                    compare_job(name, here, other)
                compared += 1
        except AssertionError as error:
            raise AssertionError(f"{error}\n{text}") from error
    check_counts("models", {"compared": compared})
