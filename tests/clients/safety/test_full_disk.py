"""No room: a clear refusal, a server that lives, and that takes writes again as soon as there is room."""

import json
import os
import subprocess

import pytest

from faults import answer, sha256
from weir_server import Repository, Server, wait_until

MLFLOW = "/api/2.0/mlflow"


class SmallDisk:
    def __init__(self, folder):
        self.folder = folder
        self.filler = folder / "filler"

    def fill(self):
        handle = os.open(self.filler, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        try:
            while True:
                os.write(handle, bytes(4096))
        except OSError:
            pass
        finally:
            os.close(handle)

    def free(self):
        self.filler.unlink()


@pytest.fixture
def disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", folder], capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip(f"this machine does not let tests mount a small disk: {mounted.stderr.strip()}")
    yield SmallDisk(folder)
    # Jobs of a stopped server may hold it for a moment.
    wait_until(lambda: subprocess.run(["umount", folder], capture_output=True).returncode == 0, what="umount")


@pytest.fixture
def server(disk):
    server = Server(disk.folder)
    yield server
    server.stop()


def workflow(command, on="push"):
    return f"on: [{on}]\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps: [{{run: '{command}'}}]\n"


def no_room(answered):
    status, text = answered
    assert status == 507, (status, text)
    message = json.loads(text)["message"]
    assert "free some room" in message.lower(), message
    return message


def test_writes_are_refused_clearly_and_taken_again_when_there_is_room(server, disk, tmp_path):
    repository = Repository(tmp_path / "repository", server)
    repository.write(".github/workflows/a.yml", workflow("echo hello", "push, workflow_dispatch"))
    repository.commit("First")
    repository.push()
    assert server.finished(1)["conclusion"] == "success"
    run = server.post(f"{MLFLOW}/runs/create", {"experiment_id": "0"})["run"]["info"]["run_id"]
    data = os.urandom(100_000)
    metrics = [{"key": f"m{i}", "value": i, "timestamp": 1, "step": 0} for i in range(1000)]
    repository.write("more.txt", "more" * 30_000)
    repository.commit("Second")
    other = Repository(tmp_path / "other", server, "other")
    other.write("a", "b")
    other.commit()

    disk.fill()
    for _ in range(3):  # also again and again
        message = no_room(answer(server, "POST", f"{MLFLOW}/runs/log-batch", {"run_id": run, "metrics": metrics}))
        assert str(disk.folder / "weir.db") in message
    no_room(answer(server, "POST", "/api/v1/tokens", {"name": "bob", "role": "viewer"}))
    no_room(answer(server, "POST", "/api/v1/repos/project/dispatches", {"workflow": "a.yml"}))
    for path in (f"/api/v1/blobs/{sha256(data)}", "/api/2.0/mlflow-artifacts/artifacts/a.bin"):
        assert str(disk.folder / "blobs") in no_room(answer(server, "PUT", path, data))
    for refused in (repository.push(check=False), other.push(check=False)):
        assert refused.returncode != 0 and "No space left" in refused.stderr, refused.stderr
        assert "free some room" in refused.stderr.lower(), refused.stderr
    # Reads go on.
    assert answer(server, "GET", "/health")[0] == 200
    assert answer(server, "GET", f"{MLFLOW}/runs/get?run_id={run}")[0] == 200
    assert len(server.get("/api/v1/runs")["runs"]) == 1
    subprocess.run(["git", "clone", "-q", f"{server.url}/git/project.git", tmp_path / "clone"], check=True)
    assert list((disk.folder / "blobs/incoming").iterdir()) == []

    disk.free()
    assert answer(server, "POST", f"{MLFLOW}/runs/log-batch", {"run_id": run, "metrics": metrics})[0] == 200
    assert answer(server, "PUT", f"/api/v1/blobs/{sha256(data)}", data)[0] == 201
    repository.push()
    other.push()
    assert answer(server, "POST", "/api/v1/repos/project/dispatches", {"workflow": "a.yml"})[0] == 201
    for number in (2, 3):
        assert server.finished(number)["conclusion"] == "success"
    assert server.process.poll() is None
    assert server.cli("fsck", "--deep").returncode == 0


@pytest.mark.parametrize("writes", [False, True])
def test_a_job_whose_disk_fills_up_ends_and_the_next_one_runs(server, disk, tmp_path, writes):
    started, gate, done = (tmp_path / name for name in ("started", "gate", "done"))
    repository = Repository(tmp_path / "repository", server)
    command = f"touch {started}; while [ ! -e {gate} ]; do sleep 0.05; done; seq 200000; touch {done}"
    if writes:
        command += "; echo x > file"
    repository.write(".github/workflows/a.yml", workflow(command))
    repository.commit()
    repository.push()
    wait_until(started.exists, what="the step")
    disk.fill()
    gate.touch()
    wait_until(done.exists, what="the end of the step")
    assert answer(server, "GET", "/api/v1/runs/1")[0] == 200
    disk.free()
    # Lines of the log that found no room are lost; the job's end is not.
    assert server.finished(1)["conclusion"] in (("failure", "success") if writes else ("success",))
    repository.write(".github/workflows/a.yml", workflow("echo hello"))
    repository.commit()
    repository.push()
    assert server.finished(2)["conclusion"] == "success"
    assert server.cli("fsck", "--deep").returncode == 0
