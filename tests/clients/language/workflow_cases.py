"""Workflow files to compare: written by hand, and mutated at random places of their trees. A seed gives the same files."""

import copy
import json
import random

STEP = {"run": "echo hi"}
JOB = {"runs-on": "ubuntu-latest", "steps": [STEP]}


def file(on="push", jobs=None, **more):
    return {"on": on, **{key.replace("_", "-"): value for key, value in more.items()}, "jobs": jobs or {"a": JOB}}


def job(**keys):
    return {"a": {**JOB, **{key.replace("_", "-"): value for key, value in keys.items()}}}


EVENTS = {
    "branch_protection_rule": ["created"], "check_run": ["completed", "rerequested"], "check_suite": ["completed"],
    "create": None, "delete": None, "deployment": None, "deployment_status": None, "discussion": ["answered"],
    "discussion_comment": ["edited"], "fork": None, "gollum": None, "image_version": ["ready"], "issue_comment": ["created"],
    "issues": ["opened", "typed"], "label": ["deleted"], "merge_group": ["checks_requested"], "milestone": ["closed"],
    "page_build": None, "project": ["reopened"], "project_card": ["moved"], "project_column": ["updated"], "public": None,
    "pull_request": ["opened", "stacked"], "pull_request_comment": ["created"], "pull_request_review": ["submitted"],
    "pull_request_review_comment": ["created"], "pull_request_target": ["labeled"], "push": None,
    "registry_package": ["published"], "release": ["published"], "status": None, "watch": ["started"],
    "workflow_run": ["completed"], "workflow_dispatch": None, "workflow_call": None,
}

SCOPES = ["actions", "artifact-metadata", "attestations", "checks", "code-quality", "contents", "copilot-requests",
          "deployments", "discussions", "drives", "id-token", "issues", "models", "packages", "pages", "pull-requests",
          "repository-projects", "security-events", "statuses", "vulnerability-alerts"]

