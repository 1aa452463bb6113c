#!/usr/bin/env python3
"""Makes docs/COMPATIBILITY.md: every row of table.txt is tried by weir itself, and so is every event and permission.

  tools/compatibility/compatibility.py           writes the page
  tools/compatibility/compatibility.py --check   fails if it is not current

The counts of the differential tests come from tests/clients/language, where the tests compare them.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PAGE = ROOT / "docs" / "COMPATIBILITY.md"
LANGUAGE = ROOT / "tests" / "clients" / "language"
WEIR = Path(os.environ.get("WEIR_BUILD", ROOT / "build")).resolve() / "bin" / "weir"

CALLED = """\
on:
  workflow_call:
    inputs: {word: {type: string, required: true}}
    outputs: {said: {value: '${{ jobs.say.outputs.said }}'}}
jobs:
  say:
    runs-on: ubuntu-latest
    outputs: {said: '${{ steps.s.outputs.said }}'}
    steps: [{id: s, run: 'echo "said=${{ inputs.word }}!" >> "$GITHUB_OUTPUT"'}]
"""

HELLO = """\
name: Hello
description: says it
inputs: {who: {description: whom, required: true}}
outputs: {said: {description: what was said, value: '${{ steps.s.outputs.said }}'}}
runs:
  using: composite
  steps: [{id: s, shell: bash, run: 'echo "said=hello ${{ inputs.who }}" >> "$GITHUB_OUTPUT"'}]
"""

SCOPES = ["actions", "artifact-metadata", "attestations", "checks", "code-quality", "contents", "copilot-requests",
          "deployments", "discussions", "drives", "id-token", "issues", "models", "packages", "pages", "pull-requests",
          "repository-projects", "security-events", "statuses", "vulnerability-alerts"]

# Every event that `on:` may name, with its activities.
EVENTS = {
    "branch_protection_rule": "created edited deleted",
    "check_run": "completed created rerequested requested_action",
    "check_suite": "completed",
    "create": "",
    "delete": "",
    "deployment": "",
    "deployment_status": "",
    "discussion":
        "created edited deleted transferred pinned unpinned labeled unlabeled locked unlocked "
        "category_changed answered unanswered",
    "discussion_comment": "created edited deleted",
    "fork": "",
    "gollum": "",
    "image_version": "created ready deleted",
    "issue_comment": "created edited deleted",
    "issues":
        "opened edited deleted transferred pinned unpinned closed reopened assigned unassigned "
        "labeled unlabeled locked unlocked milestoned demilestoned field_added field_removed typed "
        "untyped",
    "label": "created edited deleted",
    "merge_group": "checks_requested",
    "milestone": "created closed opened edited deleted",
    "page_build": "",
    "project": "created closed reopened edited deleted",
    "project_card": "created moved converted edited deleted",
    "project_column": "created updated moved deleted",
    "public": "",
    "pull_request":
        "assigned unassigned labeled unlabeled opened edited closed reopened synchronize "
        "converted_to_draft locked unlocked enqueued dequeued milestoned demilestoned "
        "ready_for_review review_requested review_request_removed auto_merge_enabled "
        "auto_merge_disabled stacked",
    "pull_request_comment": "created edited deleted",
    "pull_request_review": "submitted edited dismissed",
    "pull_request_review_comment": "created edited deleted",
    "pull_request_target":
        "assigned unassigned labeled unlabeled opened edited closed reopened synchronize "
        "converted_to_draft locked unlocked enqueued dequeued milestoned demilestoned "
        "ready_for_review review_requested review_request_removed auto_merge_enabled "
        "auto_merge_disabled stacked",
    "push": "",
    "registry_package": "published updated",
    "release": "published unpublished created edited deleted prereleased released",
    "repository_dispatch": "",
    "schedule": "",
    "status": "",
    "watch": "started",
    "workflow_call": "",
    "workflow_dispatch": "",
    "workflow_run": "requested completed in_progress",
}


class Row:
    def __init__(self, section, header):
        flags = re.findall(r"\[(lint|podman|fails|event=\w+)\]", header)
        self.section = section
        self.name = re.sub(r" \[(lint|podman|fails|event=\w+)\]", "", header).strip()
        self.lint_only = "lint" in flags
        self.podman = "podman" in flags
        self.fails = "fails" in flags
        self.event = next((flag[6:] for flag in flags if flag.startswith("event=")), "push")
        self.lines = []
        self.status = None

    def file(self):
        body = "\n".join(self.lines).replace("runs-on: x,", "runs-on: ubuntu-latest,")
        if re.search(r"^jobs:", body, re.M):
            return ("" if re.search(r"^on:", body, re.M) else "on: push\n") + body + "\n"
        inner = "\n".join("    " + line for line in self.lines) + "\n"
        if body.startswith("- "):
            return "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n" + inner
        placed = "" if re.search(r"^runs-on:", body, re.M) else "    runs-on: ubuntu-latest\n"
        steps = "" if re.search(r"^steps:", body, re.M) else "    steps: [{run: 'true'}]\n"
        return "on: push\njobs:\n  a:\n" + placed + inner + steps


def read_table():
    rows, section = [], ""
    for line in (HERE / "table.txt").read_text().splitlines():
        if line.startswith("# "):
            section = line[2:]
        elif line.startswith("== "):
            rows.append(Row(section, line[3:]))
        elif rows and line.strip() and not line.startswith("#"):
            rows[-1].lines.append(line)
    return rows


def lint(folder, files):
    """The first error of each file, by its name."""
    done = subprocess.run([WEIR, "lint", "--json", "--disable", "all", *files], cwd=folder, capture_output=True, check=False)
    errors = {}
    for problem in json.loads(done.stdout)["problems"]:
        if problem["severity"] == "error":
            errors.setdefault(Path(problem["file"]).name, problem["message"])
    return errors


def conclusions(folder, event, files):
    """What became of each file's run."""
    command = [WEIR, "run", event, "--json", "--state", folder / "state"]
    for file in files:
        command += ["-W", f".github/workflows/{file}"]
    done = subprocess.run(command, cwd=folder / "repository", capture_output=True, check=False, timeout=240)
    found = {}
    for line in done.stdout.splitlines():
        entry = json.loads(line)
        if "conclusion" in entry and "path" in entry:
            found[Path(entry["path"]).name] = entry["conclusion"]
    return found


