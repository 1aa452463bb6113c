"""A job's token changes the repository of its own run, and no other."""

import json
import urllib.error
import urllib.request

from weir_server import Repository, wait_until

WAITS = """\
on: workflow_dispatch
permissions: write-all
jobs:
  waits:
    runs-on: ubuntu-latest
    steps:
      - run: |
          printf %s "$WEIR_TOKEN" > {folder}/token.new && mv {folder}/token.new {folder}/token
          while [ ! -e {folder}/gate ]; do sleep 0.05; done
"""
QUICK = "on: [push, workflow_dispatch]\njobs: {quick: {runs-on: ubuntu-latest, steps: [{run: 'true'}]}}\n"


def asked(server, method, path, token, body=None):
    request = urllib.request.Request(server.url + path, json.dumps(body or {}).encode(), method=method)
    request.add_header("Authorization", f"Bearer {token}")
    request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_a_token_changes_only_its_own_repository(server, repository, tmp_path):
    other = Repository(tmp_path / "other", server, "other")
    for one in (repository, other):
        one.write(".github/workflows/quick.yml", QUICK)
    repository.write(".github/workflows/waits.yml", WAITS.format(folder=tmp_path))
    for one in (repository, other):
        one.commit()
        one.push()
    own, theirs = (next(run["id"] for run in server.get("/api/v1/runs")["runs"] if run["repo"] == name)
                   for name in ("project", "other"))
    for run in (own, theirs):
        server.finished(run)
    other.git("checkout", "-q", "-b", "better")
    other.write("a", "b")
    other.commit()
    other.push(ref="better")
    server.cli("pr", "create", "--repo", "other", "--head", "better", "--title", "Better", token=server.admin_token)
    server.post("/api/v1/repos/project/dispatches", {"workflow": "waits.yml"}, server.admin_token)
    wait_until((tmp_path / "token").exists, what="the job's token")
    token = (tmp_path / "token").read_text()
    pull = server.get("/api/v1/pulls")["pulls"][0]["number"]
    try:
        for method, path, body in (("POST", f"/api/v1/runs/{theirs}/cancel", {}),
                                   ("POST", f"/api/v1/runs/{theirs}/rerun", {}),
                                   ("POST", "/api/v1/repos/other/dispatches", {"workflow": "quick.yml"}),
                                   ("POST", f"/api/v1/repos/other/pulls/{pull}/comments", {"body": "x"}),
                                   ("POST", f"/api/v1/repos/other/pulls/{pull}/merge", {}),
                                   ("PATCH", f"/api/v1/repos/other/pulls/{pull}", {"title": "x"})):
            status, text = asked(server, method, path, token, body)
            assert status == 403 and "runs for project and may change nothing of other" in text, (path, status, text)
        assert asked(server, "POST", f"/api/v1/runs/{own}/rerun", token)[0] == 201
        assert asked(server, "POST", "/api/v1/runs/9999/cancel", token)[0] == 404
        address = server.url.replace("http://", f"http://x:{token}@")
        repository.git("checkout", "-q", "main")
        for ref in ("refs/heads/evil", "refs/tags/evil", "refs/for/main"):
            done = repository.git("push", f"{address}/git/other.git", f"HEAD:{ref}", check=False)
            assert done.returncode != 0 and "runs for project and may push nothing to other" in done.stderr, done
        assert repository.git("push", f"{address}/git/project.git", "HEAD:refs/heads/fine", check=False).returncode == 0
    finally:
        (tmp_path / "gate").touch()
    server.finished(max(run["id"] for run in server.get("/api/v1/runs")["runs"]))
    assert {run["event"] for run in server.get("/api/v1/runs")["runs"] if run["repo"] == "other"} == {"push"}
