"""Workflows that call, follow and ask each other, on a real server."""

import json
import urllib.error

import pytest
from weir_server import wait_until

CALLER = """\
on: push
permissions: {contents: read, actions: write}
jobs:
  build:
    runs-on: ubuntu-latest
    outputs: {version: "${{ steps.v.outputs.version }}"}
    steps:
      - id: v
        run: echo version=7 >> "$GITHUB_OUTPUT"
  ship:
    needs: build
    strategy: {matrix: {where: [eu, us]}}
    uses: ./.github/workflows/ship.yml
    with: {version: "${{ needs.build.outputs.version }}", WHERE: "${{ matrix.where }}"}
    secrets: {Key: "${{ secrets.SHIP_KEY }}"}
  report:
    needs: ship
    runs-on: ubuntu-latest
    steps:
      - run: echo "shipped ${{ needs.ship.outputs.place }}"
"""
CALLED = """\
on:
  workflow_call:
    inputs:
      version: {type: string, required: true}
      where: {type: string, required: true}
    secrets:
      KEY: {required: true}
    outputs:
      place: {value: "${{ jobs.copy.outputs.place }}"}
jobs:
  copy:
    runs-on: ubuntu-latest
    outputs: {place: "${{ steps.c.outputs.place }}"}
    steps:
      - id: c
        env: {KEY: "${{ secrets.KEY }}", OTHER: "${{ secrets.OTHER }}"}
        run: |
          test "$KEY" = s3cret-eu-us && test -z "$OTHER"
          test "${{ github.job }} ${{ job.workflow_file_path }}" = "copy .github/workflows/ship.yml"
          echo "place=${{ inputs.where }}-${{ inputs.version }}" >> "$GITHUB_OUTPUT"
"""


def jobs_of(server, run):
    return {job["name"]: job for job in server.get(f"/api/v1/runs/{run}")["jobs"]}


def log_of(server, job):
    return "\n".join(line["text"] for line in server.get(f"/api/v1/jobs/{job}/log")["lines"])


def test_a_matrix_of_calls_gets_inputs_and_secrets_and_gives_outputs(server, repository):
    for name, value in (("SHIP_KEY", "s3cret-eu-us"), ("OTHER", "not for the callee")):
        server.cli("secret", "set", name, "--value", value)
    repository.write(".github/workflows/ci.yml", CALLER)
    repository.write(".github/workflows/ship.yml", CALLED)
    repository.commit()
    repository.push()
    run = server.finished(1)
    jobs = jobs_of(server, 1)
    assert run["conclusion"] == "success", [log_of(server, job["id"]) for job in jobs.values() if job["calls"] is None]
    assert list(jobs) == ["build", "ship (eu)", "ship (eu) / copy", "ship (us)", "ship (us) / copy", "report"]
    assert jobs["ship (us)"]["calls"] == "./.github/workflows/ship.yml"
    assert jobs["ship (us) / copy"]["parent"] == jobs["ship (us)"]["id"]
    assert jobs["ship (eu)"]["outputs"] == {"place": "eu-7"}
    assert "shipped" in log_of(server, jobs["report"]["id"])
    assert "s3cret" not in json.dumps(run)


def test_what_cannot_be_called_is_told_before_anything_runs(server, repository):
    repository.write(".github/workflows/ci.yml", CALLER.replace("secrets: {Key", "secrets: {KEYS"))
    repository.write(".github/workflows/ship.yml", CALLED)
    repository.commit()
    repository.push()
    run = server.finished(1)
    assert run["conclusion"] == "failure" and run["jobs"] == []
    assert '.github/workflows/ship.yml declares no secret "KEYS"' in run["problem"]
    assert 'did you mean "KEY"?' in run["problem"]
    # With the line, as weir lint has it.
    line, text = next((i, t) for i, t in enumerate(CALLER.splitlines(), 1) if "secrets: {Key" in t)
    assert f".github/workflows/ci.yml:{line}:{text.index('Key') + 1}: error:" in run["problem"]


def test_a_called_workflow_may_not_ask_for_more_than_the_call_has(server, repository):
    repository.write(".github/workflows/ci.yml", CALLER)
    repository.write(".github/workflows/ship.yml", CALLED + "permissions: {contents: write}\n")
    repository.commit()
    repository.push()
    assert "asks for the permission contents: write, and the call allows read" in server.finished(1)["problem"]