def git(folder, *arguments):
    subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@localhost", *arguments], cwd=folder, check=True,
                   capture_output=True)


def try_rows(rows, folder):
    repository = folder / "repository"
    workflows = repository / ".github" / "workflows"
    (repository / ".github" / "actions" / "hello").mkdir(parents=True)
    workflows.mkdir(parents=True)
    (repository / ".github" / "actions" / "hello" / "action.yml").write_text(HELLO)
    (workflows / "called.yml").write_text(CALLED)
    names = {}
    for index, row in enumerate(rows):
        names[f"{index:03}.yml"] = row
        (workflows / f"{index:03}.yml").write_text(row.file())
    errors = lint(workflows, sorted(names))
    for name, row in names.items():
        if name in errors:
            row.status = "refused: " + errors[name]
            (workflows / name).unlink()
    git(repository, "init", "-q")
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "all")
    for event in sorted({row.event for row in rows}):
        mine = [name for name, row in names.items() if row.status is None and not row.lint_only and row.event == event]
        found = conclusions(folder, event, mine)
        for name in mine:
            row, ended = names[name], found.get(name, "no run")
            # A time limit that is reached cancels the job, as on GitHub.
            good = ended != "success" if row.fails else ended == "success"
            row.status = "works" if good else f"does not work: the run ended with {ended}"
    for row in rows:
        if row.status is None:
            row.status = "works through podman, where the machine has it" if row.podman else "accepted"