RICH = {
    "name": "Everything", "description": "what it does", "run-name": "Run ${{ github.ref }} by ${{ inputs.who }}",
    "on": {
        "push": {"branches": ["main", "rel/**"], "tags-ignore": ["v0*"], "paths": ["src/**", "!src/doc"]},
        "pull_request": {"types": ["opened", "labeled"], "branches-ignore": ["wip/*"], "paths-ignore": "**.md"},
        "schedule": [{"cron": "0 2 * * 1-5"}, {"cron": "*/15 4,5 * JAN SUN", "timezone": "Europe/Berlin"}],
        "workflow_dispatch": {"inputs": {
            "who": {"type": "string", "description": "d", "default": "me", "required": True},
            "size": {"type": "choice", "options": ["s", "l"], "default": "s"},
            "dry": {"type": "boolean", "default": False}, "n": {"type": "number", "default": 3},
            "where": {"type": "environment"}}},
        "workflow_call": {
            "inputs": {"who": {"type": "string", "default": "${{ github.actor }}"}, "n": {"type": "number", "required": True}},
            "secrets": {"token": {"required": True, "description": "d"}, "other": None},
            "outputs": {"m": {"description": "d", "value": "${{ jobs.a.outputs.m }}"}}},
        "workflow_run": {"workflows": ["build"], "types": ["completed"], "branches": ["main"]},
        "repository_dispatch": {"types": ["retrain"]},
        "release": {"types": "published"},
        "image_version": {"types": ["ready"], "names": ["cuda"], "versions": ["1.*"]},
    },
    "permissions": {"contents": "read", "id-token": "write", "models": "none"},
    "env": {"A": "1", "B": "${{ github.sha }}", "C": "${{ secrets.X }}", "D": 3.10, "E": True, "F": None},
    "defaults": {"run": {"shell": "bash", "working-directory": "src"}},
    "concurrency": {"group": "g-${{ github.ref }}", "cancel-in-progress": True, "queue": "single"},
    "jobs": {
        "a": {
            "name": "First ${{ matrix.os }}", "runs-on": ["self-hosted", "${{ matrix.os }}"],
            "if": "github.ref == 'refs/heads/main' && !cancelled()",
            "strategy": {"fail-fast": False, "max-parallel": 2,
                         "matrix": {"os": ["linux", "mac"], "v": [1, 2.5, "3"], "include": [{"os": "win", "extra": {"k": [1]}}],
                                    "exclude": [{"os": "mac", "v": 1}]}},
            "env": {"X": "${{ matrix.v }}", "Y": "plain", "Z": "${{ secrets.Z }}"},
            "outputs": {"m": "${{ steps.s.outputs.m }}", "n": "text"},
            "environment": {"name": "prod-${{ matrix.os }}", "url": "http://${{ steps.s.outputs.url }}", "deployment": False},
            "concurrency": {"group": "${{ matrix.os }}", "cancel-in-progress": "${{ github.ref != 'x' }}"},
            "permissions": "read-all",
            "defaults": {"run": {"shell": "${{ matrix.sh }}", "working-directory": "${{ env.DIR }}"}},
            "timeout-minutes": 30, "cancel-timeout-minutes": 3, "continue-on-error": "${{ matrix.v == 1 }}",
            "container": {"image": "python:3.12", "env": {"A": "${{ env.B }}"}, "ports": [80, "443:443"], "volumes": ["/a:/b"],
                          "options": "--cpus 1", "credentials": {"username": "u", "password": "${{ secrets.P }}"}},
            "services": {"db": {"image": "postgres", "ports": ["5432:5432"], "env": {"P": "x"}, "command": "c",
                                "entrypoint": "e", "options": "o", "volumes": ["v"],
                                "credentials": {"username": "u", "password": "p"}},
                         "cache": "redis:7"},
            "steps": [
                {"name": "Check out ${{ github.ref }}", "uses": "actions/checkout@v4", "with": {"fetch-depth": 0, "ref": None}},
                {"id": "s", "run": "echo ${{ env.X }}\necho done\n", "shell": "python", "working-directory": "${{ env.D }}",
                 "env": {"T": "${{ secrets.T }}", "H": "${{ hashFiles('**/x') }}"}, "if": "always() && steps.s.outcome == 'x'",
                 "timeout-minutes": 5, "continue-on-error": True},
                {"uses": "./local", "if": "${{ success() }}", "continue-on-error": "${{ matrix.v == 2 }}"},
                {"uses": "docker://alpine:3.20", "with": {"args": "a b", "entrypoint": "/bin/x"}},
            ],
        },
        "b": {
            "needs": "a", "runs-on": {"group": "big", "labels": ["gpu"]}, "environment": "staging", "concurrency": "one",
            "container": "alpine", "if": True, "timeout-minutes": "${{ fromJSON('5') }}",
            "strategy": {"matrix": "${{ fromJSON(needs.a.outputs.m) }}"},
            "steps": [
                {"run": "server", "id": "server", "background": True},
                {"uses": "o/r/path@v1", "id": "load", "background": True},
                {"wait": ["server", "load"], "name": "Both", "id": "w", "continue-on-error": True},
                {"wait": "server"}, {"wait-all": None}, {"wait-all": True}, {"cancel": "load", "name": "${{ github.ref }}"},
                {"parallel": [{"run": "one"}, {"uses": "./two", "id": "two"}, {"run": "three", "if": "failure()"}]},
            ],
        },
        "c": {"needs": ["a", "b"], "uses": "./.github/workflows/train.yml", "with": {"s": "${{ needs.a.outputs.m }}", "n": 1, "b": True},
              "secrets": "inherit", "if": "needs.a.result == 'success'", "name": "Call", "permissions": {"contents": "write"},
              "strategy": {"matrix": {"x": [1]}}, "concurrency": "calls"},
        "d": {"uses": "o/r/.github/workflows/x.yaml@main", "secrets": {"token": "${{ secrets.T }}", "other": "x"}, "needs": []},
    },
}


