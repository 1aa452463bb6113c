"""Pull requests of the forge that a repository follows: webhooks tell of them, and their checks run here."""

import json
import os
import shutil

import pytest
from test_calls import log_of
from test_sources import SECRET, deliver, github, upstream  # noqa: F401
from weir_server import wait_until

WORKFLOW = """\
name: CI
on:
  push:
  pull_request: {paths: [model.txt]}
  pull_request_target:
  pull_request_review:
jobs:
  a:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
        if: github.event_name != 'pull_request_target'
      - run: |
          echo "${{ github.event_name }} ${{ github.event.action }} #${{ github.event.number }} ${{ github.ref }}"
          echo "${{ github.head_ref }} into ${{ github.base_ref }} of ${{ github.event.pull_request.head.repo.full_name }}"
          echo "user ${{ github.event.pull_request.user.login }} model $(cat model.txt) secret [${{ secrets.KEY }}]"
"""


@pytest.fixture
def project(server, upstream):
    """The upstream repository, and what says that its pull request 7 has moved: gives the delivery's answer."""
    folder = upstream("rev-parse", "--show-toplevel")

    def write(name, text):
        with open(os.path.join(folder, name), "w") as file:
            file.write(text)

    def propose(action, text=None, fork=False, number=7, name=None, conflict=False):
        if text is not None:
            upstream("checkout", "-q", "-B", "better", "main~1" if conflict else "main")
            write(name or "model.txt", text)
            upstream("add", "-A")
            upstream("commit", "-qm", text)
            upstream("update-ref", f"refs/pull/{number}/head", "HEAD")
            upstream("checkout", "-q", "main")
        return {"action": action, "number": number, "sender": {"login": "una"}, "repository": {"full_name": "acme/flights"},
                "pull_request": {"number": number, "title": "Be better", "user": {"login": "una"},
                                 "head": {"ref": "better", "sha": upstream("rev-parse", f"refs/pull/{number}/head"),
                                          "repo": {"full_name": "vera/flights" if fork else "acme/flights"}},
                                 "base": {"ref": "main", "repo": {"full_name": "acme/flights"}}}}

    server.cli("secret", "set", "HOOK_GITHUB", "--value", SECRET)
    server.cli("secret", "set", "KEY", "--value", "abc123")
    write(".github/workflows/ci.yml", WORKFLOW)
    write("model.txt", "old\n")
    upstream("add", "-A")
    upstream("commit", "-qm", "Two")
    upstream.write, upstream.propose = write, propose
    return upstream


def of(server, event, count=1):
    """The newest runs of an event, ended, with their logs."""
    found = wait_until(lambda: (lambda all: all if len(all) >= count else None)(
        [r for r in server.get("/api/v1/runs")["runs"] if r["event"] == event]), 60, f"{count} runs of {event}")
    run = server.finished(found[0]["id"])
    return run, log_of(server, run["jobs"][0]["id"])


def say(server, event, body, number):
    return deliver(server, "github", body, github(event, body, number))


def test_a_branch_of_the_team_runs_merged_and_trusted(server, project):
    status, answer = say(server, "pull_request", project.propose("opened", "new\n"), "p1")
    assert status == 202 and "is fetched" in answer["message"]
    run, log = of(server, "pull_request")
    assert run["conclusion"] == "success" and run["ref"] == "refs/pull/7/merge", log
    assert "pull_request opened #7 refs/pull/7/merge" in log and "better into main of weir/project" in log
    assert "user una model new secret [***]" in log
    assert run["reason"] == "pull request #7 opened by github (una)"
    assert run["title"] == "Be better"
    git = lambda *a: project("--git-dir", str(server.state / "repos/project.git"), *a)
    assert git("rev-parse", f"{run['commit']}^1", f"{run['commit']}^2").split() == [
        project("rev-parse", "main"), project("rev-parse", "refs/pull/7/head")]
    run, log = of(server, "pull_request_target")
    assert run["commit"] == project("rev-parse", "main") and "pull_request_target opened #7 refs/heads/main" in log
    # It moves on; a second copy of a delivery starts nothing.
    body = project.propose("synchronize", "newer\n")
    assert say(server, "pull_request", body, "p2")[0] == 202
    run, log = of(server, "pull_request", 2)
    assert "pull_request synchronize #7" in log and "model newer" in log
    status, answer = say(server, "pull_request", body, "p2")
    assert status == 200 and "taken before" in answer["message"]
    review = project.propose("submitted") | {"review": {"state": "approved"}}
    assert say(server, "pull_request_review", review, "p3")[0] == 202
    run, log = of(server, "pull_request_review")
    assert "pull_request_review submitted #7" in log and "model newer" in log
    assert len([r for r in server.get("/api/v1/runs")["runs"] if r["event"] == "pull_request"]) == 2


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="there is no bubblewrap")
def test_a_fork_runs_in_the_sandbox_without_secrets(server, project):
    assert say(server, "pull_request", project.propose("opened", "new\n", fork=True), "p1")[0] == 202
    run, log = of(server, "pull_request")
    if "in a sandbox only, which this machine does not have" in log:
        pytest.skip(log)  # refused, as it has to be
    assert run["conclusion"] == "success", log
    assert "in a sandbox (bubblewrap" in log and "model new secret []" in log
    assert "of una/project" in log


