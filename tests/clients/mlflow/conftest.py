"""`weir serve` and, as the oracle, MLflow's own server.

Tests that take the fixture `server` run once against each and must pass on both; tests that take `weir` are about what
weir does on purpose in its own way. WEIR_TEST_URL names a running server (with WEIR_TEST_TOKEN, an admin's token) to be
tested instead of the one that is started here. WEIR_TEST_ORACLE=0 leaves the oracle out.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path

import pytest

os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "2"
os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
os.environ["GIT_PYTHON_REFRESH"] = "quiet"

REQUIREMENTS = ["mlflow"]  # given, so that mlflow does not spend seconds to find them out


class Server:
    def __init__(self, name, url, token=""):
        self.name = name
        self.url = url
        self.token = token
        self.is_weir = name == "weir"
        self.roles = {}

    def call(self, method, path, body=None, token=None, headers=None):
        """(status, answer): the answer parsed if it is JSON, else bytes."""
        data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        all_headers = {"Content-Type": "application/json", **(headers or {})}
        token = self.token if token is None else token
        if token:
            all_headers["Authorization"] = f"Bearer {token}"
        request = urllib.request.Request(self.url + path, data, all_headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                status, content = response.status, response.read()
        except urllib.error.HTTPError as error:
            status, content = error.code, error.read()
        try:
            return status, json.loads(content)
        except ValueError:
            return status, content

    def role(self, role):
        """A token of that role."""
        if role not in self.roles:
            status, answer = self.call("POST", "/api/v1/tokens", {"name": f"test-{role}", "role": role})
            assert status == 201, answer
            self.roles[role] = answer["token"]
        return self.roles[role]

    @contextlib.contextmanager
    def token_set(self, token):
        before = os.environ.get("MLFLOW_TRACKING_TOKEN")
        os.environ["MLFLOW_TRACKING_TOKEN"] = token
        if not token:
            del os.environ["MLFLOW_TRACKING_TOKEN"]
        try:
            yield
        finally:
            if before is None:
                os.environ.pop("MLFLOW_TRACKING_TOKEN", None)
            else:
                os.environ["MLFLOW_TRACKING_TOKEN"] = before


@pytest.fixture(scope="session")
def weir_server(tmp_path_factory):
    url = os.environ.get("WEIR_TEST_URL")
    if url:
        yield Server("weir", url.rstrip("/"), os.environ.get("WEIR_TEST_TOKEN", ""))
        return
    state = tmp_path_factory.mktemp("weir") / "state"
    program = Path(os.environ.get("WEIR_BUILD", "build")).resolve() / "bin/weir"
    with open(state.parent / "log.txt", "wb") as log:
        process = subprocess.Popen([program, "serve", "--state", state, "--slots", "8"], stdout=log, stderr=log)
    wait_until(lambda: (state / "server.json").exists() or process.poll() is not None, "server.json")
    assert process.poll() is None, (state.parent / "log.txt").read_text()
    server = Server("weir", json.loads((state / "server.json").read_text())["url"],
                    (state / "keys/admin.token").read_text().strip())
    wait_until(lambda: server.call("GET", "/health")[0] == 200, "health")
    yield server
    process.terminate()
    assert process.wait(30) == 0


def wait_until(condition, what, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.01)


# Three jobs that show the test their tokens and run until it has done with them.
WORKFLOW = """
name: Hold
on:
  workflow_dispatch:
    inputs:
      folder: {required: true}
jobs:
  hold:
    runs-on: self-hosted
    strategy:
      matrix:
        job: [0, 1, 2]
    steps:
      - env:
          FOLDER: ${{ inputs.folder }}
        run: |
          printf %s "$WEIR_TOKEN" >"$FOLDER/new-${{ matrix.job }}"
          mv "$FOLDER/new-${{ matrix.job }}" "$FOLDER/token-${{ matrix.job }}"
          for i in $(seq 6000); do [ ! -e "$FOLDER/done" ] || exit 0; sleep 0.02; done
          exit 1
