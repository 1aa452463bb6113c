"""What people who may only look propose is never taken for the work of those who may push: whoever starts it, from
wherever, and whatever a server that was stopped or killed makes up for when it starts again."""

import os
import shutil
import sqlite3
import subprocess
import urllib.error

import pytest
from test_pulls import token
from weir_server import WEIR, wait_until

pytestmark = pytest.mark.skipif(shutil.which("bwrap") is None, reason="there is no bubblewrap")

EVENTS = "push, pull_request, pull_request_target, workflow_dispatch, create, delete, deployment"
QUIET = "jobs: {t: {runs-on: ubuntu-latest, steps: [{run: 'true'}]}}\n"
THEIRS = """\
name: Theirs
on: [%s]
jobs:
  look:
    runs-on: ubuntu-latest
    steps:
      - run: echo "secret [${{ secrets.DEPLOY_KEY }}]"; cat %s/keys/admin.token && echo GOT token
        shell: bash {0}
"""


@pytest.fixture
def project(server, repository):
    subprocess.run([WEIR, "secret", "set", "DEPLOY_KEY"], input="the-deploy-key", text=True, check=True,
                   env={**os.environ, "WEIR_STATE": str(server.state)})
    repository.write(".github/workflows/ours.yml", f"name: Ours\non: [push, workflow_dispatch]\n{QUIET}")
    repository.commit("Begin")
    repository.push()
    server.finished(1)
    repository.vera = token(server, "vera", "viewer")
    return repository


def propose(server, project, message, ref="HEAD:refs/for/main", check=True):
    project.write(".github/workflows/theirs.yml", THEIRS % (EVENTS, server.state))
    project.write("theirs.txt", message + "\n")
    project.commit(message)
    return project.push(token=project.vera, ref=ref, check=check)


def runs_of(server):
    return server.get("/api/v1/runs?limit=100")["runs"]


def started(server, wanted):
    """The newest run that `wanted` says yes to, ended."""
    found = wait_until(lambda: [run for run in runs_of(server) if wanted(run)], 30, "the run")
    return server.finished(found[0]["id"])


def check_confined(server):
    """No run of theirs got anything, and what looks for their branch finds none."""
    for run in runs_of(server):
        if run["workflow"] != "Theirs":
            continue
        for job in server.finished(run["id"])["jobs"]:
            log = "\n".join(line["text"] for line in server.get(f"/api/v1/jobs/{job['id']}/log")["lines"])
            if "which this machine does not have" in log:
                continue  # refused, as it has to be
            assert "secret []" in log and "in a sandbox (bubblewrap" in log, f"{run['event']}: {run['reason']}\n{log}"
            assert server.admin_token not in log and "the-deploy-key" not in log, log


def of_restart(server, project):
    """Runs since the server began again, the last of which is of a push that comes after all it makes up for."""
    project.git("checkout", "-q", "main")
    project.write("mark.txt", str(len(runs_of(server))))
    project.commit("Mark")
    project.push()
    sha = project.git("rev-parse", "HEAD").stdout.strip()
    return started(server, lambda run: run["commit"] == sha)


def test_no_restart_makes_a_push_of_what_was_proposed(server, project):
    for number, end in enumerate((server.stop, server.kill, server.stop)):
        project.git("checkout", "-qB", "theirs", "main")
        propose(server, project, f"A gift {number}")
        before = wait_until(lambda: len(server.get("/api/v1/repos/project/pulls/1")["runs"]) > 0 and runs_of(server), 30, "its run")
        for run in before:
            server.finished(run["id"])
        known = {run["id"] for run in runs_of(server)}
        end()
        server.start()
        mark = of_restart(server, project)
        new = [run for run in runs_of(server) if run["id"] not in known | {mark["id"]}]
        assert [run for run in new if run["event"] != "pull_request"] == [], new
    check_confined(server)
    shown = server.get("/api/v1/repos/project/pulls/1")
    assert shown["foreign"] and shown["head"]["ref"] == "changes/vera/main"
    branches = project.git("ls-remote", "--heads", f"{server.url}/git/project.git").stdout
    assert [line.split("\t")[1] for line in branches.splitlines()] == ["refs/heads/main"]
    # There it is for those who want to look at it, as on GitHub.
    project.git("fetch", "-q", f"{server.url}/git/project.git", "refs/pull/1/head")


