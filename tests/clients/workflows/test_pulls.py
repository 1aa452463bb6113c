"""Pull requests without a forge: opened by CLI or push, checked, reviewed, merged."""

import json
import os
import subprocess
import urllib.error

import pytest
from weir_server import WEIR, wait_until

WORKFLOW = """\
name: CI
on: [pull_request, push]
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - run: |
          echo "event ${{ github.event_name }} head ${{ github.head_ref }} base ${{ github.base_ref }}"
          test "$(cat model.txt)" = good
"""


def token(server, name, role):
    return json.loads(server.cli("token", "create", name, "--role", role, "--json").stdout)["token"]


@pytest.fixture
def project(server, repository):
    repository.write("weir.yaml", "branches:\n  main: {checks: [test], reviews: 1}\n")
    repository.write(".github/workflows/ci.yml", WORKFLOW)
    repository.write("model.txt", "good\n")
    repository.commit("Begin")
    repository.push()
    server.finished(1)
    repository.git("checkout", "-qb", "better")
    repository.write("notes.md", "text\n")
    repository.write("model.txt", "bad\n")
    repository.commit("Better notes")
    return repository


def pr(server, *arguments, token=None, check=True):
    return server.cli("pr", *arguments, "--repo", "project", token=token, check=check)


def run_of(server, number):
    """The newest run of the pull request's merge commit, when all of its head have ended."""
    def found():
        runs = server.get(f"/api/v1/repos/project/pulls/{number}")["runs"]
        ended = all(run["state"] == "completed" for run in runs)
        return ended and next((run["id"] for run in runs if run["event"] == "pull_request"), None)
    return server.finished(wait_until(found, 60, "the pull request's runs"))


def test_a_pull_request_is_checked_reviewed_and_merged(server, project):
    alice, bob = token(server, "alice", "developer"), token(server, "bob", "approver")
    project.push(token=alice, ref="better")
    made = pr(server, "create", "--head", "better", token=alice).stdout
    assert made.splitlines()[0] == "#1  Better notes", made
    assert run_of(server, 1)["conclusion"] == "failure"
    refused = pr(server, "merge", "1", token=alice, check=False)
    assert refused.returncode != 0
    assert 'the check "test" is failure' in refused.stderr and "0 of 1 approvals" in refused.stderr

    project.write("model.txt", "good\n")
    project.commit("Mend")
    project.push(token=alice, ref="better")
    run = run_of(server, 1)
    assert run["conclusion"] == "success" and run["ref"] == "refs/pull/1/merge"
    log = "\n".join(line["text"] for line in server.get(f"/api/v1/jobs/{run['jobs'][0]['id']}/log")["lines"])
    assert "event pull_request head better base main" in log

    assert pr(server, "review", "1", "--approve", token=alice, check=False).returncode != 0
    pr(server, "review", "1", "--approve", token=bob)
    pr(server, "comment", "1", "--body", "Nice.", token=bob)
    assert "ready to merge" in pr(server, "view", "1").stdout
    assert pr(server, "merge", "1", token=alice).stdout == "merged\n"
    shown = server.get("/api/v1/repos/project/pulls/1")
    assert shown["merged"] and shown["state"] == "closed" and shown["comments"][0]["body"] == "Nice."
    # The merge is a push to main, which runs what a push runs.
    pushed = wait_until(lambda: [r for r in server.get("/api/v1/runs")["runs"]
                                 if r["event"] == "push" and r["ref"] == "refs/heads/main" and r["id"] > 1], 60, "push")
    assert server.finished(pushed[0]["id"])["conclusion"] == "success"


def test_a_push_for_a_branch_opens_one_and_the_next_brings_it_up_to_date(server, project):
    vera = token(server, "vera", "viewer")
    refused = project.push(token=vera, ref="better", check=False)
    assert refused.returncode != 0
    project.push(token=vera, ref="HEAD:refs/for/main")
    shown = server.get("/api/v1/repos/project/pulls/1")
    assert shown["foreign"] and shown["author"] == "vera" and shown["head"]["ref"] == "changes/vera/main"
    project.write("notes.md", "more\n")
    project.commit("More")
    project.push(token=vera, ref="HEAD:refs/for/main")
    after = server.get("/api/v1/repos/project/pulls/1")
    assert after["head"]["sha"] == project.git("rev-parse", "HEAD").stdout.strip()
    assert len(server.get("/api/v1/repos/project/pulls")["pulls"]) == 1
    # Nobody looked at it: its jobs run in a sandbox, or not at all.
    runs = server.get("/api/v1/repos/project/pulls/1")["runs"]
    job = server.finished(runs[0]["id"])["jobs"][0]
    log = "\n".join(line["text"] for line in server.get(f"/api/v1/jobs/{job['id']}/log")["lines"])
    assert "somebody who may not push" in log and "in a sandbox" in log
    assert "refs/for" not in project.git("ls-remote", f"{server.url}/git/project.git").stdout


