"""What `keep:` of weir.yaml removes, and what stays whatever it says: all that a registered version, a deployment or an
open pull request needs."""

import os
import sqlite3
import subprocess
import time
import urllib.error

import pytest
from weir_server import WEIR, Server, wait_until

CONFIG = "keep: {runs: 0, workspaces: 1d, logs: 2d, artifacts: 1d, caches: 1M}\n"
JOB = """\
on: {on}
jobs:
  make:
    runs-on: ubuntu-latest
    {more}
    steps:
      - run: echo made by $GITHUB_RUN_ID | tee out.txt
      - uses: actions/upload-artifact@v4
        with: {{name: out, path: out.txt}}
{steps}"""
REGISTER = """\
      - shell: python
        run: |
          import json, os, urllib.request
          def call(path, **body):
              request = urllib.request.Request(os.environ["MLFLOW_TRACKING_URI"] + "/api/2.0/mlflow/" + path, json.dumps(body).encode(),
                                               {"Content-Type": "application/json", "Authorization": "Bearer " + os.environ["MLFLOW_TRACKING_TOKEN"]})
              return json.load(urllib.request.urlopen(request))
          run = call("runs/create", experiment_id="0", run_name="r", start_time=1)["run"]["info"]["run_id"]
          call("registered-models/create", name="m")
          call("model-versions/create", name="m", source=f"runs:/{run}/model", run_id=run)
"""
CACHES = "on: workflow_dispatch\njobs:\n  save:\n    runs-on: ubuntu-latest\n    steps:\n" + "".join(f"""\
      - run: head -c 400000 /dev/urandom > {key}
      - uses: actions/cache/save@v4
        with: {{key: {key}, path: {key}}}
""" for key in "abc")
DAY = 86_400_000_000


def age(state, statements):
    """As if a month had passed since; bytes were put hours ago."""
    with sqlite3.connect(state / "weir.db") as db:
        for statement in statements:
            db.execute(statement)
    db.close()
    for blob in (state / "blobs").glob("*/*"):
        os.utime(blob, (time.time() - 7200,) * 2)


@pytest.fixture
def world(server, repository):
    """Runs of each kind, by name."""
    repository.write("weir.yaml", CONFIG)
    dispatched = {"plain": ("", ""), "model": ("", REGISTER), "deploy": ("environment: production", "")}
    for name, (more, steps) in dispatched.items():
        repository.write(f".github/workflows/{name}.yml", JOB.format(on="workflow_dispatch", more=more, steps=steps))
    repository.write(".github/workflows/ci.yml", JOB.format(on="pull_request", more="", steps=""))
    repository.write(".github/workflows/caches.yml", CACHES)
    repository.commit()
    repository.push()

    def start(name):
        run = server.post("/api/v1/repos/project/dispatches", {"workflow": f"{name}.yml"}, server.admin_token)["run_id"]
        assert server.finished(run)["conclusion"] == "success"
        return run

    def propose(branch):
        repository.git("checkout", "-q", "-b", branch, "main")
        repository.write(f"{branch}.md", branch)
        repository.commit(branch)
        repository.push(ref=branch)
        pull = server.post("/api/v1/repos/project/pulls", {"head": branch, "title": branch}, server.admin_token)["number"]
        runs = wait_until(lambda: server.get(f"/api/v1/repos/project/pulls/{pull}")["runs"], 60, "the check")
        assert server.finished(runs[0]["id"])["conclusion"] == "success"
        return pull, runs[0]["id"]

    runs = {name: start(name) for name in ("plain", "model", "caches")}
    runs |= {f"deploy {number}": start("deploy") for number in (1, 2, 3)}
    _, runs["open"] = propose("open")
    pull, runs["closed"] = propose("closed")
    server.call("PATCH", f"/api/v1/repos/project/pulls/{pull}", {"state": "closed"}, server.admin_token)
    return runs


def has_log(server, job):
    try:
        return any("made by" in line["text"] or "head -c" in line["text"] for line in server.get(f"/api/v1/jobs/{job}/log")["lines"])
    except urllib.error.HTTPError as refused:
        assert refused.code == 404 and "removed by the retention rules" in refused.read().decode()
        return False


def what_stays(server, runs):
    stays = {}
    for name, run in runs.items():
        shown = server.get(f"/api/v1/runs/{run}")
        log = has_log(server, shown["jobs"][0]["id"])
        workspace = (server.state / "jobs" / str(shown["jobs"][0]["id"]) / "spec.json").exists()
        stays[name] = ("workspace " if workspace else "") + ("log " if log else "") + ("artifact" if shown["artifacts"] else "")
    return stays