def test_a_server_killed_in_the_middle_of_a_proposal_trusts_none_of_it(server, project):
    propose(server, project, "A gift")
    first = project.git("rev-parse", "HEAD").stdout.strip()
    wait_until(lambda: server.get("/api/v1/repos/project/pulls/1")["runs"], 30, "its run")
    bare = server.state / "repos/project.git"
    server.kill()
    # What a killed server leaves: the ref of the push itself, or what it becomes, without a word in the database.
    subprocess.run(["git", "--git-dir", bare, "update-ref", "refs/for/main", first], check=True)
    second = subprocess.run(["git", "--git-dir", bare, "-c", "user.name=v", "-c", "user.email=v@localhost", "commit-tree",
                             f"{first}^{{tree}}", "-p", first, "-m", "Sneak"], check=True, capture_output=True, text=True).stdout.strip()
    subprocess.run(["git", "--git-dir", bare, "update-ref", "refs/changes/vera/main", second], check=True)
    subprocess.run(["git", "--git-dir", bare, "update-ref", "refs/changes/vera/never-opened", second], check=True)
    server.start()
    wait_until(lambda: server.get("/api/v1/repos/project/pulls/1")["head"]["sha"] == second, 30, "the pull request to follow")
    assert "refs/for" not in project.git("ls-remote", f"{server.url}/git/project.git").stdout
    # Whoever was cut off pushes again, and nothing stands in the way.
    propose(server, project, "Once more", ref="+HEAD:refs/for/main")
    check_confined(server)
    assert {run["event"] for run in runs_of(server) if run["workflow"] == "Theirs"} == {"pull_request"}


def test_nobody_starts_trusted_work_of_what_was_proposed(server, project):
    project.git("checkout", "-qb", "theirs")
    propose(server, project, "A gift")
    head = project.git("rev-parse", "HEAD").stdout.strip()
    server.finished(wait_until(lambda: server.get("/api/v1/repos/project/pulls/1")["runs"], 30, "its run")[0]["id"])
    admin = server.admin_token
    api = "/api/v3/repos/weir/project"

    def refused(path, body, who=admin, method="POST"):
        with pytest.raises(urllib.error.HTTPError) as error:
            server.call(method, path, body, token=who)
        assert error.value.code in (400, 404, 409, 412, 422), error.value.code

    refs = ("changes/vera/main", "refs/changes/vera/main", "refs/pull/1/head", "refs/pull/1/merge", head)
    for ref in refs:
        refused(f"{api}/actions/workflows/theirs.yml/dispatches", {"ref": ref})
    # As the base of a pull request its files would be trusted.
    vera = project.vera
    project.git("checkout", "-qb", "more")
    assert propose(server, project, "On top", ref="HEAD:refs/for/changes/vera/main", check=False).returncode != 0
    for base in refs[:4]:
        refused(f"{api}/pulls", {"head": "main", "base": base, "title": "x"}, who=vera)
        refused(f"{api}/pulls/1", {"base": base}, who=vera, method="PATCH")
    # Nor does it help that somebody who may push opens one of it.
    for ref in refs[:1] + refs[2:4]:
        refused(f"{api}/pulls", {"head": ref, "base": "main", "title": "x"})
    server.call("PATCH", f"{api}/pulls/1", {"state": "closed"}, token=admin)
    again = server.post("/api/v1/repos/project/pulls", {"head": "refs/changes/vera/main", "base": "main"}, token=admin)
    assert again["foreign"]
    # A commit that no branch leads to may be deployed, but is not trusted for that.
    server.post(f"{api}/deployments", {"ref": head, "required_contexts": [], "auto_merge": False}, token=admin)
    run = started(server, lambda one: one["event"] == "deployment" and one["workflow"] == "Theirs")
    server.post(f"/api/v1/runs/{run['id']}/rerun", {}, token=admin)
    wait_until(lambda: all(one["state"] == "completed" for one in runs_of(server)), 60, "all runs")
    check_confined(server)