"""


class WorkflowRun:
    """A run under way: its number, and number and token of each of its three jobs."""

    def __init__(self, server, run, tokens):
        self.id = run
        _, answer = server.call("GET", f"/api/v1/runs/{run}")
        self.jobs = sorted(job["id"] for job in answer["jobs"])
        self.tokens = tokens


@pytest.fixture(scope="session")
def repository(weir_server, tmp_path_factory):
    """The name of a pushed repository with the workflow hold.yml."""
    folder = tmp_path_factory.mktemp("repository")
    (folder / ".github/workflows").mkdir(parents=True)
    (folder / ".github/workflows/hold.yml").write_text(WORKFLOW)
    address = weir_server.url.replace("http://", f"http://test:{weir_server.token}@")
    for command in (["init", "-q", "-b", "main"], ["add", "-A"],
                    ["-c", "user.name=Test", "-c", "user.email=test@example.com", "commit", "-qm", "Hold"],
                    ["push", "-q", f"{address}/git/mlflow-tests.git", "main"]):
        subprocess.run(["git", "-C", folder, *command], check=True, env={**os.environ, "GIT_TERMINAL_PROMPT": "0"})
    return "mlflow-tests"


@pytest.fixture
def workflow_run(weir_server, repository, tmp_path):
    """Starts a run, in a with statement."""

    @contextlib.contextmanager
    def start():
        folder = tmp_path / uuid.uuid4().hex
        folder.mkdir()
        status, answer = weir_server.call("POST", f"/api/v1/repos/{repository}/dispatches",
                                          {"workflow": "hold.yml", "inputs": {"folder": str(folder)}})
        assert status == 201, answer
        files = [folder / f"token-{job}" for job in range(3)]
        try:
            wait_until(lambda: all(file.exists() for file in files), "the jobs' tokens")
            yield WorkflowRun(weir_server, answer["run_id"], [file.read_text() for file in files])
        finally:
            (folder / "done").touch()
            wait_until(lambda: weir_server.call("GET", f"/api/v1/runs/{answer['run_id']}")[1]["state"] == "completed",
                       "the run's end")

    return start


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def oracle_server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("oracle")
    port = free_port()
    log = open(folder / "log.txt", "wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{folder}/mlflow.db",
         "--artifacts-destination", str(folder / "artifacts"), "--host", "127.0.0.1", "--port", str(port), "--workers", "1"],
        stdout=log, stderr=log, start_new_session=True,
        env={key: value for key, value in os.environ.items() if key != "MLFLOW_TRACKING_URI"})
    server = Server("mlflow", f"http://127.0.0.1:{port}")
    deadline = time.monotonic() + 120
    while True:
        try:
            if server.call("GET", "/health")[0] == 200:
                break
        except OSError:
            pass
        assert process.poll() is None and time.monotonic() < deadline, (folder / "log.txt").read_text()
        time.sleep(0.2)
    yield server
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:  # its workers do not always hear it
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(20)
    log.close()


def connect(server, monkeypatch):
    import mlflow

    while mlflow.active_run():
        mlflow.end_run()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.url)
    if server.token:
        monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", server.token)
    else:
        monkeypatch.delenv("MLFLOW_TRACKING_TOKEN", raising=False)
    mlflow.set_tracking_uri(server.url)
    mlflow.set_registry_uri(server.url)
    return server


ORACLE = os.environ.get("WEIR_TEST_ORACLE", "1") != "0"


@pytest.fixture(params=["weir", "mlflow"] if ORACLE else ["weir"])
def server(request, monkeypatch):
    return connect(request.getfixturevalue("weir_server" if request.param == "weir" else "oracle_server"), monkeypatch)


@pytest.fixture
def weir(weir_server, monkeypatch):
    return connect(weir_server, monkeypatch)


@pytest.fixture
def client(server):
    from mlflow import MlflowClient

    return MlflowClient()


@pytest.fixture
def name():
    """A name that no other test uses."""
    return f"t{uuid.uuid4().hex[:12]}"


@pytest.fixture
def experiment(client, name):
    """The id of a new experiment, which is also where runs of the fluent API go."""
    import mlflow

    experiment_id = client.create_experiment(name)
    mlflow.set_experiment(experiment_id=experiment_id)
    return experiment_id


@pytest.fixture
def run_id(client, experiment):
    return client.create_run(experiment).info.run_id


@pytest.fixture(scope="session")
def fitted():
    """(model, table) of a small classifier."""
    import numpy as np
    import pandas as pd
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    table = pd.DataFrame({"distance": rng.normal(1000.0, 300.0, 300), "hour": rng.uniform(0, 24, 300)})
    return LogisticRegression().fit(table, (table.hour > 15).astype(int)), table


@pytest.fixture
def log_model(fitted):
    """Logs the small classifier into the active or a new run; gives the client's ModelInfo."""
    import mlflow
    from mlflow.models import infer_signature

    model, table = fitted

    def log(name="model", **arguments):
        return mlflow.sklearn.log_model(model, name=name, signature=infer_signature(table, model.predict(table)),
                                        pip_requirements=REQUIREMENTS, serialization_format="cloudpickle", **arguments)

    return log
