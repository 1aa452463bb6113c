"""What weir does in its own way: lineage by the job's token, permissions, and files of versions that never change."""

import concurrent.futures

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric, Param
from mlflow.exceptions import MlflowException


def refused(function, *arguments, code, **named):
    with pytest.raises(MlflowException) as raised:
        function(*arguments, **named)
    assert raised.value.error_code == code, raised.value
    return str(raised.value)


def test_the_client_learns_the_version(weir):
    assert weir.call("GET", "/version") == (200, b"3.17.2")


def test_runs_and_models_of_a_job_name_it(weir, workflow_run, log_model, name):
    with workflow_run() as job, weir.token_set(job.tokens[1]):
        mlflow.set_experiment(name)
        with mlflow.start_run() as run:
            info = log_model()
    client = MlflowClient()
    tags = client.get_run(run.info.run_id).data.tags
    assert (tags["weir.run_id"], tags["weir.job_id"]) == (str(job.id), str(job.jobs[1]))
    assert client.get_logged_model(info.model_id).tags["weir.job_id"] == str(job.jobs[1])


def test_a_numeric_run_id_works_where_ids_do(weir, workflow_run, log_model, name, fitted):
    with workflow_run() as job, weir.token_set(job.tokens[0]):
        mlflow.set_experiment(name)
        with mlflow.start_run() as run:
            log_model()
            mlflow.log_text("x", "note.txt")
    client = MlflowClient()
    assert client.get_run(str(job.id)).info.run_id == run.info.run_id
    assert "note.txt" in [file.path for file in client.list_artifacts(str(job.id))]
    assert mlflow.artifacts.load_text(f"runs:/{job.id}/note.txt") == "x"
    client.create_registered_model(name)
    version = client.create_model_version(name, f"runs:/{job.id}/model", str(job.id))
    assert (version.run_id, version.source) == (run.info.run_id, f"runs:/{run.info.run_id}/model")
    model, table = fitted
    assert list(mlflow.pyfunc.load_model(f"models:/{name}/1").predict(table)) == list(model.predict(table))
    message = refused(client.get_run, str(job.id + 1000), code="RESOURCE_DOES_NOT_EXIST")
    assert f"workflow run {job.id + 1000} made no experiment run" in message


def test_without_a_token_one_may_log_and_register_and_nothing_else(weir, log_model, name):
    with weir.token_set(""):
        client = MlflowClient()
        mlflow.set_experiment(name)
        with mlflow.start_run() as run:
            mlflow.log_metric("m", 1.0)
            log_model(registered_model_name=name)
        mlflow.pyfunc.load_model(f"models:/{name}/1")
        for attempt in [lambda: client.set_registered_model_alias(name, "champion", "1"),
                        lambda: client.transition_model_version_stage(name, "1", "Production"),
                        lambda: client.delete_registered_model_alias(name, "champion"),
                        lambda: client.delete_model_version(name, "1"),
                        lambda: client.rename_registered_model(name, name + "x"),
                        lambda: client.delete_registered_model(name),
                        lambda: client.delete_run(run.info.run_id),
                        lambda: client.delete_experiment(run.info.experiment_id)]:
            message = refused(attempt, code="UNAUTHENTICATED")
            assert "weir token create" in message


def test_roles(weir, workflow_run, name):
    client = MlflowClient()
    client.create_registered_model(name)
    client.create_model_version(name, "s3://models/x")
    with weir.token_set(weir.role("viewer")):
        assert client.get_registered_model(name).name == name
        refused(client.create_experiment, name, code="PERMISSION_DENIED")
        refused(client.set_registered_model_alias, name, "a", "1", code="PERMISSION_DENIED")
    with weir.token_set(weir.role("developer")):
        client.set_registered_model_alias(name, "a", "1")
        refused(client.delete_model_version, name, "1", code="PERMISSION_DENIED")
    with workflow_run() as job, weir.token_set(job.tokens[0]):
        client.set_registered_model_alias(name, "b", "1")
        client.transition_model_version_stage(name, "1", "Staging")
        refused(client.delete_registered_model, name, code="PERMISSION_DENIED")
    with weir.token_set("wrong"):
        with pytest.raises(MlflowException):
            client.get_registered_model(name)


def test_files_of_a_version_never_change(weir, name, log_model):
    client = MlflowClient()
    mlflow.set_experiment(name)
    with mlflow.start_run():
        info = log_model(registered_model_name=name)
    before = mlflow.artifacts.load_text(f"models:/{name}/1/MLmodel")
    location = client.get_logged_model(info.model_id).artifact_location
    root = location.removeprefix("mlflow-artifacts:/")
    assert weir.call("PUT", f"/api/2.0/mlflow-artifacts/artifacts/{root}/MLmodel", b"changed")[0] == 200
    assert mlflow.artifacts.load_text(f"{location}/MLmodel") == "changed"
    assert mlflow.artifacts.load_text(f"models:/{name}/1/MLmodel") == before
    kept = client.get_model_version_download_uri(name, "1").removeprefix("mlflow-artifacts:/")
    for method in ["PUT", "DELETE"]:
        status, answer = weir.call(method, f"/api/2.0/mlflow-artifacts/artifacts/{kept}/MLmodel", b"x" if method == "PUT" else None)
        assert (status, answer["error_code"]) == (400, "INVALID_STATE")


