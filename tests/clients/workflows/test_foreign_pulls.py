"""Pull requests of people who may only look: their jobs run, in a sandbox, and reach nothing of the server's."""

import base64
import json
import os
import re
import shutil
import subprocess
import urllib.error
import urllib.request

import pytest
from test_pulls import token
from weir_server import WEIR, wait_until

pytestmark = pytest.mark.skipif(shutil.which("bwrap") is None, reason="there is no bubblewrap")

BEFORE = """\
name: Before
on: push
jobs:
  quiet:
    runs-on: ubuntu-latest
    steps:
      - run: echo "private of main" > private.txt
"""

# Each attack says what it got hold of; every step goes on, so that all of them are tried.
ATTACK = """\
name: CI
on: pull_request
env:
  STATE: %(state)s
jobs:
  look:
    runs-on: ubuntu-latest
    outputs:
      answer: ${{ steps.out.outputs.answer }}
    steps:
      - uses: actions/checkout@v4
      - name: read
        run: |
          cat "$STATE/keys/admin.token" && echo "GOT token"
          cat "$STATE"/jobs/1/workspace/private.txt && echo "GOT another job"
          ls "$STATE" | grep -v -e jobs -e repos -e envs -e tools && echo "GOT state"
          cat /etc/shadow && echo "GOT shadow"
          cat %(home)s/private-of-home && echo "GOT home"
          grep -a OF_THE_SERVER /proc/[0-9]*/environ && echo "GOT environment"
          echo "tried all"
        shell: bash {0}
      - name: reach
        run: |
          (exec 3<> /dev/tcp/127.0.0.1/%(port)s) && echo "GOT server"
          git ls-remote origin && echo "GOT git"
          kill -9 %(server)s && echo "GOT server's process"
          kill -9 %(me)s && echo "GOT test's process"
          cat /proc/[0-9]*/comm | grep weir && echo "GOT runner"
          for place in "$STATE" "$STATE/keys" "$STATE/jobs" "$GITHUB_WORKSPACE/../.." /usr /etc /; do
            touch $place/planted && echo "GOT write to $place"
          done
          (: >> /proc/sys/kernel/core_pattern) && echo "GOT kernel"
          echo "tried all"
        shell: bash {0}
      - name: secrets
        run: echo "secret [${{ secrets.DEPLOY_KEY }}] token [$(echo '${{ github.token }}' | base64)] [$WEIR_TOKEN]"
      - name: plant
        run: |
          mkdir out
          echo fine > out/report.txt
          ln -s "$STATE/keys/admin.token" out/token.txt
          ln -s "$STATE/keys" out/keys
          ln -s /etc/passwd out/passwd
      - uses: actions/upload-artifact@v4
        if: always()
        continue-on-error: true
        with: {name: out, path: out}
      - uses: actions/upload-artifact@v4
        continue-on-error: true
        with: {name: direct, path: "%(state)s/keys/admin.token"}
      - uses: actions/cache/save@v4
        continue-on-error: true
        with: {path: "%(state)s/keys", key: stolen}
      - name: fork
        continue-on-error: true
        run: |
          python3 -c "
          import os, time
          for _ in range(1500):
              if os.fork() == 0: time.sleep(600)
          print('GOT all processes')"
      - name: memory
        continue-on-error: true
        run: |
          python3 -c "
          held = []
          for _ in range(64): held.append(b'x' * (64 << 20))
          print('GOT memory')"
      - id: out
        run: |
          echo "answer=42" >> $GITHUB_OUTPUT
          echo "# Report" >> $GITHUB_STEP_SUMMARY
          test -f model.txt
  after:
    needs: look
    runs-on: ubuntu-latest
    steps:
      - run: test "${{ needs.look.outputs.answer }}" = 42
"""


@pytest.fixture
def project(server, repository):
    repository.write(".github/workflows/before.yml", BEFORE)
    repository.write("model.txt", "good\n")
    repository.commit("Begin")
    repository.push()
    server.finished(1)
    return repository


