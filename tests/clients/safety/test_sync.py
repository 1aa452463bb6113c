"""An answer follows its sync: while syncs fail, nothing is acknowledged, and nothing is lost or half there afterwards.

A killed process loses nothing that the kernel holds, so a kill alone cannot show this; strace makes the syncs fail.
"""

import json
import shutil

import pytest

from faults import answer, failing_syncs, sha256, traced_by
from weir_server import Repository, wait_until

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")

WORKFLOW = "on: [push]\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps: [{run: \"echo hello\"}]\n"
MLFLOW = "/api/2.0/mlflow"


def job_state(server):
    jobs = server.get("/api/v1/runs/1")["jobs"]
    return jobs[0]["state"] if jobs else "none"


def writes(server, run):
    """Each kind of write by its name: how to do it, and how to tell that it is there."""
    blob, file = b"some bytes", b"a file"
    token = server.admin_token

    def listed(path, key, field):
        return [entry[field] for entry in json.loads(answer(server, "GET", path)[1])[key]]

    def history():
        text = answer(server, "GET", f"{MLFLOW}/metrics/get-history?run_id={run}&metric_key=auc")[1]
        return [metric["value"] for metric in json.loads(text).get("metrics", [])]

    def search():
        text = answer(server, "POST", f"{MLFLOW}/experiments/search", {"max_results": 100})[1]
        return [experiment["name"] for experiment in json.loads(text)["experiments"]]

    return {
        "experiment": (lambda: answer(server, "POST", f"{MLFLOW}/experiments/create", {"name": "new"}),
                       lambda: "new" in search()),
        "metrics": (lambda: answer(server, "POST", f"{MLFLOW}/runs/log-batch", {
            "run_id": run, "metrics": [{"key": "auc", "value": 0.5, "timestamp": 1, "step": 0}]}), lambda: history() == [0.5]),
        "model": (lambda: answer(server, "POST", f"{MLFLOW}/registered-models/create", {"name": "m"}),
                  lambda: answer(server, "GET", f"{MLFLOW}/registered-models/get?name=m")[0] == 200),
        "token": (lambda: answer(server, "POST", "/api/v1/tokens", {"name": "bob", "role": "viewer"}, token),
                  lambda: "bob" in listed("/api/v1/tokens", "tokens", "name")),
        "blob": (lambda: answer(server, "PUT", f"/api/v1/blobs/{sha256(blob)}", blob),
                 lambda: answer(server, "GET", f"/api/v1/blobs/{sha256(blob)}") == (200, blob.decode())),
        "artifact": (lambda: answer(server, "PUT", "/api/2.0/mlflow-artifacts/artifacts/a/b.txt", file),
                     lambda: answer(server, "GET", "/api/2.0/mlflow-artifacts/artifacts/a/b.txt") == (200, file.decode())),
    }


def test_no_write_is_acknowledged_while_syncs_fail(server, repository):
    repository.write(".github/workflows/a.yml", WORKFLOW)
    repository.commit("First")
    repository.push()
    assert server.finished(1)["conclusion"] == "success"
    run = server.post(f"{MLFLOW}/runs/create", {"experiment_id": "0"})["run"]["info"]["run_id"]
    all_writes = writes(server, run)
    repository.write("more.txt", "more")
    repository.commit("Second")
    other = Repository(server.state.parent / "other", server, "other")
    other.write("a", "b")
    other.commit()

    with failing_syncs(server) as log:
        for name, (write, _) in all_writes.items():
            status, text = write()
            assert status >= 500, (name, status, text)
            message = json.loads(text)["message"]
            assert str(server.state) in message, (name, message)  # which disk
            assert "rror" in message, (name, message)  # what about it
        for refused in (repository.push(check=False), other.push(check=False)):
            assert refused.returncode != 0 and "/O error" in refused.stderr.replace("nput/output", "I/O"), refused.stderr
        secret = server.cli("secret", "set", "PASSWORD", "--value", "x", check=False)
        assert secret.returncode == 1 and "this was not stored" in secret.stderr, secret.stderr
        assert answer(server, "GET", "/api/v1/runs")[0] == 200  # reads go on
        assert "INJECTED" in log.read_text()
    for name, (_, is_there) in all_writes.items():
        assert not is_there(), f"{name} was answered with an error"

    # Once the fault is gone everything is taken, without a restart; and it stays after a crash.
    for name, (write, is_there) in all_writes.items():
        status, text = write()
        assert status in (200, 201), (name, status, text)
        assert is_there(), name
    repository.push()
    other.push()
    assert server.finished(2)["conclusion"] == "success"
    server.kill()
    server.start()
    for name, (_, is_there) in all_writes.items():
        assert is_there(), name
    assert server.cli("fsck", "--deep").returncode == 0


