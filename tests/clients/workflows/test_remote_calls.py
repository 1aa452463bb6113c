"""Workflows of other repositories: of this server, of one that it follows, and of a git server elsewhere."""

import os
import socket
import subprocess

import pytest
from test_calls import jobs_of, log_of
from test_pulls import token
from weir_server import Repository, Server, wait_until

OUTER = """\
on:
  workflow_call:
    inputs: {who: {type: string, required: true}}
    outputs: {said: {value: "${{ jobs.deep.outputs.said }}"}}
jobs:
  deep:
    uses: ./.github/workflows/inner.yml
    with: {who: "${{ inputs.who }}"}
"""
INNER = """\
on:
  workflow_call:
    inputs: {who: {type: string, required: true}}
    outputs: {said: {value: "${{ jobs.say.outputs.said }}"}}
jobs:
  say:
    runs-on: ubuntu-latest
    outputs: {said: "${{ steps.s.outputs.said }}"}
    steps:
      - run: echo "of ${{ job.workflow_repository }} ${{ job.workflow_sha }} ${{ job.workflow_file_path }} in ${{ github.repository }}"
      - id: s
        run: echo "said=%s ${{ inputs.who }}" >> "$GITHUB_OUTPUT"
"""


def caller(where):
    return f"""\
on: push
jobs:
  far:
    uses: {where}
    with: {{who: you}}
  report:
    needs: far
    runs-on: ubuntu-latest
    steps:
      - run: echo "said [${{{{ needs.far.outputs.said }}}}]"
"""


class GitServer:
    """Repositories below a folder, served on loopback; its log tells who asked for what."""

    def __init__(self, folder):
        self.folder = folder
        self.log = folder.parent / "git-daemon.log"
        folder.mkdir()
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self.port = found.getsockname()[1]
        self.url = f"git://127.0.0.1:{self.port}"
        self.process = None
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            ["git", "daemon", "--listen=127.0.0.1", f"--port={self.port}", "--export-all", "--reuseaddr", "--verbose",
             f"--base-path={self.folder}", self.folder], stderr=open(self.log, "a"), start_new_session=True)
        wait_until(self.listens, 30, "the git server")

    def listens(self):
        with socket.socket() as one:
            return one.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self):
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, 15)  # the session that was started for it
            self.process.wait(30)
            wait_until(lambda: not self.listens(), 30, "the git server's end")

    def asked(self):
        return self.log.read_text().count("Request upload-pack")

    def git(self, name, *arguments):
        identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
        return subprocess.run(["git", *identity, "-C", self.folder / name, *arguments], check=True, capture_output=True,
                              text=True).stdout.strip()

    def publish(self, name, greeting, tag=None):
        """Commits both workflows to main; gives the commit."""
        folder = self.folder / name / ".github/workflows"
        if not folder.exists():
            folder.mkdir(parents=True)
            self.git(name, "init", "-q", "-b", "main")
        (folder / "outer.yml").write_text(OUTER)
        (folder / "inner.yml").write_text(INNER % greeting)
        self.git(name, "add", "-A")
        self.git(name, "commit", "-qm", greeting)
        if tag:
            self.git(name, "tag", "-f", tag)
        return self.git(name, "rev-parse", "HEAD")


@pytest.fixture
def elsewhere(tmp_path):
    git_server = GitServer(tmp_path / "elsewhere")
    yield git_server
    git_server.stop()


@pytest.fixture
def server(tmp_path, elsewhere):
    (tmp_path / "state").mkdir()
    weir = Server(tmp_path / "state", env={"WEIR_ACTIONS_URL": elsewhere.url + "/"})
    yield weir
    weir.stop()


@pytest.fixture
def calls(server, repository):
    """Pushes a workflow that calls; gives the run, and what the called one's job and the last one printed."""
    count = 0

    def call(where):
        nonlocal count
        count += 1
        repository.write(".github/workflows/ci.yml", caller(where) + f"# {count}\n")
        repository.commit()
        repository.push()
        run = server.finished(count)
        logs = {name: log_of(server, job["id"]) for name, job in jobs_of(server, count).items() if job["calls"] is None}
        return run, logs.get("far / deep / say", ""), logs.get("report", "")

    return call


def test_a_workflow_of_another_server_calls_its_neighbour_at_its_own_commit(server, elsewhere, calls):
    old = elsewhere.publish("acme/flows", "hello", "v1")
    new = elsewhere.publish("acme/flows", "welcome")
    for ref, commit, word in (("v1", old, "hello"), ("main", new, "welcome"), (old, old, "hello")):
        run, inner, report = calls(f"acme/flows/.github/workflows/outer.yml@{ref}")
        assert run["conclusion"] == "success", run
        assert f"of acme/flows {commit} .github/workflows/inner.yml in weir/project" in inner
        assert f"said [{word} you]" in report


