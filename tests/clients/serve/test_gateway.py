"""Real clients against the gateway: HTTP, tritonclient, switches under load, workers that die."""

import json
import os
import signal
import threading
import time

import numpy as np
import pytest

BODY = {"dataframe_split": {"columns": ["distance", "hour", "carrier"], "data": [[2000.0, 20, "AA"], [100.0, 3, "UA"]]}}


def test_answers_mlflows_protocol(gateway):
    status, headers, body = gateway.call("POST", "/model/invocations", BODY, X_Request_Id="abc")
    assert (status, json.loads(body)) == (200, {"predictions": [1, 0]})
    assert headers["X-Request-Id"] == "abc" and headers["X-Weir-Model-Version"] in "12"


def test_bad_input_names_the_field(gateway):
    status, _, body = gateway.call("POST", "/model/invocations", {"dataframe_records": [{"distance": "far"}]})
    assert status == 400
    assert json.loads(body) == {"error_code": "BAD_REQUEST",
                                "message": 'missing columns "hour" (long), "carrier" (string)'}


def test_the_mlflow_clients_own_input_example_is_answered(gateway, models):
    with open(os.path.join(models["flights"], "serving_input_example.json"), "rb") as file:
        assert gateway.call("POST", "/model/invocations", file.read())[0] == 200


@pytest.fixture
def triton(gateway):
    http = pytest.importorskip("tritonclient.http")
    client = http.InferenceServerClient(f"127.0.0.1:{gateway.port}")
    yield http, client
    client.close()


def tensors(http, binary):
    def tensor(name, datatype, values):
        one = http.InferInput(name, list(values.shape), datatype)
        one.set_data_from_numpy(values, binary_data=binary)
        return one

    return [tensor("distance", "FP64", np.array([2000.0, 100.0])), tensor("hour", "INT64", np.array([20, 3])),
            tensor("carrier", "BYTES", np.array(["AA", "UA"], object))]


def test_triton_sees_a_live_server_and_its_model(triton):
    _, client = triton
    assert client.is_server_live() and client.is_server_ready() and client.is_model_ready("model")
    assert not client.is_model_ready("other")
    assert client.get_server_metadata()["extensions"] == ["binary_tensor_data"]
    metadata = client.get_model_metadata("model")
    assert metadata["name"] == "model" and metadata["platform"] == "mlflow_sklearn"
    assert metadata["inputs"][0] == {"name": "distance", "datatype": "FP64", "shape": [-1]}


@pytest.mark.parametrize("binary_in", [True, False])
@pytest.mark.parametrize("binary_out", [True, False])
def test_triton_infers_with_json_and_binary_tensors(triton, binary_in, binary_out):
    http, client = triton
    outputs = [http.InferRequestedOutput("output-1", binary_data=binary_out)]
    result = client.infer("model", tensors(http, binary_in), outputs=outputs, request_id="r7")
    assert result.as_numpy("output-1").tolist() == [1, 0]
    assert result.get_response()["id"] == "r7"


def test_triton_infers_without_naming_outputs(triton):
    http, client = triton
    assert client.infer("model", tensors(http, True)).as_numpy("output-1").tolist() == [1, 0]


def test_triton_is_told_which_tensor_is_wrong(triton):
    http, client = triton
    with pytest.raises(Exception, match='missing column "carrier"'):
        client.infer("model", tensors(http, True)[:2])


class Load:
    """Requests from a few threads until it is stopped; counts what came back."""

    def __init__(self, gateway, threads=4):
        self.gateway = gateway
        self.stopping = False
        self.statuses = {}
        self.versions = set()
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.run) for _ in range(threads)]
        for thread in self.threads:
            thread.start()

    def run(self):
        while not self.stopping:
            status, headers, _ = self.gateway.call("POST", "/model/invocations", BODY)
            with self.lock:
                self.statuses[status] = self.statuses.get(status, 0) + 1
                self.versions.add(headers.get("X-Weir-Model-Version"))

    def count(self):
        with self.lock:
            return sum(self.statuses.values())

    def wait_for(self, requests):
        target = self.count() + requests
        deadline = time.monotonic() + 60
        while self.count() < target:
            assert time.monotonic() < deadline, self.statuses
            threading.Event().wait(0.01)

    def stop(self):
        self.stopping = True
        for thread in self.threads:
            thread.join()


def test_no_request_fails_while_versions_are_switched(gateway):
    load = Load(gateway)
    load.wait_for(50)
    for version in ["2", "1", "2", "1"]:
        status, _, body = gateway.call("POST", f"/test/switch/{version}")
        assert status == 200 and json.loads(body)["micros"] < 100_000
        load.wait_for(50)
    load.stop()
    assert set(load.statuses) == {200}
    assert load.versions == {"1", "2"}


def test_no_request_fails_when_a_worker_is_killed(gateway):
    load = Load(gateway)
    load.wait_for(20)
    before = gateway.state()["live"]
    os.kill(before["pids"][0], signal.SIGKILL)
    load.wait_for(200)
    load.stop()
    assert set(load.statuses) == {200}
    deadline = time.monotonic() + 60
    while (now := gateway.state()["live"])["workers_ready"] < 2:
        assert time.monotonic() < deadline, now
        threading.Event().wait(0.05)
    assert now["restarts"] == before["restarts"] + 1


def test_workers_see_nothing_of_the_servers_environment(models):
    from conftest import Gateway

    os.environ["WEIR_ADMIN_TOKEN"] = "secret"
    try:
        server = Gateway([models["scaled"]], workers=1)
    finally:
        del os.environ["WEIR_ADMIN_TOKEN"]
    try:
        with open(f"/proc/{server.state()['live']['pids'][0]}/environ", "rb") as file:
            environ = file.read()
        assert b"PATH=" in environ and b"secret" not in environ
    finally:
        server.close()


def test_a_request_that_kills_workers_is_refused_and_others_are_not(models):
    from conftest import Gateway

    server = Gateway([models["touchy"]], workers=2)
    try:
        def ask(x):
            return server.call("POST", "/model/invocations", {"dataframe_split": {"columns": ["x"], "data": [[x]]}})

        status, headers, _ = ask(666.0)
        assert status == 503
        deadline = time.monotonic() + 60
        while ask(1.0)[0] != 200:
            assert time.monotonic() < deadline
            threading.Event().wait(0.05)
    finally:
        server.close()