def test_version_numbers_are_never_given_twice(weir, name):
    client = MlflowClient()
    client.create_registered_model(name)
    client.create_model_version(name, "s3://models/x")
    client.delete_registered_model(name)
    client.create_registered_model(name)
    assert int(client.create_model_version(name, "s3://models/x").version) == 2


def test_infinity_is_kept(weir):
    client = MlflowClient()
    run_id = client.create_run("0").info.run_id
    client.log_metric(run_id, "m", float("inf"))
    assert client.get_run(run_id).data.metrics["m"] == float("inf")
    assert client.get_metric_history(run_id, "m")[0].value == float("inf")


@pytest.mark.parametrize("path, what", [("traces", "traces"), ("traces/search", "traces"), ("webhooks", "webhooks"), ("scorers/list", "scorers"),
                                        ("datasets/create", "evaluation datasets"), ("gateway/endpoints", "the AI gateway")])
def test_what_is_not_kept_is_refused_by_name(weir, path, what):
    for version in ("2.0", "3.0"):
        status, answer = weir.call("POST", f"/api/{version}/mlflow/{path}", {})
        assert (status, answer["error_code"]) == (501, "NOT_IMPLEMENTED") and what in answer["message"]


def test_unknown_calls(weir):
    status, answer = weir.call("POST", "/api/2.0/mlflow/runs/fly", {})
    assert (status, answer["error_code"]) == (404, "ENDPOINT_NOT_FOUND")


@pytest.mark.parametrize("body", [b"{", b"[]", b"5", b'{"name": "a"} x', b"\xff\xfe", b"[" * 100000, b'{"a":' * 5000, b'{"name": NaN}'])
def test_bodies_that_are_no_message(weir, body):
    status, answer = weir.call("POST", "/api/2.0/mlflow/experiments/create", body)
    assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


@pytest.mark.parametrize("body", [{"name": 5}, {"name": ["a"]}, {"name": {"a": 1}}, {"name": "x", "tags": "y"}, {"name": "x", "tags": [1]},
                                  {"name": "x", "tags": [{"value": "v"}]}, {"name": "x", "artifact_location": 5}])
def test_members_of_a_wrong_kind(weir, body):
    status, answer = weir.call("POST", "/api/2.0/mlflow/experiments/create", body)
    assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert "parameter '" in answer["message"]


def test_numbers_may_come_as_text(weir):
    _, answer = weir.call("POST", "/api/2.0/mlflow/runs/create", {"experiment_id": "0", "start_time": "1234"})
    run_id = answer["run"]["info"]["run_id"]
    assert answer["run"]["info"]["start_time"] == 1234
    status, _ = weir.call("POST", "/api/2.0/mlflow/runs/log-metric", {"run_uuid": run_id, "key": "m", "value": "0.5", "timestamp": "7", "step": "2"})
    assert status == 200
    _, answer = weir.call("GET", f"/api/2.0/mlflow/runs/get?run_uuid={run_id}")
    assert answer["run"]["data"]["metrics"] == [{"key": "m", "value": 0.5, "timestamp": 7, "step": 2}]


def test_eight_threads(weir, name):
    client = MlflowClient()
    experiment = client.create_experiment(name)
    shared = client.create_run(experiment).info.run_id

    def work(thread):
        own = client.create_run(experiment).info.run_id
        for i in range(10):
            points = [Metric("own", float(i * 100 + k), k, i * 100 + k) for k in range(100)]
            client.log_batch(own, metrics=points, params=[Param(f"p{i}", "v")])
            client.log_batch(shared, metrics=[Metric("shared", float(thread), i, thread * 10 + i)])
            client.log_text(own, f"{thread} {i}", f"notes/{i}.txt")
        return own

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        runs = list(pool.map(work, range(8)))
    assert len(client.get_metric_history(shared, "shared")) == 80
    for run_id in runs:
        run = client.get_run(run_id)
        assert run.data.metrics["own"] == 999.0 and len(run.data.params) == 10
        assert len(client.list_artifacts(run_id, "notes")) == 10
    assert len(client.search_runs([experiment])) == 9


def test_one_name_is_created_once_by_many(weir, name):
    client = MlflowClient()

    def create(_):
        try:
            return client.create_experiment(name)
        except MlflowException as error:
            return error.error_code

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        results = list(pool.map(create, range(8)))
    assert results.count("RESOURCE_ALREADY_EXISTS") == 7
    client.create_registered_model(name)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        versions = list(pool.map(lambda _: int(client.create_model_version(name, "s3://models/x").version), range(16)))
    assert sorted(versions) == list(range(1, 17))


def test_a_long_history(weir, name):
    client = MlflowClient()
    run_id = client.create_run("0").info.run_id
    for part in range(50):
        client.log_batch(run_id, metrics=[Metric("loss", 1.0 / (1 + part * 1000 + i), part * 1000 + i, part * 1000 + i) for i in range(1000)])
    history = client.get_metric_history(run_id, "loss")
    assert len(history) == 50_000 and history[-1].step == 49_999
    _, answer = weir.call("GET", f"/ajax-api/2.0/mlflow/metrics/get-history-bulk-interval?run_ids={run_id}&metric_key=loss&max_results=320")
    assert len(answer["metrics"]) == 320
