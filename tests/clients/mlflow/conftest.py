"""The server under test and MLflow's own server as the oracle.

Tests that take the fixture `server` run once against each and must pass on both; tests that take `weir` are about what
weir does on purpose in its own way. WEIR_TEST_URL names a running server (with WEIR_TEST_TOKEN, an admin's token) to be
tested instead of the small one that is started here. WEIR_TEST_ORACLE=0 leaves the oracle out.
"""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid

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
    program = os.path.join(os.environ.get("WEIR_BUILD", "build"), "bin", "mlflow_test_server")
    process = subprocess.Popen([program, str(tmp_path_factory.mktemp("weir"))], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    line = process.stdout.readline()
    assert line.startswith("listening "), "mlflow_test_server did not start"
    yield Server("weir", f"http://127.0.0.1:{line.split()[1]}", "role-admin")
    process.stdin.close()
    assert process.wait(20) == 0


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
    os.killpg(process.pid, 15)
    process.wait(30)
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