def test_only_what_nobody_needs_is_removed(server, repository, world):
    whole = {name: "workspace log artifact" for name in world} | {"caches": "workspace log "}
    assert what_stays(server, world) == whole
    expires = server.get(f"/api/v1/runs/{world['plain']}")["artifacts"][0]["expires_at"]
    assert expires is not None  # the default of this repository
    blobs = lambda: len(list((server.state / "blobs").glob("*/*")))
    before = blobs()

    server.stop()
    age(server.state, [f"UPDATE engine_runs SET completed_at = completed_at - {30 * DAY}",
                       f"UPDATE engine_artifacts SET expires_at = expires_at - {30 * DAY}",
                       "UPDATE engine_caches SET used_at = unicode(cache_key) WHERE cache_key <> 'a'"])  # b longest ago
    server.start()
    log = server.state.parent / "serve.log"
    wait_until(lambda: "that nothing names any more" in log.read_text(), 30, "the round")
    gone = {"plain", "deploy 1", "closed"}
    assert what_stays(server, world) == whole | {name: "" for name in gone} | {"caches": ""}
    said = log.read_text()
    assert "removed 3 artifacts whose time is over" in said and "removed 1 caches used longest ago" in said
    assert "removed the workspaces of 4 jobs and the logs of 4 of old runs" in said
    assert blobs() == before - 4  # three artifacts and a cache
    with sqlite3.connect(f"file:{server.state / 'weir.db'}?mode=ro", uri=True) as db:
        assert [row[0] for row in db.execute("SELECT cache_key FROM engine_caches ORDER BY 1")] == ["a", "c"]
        # A result whose artifacts went stands for no later job's.
        kept = {row[0] for row in db.execute("SELECT j.run FROM engine_job_results s JOIN engine_jobs j ON j.id = s.job WHERE s.inputs <> ''")}
        assert world["model"] in kept and world["plain"] not in kept
    assert "✓" in server.cli("fsck", "--state", str(server.state)).stdout

    # Nothing more goes in the next round, and what is no longer needed goes in the one after.
    server.stop()
    server.start()
    assert what_stays(server, world)["open"] == "workspace log artifact"
    server.call("PATCH", "/api/v1/repos/project/pulls/1", {"state": "closed"}, server.admin_token)
    server.stop()
    age(server.state, [f"UPDATE engine_artifacts SET expires_at = expires_at - {30 * DAY}"])
    server.start()
    wait_until(lambda: what_stays(server, world)["open"] == "", 30, "the round")
    assert what_stays(server, world)["model"] == "workspace log artifact"


def test_bytes_that_another_row_names_or_that_were_put_just_now_stay(server, repository, world):
    # The same bytes as an artifact of a run that is needed, under another name.
    with sqlite3.connect(server.state / "weir.db") as db:
        db.execute("UPDATE engine_artifacts SET sha256 = (SELECT sha256 FROM engine_artifacts WHERE run_id = ?) WHERE run_id = ?",
                   (world["model"], world["plain"]))
    db.close()
    server.stop()
    age(server.state, [f"UPDATE engine_runs SET completed_at = completed_at - {30 * DAY}",
                       f"UPDATE engine_artifacts SET expires_at = expires_at - {30 * DAY}"])
    for blob in (server.state / "blobs").glob("*/*"):
        if blob.stat().st_size < 10_000:
            os.utime(blob)
    server.start()
    wait_until(lambda: what_stays(server, world)["plain"] == "", 30, "the round")
    with pytest.raises(urllib.error.HTTPError):
        server.call("GET", f"/api/v1/runs/{world['plain']}/artifacts/out")
    server.stop()
    age(server.state, [])
    server.start()
    wait_until(lambda: "that nothing names any more" in (server.state.parent / "serve.log").read_text(), 30, "the round")
    server.cli("fsck", "--state", str(server.state))
    assert what_stays(server, world)["model"] == "workspace log artifact"


def test_wrong_limits_are_told(server, repository, tmp_path):
    done = subprocess.run([WEIR, "serve", "--state", tmp_path / "other", "--keep-actions", "4k"], capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and "--keep-actions 4k must be a size from 1M" in done.stderr
    assert "--keep-actions" in subprocess.run([WEIR, "serve", "--help"], capture_output=True, text=True, timeout=60).stdout
    (tmp_path / "lint").mkdir()
    (tmp_path / "lint" / "weir.yaml").write_text("keep: {logs: 5m}\n")
    done = subprocess.run([WEIR, "lint"], cwd=tmp_path / "lint", capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and "logs are kept from 1d to 3650d, not 5m" in done.stdout + done.stderr
