"""Every event that weir says it raises is raised: each is made to happen as people and tools do it."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path

from weir_server import WEIR

ROOT = Path(__file__).parents[3]
sys.path.append(str(ROOT / "tools/compatibility"))
from compatibility import EVENTS  # noqa: E402

# Called by jobs, and started by the clock; test_calls.py and the schedules' own tests have these.
ELSEWHERE = {"workflow_call", "schedule"}


def workflow(event):
    types = f"{{types: [{', '.join(EVENTS[event].split())}]}}" if EVENTS[event] else ""
    if event == "workflow_run":
        types = "{workflows: [push], types: [requested, in_progress, completed]}"
    # Payloads may have an action where `on:` knows no types.
    action = "" if event.startswith("deployment") else " ${{ github.event.action }}"
    return f"""\
name: {event}
run-name: ${{{{ github.event_name }}}}{action}
on:
  {event}: {types}
jobs: {{a: {{runs-on: ubuntu-latest, steps: [{{run: 'true'}}]}}}}
"""


def promised(folder):
    """What `weir lint` does not call silent: "issues opened", "status", ..."""
    all_of = set()
    for event, types in EVENTS.items():
        if event in ELSEWHERE:
            continue
        file = folder / f"{event}.yml"
        file.write_text(workflow(event))
        problems = json.loads(subprocess.run([WEIR, "lint", "--json", file], capture_output=True, check=False).stdout)["problems"]
        silent = [problem["message"] for problem in problems if problem.get("rule") == "silent-event"]
        never = {match[1] for text in silent if (match := re.search(r'the activity "(\w+)"', text))}
        if silent and not never:
            continue
        all_of |= {f"{event} {word}" for word in types.split() if word not in never} if types else {event}
    return all_of


class Forge:
    def __init__(self, server, repository):
        self.server = server
        self.repository = repository

    def rest(self, method, path, body=None):
        return self.server.call(method, f"/api/v3/repos/weir/project{path}", body, token=self.server.admin_token)

    def push(self, *refs):
        self.repository.push(ref=refs[0])
        return self.repository.git("rev-parse", "HEAD").stdout.strip()


def issues(forge):
    number = forge.rest("POST", "/issues", {"title": "Drift", "labels": ["drift"]})["number"]
    forge.rest("PATCH", f"/issues/{number}", {"title": "Drift in March"})
    forge.rest("DELETE", f"/issues/{number}/labels/drift")
    for method in ("POST", "DELETE"):
        forge.rest(method, f"/issues/{number}/assignees", {"assignees": ["admin"]})
    comment = forge.rest("POST", f"/issues/{number}/comments", {"body": "seen"})["id"]
    forge.rest("PATCH", f"/issues/comments/{comment}", {"body": "seen by me"})
    forge.rest("DELETE", f"/issues/comments/{comment}")
    forge.rest("PATCH", f"/issues/{number}", {"state": "closed"})
    forge.rest("PATCH", f"/issues/{number}", {"state": "open"})


def pulls(forge):
    repository = forge.repository
    repository.git("checkout", "-qb", "better")
    repository.write("train.py", "one\n")
    repository.commit("Train better")
    forge.push("better")
    number = forge.rest("POST", "/pulls", {"title": "Train better", "head": "better", "base": "main"})["number"]
    forge.rest("PATCH", f"/pulls/{number}", {"title": "Train much better"})
    forge.rest("POST", f"/issues/{number}/labels", {"labels": ["gpu"]})
    forge.rest("DELETE", f"/issues/{number}/labels/gpu")
    for method in ("POST", "DELETE"):
        forge.rest(method, f"/issues/{number}/assignees", {"assignees": ["admin"]})
    for draft in (True, False):
        forge.server.call("PATCH", f"/api/v1/repos/project/pulls/{number}", {"draft": draft}, token=forge.server.admin_token)
    forge.server.post("/api/v1/tokens", {"name": "bob", "role": "developer"}, forge.server.admin_token)
    for method in ("POST", "DELETE"):
        forge.rest(method, f"/pulls/{number}/requested_reviewers", {"reviewers": ["bob"]})
    review = forge.rest("POST", f"/pulls/{number}/reviews", {"event": "REQUEST_CHANGES", "body": "why?"})["id"]
    forge.rest("PUT", f"/pulls/{number}/reviews/{review}", {"body": "why so?"})
    forge.rest("PUT", f"/pulls/{number}/reviews/{review}/dismissals", {"message": "I see"})
    comment = forge.rest("POST", f"/pulls/{number}/comments", {"body": "here", "path": "train.py", "line": 1})["id"]
    forge.rest("PATCH", f"/pulls/comments/{comment}", {"body": "just here"})
    forge.rest("DELETE", f"/pulls/comments/{comment}")
    forge.rest("PATCH", f"/pulls/{number}", {"state": "closed"})
    forge.rest("PATCH", f"/pulls/{number}", {"state": "open"})
    repository.write("train.py", "two\n")
    repository.commit("Again")
    forge.push("better")


def commits(forge):
    head = forge.repository.git("rev-parse", "HEAD").stdout.strip()
    forge.rest("POST", f"/statuses/{head}", {"state": "success", "context": "lint"})
    check = forge.rest("POST", "/check-runs", {"name": "scan", "head_sha": head})["id"]
    forge.rest("PATCH", f"/check-runs/{check}", {"conclusion": "success"})
    forge.rest("POST", f"/check-runs/{check}/rerequest")
    for prerelease in (True, False):
        release = forge.rest("POST", "/releases", {"tag_name": f"v{prerelease:d}", "prerelease": prerelease})["id"]
    forge.rest("PATCH", f"/releases/{release}", {"body": "better"})
    draft = forge.rest("POST", "/releases", {"tag_name": "v9", "draft": True})["id"]
    forge.rest("DELETE", f"/releases/{draft}")


def labels(forge):
    forge.rest("POST", "/labels", {"name": "urgent", "color": "ff0000"})
    forge.rest("PATCH", "/labels/urgent", {"new_name": "soon"})
    forge.rest("DELETE", "/labels/soon")


def deployments(forge):
    made = forge.rest("POST", "/deployments", {"ref": "main", "environment": "staging", "required_contexts": []})["id"]
    forge.rest("POST", f"/deployments/{made}/statuses", {"state": "success"})


def refs(forge):
    forge.repository.git("branch", "old")
    forge.repository.push(ref="old")
    forge.repository.push(ref=":old")


def dispatches(forge):
    forge.rest("POST", "/actions/workflows/workflow_dispatch.yml/dispatches", {"ref": "main"})
    forge.rest("POST", "/dispatches", {"event_type": "created"})


def registry(forge):
    def mlflow(path, **body):
        return forge.server.post(f"/api/2.0/mlflow/{path}", body, token=forge.server.admin_token)

    run = mlflow("runs/create", experiment_id="0")["run"]["info"]["run_id"]
    mlflow("registered-models/create", name="delay")
    mlflow("model-versions/create", name="delay", source=f"runs:/{run}/model", run_id=run)


def test_all_that_is_promised_happens(server, repository, tmp_path):
    (tmp_path / "files").mkdir()
    wanted = promised(tmp_path / "files")
    # Any type may be named: one does.
    wanted.discard("repository_dispatch")
    wanted.add("repository_dispatch created")
    for event in EVENTS:
        if event not in ELSEWHERE:
            text = workflow(event)
            repository.write(f".github/workflows/{event}.yml",
                             text.replace("repository_dispatch: ", "repository_dispatch: {types: [created]}"))
    repository.commit("Begin")
    repository.push()
    forge = Forge(server, repository)
    for deed in (issues, labels, commits, deployments, refs, dispatches, registry, pulls):
        deed(forge)

    seen = set()
    deadline = time.monotonic() + 90
    while not wanted <= seen and time.monotonic() < deadline:
        seen = {run["title"].strip() for run in server.get("/api/v1/runs?limit=200")["runs"]}
        time.sleep(0.1)
    assert wanted - seen == set()
    # And what lint calls silent stays silent.
    assert seen - wanted == set()