def handwritten():
    yield RICH
    yield file()
    yield from (file(event) for event in EVENTS)
    yield file(list(EVENTS))
    for event, types in EVENTS.items():
        yield file({event: None})
        yield file({event: {}})
        yield file({event: {"types": types or ["created"]}})
        yield file({event: {"types": (types or ["created"])[0]}})
        yield file({event: {"types": ["nonsense"]}})
        for key in ("branches", "branches-ignore", "tags", "tags-ignore", "paths", "paths-ignore", "workflows", "names", "versions"):
            yield file({event: {key: ["x", "y/**"]}})
    for scope in SCOPES:
        yield from (file(permissions={scope: level}) for level in ("read", "write", "none", "admin", None))
    yield from (file(permissions=value) for value in ("read-all", "write-all", "none", "", None, {}, [], True, "${{ github.x }}"))
    yield from (file({"schedule": [{"cron": cron}]}) for cron in (
        "* * * * *", "0 0 * * 0", "0 0 * * 7", "60 * * * *", "0 24 * * *", "0 0 0 * *", "0 0 32 * *", "0 0 * 13 *", "0 0 * * 8",
        "*/5 * * * *", "*/0 * * * *", "5/10 * * * *", "1-5/2 * * * *", "5-1 * * * *", "0 0 * JAN-MAR MON-FRI", "0 0 * jan sun",
        "0 0 * JANUARY *", "@daily", "0 0 * *", "0 0 * * * *", "0  0 * * *", " 0 0 * * *", "0 0 1,15 * *", "0 0 1,,15 * *",
        "0 0 L * *", "0 0 * * 1#2", "1.5 * * * *", "-1 * * * *", "a * * * *", "", "0\t0 * * *", "0 0 31 2 *", "0-59 0-23 1-31 1-12 0-6"))
    yield from (file({"schedule": value}) for value in (None, [], {}, "0 0 * * *", [{"cron": None}], [{"timezone": "UTC"}], [{}], ["x"],
                                                       [{"cron": "0 0 * * *", "timezone": ""}], [{"cron": "0 0 * * *", "zone": "x"}]))
    for kind in ("string", "boolean", "number", "choice", "environment", "text", None):
        for default in (None, "x", "", True, "true", 1, "1", "${{ github.ref }}", []):
            declared = {"type": kind, "default": default}
            yield file({"workflow_dispatch": {"inputs": {"i": {**declared, "options": ["x"]} if kind == "choice" else declared}}})
            yield file({"workflow_call": {"inputs": {"i": declared}}})
    yield from (file({"workflow_dispatch": value}) for value in ({"inputs": None}, {"inputs": {}}, {"inputs": {"a": None}},
        {"inputs": {"a": {}}}, {"inputs": {"a b": {}}}, {"inputs": {"a": {"required": "yes"}}}, {"inputs": {"a": {"options": ["x"]}}},
        {"inputs": {"a": {"type": "choice"}}}, {"inputs": {"a": {"type": "choice", "options": []}}}, {"outputs": {}}, "x", []))
    yield from (file(jobs=job(needs=value)) for value in (None, "", "a", "b", [], ["b", "b"], [""], [None], {}, 1, "${{ github.x }}"))
    yield file(jobs={"a": {**JOB, "needs": "b"}, "b": {**JOB, "needs": "a"}})
    yield file(jobs={"a": JOB, "b": {**JOB, "needs": "c"}, "c": {**JOB, "needs": "b"}})
    yield file(jobs={"a": JOB, "b": {**JOB, "needs": ["a", "A"]}})
    yield from (file(jobs={name: JOB}) for name in ("A-b_1", "1a", "a b", "-a", "_a", "__a", "a" * 99, "a" * 100, "a.b", "ä", ""))
    yield file(jobs={"a": JOB, "A": JOB})
    for values in ((None, True, False, "true", "", "always()", "${{ always() }}", "a ${{ 1 }}", "success('a')", "failure()", 1, [], {},
                    "secrets.X", "env.X", "matrix.x", "steps.x", "needs.x.result", "hashFiles('x')", "nope", "1 +", "${{ 1 }} && ${{ 2 }}",
                    "!github.ref", "   ", "${{ }}", "${{ 'x' }}", "inputs.x", "vars.x", "job.status", "runner.os", "jobs.x", "strategy.x"),):
        for value in values:
            yield file(jobs=job(**{"if": value}))
            yield file(jobs=job(steps=[{"run": "x", "if": value}]))
    for steps in ([], None, {}, "x", [None], ["x"], [{}], [{"name": "x"}], [{"run": ""}], [{"run": None}], [{"run": 1}], [{"uses": ""}],
                  [{"uses": None}], [{"run": "x", "uses": "y@v1"}], [{"run": "x", "with": {}}], [{"uses": "a/b@v1", "shell": "sh"}],
                  [{"uses": "a/b@v1", "working-directory": "x"}], [{"uses": "a/b"}], [{"uses": "a@v1"}], [{"uses": "${{ github.x }}"}],
                  [{"run": "x", "id": "a"}, {"run": "y", "id": "a"}], [{"run": "x", "id": "a"}, {"run": "y", "id": "A"}],
                  [{"run": "x", "id": "1"}], [{"run": "x", "id": "__a"}], [{"run": "x", "id": "a b"}], [{"run": "x", "id": "a" * 100}],
                  [{"run": "x", "id": "a" * 99}], [{"run": "x", "id": ""}], [{"run": "x", "id": "${{ 1 }}"}], [{"wait": "x"}], [{"wait": []}],
                  [{"run": "x", "id": "a", "background": True}, {"wait": "a"}], [{"run": "x", "id": "a"}, {"wait": "a"}],
                  [{"run": "x", "id": "a", "background": True}, {"wait": "A"}], [{"wait": "a", "id": "a"}], [{"id": "a", "wait": "a"}],
                  [{"run": "x", "id": "a", "background": True}, {"wait": ["a", "b"]}], [{"wait": "__a"}], [{"wait-all": False}],
                  [{"wait-all": "true"}], [{"wait-all": []}], [{"wait-all": None, "if": "always()"}], [{"wait-all": None, "run": "x"}],
                  [{"cancel": None}], [{"cancel": ["a"]}], [{"cancel": "a"}], [{"run": "x", "id": "a", "background": True}, {"cancel": "a"}],
                  [{"run": "x", "background": "yes"}], [{"run": "x", "background": None}], [{"run": "x", "background": "${{ true }}"}],
                  [{"parallel": []}], [{"parallel": None}], [{"parallel": [{"parallel": [STEP]}]}], [{"parallel": [{"wait-all": None}]}],
                  [{"parallel": [STEP], "name": "x"}], [{"parallel": [STEP], "if": "always()"}], [{"parallel": [{**STEP, "background": True}]}],
                  [{"parallel": [{"run": "x", "id": "a"}]}, {"wait": "a"}], [{"parallel": [{"run": "x", "id": "a"}]}, {"run": "x", "id": "a"}],
                  [{"run": "x", "timeout-minutes": "5"}], [{"run": "x", "timeout-minutes": 0}], [{"run": "x", "timeout-minutes": 1.5}],
                  [{"run": "x", "continue-on-error": "true"}], [{"run": "x", "continue-on-error": None}], [{"run": "x", "env": None}],
                  [{"run": "x", "env": []}], [{"run": "x", "env": {"A": []}}], [{"run": "x", "env": "${{ fromJSON('{}') }}"}],
                  [{"run": "x", "env": {"A": 1, "a": 2}}], [{"uses": "a/b@v1", "with": None}], [{"uses": "a/b@v1", "with": "${{ github.x }}"}],
                  [{"uses": "a/b@v1", "with": {"a": [1]}}], [{"run": "x", "shell": ""}], [{"run": "x", "shell": "nu {0}"}], [{"RUN": "x"}],
                  [{"run": "x", "nmae": "y"}], [{"run": "${{ secrets.A }} ${{ matrix.b }} ${{ job.c }}"}], [{"run": "${{ nope }}"}],
                  [{"run": "${{ 1"}], [{"run": "${{ 'a }}' }}"}], [{"run": "$ {{ x }}"}], [{"run": "${{ insert }}"}], [{"name": None, "run": "x"}]):
        yield file(jobs={"a": {"runs-on": "x", "steps": steps}})
    for value in (None, "", "x", [], [""], ["a", 1], {}, {"labels": "x"}, {"group": "g"}, {"group": ""}, {"labels": []}, {"label": "x"}, 1, True,
                  "${{ matrix.os }}", ["${{ matrix.os }}"], "${{ secrets.X }}", "${{ fromJSON('[1]') }}", {"labels": "${{ matrix.x }}"}):
        yield file(jobs=job(runs_on=value))
    for value in (None, {}, [], "x", "${{ fromJSON('{}') }}", {"matrix": None}, {"matrix": {}}, {"matrix": "x"}, {"matrix": {"a": "x"}},
                  {"matrix": {"a": []}}, {"matrix": {"a": [1, "x", {"b": 1}, [2], None]}}, {"matrix": {"a": "${{ fromJSON('[1]') }}"}},
                  {"matrix": {"a": ["${{ github.x }}"]}}, {"matrix": {"include": [{"a": 1}]}}, {"matrix": {"include": []}},
                  {"matrix": {"include": {}}}, {"matrix": {"include": "${{ github.x }}"}}, {"matrix": {"a": [1], "exclude": [{"b": 1}]}},
                  {"matrix": {"a": [1], "exclude": [{"a": 2}]}}, {"matrix": {"a": [1], "exclude": [{"a": 1}]}}, {"matrix": {"include": ["x"]}},
                  {"fail-fast": "yes"}, {"fail-fast": "${{ github.x }}"}, {"max-parallel": 0}, {"max-parallel": "2"}, {"max-parallel": 1.5},
                  {"matrix": {"a": [1]}, "extra": 1}, {"matrix": {"a": ["${{ matrix.x }}"]}}, {"matrix": {"a": [list(range(3))]}}):
        yield file(jobs=job(strategy=value))
    for key in ("concurrency", "environment", "container", "services", "env", "outputs", "defaults", "timeout-minutes",
                "continue-on-error", "cancel-timeout-minutes", "permissions", "name", "snapshot", "uses", "with", "secrets"):
        for value in POOL:
            yield file(jobs=job(**{key: value}))
    for key in ("name", "description", "run-name", "env", "defaults", "concurrency", "on", "jobs", "nmae", "permissions"):
        for value in POOL:
            yield {**file(), key: value}
    call = {"uses": "./.github/workflows/x.yml"}
    for key, value in (("with", None), ("with", {}), ("with", {"a": []}), ("with", "${{ github.x }}"), ("with", {"a": "${{ secrets.x }}"}),
                       ("with", {"a": "${{ env.x }}"}), ("secrets", None), ("secrets", "x"), ("secrets", {}), ("secrets", {"a": None}),
                       ("secrets", {"a": "${{ secrets.x }}"}), ("secrets", "${{ github.x }}"), ("env", {}), ("runs-on", "x"), ("steps", []),
                       ("timeout-minutes", 1), ("continue-on-error", True), ("environment", "x"), ("outputs", {}), ("container", "x"),
                       ("needs", "a"), ("if", "always()"), ("strategy", {"matrix": {"a": [1]}}), ("name", "x"), ("permissions", {}),
                       ("concurrency", "x"), ("uses", ""), ("uses", None), ("uses", "x"), ("uses", "${{ github.x }}"), ("uses", "o/r@v1")):
        yield file(jobs={"a": {**call, key: value}})
    yield {}
    yield {"on": "push"}
    yield {"jobs": {"a": JOB}}
    yield None
    yield []
    yield "text"


