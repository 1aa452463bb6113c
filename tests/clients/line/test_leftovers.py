"""What killed servers and runners leave: the next server ends and removes it, and nothing else."""

import json
import os
import signal
import sqlite3
import subprocess
from pathlib import Path

import pytest
from weir_server import Server, wait_until

# Stands for podman: lists what a file says, and keeps what it is asked.
PODMAN = """#!/bin/bash
echo "$*" >> {folder}/asked
case "$1" in
  ps) cat {folder}/containers.json;;
  network) if [ "$2" = ls ]; then cat {folder}/networks.json; fi;;
esac
"""

# Children in the step's group, in a group and in a session of their own; one of them ignores what can be ignored.
STEP = """\
on: push
jobs:
  train:
    runs-on: ubuntu-latest
    steps:
      - run: |
          sleep 1000 & echo $! >> {pids}
          setsid bash -c 'trap "" HUP INT TERM; echo $$ >> {pids}; while sleep 1; do :; done' < /dev/null > /dev/null 2>&1 &
          (setsid sleep 1001 < /dev/null > /dev/null 2>&1 & echo $! >> {pids})
          echo $$ >> {pids}
          while [ "$(wc -l < {pids})" -lt 4 ]; do sleep 0.05; done
          touch {pids}.complete
          sleep 1002
"""


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except (FileNotFoundError, ProcessLookupError):
        return False


def numbers(path):
    return [int(line) for line in path.read_text().split()]


@pytest.fixture
def podman(tmp_path):
    folder = tmp_path / "podman"
    (folder / "bin").mkdir(parents=True)
    program = folder / "bin/podman"
    program.write_text(PODMAN.format(folder=folder))
    program.chmod(0o755)
    for name in ("containers", "networks"):
        (folder / f"{name}.json").write_text("[]")
    (folder / "asked").write_text("")
    return folder


@pytest.fixture
def server(tmp_path, podman):
    (tmp_path / "state").mkdir()
    weir = Server(tmp_path / "state", env={"PATH": f"{podman}/bin:{os.environ['PATH']}"})
    yield weir
    weir.stop()
    # Of a test that failed.
    for pid in numbers(tmp_path / "pids") if (tmp_path / "pids").exists() else []:
        if alive(pid) and f"RUNNER_TRACKING_ID=weir:{tmp_path}/".encode() in Path(f"/proc/{pid}/environ").read_bytes():
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def bystander(tmp_path):
    """A process that says to be of a job of another state with the same number."""
    process = subprocess.Popen(["sleep", "600"],
                               env={**os.environ, "RUNNER_TRACKING_ID": f"weir:{tmp_path}/elsewhere/jobs/1"})
    yield process
    process.kill()
    process.wait()


def runner_of(server, job):
    def found():
        for line in (server.state / f"jobs/{job}/journal.jsonl").read_text().splitlines():
            if (pid := json.loads(line).get("pid")):
                return pid
    return wait_until(found, 30, "the runner's number")


def begin(server, repository, tmp_path):
    pids = tmp_path / "pids"
    repository.write(".github/workflows/ci.yml", STEP.format(pids=pids))
    repository.commit()
    repository.push()
    wait_until((tmp_path / "pids.complete").exists, 60, "the step's processes")
    job = server.get("/api/v1/runs/1")["jobs"][0]["id"]
    started = numbers(pids)
    assert len(started) == 4 and all(alive(pid) for pid in started)
    return job, runner_of(server, job), started