def test_a_commit_is_asked_for_once_and_a_tag_as_last_seen_is_used_where_nobody_answers(server, elsewhere, calls):
    commit = elsewhere.publish("acme/flows", "hello", "v1")
    assert calls("acme/flows/.github/workflows/outer.yml@v1")[0]["conclusion"] == "success"
    assert (asked := elsewhere.asked()) > 0
    assert calls(f"acme/flows/.github/workflows/outer.yml@{commit}")[0]["conclusion"] == "success"
    assert elsewhere.asked() == asked
    elsewhere.stop()
    run, _, report = calls("acme/flows/.github/workflows/outer.yml@v1")
    assert run["conclusion"] == "success" and "said [hello you]" in report
    assert f"is used as it was last seen, at {commit[:12]}" in (server.state.parent / "serve.log").read_text()
    run, _, _ = calls("acme/flows/.github/workflows/outer.yml@main")
    assert run["conclusion"] == "failure" and run["jobs"] == []
    assert f"acme/flows@main cannot be had from {elsewhere.url}" in run["problem"]
    assert f"push it to this server, to {server.url}/git/flows.git, and call it weir/flows" in run["problem"]
    assert "--actions-url file://DIR" in run["problem"]


@pytest.mark.parametrize("where, problem", [
    ("acme/flows/.github/workflows/outer.yml@v9", 'has neither a branch nor a tag "v9"'),
    ("acme/flows/.github/workflows/none.yml@v1", "there is no such file at commit"),
    ("../flows/.github/workflows/outer.yml@v1", "names no repository"),
    ("acme/flows/.github/workflows/outer.yml@--upload-pack=x", "has a version that no branch, tag or commit can have"),
    ("weir/none/.github/workflows/outer.yml@v1", "push it to this server"),
])
def test_what_cannot_be_had_says_why(server, elsewhere, calls, where, problem):
    elsewhere.publish("acme/flows", "hello", "v1")
    run, _, _ = calls(where)
    assert run["conclusion"] == "failure" and run["jobs"] == [] and problem in run["problem"], run["problem"]


def test_a_workflow_of_this_server_needs_no_other(server, elsewhere, calls, tmp_path):
    elsewhere.stop()
    shared = Repository(tmp_path / "shared", server, "shared")
    shared.write(".github/workflows/outer.yml", OUTER)
    shared.write(".github/workflows/inner.yml", INNER % "local")
    shared.commit()
    shared.git("tag", "v1")
    shared.push()
    shared.push(ref="v1")
    commit = shared.git("rev-parse", "HEAD").stdout.strip()
    for ref in ("main", "v1", commit):
        run, inner, report = calls(f"weir/shared/.github/workflows/outer.yml@{ref}")
        assert run["conclusion"] == "success", run
        assert f"of weir/shared {commit} " in inner and "said [local you]" in report
    run, _, _ = calls("weir/shared/.github/workflows/outer.yml@v7")
    assert 'the repository shared of this server has neither a tag, a branch nor a commit "v7"' in run["problem"]


def test_a_repository_that_is_followed_is_taken_from_here(server, elsewhere, calls):
    commit = elsewhere.publish("acme/flows", "hello", "v1")
    server.stop()
    server.options["env"] = {"WEIR_ACTIONS_URL": f"file://{elsewhere.folder}"}
    server.start()
    server.cli("repo", "add", "followed", "--from", f"file://{elsewhere.folder}/acme/flows", token=server.admin_token)
    wait_until((server.state / "repos/followed.git/refs/tags/v1").exists, 30, "the first fetch")
    elsewhere.folder.rename(elsewhere.folder.parent / "away")
    run, inner, _ = calls("acme/flows/.github/workflows/outer.yml@v1")
    assert run["conclusion"] == "success" and f"of acme/flows {commit}" in inner, run


def test_nothing_is_fetched_for_those_who_may_not_push(server, elsewhere, calls, repository):
    elsewhere.publish("acme/flows", "hello", "v1")
    elsewhere.publish("acme/flows", "welcome", "v2")
    assert calls("acme/flows/.github/workflows/outer.yml@v1")[0]["conclusion"] == "success"
    asked = elsewhere.asked()
    vera = token(server, "vera", "viewer")
    repository.git("checkout", "-qb", "theirs")
    for ref in ("v1", "v2"):
        repository.write(f".github/workflows/{ref}.yml",
                         caller(f"acme/flows/.github/workflows/outer.yml@{ref}").replace("on: push", "on: pull_request"))
    repository.commit("A gift")
    repository.push(token=vera, ref="HEAD:refs/for/main")
    proposed = lambda: [r["id"] for r in server.get("/api/v1/runs")["runs"] if r["event"] == "pull_request"]
    wait_until(lambda: len(proposed()) == 2, 30, "the pull request's runs")
    ids = proposed()
    problems = [server.finished(run)["problem"] for run in ids]
    assert sum("acme/flows@v2 has not been fetched yet, and nothing is fetched for those who may not push" in (p or "")
               for p in problems) == 1, problems
    assert sum(not p for p in problems) == 1, problems
    assert elsewhere.asked() == asked