POOL = [None, True, False, 0, 1, -1, 1.5, "", "x", "true", "${{ github.ref }}", "${{ 1 }}", "${{ secrets.X }}", "${{ needs.a.result }}",
        "${{ unknown }}", "${{ hashFiles('x') }}", "${{ success() }}", "${{ env.X }}", "${{ matrix.x }}", "${{ steps.x.outputs.y }}",
        "a ${{ github.sha }} b", "${{ github.a }}${{ github.b }}", "${{ 'text' }}", "${{ fromJSON('[1]') }}", "${{ contains('a') }}", "${{ }}", "${{ 1",
        [], [""], ["a"], [1, True, None], [[]], {}, {"a": "b"}, {"a": None}, {"a": {"b": 1}}, [{}], [{"a": 1}], {"name": "x"}, {"image": "x"},
        {"group": "x"}, {"group": "x", "queue": "max"}, {"group": "x", "queue": "some"}, {"run": {"shell": "bash"}}, {"run": None},
        {"name": "x", "deployment": "no"}, {"name": "x", "url": "${{ secrets.X }}"}, {"image": "x", "ports": "80"}, {"image": ""},
        {"a": {"image": "x", "command": "y"}}, {"a": ""}, {"image-name": "x", "version": "1"}, "inherit", "read-all", "single"]