def test_what_no_pull_request_can_be_made_of_is_refused_before_it_is_stored(server, project):
    head = project.git("rev-parse", "HEAD").stdout.strip()
    refs = project.git("ls-remote", f"{server.url}/git/project.git").stdout
    refused = project.push(ref="HEAD:refs/for/mian", check=False)
    assert refused.returncode != 0 and 'there is no branch "mian" to push a change for; did you mean "main"?' in refused.stderr
    project.git("checkout", "-q", "--orphan", "apart")
    project.commit("Begin elsewhere")
    refused = project.push(ref="HEAD:refs/for/main", check=False)
    assert refused.returncode != 0 and "and main have no common history" in refused.stderr
    assert project.git("ls-remote", f"{server.url}/git/project.git").stdout == refs
    project.push(ref="apart")
    done = server.cli("pr", "create", "--repo", "project", "--head", "apart", "--json", token=server.admin_token, check=False)
    assert json.loads(done.stdout) == {"error": "failed_precondition", "message": "apart and main have no common history"}
    # Neither a later push nor a number is lost.
    project.push(ref=f"{head}:refs/for/main")
    assert server.get("/api/v1/repos/project/pulls/1")["head"]["sha"] == head


def test_pull_requests_survive_a_killed_server(server, project):
    project.push(ref="better")
    pr(server, "create", "--head", "better", token=server.admin_token)
    server.kill()
    server.start()
    assert server.get("/api/v1/repos/project/pulls/1")["state"] == "open"
    assert server.get("/api/v1/repos/project/pulls")["pulls"][0]["number"] == 1


def test_a_merge_leaves_the_checks_of_others_standing(server, project):
    for branch, file in (("one", "one.md"), ("two", "two.md")):
        project.git("checkout", "-q", "main")
        project.git("checkout", "-qb", branch)
        project.write(file, "text\n")
        project.commit(f"Add {file}")
        project.push(token=server.admin_token, ref=branch)
        pr(server, "create", "--head", branch, token=server.admin_token)
    carol = token(server, "carol", "approver")
    for number in (1, 2):
        assert run_of(server, number)["conclusion"] == "success"
        pr(server, "review", str(number), "--approve", token=carol)
    pr(server, "merge", "1", token=carol)
    assert pr(server, "merge", "2", token=carol).stdout == "merged\n"


@pytest.mark.parametrize("address", ["git/project.git", "weir/project", "weir/project.git"])
def test_a_clone_knows_its_repository(server, project, tmp_path, address):
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", f"{server.url}/{address}", clone], check=True)
    listed = subprocess.run([WEIR, "pr", "list"], cwd=clone, capture_output=True, text=True, timeout=60,
                            env={**os.environ, "WEIR_STATE": str(server.state)})
    assert listed.returncode == 0 and "pull request" in listed.stdout, listed


def test_one_is_opened_again_where_it_could_be_opened_and_wrong_changes_change_nothing(server, project):
    vera = token(server, "vera", "viewer")
    project.push(token=vera, ref="HEAD:refs/for/main")
    pr(server, "close", "1", token=vera)
    project.write("more.md", "more\n")
    project.commit("More")
    project.push(token=vera, ref="HEAD:refs/for/main")
    # As on GitHub, two that are open for one branch would both run with each push.
    again = pr(server, "reopen", "1", token=vera, check=False)
    assert again.returncode == 1 and "pull request #2 is open for " in again.stderr, again.stderr
    assert [p["number"] for p in server.get("/api/v1/repos/project/pulls")["pulls"]] == [2]

    alice = token(server, "alice", "developer")
    project.push(token=alice, ref="better")
    pr(server, "create", "--head", "better", token=alice)
    before = server.get("/api/v1/repos/project/pulls/3")
    for api, refusal in (("/api/v1/repos/project/pulls/3", 400), ("/api/v3/repos/weir/project/pulls/3", 422)):
        for change in ({"state": "bogus"}, {"state": "merged"}, {"title": 5}, {"body": ["x"]}, {"base": 1}, {"state": True}):
            with pytest.raises(urllib.error.HTTPError) as refused:
                server.call("PATCH", api, change, alice)
            assert refused.value.code == refusal, (api, change)
        server.call("PATCH", api, {"foo": 1}, alice)
        with pytest.raises(urllib.error.HTTPError) as refused:
            server.call("PATCH", api, {"base": "nope"}, alice)
        said = refused.value.read().decode()
        assert 'no branch \\"nope\\"; push it first' in said and str(server.state) not in said, said
    after = server.get("/api/v1/repos/project/pulls/3")
    assert (after["updated_at"], after["title"], after["base"]["ref"]) == (before["updated_at"], before["title"], "main")

    pr(server, "close", "3", token=alice)
    project.git("push", "-q", f"http://x:{server.admin_token}@{server.url.removeprefix('http://')}/git/project.git", ":better")
    gone = pr(server, "reopen", "3", token=alice, check=False)
    assert gone.returncode == 1 and 'the branch "better" of pull request #3 is gone; push it again first' in gone.stderr, gone.stderr
    assert str(server.state) not in gone.stderr