def permission_rows(folder):
    files = {}
    for scope in SCOPES:
        for level in ("read", "write", "none"):
            files[f"{scope}-{level}.yml"] = f"on: push\npermissions: {{{scope}: {level}}}\njobs: {{a: {{runs-on: x, steps: [{{run: x}}]}}}}\n"
    for name, text in files.items():
        (folder / name).write_text(text)
    errors = lint(folder, sorted(files))
    return [(scope, ", ".join(level for level in ("read", "write", "none") if f"{scope}-{level}.yml" not in errors))
            for scope in SCOPES]


def event_rows(folder):
    """Whether each event is accepted, and which of its activities happen in weir: what `weir lint` warns of never does."""
    for event, types in EVENTS.items():
        body = "[{cron: '0 2 * * *'}]" if event == "schedule" else f"{{types: [{', '.join(types.split())}]}}" if types else ""
        (folder / f"{event}.yml").write_text(f"on:\n  {event}: {body}\njobs: {{a: {{runs-on: x, steps: [{{run: x}}]}}}}\n")
    errors = lint(folder, [f"{event}.yml" for event in EVENTS])
    rows = []
    for event, types in EVENTS.items():
        silent = silent_in(folder / f"{event}.yml")
        by_webhook = any("hint" in warning for warning in silent)
        never = [match[1] for warning in silent if (match := re.search(r'the activity "(\w+)"', warning["message"]))]
        if f"{event}.yml" in errors:
            status = "refused: " + errors[f"{event}.yml"]
        elif event == "workflow_call":
            status = "works: jobs call it"
        elif silent and not never:
            status = "accepted; only a webhook of GitHub's brings it" if by_webhook else "accepted; nothing brings it"
        else:
            status = "works: weir raises it"
            raised = [word for word in types.split() if word not in never]
            if raised:
                status += f" ({', '.join(raised)})"
        rows.append((event, status))
    return rows


def silent_in(file):
    done = subprocess.run([WEIR, "lint", "--json", file], capture_output=True, text=True, check=False)
    return [found for found in json.loads(done.stdout)["problems"] if found.get("rule") == "silent-event"]


def builtin_actions():
    names = set()
    for path in sorted((ROOT / "src" / "runner").glob("action*.cc")):
        names.update(re.findall(r'BuiltinAction \w+_action\(\) \{\s*return \{\s*"([^"]+)"', path.read_text()))
    return sorted(names)


def provided_actions():
    text = (ROOT / "src" / "runner" / "provided_action.cc").read_text()
    return sorted(re.findall(r'^\s*\{"([\w.-]+/[\w.-]+)",', text, re.MULTILINE))


def tried_actions():
    """Rows of actions.txt: names with versions | what came of it."""
    lines = [line.strip() for line in (HERE / "actions.txt").read_text().splitlines()]
    rows = [[cell.strip() for cell in line.split(" | ", 1)] for line in lines if line and not line.startswith("#")]
    return [[", ".join(f"`{name}`" for name in names.split()), result] for names, result in rows]


def escape(text):
    return text.replace("|", "\\|")


def table(header, rows):
    out = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return out + ["| " + " | ".join(escape(str(cell)) for cell in row) + " |" for row in rows]


def number(value):
    return f"{value:,}"