KEYS = sorted({"on", "name", "jobs", "env", "with", "run", "uses", "id", "if", "needs", "steps", "runs-on", "strategy", "matrix", "include",
               "exclude", "branches", "tags", "paths", "types", "inputs", "outputs", "secrets", "required", "default", "options", "type",
               "group", "cancel-in-progress", "queue", "image", "ports", "container", "services", "background", "wait", "wait-all",
               "cancel", "parallel", "permissions", "contents", "environment", "url", "deployment", "concurrency", "shell",
               "working-directory", "timeout-minutes", "continue-on-error", "defaults", "cron", "timezone", "value", "fail-fast",
               "max-parallel", "labels", "snapshot", "description", "run-name", "extra", "credentials", "username"})


def places(value, path=()):
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


def at(value, path):
    for key in path:
        value = value[key]
    return value


def mutate(tree, chance, donors):
    """One to three changes of a copy."""
    tree = copy.deepcopy(tree)
    for _ in range(chance.choice((1, 1, 2, 3))):
        spots = [path for path in places(tree) if path]
        if not spots:
            return tree
        path = chance.choice(spots)
        holder, key = at(tree, path[:-1]), path[-1]
        change = chance.randint(0, 6)
        if change == 0:
            del holder[key]
        elif change in (1, 2):
            holder[key] = copy.deepcopy(chance.choice(POOL))
        elif change == 3 and isinstance(holder, dict):
            holder[chance.choice(KEYS)] = copy.deepcopy(chance.choice(POOL))
        elif change == 4 and isinstance(holder, dict):
            new = chance.choice([chance.choice(KEYS), str(key).upper(), str(key)[:-1], "${{ github.x }}"])
            renamed = {(new if name == key else name): inner for name, inner in holder.items()}
            holder.clear()
            holder.update(renamed)
        elif change == 5 and isinstance(holder, dict):
            same = [path for path in donors if path[1][-1] == key]
            if same:
                donor, there = chance.choice(same)
                holder[key] = copy.deepcopy(at(donor, there))
        elif isinstance(holder, list):
            holder.insert(chance.randint(0, len(holder)), copy.deepcopy(chance.choice([holder[key], *POOL])))
    return tree


