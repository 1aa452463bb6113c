"""What `cache-mode` lets jobs do with caches, as GitHub's own clients and weir's own action meet it."""

import pytest
from running_job import Job

JOBS = """\
jobs:
  keep:
    runs-on: ubuntu-latest
    steps:
      - run: mkdir -p data && echo text > data/file
      - {id: c, uses: actions/cache@v4, with: {path: data, key: %s}}
      - run: 'echo "hit: ${{ steps.c.outputs.cache-hit }}"'
"""


def begin(server, repository, folder, mode):
    job = Job(server, repository, folder, permissions=f"cache-mode: {mode}")
    (job.folder / "workspace/data").mkdir()
    (job.folder / "workspace/data/file").write_text("text")
    return job


# The old client speaks the service's version 1.
@pytest.mark.parametrize("restore, save", [("restore", "save"), ("oldRestore", "oldSave")])
def test_the_server_refuses_what_a_mode_does_not_allow(server, repository, tmp_path, restore, save):
    writer = begin(server, repository, tmp_path / "writer", "write-only")
    assert writer.call(save, paths=["data"], key="k") > 0
    assert writer.call(restore, paths=["data"], key="k") is None
    assert restore == "oldRestore" or "::warning::Failed to restore: " in writer.output and "cache read denied" in writer.output
    writer.end()
    reader = begin(server, repository, tmp_path / "reader", "read")
    assert reader.call(restore, paths=["data"], key="k") == "k"
    assert reader.call(save, paths=["data"], key="other") == -1
    assert "cache write denied" in reader.output
    assert reader.call(restore, paths=["data"], key="other") is None
    reader.end()
    neither = begin(server, repository, tmp_path / "neither", "none")
    assert neither.call(restore, paths=["data"], key="k") is None
    assert neither.call(save, paths=["data"], key="more") == -1
    neither.end()
    both = begin(server, repository, tmp_path / "both", "write")
    assert both.call(restore, paths=["data"], key="more") is None
    assert both.call(save, paths=["data"], key="more") > 0
    assert both.call(restore, paths=["data"], key="more") == "more"
    both.end()


def test_the_new_client_does_not_even_ask(server, repository, tmp_path):
    job = begin(server, repository, tmp_path / "job", "none")
    env = job.environment(ACTIONS_CACHE_MODE="none")
    assert job.call("restore", env=env, paths=["data"], key="k") is None
    assert "Cache restore skipped" in job.output and "::warning" not in job.output
    assert job.call("save", env=env, paths=["data"], key="k") == -1
    assert "Cache save skipped" in job.output and "::warning" not in job.output
    job.end()


def test_refusals_are_those_that_clients_know(server, repository, tmp_path):
    job = begin(server, repository, tmp_path / "job", "none")
    wish = {"key": "k", "version": "v"}
    status, answer = job.post("CreateCacheEntry", wish, service="CacheService")
    assert status == 200 and answer["ok"] is False and answer["message"].startswith("cache write denied:")
    status, answer = job.post("GetCacheEntryDownloadURL", wish, service="CacheService")
    assert status == 403 and answer["code"] == "permission_denied" and answer["msg"].startswith("cache read denied:")
    token = {"Authorization": f"Bearer {job.token()}"}
    base = f"{server.url}/_apis/artifactcache/"
    status, answer = job.send("POST", base + "caches", b'{"key": "k", "version": "v"}', token)
    assert status == 403 and b'"cache write denied:' in answer
    assert job.send("GET", base + "cache?keys=k&version=v", headers=token)[0] == 403
    job.end()


def log_of(server, run, name):
    job = next(job for job in server.get(f"/api/v1/runs/{run}")["jobs"] if job["name"] == name)
    assert job["conclusion"] == "success", job
    return "\n".join(line["text"] for line in server.get(f"/api/v1/jobs/{job['id']}/log")["lines"])


def test_the_action_keeps_to_what_calls_leave(server, repository):
    """No mode, a workflow's mode, and a mode that reaches through two calls."""
    def push(workflow):
        repository.write(".github/workflows/ci.yml", workflow)
        repository.commit()
        repository.push()
        push.run += 1
        return server.finished(push.run)

    push.run = 0
    repository.write(".github/workflows/inner.yml", "on: workflow_call\n" + JOBS % "called")
    repository.write(".github/workflows/outer.yml",
                     "on: workflow_call\njobs: {inner: {uses: ./.github/workflows/inner.yml}}\n")
    call = "on: push\n%sjobs: {outer: {%suses: ./.github/workflows/outer.yml}}\n"
    assert push("on: push\ncache-mode: read\n" + JOBS % "mine")["conclusion"] == "success"
    text = log_of(server, 1, "keep")
    assert "Cache mode: read" in text
    assert "Cache save skipped: the effective cache-mode 'read' does not permit writes." in text
    assert push(call % ("cache-mode: none\n", ""))["conclusion"] == "success"
    text = log_of(server, 2, "outer / inner / keep")
    assert "Cache mode: none" in text and "Cache restore skipped" in text and "Cache save skipped" in text
    assert push(call % ("cache-mode: none\n", "cache-mode: write, "))["conclusion"] == "success"
    assert "Cache saved with key: called" in log_of(server, 3, "outer / inner / keep")
    assert push(call % ("cache-mode: read\n", ""))["conclusion"] == "success"
    assert "hit: true" in log_of(server, 4, "outer / inner / keep")
    repository.write(".github/workflows/inner.yml", "on: workflow_call\ncache-mode: write\n" + JOBS % "called")
    refused = push(call % ("cache-mode: read\n", ""))
    assert refused["conclusion"] == "failure" and refused["jobs"] == []
    assert "asks for the cache mode write, and the call allows read" in refused["problem"]
    assert push(call % ("", ""))["conclusion"] == "success", "what no call limits, a called workflow may ask for"


def test_a_run_that_anybody_can_start_saves_no_caches_unless_it_says_so(server, repository):
    """As GitHub has it for events on the default branch that are not the repository's people's own."""
    repository.write(".github/workflows/ci.yml", "on: issues\n" + JOBS % "default" +
                     (JOBS % "said").replace("jobs:\n  keep:", "  raised:\n    cache-mode: write"))
    repository.commit()
    repository.push()
    server.call("POST", "/api/v3/repos/weir/project/issues", {"title": "Drift"}, token=server.admin_token)
    assert server.finished(1)["conclusion"] == "success"
    text = log_of(server, 1, "keep")
    assert "Cache mode: read" in text and "Cache save skipped" in text
    text = log_of(server, 1, "raised")
    assert "Cache mode" not in text and "Cache saved with key: said" in text
    raised = next(job for job in server.get("/api/v1/runs/1")["jobs"] if job["name"] == "raised")
    assert [(found["level"], "save caches that trusted runs restore" in found["message"])
            for found in raised["annotations"]] == [("warning", True)]