def foreign_run(server, project, workflow):
    """The run of a pull request that a viewer opens with `workflow`."""
    vera = token(server, "vera", "viewer")
    project.git("checkout", "-qb", "theirs")
    project.write(".github/workflows/ci.yml", workflow)
    project.commit("A gift")
    project.push(token=vera, ref="HEAD:refs/for/main")
    shown = wait_until(lambda: server.get("/api/v1/repos/project/pulls/1")["runs"], 30, "the pull request's run")
    assert server.get("/api/v1/repos/project/pulls/1")["foreign"]
    run = [r for r in shown if r["event"] == "pull_request"][0]
    return server.finished(run["id"])


def log_of(server, job):
    return "\n".join(line["text"] for line in server.get(f"/api/v1/jobs/{job['id']}/log")["lines"])


def test_attacks_of_a_foreign_pull_request_get_nothing(server, project):
    subprocess.run([WEIR, "secret", "set", "DEPLOY_KEY"], input="the-deploy-key", text=True, check=True,
                   env={**os.environ, "WEIR_STATE": str(server.state)})
    home = os.environ.get("HOME", "/root")
    workflow = ATTACK % {"state": server.state, "home": home, "port": server.url.rsplit(":", 1)[1],
                         "server": server.process.pid, "me": os.getpid()}
    core_pattern = open("/proc/sys/kernel/core_pattern").read()
    run = foreign_run(server, project, workflow)

    look, after = sorted(run["jobs"], key=lambda job: job["id"])
    log = log_of(server, look)
    if "which this machine does not have" in log:
        pytest.skip(log)  # refused, as it has to be
    printed = "\n".join(line for line in log.splitlines() if not line.lstrip().startswith(("cat ", "ls ", "grep ", "(", "kill",
                                                                                         "git ", "for ", "touch", "echo")))
    got = [line for line in printed.splitlines() if line.startswith("GOT")]
    assert got == [], log
    assert server.admin_token not in log and "private of main" not in log and "the-deploy-key" not in log
    assert base64.b64encode(server.admin_token.encode()).decode() not in log
    assert "secret [] token [" in log and printed.splitlines().count("tried all") == 2, log
    assert run["conclusion"] == "success", log
    assert look["outputs"] == {"answer": "42"} and after["conclusion"] == "success"
    assert "limit of 512 processes" in log and "limit of 2048 MiB" in log, log
    assert "in a sandbox (bubblewrap" in log

    artifacts = server.get(f"/api/v1/runs/{run['id']}/artifacts")["artifacts"]
    assert [a["name"] for a in artifacts] in ([], ["out"]), artifacts
    for artifact in artifacts:
        assert [f["path"] for f in artifact["files"]] == ["report.txt"]
    assert "Cache saved" not in log
    # The server is as it was.
    assert open("/proc/sys/kernel/core_pattern").read() == core_pattern
    assert server.process.poll() is None and server.get("/api/v1/runs")["runs"]
    assert not list(server.state.rglob("planted"))
    assert subprocess.run(["find", "/sys/fs/cgroup", "-maxdepth", "6", "-name", f"weir-*-{look['id']}"],
                          capture_output=True, text=True).stdout.strip() == ""


def test_without_bubblewrap_no_step_of_one_runs(server, project, tmp_path):
    # Everything of this machine but one program.
    folder = tmp_path / "bin"
    folder.mkdir()
    for place in ("/usr/local/bin", "/usr/bin", "/bin"):
        for program in os.listdir(place):
            if program != "bwrap" and not (folder / program).exists():
                (folder / program).symlink_to(os.path.join(place, program))
    server.stop()
    server.options["env"] = {"PATH": str(folder)}
    server.start()
    workflow = "on: pull_request\njobs:\n  test:\n    runs-on: ubuntu-latest\n    steps:\n      - run: echo ran here\n"
    run = foreign_run(server, project, workflow)
    job = run["jobs"][0]
    assert run["conclusion"] == "failure"
    log = log_of(server, job)
    assert "apt install bubblewrap" in log and "ran here" not in log