TARGET = """\
name: Target
on: {pull_request_target: {branches: [release], paths: [%s]}}
jobs:
  t:
    runs-on: ubuntu-latest
    steps: [run: 'echo "%s at $GITHUB_REF for $GITHUB_BASE_REF"']
"""


def test_pull_request_target_is_the_default_branchs_whatever_the_base_has_kept(server, repository):
    repository.write(".github/workflows/target.yml", TARGET % ("'*.md'", "old"))
    repository.commit("Begin")
    repository.push()
    repository.push(ref="HEAD:refs/heads/release")
    repository.write(".github/workflows/target.yml", TARGET % ("'*.md'", "mended"))
    repository.write(".github/workflows/other.yml", TARGET % ("'*.txt'", "other"))
    repository.commit("Mend")
    repository.push()
    main = repository.git("rev-parse", "HEAD").stdout.strip()
    repository.git("checkout", "-qb", "better", "HEAD~")
    repository.write("notes.md", "text\n")
    repository.commit("Notes")
    repository.push(ref="better")
    pr(server, "create", "--head", "better", "--base", "release")
    run = server.finished(wait_until(lambda: server.get("/api/v1/runs")["runs"], 30, "the run")[0]["id"])
    assert run["event"] == "pull_request_target" and run["commit"] == main and run["ref"] == "refs/heads/main", run
    log = "\n".join(line["text"] for line in server.get(f"/api/v1/jobs/{run['jobs'][0]['id']}/log")["lines"])
    assert "mended at refs/heads/main for release" in log
    assert len(server.get("/api/v1/runs")["runs"]) == 1, "the paths of the other file were not changed"


CHAIN = """\
name: Chain
on: pull_request
jobs:
  train: {runs-on: ubuntu-latest, steps: [{run: exit 1}]}
  compare: {needs: train, runs-on: ubuntu-latest, steps: [{run: "true"}]}
"""


def test_a_check_that_a_failure_skipped_is_not_passed(server, repository):
    repository.write("weir.yaml", "branches:\n  main: {checks: [compare]}\n")
    repository.write(".github/workflows/chain.yml", CHAIN)
    repository.commit("Begin")
    repository.push()
    repository.git("checkout", "-qb", "better")
    repository.write("notes.md", "text\n")
    repository.commit("Notes")
    repository.push(ref="better")
    pr(server, "create", "--head", "better")
    run_of(server, 1)
    refused = pr(server, "merge", "1", check=False)
    assert refused.returncode != 0 and 'the check "compare" is skipped, and its run failed' in refused.stderr


def test_a_guarded_branch_takes_changes_by_pull_requests_only(server, repository):
    repository.write("weir.yaml", "branches:\n  release: {reviews: 1}\n")
    repository.commit("Begin")
    repository.push()
    dev, approver = token(server, "dev", "developer"), token(server, "ann", "approver")
    repository.push(token=dev, ref="HEAD:refs/heads/release")
    repository.write("notes.md", "text\n")
    repository.commit("Notes")
    refused = repository.push(token=dev, ref="HEAD:refs/heads/release", check=False)
    assert refused.returncode != 0 and "approver" in refused.stderr, refused.stderr
    assert repository.push(token=dev, ref=":refs/heads/release", check=False).returncode != 0
    repository.push(token=dev, ref="HEAD:refs/heads/better")
    pr(server, "create", "--head", "better", "--base", "release", token=dev)
    pr(server, "review", "1", "--approve", token=approver)
    assert pr(server, "merge", "1", token=dev).stdout == "merged\n"


def test_a_run_that_could_not_start_says_why_where_its_log_is_asked_for(server, repository):
    repository.write(".github/workflows/broken.yml", "on: push\njobs: {a: {runs-on: linux, stepz: []}}\n")
    repository.commit("Begin")
    repository.push()
    server.finished(1)
    asked = server.cli("logs", "1", check=False)
    assert asked.returncode == 1 and "stepz" in asked.stderr and "broken.yml:2" in asked.stderr