def test_conflicts_and_other_paths_start_no_checks(server, project):
    project.write("model.txt", "theirs\n")
    project("commit", "-qam", "Three")
    assert say(server, "pull_request", project.propose("opened", "new\n", conflict=True), "p1")[0] == 202
    of(server, "pull_request_target")
    assert say(server, "pull_request", project.propose("opened", "words\n", number=8, name="notes.txt"), "p2")[0] == 202
    of(server, "pull_request_target", 2)
    assert [r for r in server.get("/api/v1/runs")["runs"] if r["event"] == "pull_request"] == []


def test_what_was_acknowledged_is_done_after_a_crash_and_when_the_forge_is_back(server, project):
    folder = project("rev-parse", "--show-toplevel")
    body = project.propose("opened", "new\n")
    os.rename(folder, folder + ".away")
    assert say(server, "pull_request", body, "p1")[0] == 202
    log = server.state.parent / "serve.log"
    wait_until(lambda: "pull_request #7 opened of project cannot be followed yet" in log.read_text(), 60, "a first try")
    server.kill()
    os.rename(folder + ".away", folder)
    server.start()
    run, text = of(server, "pull_request")
    assert run["conclusion"] == "success" and "model new" in text
    assert say(server, "pull_request", body, "p1")[0] == 200


def test_a_gitlab_merge_request_runs_as_a_pull_request(server, project):
    server.cli("secret", "set", "HOOK_GITLAB", "--value", SECRET)
    head = project.propose("opened", "new\n")["pull_request"]["head"]["sha"]
    project("update-ref", "refs/merge-requests/3/head", head)
    body = {"object_kind": "merge_request", "user": {"username": "una"}, "labels": [],
            "object_attributes": {"iid": 3, "title": "Be better", "action": "open", "state": "opened",
                                  "source_branch": "better", "target_branch": "main", "last_commit": {"id": head},
                                  "source_project_id": 1, "target_project_id": 1}}
    headers = {"X-Gitlab-Token": SECRET, "X-Gitlab-Event": "Merge Request Hook", "X-Gitlab-Event-UUID": "u1"}
    assert deliver(server, "gitlab", body, headers)[0] == 202
    run, log = of(server, "pull_request")
    assert run["conclusion"] == "success", log
    assert "pull_request opened #3 refs/pull/3/merge" in log and "user una model new" in log


def test_what_makes_no_sense_is_refused(server, project):
    body = project.propose("opened", "new\n")
    for change in ({"base": {"ref": "main:refs/heads/evil"}}, {"number": 0}, {"head": {"ref": "better", "sha": "HEAD"}}):
        wrong = body | {"pull_request": body["pull_request"] | change}
        status, answer = say(server, "pull_request", wrong, json.dumps(change))
        assert status == 400 and "a pull request without" in answer["message"], answer
    assert deliver(server, "github", body, github("pull_request", body, "w", secret="wrong"))[0] == 401
    server.cli("repo", "remove", "project", token=server.admin_token)
    status, answer = say(server, "pull_request", body, "p9")
    assert status == 409 and "weir repo add project --from URL" in answer["message"], answer