def test_what_was_refused_may_be_there_after_a_crash_but_never_half(server):
    """The kernel may have kept what it failed to sync; the log's checks decide then, for whole transactions."""
    with failing_syncs(server):
        for number in range(20):
            assert answer(server, "POST", f"{MLFLOW}/experiments/create", {"name": f"refused {number}"})[0] >= 500
        server.kill()
    server.start()
    assert answer(server, "POST", f"{MLFLOW}/experiments/create", {"name": "after"})[0] == 200
    assert server.cli("fsck", "--deep").returncode == 0


@pytest.mark.parametrize("where", ["blobs", "blobs/XX"])
def test_a_blob_whose_name_was_not_synced_does_not_pass_for_kept(server, where):
    data = b"bytes of a model"
    name = sha256(data)
    folder = server.state / where.replace("XX", name[:2])
    folder.mkdir(exist_ok=True)
    with failing_syncs(server, [folder]):
        for _ in range(2):  # the second time it must not just be found
            status, text = answer(server, "PUT", f"/api/v1/blobs/{name}", data)
            assert status == 500 and str(folder) in text, text
        assert answer(server, "GET", f"/api/v1/blobs/{name}")[0] == 404
        assert list((server.state / "blobs/incoming").iterdir()) == []
    assert answer(server, "PUT", f"/api/v1/blobs/{name}", data)[0] == 201
    assert answer(server, "GET", f"/api/v1/blobs/{name}")[0] == 200


@pytest.mark.parametrize("what", ["database", "refs"])
def test_a_push_that_was_not_recorded_is_recorded_by_the_next_try(server, repository, what):
    repository.write(".github/workflows/a.yml", WORKFLOW)
    repository.commit("First")
    repository.push()
    repository.write("more.txt", "more")
    repository.commit("Second")
    git_dir = server.state / "repos/project.git"
    with failing_syncs(server, [server.state / "weir.db-wal"] if what == "database" else [git_dir / "refs/heads"]):
        refused = repository.push(check=False)
        assert refused.returncode != 0 and "not record" in refused.stderr, refused.stderr
        # Where refs have moved git has nothing to send any more: it must not hear that all is well.
        assert repository.push(check=False).returncode != 0
    repository.push()
    for number in (1, 2):
        assert server.finished(number)["conclusion"] == "success"
    assert len(server.get("/api/v1/runs")["runs"]) == 2


def test_a_configuration_that_was_not_stored_is_not_in_force(server, repository):
    """Otherwise a release could run before its reviewers are known."""
    repository.write(".github/workflows/a.yml", WORKFLOW.replace("ubuntu-latest", "ubuntu-latest\n    environment: production"))
    repository.write("weir.yaml", "environments: {production: {reviewers: [alice]}}\n")
    repository.commit()
    with failing_syncs(server, [server.state / "weir.db-wal"]):
        assert repository.push(check=False).returncode != 0
        assert answer(server, "GET", "/api/v1/runs")[1].count('"id"') == 0
    repository.push()
    wait_until(lambda: server.get("/api/v1/approvals?state=pending")["approvals"], what="an approval")


def test_an_approval_is_given_once_it_is_on_disk(server, repository):
    repository.write(".github/workflows/a.yml", WORKFLOW.replace("ubuntu-latest", "ubuntu-latest\n    environment: production"))
    repository.write("weir.yaml", "environments: {production: {reviewers: [alice]}}\n")
    repository.commit()
    repository.push()
    wait_until(lambda: server.get("/api/v1/approvals?state=pending")["approvals"], what="an approval")
    alice = server.cli("token", "create", "alice", "--role", "approver").stdout.strip()
    with failing_syncs(server):
        refused = server.cli("approve", token=alice, check=False)
        assert refused.returncode == 1 and "this was not stored" in refused.stderr, refused.stderr
        assert server.get("/api/v1/runs/1")["state"] != "completed"
        assert len(server.get("/api/v1/approvals?state=pending")["approvals"]) == 1
    server.cli("approve", token=alice)
    assert server.finished(1)["conclusion"] == "success"


def test_jobs_go_on_while_the_disk_fails(server, repository, tmp_path):
    """A run in flight ends once the disk takes its events again; the server does not forget it."""
    gate = tmp_path / "gate"
    repository.write(".github/workflows/a.yml", WORKFLOW.replace("echo hello", f"while [ ! -e {gate} ]; do sleep 0.05; done"))
    repository.commit()
    repository.push()
    wait_until(lambda: job_state(server) == "in_progress", what="the job")
    with failing_syncs(server) as log:
        gate.touch()
        wait_until(lambda: log.read_text().count("INJECTED") >= 2, what="a write of the engine")
    assert server.finished(1)["conclusion"] == "success"
    assert traced_by(f"/proc/{server.process.pid}") == 0