def test_the_next_server_ends_and_removes_what_a_killed_one_and_its_runner_left(server, repository, tmp_path, podman,
                                                                                bystander):
    job, runner, started = begin(server, repository, tmp_path)
    server.kill()
    os.kill(runner, signal.SIGKILL)
    (server.state / "exchange" / ("a" * 32)).write_bytes(b"half")
    (server.state / "containers" / str(job)).touch()
    mine, theirs = f"weir:{server.state}/jobs/{job}", f"weir:{tmp_path}/elsewhere/jobs/{job}"
    (podman / "containers.json").write_text(json.dumps(
        [{"Id": "c-mine", "Labels": {"weir-tracking": mine}}, {"Id": "c-theirs", "Labels": {"weir-tracking": theirs}},
         {"Id": "c-other", "Labels": {"weir-tracking": f"{server.state}/jobs/{job}"}}, {"Id": "c-bare", "Labels": None}]))
    (podman / "networks.json").write_text(json.dumps(
        [{"name": "n-mine", "id": "n-mine", "labels": {"weir-tracking": mine}},
         {"name": "n-theirs", "id": "n-theirs", "labels": {"weir-tracking": theirs}}]))
    server.start()
    wait_until(lambda: not any(alive(pid) for pid in started), 30, "the end of the step's processes")
    run = server.finished(1)
    assert run["conclusion"] == "failure"
    removed = lambda: [line for line in (podman / "asked").read_text().splitlines() if line.split()[0] == "rm" or
                       line.startswith("network rm")]
    wait_until(lambda: len(removed()) >= 2, 60, "the removal of containers")
    assert set(removed()) == {"rm --force --time 1 --volumes c-mine", "network rm --force n-mine"}
    assert bystander.poll() is None
    wait_until(lambda: list((server.state / "containers").iterdir()) == [], 30, "that it is known that nothing is left")
    # The run had ended when the server began anew: nobody is left who could hand the file over.
    server.stop()
    (podman / "asked").write_text("")
    server.start()
    assert (podman / "asked").read_text() == "", "without a container there is nothing to ask podman"
    assert list((server.state / "exchange").iterdir()) == []


def test_a_server_that_begins_anew_lets_jobs_go_on(server, repository, tmp_path, podman):
    job, runner, started = begin(server, repository, tmp_path)
    file = server.state / "exchange" / ("b" * 32)
    file.write_bytes(b"on its way")
    (podman / "containers.json").write_text(json.dumps(
        [{"Id": "c-mine", "Labels": {"weir-tracking": f"weir:{server.state}/jobs/{job}"}}]))
    # What the round removes last: when it is gone, all else was looked at.
    (podman / "networks.json").write_text(json.dumps(
        [{"name": "n-ended", "id": "n-ended", "labels": {"weir-tracking": f"weir:{server.state}/jobs/999"}}]))
    for number in (job, 999):
        (server.state / "containers" / str(number)).touch()
    server.kill()
    server.start()
    wait_until(lambda: "network rm --force n-ended" in (podman / "asked").read_text(), 30, "the end of the first round")
    assert alive(runner) and all(alive(pid) for pid in started) and file.exists()
    assert "c-mine" not in (podman / "asked").read_text()
    wait_until(lambda: [mark.name for mark in (server.state / "containers").iterdir()] == [str(job)], 30, "one mark left")
    server.cli("cancel", "1", "--force", token=server.admin_token, check=False)
    server.finished(1)
    wait_until(lambda: not any(alive(pid) for pid in [runner, *started]), 30, "the end of the job's processes")


def test_checkpoints_stay_for_another_attempt_and_go_with_success(server, repository):
    repository.write(".github/workflows/good.yml", "on: push\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: 'true'}]}}\n")
    repository.write(".github/workflows/bad.yml", "on: push\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: 'false'}]}}\n")
    repository.commit()
    repository.push()
    runs = {server.finished(number)["conclusion"]: number for number in (1, 2)}
    resume = {name: server.state / "resume" / str(name) for name in (runs["success"], runs["failure"], 77, "notes")}
    for folder in resume.values():
        folder.mkdir(parents=True)
        (folder / "epoch").write_text("3")

    def later(hours):
        server.stop()
        with sqlite3.connect(server.state / "weir.db") as database:
            database.execute("UPDATE engine_runs SET completed_at = completed_at - ?", (hours * 3_600_000_000,))
        server.start()

    later(0)
    wait_until(lambda: not resume[77].exists(), 30, "the removal of what no run has")
    assert resume[runs["success"]].exists(), "somebody may run it again at once"
    later(2)
    wait_until(lambda: not resume[runs["success"]].exists(), 30, "the removal after a success")
    assert resume[runs["failure"]].exists(), "another attempt goes on from there"
    later(24 * 91)
    wait_until(lambda: not resume[runs["failure"]].exists(), 30, "the removal after 90 days")
    assert resume["notes"].exists()
    assert (server.state / "jobs/1/log.txt").exists(), "the newest runs keep their folders"