def test_whatever_runs_its_code_is_confined(server, project):
    workflow = """\
name: CI
on: [pull_request, pull_request_review, pull_request_review_comment]
jobs:
  look:
    runs-on: ubuntu-latest
    steps:
      - run: cat STATE/keys/admin.token || echo "${{ github.event_name }} of ${{ github.event.pull_request.head.repo.full_name }}"
      - if: github.event.pull_request.head.repo.full_name == github.repository
        run: echo GOT a condition for trusted work
""".replace("STATE", str(server.state))
    run = foreign_run(server, project, workflow)
    if "which this machine does not have" in log_of(server, run["jobs"][0]):
        pytest.skip("it is refused")
    ours = "/api/v3/repos/weir/project/pulls/1"
    server.post(f"{ours}/reviews", {"event": "COMMENT", "body": "why?"}, token=server.admin_token)
    server.post(f"{ours}/comments", {"body": "here", "path": "model.txt", "line": 1}, token=server.admin_token)
    head = server.get(ours, token=server.admin_token)["head"]["repo"]
    assert head["fork"] and head["full_name"] == "vera/project"
    runs = wait_until(lambda: len(found := [r for r in server.get("/api/v1/runs")["runs"] if r["workflow"] == "CI"]) == 3 and found,
                      30, "a run of each event")
    for one in runs:
        log = log_of(server, server.finished(one["id"])["jobs"][0])
        assert f"{one['event']} of vera/project" in log and "in a sandbox (bubblewrap" in log, log
        assert server.admin_token not in log and "GOT" not in log, log


def test_honest_work_succeeds_and_caches_of_main_are_never_replaced(server, project):
    project.write(".github/workflows/before.yml", BEFORE + """\
      - run: mkdir data && echo trusted > data/set.txt
      - uses: actions/cache/save@v4
        with: {path: data, key: data-1}
""")
    project.commit("Keep data")
    project.push()
    second = wait_until(lambda: [r for r in server.get("/api/v1/runs")["runs"] if r["id"] == 2], 30, "run 2")[0]
    assert server.finished(second["id"])["conclusion"] == "success"
    project.write("act/action.yml", "runs: {using: node20, main: act.js, post: act.js}\n")
    project.write("act/act.js", f"try {{ require('fs').readFileSync('{server.state}/keys/admin.token'); "
                                "console.log('GOT token'); } catch (error) { console.log('node: ' + error.code); }\n")
    run = foreign_run(server, project, """\
on: pull_request
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/cache/restore@v4
        with: {path: data, key: data-1}
      - run: test "$(cat data/set.txt)" = trusted && echo poisoned > data/set.txt
      - uses: actions/setup-python@v5
      - run: python -c "import pip, sys; print('pip of', sys.prefix)"; git log -1 --format=%s; test -z "$(git status --short model.txt)"
      - uses: actions/upload-artifact@v4
        with: {name: fine, path: model.txt}
      - uses: ./act
      - uses: actions/cache/save@v4
        continue-on-error: true
        with: {path: data, key: data-1}
""")
    log = log_of(server, run["jobs"][0])
    if "which this machine does not have" in log:
        pytest.skip(log)
    assert run["conclusion"] == "success", log
    assert "/venv" in log.split("pip of ")[-1], log
    # Its main and its post step.
    assert log.count("node: ENOENT") == 2 and "GOT token" not in log, log
    assert [a["name"] for a in server.get(f"/api/v1/runs/{run['id']}/artifacts")["artifacts"]] == ["fine"]
    project.git("checkout", "-q", "main")
    project.write(".github/workflows/before.yml", """\
name: After
on: push
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/cache/restore@v4
        with: {path: data, key: data-1}
      - run: test "$(cat data/set.txt)" = trusted
""")
    project.commit("Use data")
    project.push()
    last = wait_until(lambda: [r for r in server.get("/api/v1/runs")["runs"] if r["workflow"] == "After"], 30, "After")[0]
    assert server.finished(last["id"])["conclusion"] == "success"


# Calls by which a job's runner keeps the files of its own run, and finds its repository's caches.
FILES = ["post /api/v1/blobs", "post /api/v1/caches", "post /api/v1/caches/lookup", "put /api/v1/blobs/{sha256}"]