def dump(value):
    """As YAML: keys on lines of their own, texts in double quotes, which JSON and YAML write alike."""
    def scalar(inner):
        return json.dumps(inner, ensure_ascii=False)

    def lines(inner, indent):
        pad = "  " * indent
        if isinstance(inner, dict) and inner:
            for key, member in inner.items():
                if isinstance(member, (dict, list)) and member:
                    yield f"{pad}{scalar(str(key))}:"
                    yield from lines(member, indent + 1)
                else:
                    yield f"{pad}{scalar(str(key))}: {scalar(member)}"
        else:
            for item in inner:
                if isinstance(item, (dict, list)) and item:
                    yield f"{pad}-"
                    yield from lines(item, indent + 1)
                else:
                    yield f"{pad}- {scalar(item)}"

    return "\n".join(lines(value, 0)) + "\n" if isinstance(value, (dict, list)) and value else scalar(value) + "\n"


TEXTS = [
    # YAML itself: anchors, merge keys, tags, styles.
    "on: push\njobs:\n  a: &j\n    runs-on: x\n    steps: &s\n      - run: x\n  b: *j\n  c: {runs-on: x, steps: *s}\n",
    "on: push\nx: &e {A: 1}\njobs: {a: {runs-on: x, steps: [{run: x}]}}\n",
    "on: push\nenv: &e {A: 1}\njobs: {a: {runs-on: x, env: {<<: *e, B: 2}, steps: [{run: x}]}}\n",
    "on: push\nenv: {<<: {A: 1}}\njobs: {a: {runs-on: x, steps: [{run: x}]}}\n",
    "on: push\njobs: {a: {runs-on: x, steps: [{run: *none}]}}\n",
    "on: push\njobs: {a: &a {runs-on: x, steps: [{run: x}], env: *a}}\n",
    "on: push\njobs: {a: {runs-on: x, steps: [{run: !!str 1}]}}\n",
    "on: push\njobs: {a: {runs-on: x, steps: [{run: !mine x}]}}\n",
    "on: push\non: push\njobs: {a: {runs-on: x, steps: [{run: x}]}}\n",
    "on: push\njobs: {a: {runs-on: x, steps: [{run: x, run: y}]}}\n",
    "---\non: push\njobs: {a: {runs-on: x, steps: [{run: x}]}}\n",
    "%YAML 1.2\n---\non: push\njobs: {a: {runs-on: x, steps: [{run: x}]}}\n",
    "on: push\n---\non: push\n",
    "on: push\njobs: {a: {runs-on: x, steps: [{run: x}]}}\n...\n",
    "on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n    - run: |\n        one\n        two ${{ github.ref }}\n    - run: >-\n        one\n        two\n",
    "on: push\njobs:\n\ta:\n    runs-on: x\n",
    "on: push\njobs:\n  a:\n   runs-on: x\n    steps: []\n",
    "on: [push\njobs: {}\n", "on: {push\n", "on: 'push\n", "on: \"pu\\qsh\"\n", "", "# nothing\n", "on: push # x\njobs: # y\n  a: {runs-on: x, steps: [{run: x}]}\n",
    "on:\n- push\njobs: {a: {runs-on: x, steps: [{run: x}]}}\n",
    "on: push\njobs: {a: {runs-on: x, steps: [{run: yes}, {run: on}, {run: 0o17}, {run: 0x1F}, {run: 1e3}, {run: .5}, {run: ~}]}}\n",
    "on: push\nenv: {A: 0o17, B: 0x1F, C: 1e3, D: .5, E: 1_000, F: 010, G: .inf, H: .nan, I: +1, J: 12e03, K: Null, L: TRUE, M: 2026-01-01}\njobs: {a: {runs-on: x, steps: [{run: x}]}}\n",
    "on: push\njobs: {a: {runs-on: x, steps: [{run: x, timeout-minutes: 0x10}, {run: x, timeout-minutes: .inf}, {run: x, continue-on-error: TRUE}]}}\n",
    "{\"on\": \"push\", \"jobs\": {\"a\": {\"runs-on\": \"x\", \"steps\": [{\"run\": \"x\"}]}}}\n",
    "? on\n: push\n? jobs\n: {a: {runs-on: x, steps: [{run: x}]}}\n",
    "on: push\njobs: {a: {runs-on: x, steps: [{run: x}]}}\n? [a]\n: b\n",
    "on: push\n1: x\njobs: {a: {runs-on: x, steps: [{run: x}]}}\n",
    "on: push\nnull: x\njobs: {a: {runs-on: x, steps: [{run: x}]}}\n",
    "on: push\njobs: {1: {runs-on: x, steps: [{run: x}]}}\n",
    "on: push\nenv: {1: a, true: b, 1.50: c}\njobs: {a: {runs-on: x, steps: [{run: x}]}}\n",
    "\ufeffon: push\njobs: {a: {runs-on: x, steps: [{run: x}]}}\n",
    "on: push\r\njobs: {a: {runs-on: x, steps: [{run: x}]}}\r\n",
]


def cases(count, seed):
    """Texts of files: all that are written by hand, then `count` that are mutated."""
    chance = random.Random(seed)
    base = list(handwritten())
    yield from TEXTS
    yield from (dump(tree) for tree in base)
    donors = [(tree, path) for tree in [RICH] for path in places(tree) if path]
    trees = [tree for tree in base if isinstance(tree, dict)]
    for _ in range(count):
        yield dump(mutate(RICH if chance.random() < 0.5 else chance.choice(trees), chance, donors))
