"""Models of every kind that the worker knows, made once, and the gateway that serves them."""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
import warnings

import pytest

sys.path.insert(0, os.path.dirname(__file__))

REQUIREMENTS = ["mlflow"]  # given, so that mlflow does not spend seconds to find them out; the tests install nothing


def make_flights(folder, shift=0.0):
    """Named columns of several types, an input example, probabilities of two classes."""
    import mlflow
    import numpy as np
    import pandas as pd
    from mlflow.models import infer_signature
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    rng = np.random.default_rng(0)
    rows = 400
    table = pd.DataFrame({"distance": rng.normal(1000, 300, rows), "hour": rng.integers(0, 24, rows),
                          "carrier": rng.choice(["AA", "UA", "DL"], rows)})
    late = (table.distance / 1000 + (table.hour > 15) + rng.normal(0, 0.3, rows) + shift > 1.3).astype(int)
    model = make_pipeline(
        make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["carrier"]),
                                (StandardScaler(), ["distance", "hour"])), LogisticRegression()).fit(table, late)
    mlflow.sklearn.save_model(model, folder, signature=infer_signature(table, model.predict(table)),
                              input_example=table.head(3), pip_requirements=REQUIREMENTS)


def make_tensor(folder):
    import mlflow
    import numpy as np
    from mlflow.models import infer_signature
    from sklearn.linear_model import LinearRegression

    inputs = np.random.default_rng(0).normal(size=(50, 4))
    model = LinearRegression().fit(inputs, inputs @ [1.0, 2.0, 3.0, 4.0])
    mlflow.sklearn.save_model(model, folder, signature=infer_signature(inputs, model.predict(inputs)), pip_requirements=REQUIREMENTS)


def make_no_signature(folder):
    import mlflow
    import numpy as np
    from sklearn.linear_model import LinearRegression

    inputs = np.arange(20.0).reshape(10, 2)
    mlflow.sklearn.save_model(LinearRegression().fit(inputs, inputs[:, 0]), folder, pip_requirements=REQUIREMENTS)


def make_python(folder, model, example, params=None, signature=True):
    import mlflow
    from mlflow.models import infer_signature

    output = model.predict(None, example, params)
    mlflow.pyfunc.save_model(folder, python_model=model, input_example=(example, params) if params else example,
                             signature=infer_signature(example, output, params) if signature else None, pip_requirements=REQUIREMENTS)


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """A folder of each kind of model, by name; made when first asked for."""
    root = tmp_path_factory.mktemp("models")
    os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{root}/unused.db"
    import python_models

    makers = {
        "flights": make_flights,
        "flights2": lambda folder: make_flights(folder, 0.4),
        "tensor": make_tensor,
        "no_signature": make_no_signature,
        **python_models.makers(make_python),
    }

    class Models(dict):
        def __missing__(self, name):
            folder = str(root / name)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                makers[name](folder)
            self[name] = folder
            return folder

    return Models()


@pytest.fixture(scope="session")
def worker(models):
    """Workers by the name of their model; each is started once."""
    from worker_client import Worker

    running = {}

    def start(name):
        if name not in running:
            running[name] = Worker(models[name])
            assert running[name].ready, running[name].hello
        return running[name]

    yield start
    for one in running.values():
        one.close()


class Gateway:
    def __init__(self, folders, workers=2):
        program = os.path.join(os.environ.get("WEIR_BUILD", "build"), "bin", "weir_gateway_server")
        self.process = subprocess.Popen([program, sys.executable, str(workers), *folders], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)
        line = self.process.stdout.readline()
        assert line, "the gateway did not start"
        self.port = json.loads(line)["port"]

    def close(self):
        self.process.stdin.close()
        assert self.process.wait(20) == 0  # a sanitizer tells of what it found by this code

    def call(self, method, path, body=None, **headers):
        """(status, headers, bytes)."""
        data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return response.status, response.headers, response.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()

    def state(self):
        return json.loads(self.call("GET", "/test/state")[2])


@pytest.fixture(scope="session")
def gateway(models):
    server = Gateway([models["flights"], models["flights2"]])
    yield server
    server.close()