def test_a_job_may_do_what_its_permissions_say(server, repository):
    repository.write(".github/workflows/ci.yml", """\
on: push
jobs:
  reads:
    permissions: {contents: read}
    runs-on: ubuntu-latest
    steps:
      - run: |
          git clone -q "http://job:$WEIR_TOKEN@${WEIR_URL#http://}/git/project.git" clone && cd clone
          git -c user.name=a -c user.email=a@b commit -q --allow-empty -m more
          git push -q origin HEAD:refs/heads/other 2>&1 && exit 1
          true
  writes:
    permissions: {contents: write}
    runs-on: ubuntu-latest
    steps:
      - run: |
          git clone -q "http://job:$WEIR_TOKEN@${WEIR_URL#http://}/git/project.git" clone && cd clone
          git -c user.name=a -c user.email=a@b commit -q --allow-empty -m more
          git push -q origin HEAD:refs/heads/gh-pages
  nothing:
    permissions: {}
    runs-on: ubuntu-latest
    steps:
      - run: |
          git clone -q "http://job:$WEIR_TOKEN@${WEIR_URL#http://}/git/project.git" clone && exit 1
          true
""")
    repository.commit()
    repository.push()
    run = server.finished(1)
    jobs = jobs_of(server, 1)
    assert run["conclusion"] == "success", {name: log_of(server, job["id"]) for name, job in jobs.items()}
    assert "write `contents: write` there" in log_of(server, jobs["reads"]["id"])
    # What a job pushed was recorded and started nothing.
    assert len(server.get("/api/v1/runs")["runs"]) == 1
    refs = repository.git("ls-remote", f"{server.url}/git/project.git").stdout
    assert "refs/heads/gh-pages" in refs and "refs/heads/other" not in refs


def test_a_workflow_follows_another_one(server, repository):
    repository.write(".github/workflows/train.yml", """\
name: Train
on: push
jobs: {train: {runs-on: ubuntu-latest, steps: [{run: "true"}]}}
""")
    repository.write(".github/workflows/after.yml", """\
name: After
on: {workflow_run: {workflows: [Train], types: [completed]}}
jobs:
  after:
    if: github.event.workflow_run.conclusion == 'success'
    runs-on: ubuntu-latest
    steps:
      - run: echo "after ${{ github.event.workflow_run.name }} ${{ github.event.workflow_run.head_branch }}"
""")
    repository.commit()
    repository.push()
    followed = wait_until(lambda: [r for r in server.get("/api/v1/runs")["runs"] if r["workflow"] == "After"], 60, "After")
    run = server.finished(followed[0]["id"])
    assert run["conclusion"] == "success" and run["event"] == "workflow_run" and run["reason"] == "Train success #1"
    assert "after Train main" in log_of(server, run["jobs"][0]["id"])


def test_a_preempted_job_goes_on_from_its_checkpoint_in_the_same_experiment_run(server, repository):
    repository.write("train.py", """\
import os, pathlib, signal, sys, time, json, urllib.request

def call(path, body):
    request = urllib.request.Request(os.environ["MLFLOW_TRACKING_URI"] + "/api/2.0/mlflow/" + path,
                                     json.dumps(body).encode(), {"Content-Type": "application/json",
                                     "Authorization": "Bearer " + os.environ["MLFLOW_TRACKING_TOKEN"]})
    return json.load(urllib.request.urlopen(request))

checkpoint = pathlib.Path(os.environ["WEIR_RESUME_DIR"]) / "epoch"
epoch = int(checkpoint.read_text()) if checkpoint.exists() else 0
run = os.environ.get("MLFLOW_RUN_ID") or call("runs/create", {"experiment_id": "0"})["run"]["info"]["run_id"]
print("start at", epoch, "run", run, flush=True)

def stop(*_):
    checkpoint.write_text(str(epoch))
    sys.exit(1)

signal.signal(signal.SIGTERM, stop)
while epoch < 1 or not checkpoint.exists():
    epoch += 1
    time.sleep(0.05)
print("done after", epoch, flush=True)
""")
    repository.write("weir.yaml", "runners:\n  small: {slots: 1, grace: 20s}\n")
    repository.write(".github/workflows/train.yml", """\
on: workflow_dispatch
jobs:
  train:
    runs-on: [small, preemptible, priority=low]
    steps: [{run: "python3 train.py"}]
""")
    repository.write(".github/workflows/hotfix.yml", """\
on: workflow_dispatch
jobs:
  fix:
    runs-on: [small, priority=high]
    steps: [{run: "echo fixed"}]
""")
    repository.commit()
    repository.push()
    start = lambda file: server.post("/api/v1/repos/project/dispatches", {"workflow": file},
                                     server.admin_token)["run_id"]
    train = start("train.yml")
    job = wait_until(lambda: server.get(f"/api/v1/runs/{train}")["jobs"][0]["state"] == "in_progress" and
                     server.get(f"/api/v1/runs/{train}")["jobs"][0]["id"], 60, "the training to start")

    def running():
        try:
            return "start at" in log_of(server, job)
        except urllib.error.HTTPError:
            return False

    wait_until(running, 60, "the first epoch")
    first = [word for word in log_of(server, job).split() if len(word) == 32][0]
    assert server.finished(start("hotfix.yml"))["conclusion"] == "success"
    run = server.finished(train)
    assert run["conclusion"] == "success"
    log = log_of(server, job)
    began = [line for line in log.splitlines() if line.startswith("start at")]
    assert len(began) == 2 and began[0] == f"start at 0 run {first}", log
    assert began[1].endswith(f"run {first}") and not began[1].startswith("start at 0 "), log
    kinds = [e["type"] for e in server.get("/api/v1/events?limit=200", server.admin_token)["events"]
             if e["subject"] == f"job/{job}"]
    assert sorted(kinds) == sorted(["job.queued", "job.started", "job.preempted", "job.queued", "job.started",
                                    "job.completed"])