def differential():
    counts = json.loads((LANGUAGE / "counts.json").read_text())
    known = json.loads((LANGUAGE / "differences.json").read_text())
    versions = json.loads((LANGUAGE / "package.json").read_text())["dependencies"]
    rules = dict(re.findall(r'^  "([\w-]+)": "(.*)",$', (LANGUAGE / "runner_rules.mjs").read_text(), re.M))
    expressions, files, models = counts["expressions"], counts["workflows"], counts["models"]
    differing = expressions["cases"] - expressions["alike"]
    out = ["## Asked beside GitHub's own packages", "",
           f"`tests/clients/language` asks weir and npm `@actions/expressions` {versions['@actions/expressions']} and "
           f"`@actions/workflow-parser` {versions['@actions/workflow-parser']} the same questions, written by hand, grown "
           "from the grammar and mutated. Nothing may differ but what is listed here.", ""]
    out += table(["", "asked", "alike", "differ by a listed rule", "unexplained"],
                 [["expressions (value and kind, or both an error)", number(expressions["cases"]), number(expressions["alike"]),
                   number(differing), 0],
                  ["workflow files (accepted or refused)", number(files["files"]), number(files["alike"]),
                   number(files["files"] - files["alike"]), 0],
                  ["workflow files that both accept (what was understood)", number(models["compared"]),
                   number(models["compared"]), 0, 0]])
    out += ["", "Expressions follow GitHub's runner, which evaluates those of steps, where the package does otherwise:", ""]
    out += table(["rule of the runner", "expressions that it changes"],
                 [[text, number(expressions["rules of the runner"].get(name, 0))] for name, text in rules.items()])
    out += ["", "Files that GitHub's package takes and weir refuses, each with a message that says why:", ""]
    out += table(["what", "because", "files among those asked"],
                 [[entry["what"], entry["reason"], number(files["weir is stricter"].get(entry["what"], 0))]
                  for entry in known["stricter"]])
    out += ["", "Files that the package refuses and weir takes:", ""]
    out += table(["what", "because", "files among those asked"],
                 [[entry["what"], entry["reason"], number(files["weir is laxer"].get(entry["what"], 0))]
                  for entry in known["laxer"]])
    return out


def page():
    rows = read_table()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for name in ("events", "permissions"):
            (folder / name).mkdir()
        try_rows(rows, folder)
        events = event_rows(folder / "events")
        permissions = permission_rows(folder / "permissions")
    out = ["# Compatibility with GitHub Actions", "",
           "Made by `tools/compatibility/compatibility.py`, which lets weir try every row; a test checks that it is current.",
           "", "- **works**: a workflow that uses it ran, and its steps checked the effect",
           "- **accepted**: read and kept; other tests show what becomes of it",
           "- **refused**: named with the reason before anything runs. No key is silently ignored.", ""]
    count = {kind: sum(row.status.startswith(kind) for row in rows) for kind in ("works", "accepted", "refused", "does not")}
    out += [f"Of {len(rows)} rows of keys, contexts, functions, shells and commands {count['works']} work, {count['accepted']} "
            f"are accepted, {count['refused']} are refused and {count['does not']} do not work.", ""]
    for section in dict.fromkeys(row.section for row in rows):
        out += [f"## {section}", ""]
        out += table(["", "status"], [[f"`{row.name}`", row.status] for row in rows if row.section == section])
        out += [""]
    out += ["## Events", ""] + table(["", "status"], [[f"`{event}`", status] for event, status in events]) + [""]
    out += ["## Permissions", "", "The levels that each scope takes.", ""]
    out += table(["", "levels"], [[f"`{scope}`", levels] for scope, levels in permissions]) + [""]
    out += ["## Built-in actions", "", "Part of weir, without a download: "
            + ", ".join(f"`{name}`" for name in builtin_actions())
            + ". Actions of the repository (`./path`) and of others (`owner/repository@version`) run too.", "",
            "Done anew by weir under the same name, with programs and packages of this machine or of the package index: "
            + ", ".join(f"`{name}`" for name in provided_actions()) + ".", ""]
    out += ["## Actions of others that were tried", "",
            "Run from their own repositories on a real server without the internet; the effect was looked at in weir. "
            "Those of `actions/` that weir has itself were tried under another owner's name.", ""]
    out += table(["", "what came of it"], tried_actions()) + [""]
    return "\n".join(out + differential()) + "\n"


def main():
    made = page()
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(made)
        return 0
    if PAGE.exists() and PAGE.read_text() == made:
        return 0
    print("docs/COMPATIBILITY.md is not current: run tools/compatibility/compatibility.py", file=sys.stderr)
    current = PAGE.read_text().splitlines() if PAGE.exists() else []
    for line in made.splitlines():
        if line not in current:
            print("+", line, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