PRINTS_TOKEN = """\
name: CI
on: pull_request
permissions: write-all
jobs:
  look:
    runs-on: ubuntu-latest
    steps:
      - run: |
          echo "id=[$ACTIONS_ID_TOKEN_REQUEST_URL$ACTIONS_ID_TOKEN_REQUEST_TOKEN]"
          echo "token=$(echo "${{ secrets.GITHUB_TOKEN }}" | rev)."
      - run: sleep 300
"""


def test_its_token_changes_nothing_from_wherever_it_is_used(server, project):
    vera = token(server, "vera", "viewer")
    server.post("/api/2.0/mlflow/experiments/create", {"name": "of others"}, token=server.admin_token)
    server.post("/api/2.0/mlflow/registered-models/create", {"name": "prodmodel"}, token=server.admin_token)
    project.git("checkout", "-qb", "theirs")
    project.write(".github/workflows/ci.yml", PRINTS_TOKEN)
    project.commit("A gift")
    project.push(token=vera, ref="HEAD:refs/for/main")
    run = wait_until(lambda: server.get("/api/v1/repos/project/pulls/1")["runs"], 30, "the pull request's run")[0]
    job = wait_until(lambda: server.get(f"/api/v1/runs/{run['id']}")["jobs"], 30, "its job")[0]

    def printed():
        log = log_of(server, job)
        if "which this machine does not have" in log:
            pytest.skip(log)
        return [line for line in log.splitlines() if line.startswith("token=") and "rev" not in line]

    stolen = wait_until(printed, 60, "the token in the log")[0].removeprefix("token=").rstrip(".")[::-1]
    assert "id=[]" in log_of(server, job), "a token of its identity"
    who = server.get("/api/v1/identity", token=stolen)
    assert who == {"name": f"job:{job['id']}", "role": "viewer", "foreign": True}
    assert server.get("/api/2.0/mlflow/registered-models/get?name=prodmodel", token=stolen)

    def answer(method, path, body):
        request = urllib.request.Request(server.url + path, json.dumps(body).encode(), method=method, headers={
            "Authorization": f"Bearer {stolen}", "Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return response.status
        except urllib.error.HTTPError as error:
            return error.code

    # Every call of the server's own API that is not for reading, whatever it is named.
    paths = server.get("/api/v1/openapi.json", token=stolen)["paths"]
    taken = [f"{method} {path}" for path, methods in paths.items() for method in methods
             if method in ("post", "put", "patch", "delete")
             and answer(method.upper(), re.sub(r"{[^}]*}", "1", path), {}) not in (401, 403, 404)]
    assert sorted(taken) == FILES, taken
    mlflow = "/api/2.0/mlflow"
    for method, path, body in [
            ("POST", f"{mlflow}/experiments/create", {"name": "new"}), ("POST", f"{mlflow}/experiments/delete", {"experiment_id": "1"}),
            ("POST", f"{mlflow}/registered-models/create", {"name": "new"}),
            ("PATCH", f"{mlflow}/registered-models/update", {"name": "prodmodel", "description": "mine"}),
            ("POST", f"{mlflow}/model-versions/create", {"name": "prodmodel", "source": "s3://x/y"}),
            ("PUT", "/api/2.0/mlflow-artifacts/artifacts/1/x", {}), ("POST", "/api/v1/notifications", {"message": "phish"}),
            ("POST", "/api/v1/notifications", {"message": "x", "to": "http://127.0.0.1:9/"}),
            ("POST", "/api/v1/runs/1/artifacts", {"name": "x", "sha256": "0" * 64}),
            ("POST", "/api/v3/repos/weir/project/issues", {"title": "phish"}),
            ("POST", f"/api/v3/repos/weir/project/statuses/{run['commit']}", {"state": "success"})]:
        assert answer(method, path, body) == 403, (method, path)
    server.post(f"/api/v1/runs/{run['id']}/cancel", {}, token=server.admin_token)
    server.finished(run["id"])