def test_one_who_may_push_no_more_gets_no_trust_from_before(server, project):
    developer = token(server, "dana", "developer")
    project.git("checkout", "-qb", "mine")
    project.write("mine.txt", "mine\n")
    project.commit("Mine")
    project.push(token=developer, ref="HEAD:refs/for/main")
    shown = server.get("/api/v1/repos/project/pulls/1")
    assert not shown["foreign"] and shown["head"]["ref"] == "changes/dana/main"
    # A branch of somebody who may push starts what any branch does, at once and not when the server starts again.
    assert started(server, lambda run: run["event"] == "push" and run["ref"] == "refs/heads/changes/dana/main")
    project.vera = token(server, "dana", "viewer")
    propose(server, project, "Not trusted any more")
    both = server.get("/api/v1/repos/project/pulls")["pulls"]
    assert sorted((one["number"], one["foreign"]) for one in both) == [(1, False), (2, True)]
    # Names that differ in a dot only share no branch.
    project.vera = token(server, "da.na", "viewer")
    propose(server, project, "Of another")
    heads = {one["head"]["ref"] for one in server.get("/api/v1/repos/project/pulls")["pulls"]}
    assert len(heads) == 2 and len(server.get("/api/v1/repos/project/pulls")["pulls"]) == 3
    server.kill()
    server.start()
    of_restart(server, project)
    check_confined(server)


def test_what_earlier_versions_kept_as_branches_is_put_aside(server, project):
    propose(server, project, "A gift")
    head = project.git("rev-parse", "HEAD").stdout.strip()
    server.finished(wait_until(lambda: server.get("/api/v1/repos/project/pulls/1")["runs"], 30, "its run")[0]["id"])
    server.stop()
    bare = server.state / "repos/project.git"
    for arguments in (["refs/heads/changes/vera/main", head], ["-d", "refs/changes/vera/main"]):
        subprocess.run(["git", "--git-dir", bare, "update-ref", *arguments], check=True)
    database = sqlite3.connect(next(path for path in server.state.glob("*.db")))
    with database:
        changed = database.execute("UPDATE forge_pulls SET head_ref = 'refs/heads/changes/vera/main' WHERE number = 1")
        assert changed.rowcount == 1
    database.close()
    server.start()
    assert server.get("/api/v1/repos/project/pulls/1")["state"] == "open"
    propose(server, project, "More")
    wait_until(lambda: server.get("/api/v1/repos/project/pulls/1")["head"]["sha"] != head, 30, "the pull request to follow")
    assert len(server.get("/api/v1/repos/project/pulls")["pulls"]) == 1
    assert {run["event"] for run in runs_of(server) if run["workflow"] == "Theirs"} == {"pull_request"}
    check_confined(server)


def test_a_trusted_run_played_again_on_a_proposal_is_confined(server, project):
    project.write(".github/workflows/ours.yml", THEIRS % ("push", server.state))
    project.commit("Take over")
    project.push(token=project.vera, ref="HEAD:refs/for/main")
    for ref in ("refs/pull/1/head", project.git("rev-parse", "HEAD").stdout.strip()):
        last = max(run["id"] for run in runs_of(server))
        server.cli("rerun", "1", "--on", ref)
        run = started(server, lambda run: run["id"] > last)
        log = "\n".join(line["text"] for line in server.get(f"/api/v1/jobs/{run['jobs'][0]['id']}/log")["lines"])
        assert "\nsecret []\n" in log and "\nGOT token" not in log, log
        assert "bubblewrap" in log, log
