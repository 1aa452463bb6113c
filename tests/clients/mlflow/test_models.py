"""Logged models of MLflow 3, and models that go there and back."""

import math
import os

import mlflow
import pytest
from mlflow.entities import LoggedModelStatus
from mlflow.exceptions import MlflowException


def same_predictions(model, fitted):
    classifier, table = fitted
    return list(model.predict(table.head(20))) == list(classifier.predict(table.head(20)))


def test_a_model_comes_back_by_every_address(client, experiment, name, log_model, fitted):
    with mlflow.start_run() as run:
        info = log_model(registered_model_name=name)
    client.set_registered_model_tag(name, "a", "b")
    for uri in [f"models:/{name}/1", f"models:/{name}/latest", info.model_uri, f"runs:/{run.info.run_id}/model"]:
        assert same_predictions(mlflow.pyfunc.load_model(uri), fitted), uri
    assert same_predictions(mlflow.sklearn.load_model(f"models:/{name}/1"), fitted)
    client.set_registered_model_alias(name, "champion", 1)
    assert same_predictions(mlflow.pyfunc.load_model(f"models:/{name}@champion"), fitted)
    logged = client.get_logged_model(info.model_id)
    assert (logged.status, logged.source_run_id, logged.name) == (LoggedModelStatus.READY, run.info.run_id, "model")
    assert logged.artifact_location == f"mlflow-artifacts:/{experiment}/models/{info.model_id}/artifacts"
    assert "mlflow.modelVersions" in logged.tags
    assert [output.model_id for output in client.get_run(run.info.run_id).outputs.model_outputs] == [info.model_id]
    assert mlflow.models.get_model_info(f"models:/{name}/1").signature is not None


def test_register_model_by_run(client, experiment, name, log_model):
    with mlflow.start_run() as run:
        info = log_model()
    version = mlflow.register_model(f"runs:/{run.info.run_id}/model", name, tags={"stage": "new"})
    assert (version.version, version.run_id) in [(1, run.info.run_id), ("1", run.info.run_id)]
    found = client.get_model_version(name, "1")
    assert found.source == f"models:/{info.model_id}" and found.status == "READY" and found.tags == {"stage": "new"}
    assert int(mlflow.register_model(info.model_uri, name).version) == 2


def test_a_model_of_ones_own_code(client, experiment, name):
    class Doubler(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input: list[float], params=None) -> list[float]:
            return [2 * x for x in model_input]

    with mlflow.start_run():
        info = mlflow.pyfunc.log_model(name="double", python_model=Doubler(), pip_requirements=["mlflow"])
    assert mlflow.pyfunc.load_model(info.model_uri).predict([1.0, 4.0]) == [2.0, 8.0]


def test_sklearn_autologging(client, experiment, fitted):
    from sklearn.linear_model import LogisticRegression

    _, table = fitted
    mlflow.sklearn.autolog(log_models=False, silent=True)
    try:
        with mlflow.start_run() as run:
            LogisticRegression(C=0.5).fit(table, (table.hour > 12).astype(int))
    finally:
        mlflow.sklearn.autolog(disable=True)
    data = client.get_run(run.info.run_id).data
    assert data.params["C"] == "0.5" and data.metrics["training_accuracy_score"] > 0.9
    assert data.tags["estimator_name"] == "LogisticRegression"
    assert client.get_run(run.info.run_id).inputs.dataset_inputs
    assert "training_confusion_matrix.png" in [file.path for file in client.list_artifacts(run.info.run_id)]


def test_evaluation_logs_metrics_of_the_model(client, experiment, log_model, fitted):
    _, table = fitted
    with mlflow.start_run() as run:
        info = log_model()
        data = mlflow.data.from_pandas(table.assign(late=(table.hour > 15).astype(int)), targets="late", name="april")
        result = mlflow.models.evaluate(info.model_uri, data, model_type="classifier", evaluator_config={"log_explainer": False})
    assert result.metrics["accuracy_score"] > 0.9
    run = client.get_run(run.info.run_id)
    assert run.data.metrics["roc_auc"] > 0.9
    logged = [m for m in client.get_logged_model(info.model_id).metrics if m.key == "roc_auc"]
    assert {(m.dataset_name, m.dataset_digest, m.run_id) for m in logged} == {("april", data.digest, run.info.run_id)}


def test_life_of_a_logged_model(client, experiment):
    model = client.create_logged_model(experiment, name="m", model_type="agent", params={"a": "1"}, tags={"t": "1"})
    assert model.status == LoggedModelStatus.PENDING and model.params == {"a": "1"} and model.model_id.startswith("m-")
    client.log_model_params(model.model_id, {"b": "2"})
    client.set_logged_model_tags(model.model_id, {"t": "2", "u": "3"})
    client.delete_logged_model_tag(model.model_id, "u")
    client.finalize_logged_model(model.model_id, LoggedModelStatus.FAILED)
    found = client.get_logged_model(model.model_id)
    assert found.params == {"a": "1", "b": "2"} and found.tags == {"t": "2"} and found.status == LoggedModelStatus.FAILED
    assert found.model_type == "agent" and found.last_updated_timestamp >= found.creation_timestamp
    with pytest.raises(MlflowException) as refused:
        client.delete_logged_model_tag(model.model_id, "u")
    assert refused.value.error_code == "RESOURCE_DOES_NOT_EXIST"
    client.delete_logged_model(model.model_id)
    with pytest.raises(MlflowException) as refused:
        client.get_logged_model(model.model_id)
    assert refused.value.error_code == "RESOURCE_DOES_NOT_EXIST"


@pytest.mark.parametrize("wrong", ["a/b", "a:b", "a.b", "a%b", "a'b"])
def test_wrong_names(client, experiment, wrong):
    with pytest.raises(MlflowException) as refused:
        client.create_logged_model(experiment, name=wrong)
    assert refused.value.error_code == "INVALID_PARAMETER_VALUE"


def test_more_than_a_hundred_params(client, experiment):
    model = client.create_logged_model(experiment, params={f"p{i}": str(i) for i in range(250)})
    assert len(client.get_logged_model(model.model_id).params) == 250 and model.name


@pytest.fixture
def searched(client, experiment):
    run = client.create_run(experiment).info.run_id
    ids = {}
    for i, label in enumerate("abcd"):
        model = client.create_logged_model(experiment, name=f"model-{label}", params={"depth": str(i)}, tags={"label": label},
                                           source_run_id=run if label < "c" else None)
        ids[label] = model.model_id
        if label != "d":
            client.log_metric(run, "auc", i / 10, timestamp=100 + i, step=i, model_id=model.model_id, dataset_name="april", dataset_digest="d1")
            client.log_metric(run, "auc", 1 - i / 10, timestamp=200 + i, step=9, model_id=model.model_id, dataset_name="may", dataset_digest="d2")
    client.delete_logged_model(client.create_logged_model(experiment, name="gone").model_id)
    return ids


def found(client, experiment, **arguments):
    return "".join(model.tags["label"] for model in client.search_logged_models([experiment], **arguments))


@pytest.mark.parametrize("filter_string, expected", [
    ("name = 'model-a'", "a"), ("name LIKE 'model-%'", "abcd"), ("name != 'model-a'", "bcd"), ("params.depth = '2'", "c"),
    ("tags.label = 'b'", "b"), ("metrics.auc > 0.95", "a"), ("metrics.auc <= 0.1 AND name = 'model-b'", "b"),
    ("attributes.name = 'model-c'", "c"), ("name IN ('model-a', 'model-d')", "ad"), ("creation_timestamp > 0", "abcd"), ("tags.label ILIKE 'B'", "b"),
])
def test_search(client, experiment, searched, filter_string, expected):
    assert "".join(sorted(found(client, experiment, filter_string=filter_string))) == expected


def test_search_by_datasets_and_order(client, experiment, searched):
    assert sorted(found(client, experiment, filter_string="metrics.auc > 0.5", datasets=[{"dataset_name": "april", "dataset_digest": "d1"}])) == []
    assert sorted(found(client, experiment, filter_string="metrics.auc >= 0.2", datasets=[{"dataset_name": "april", "dataset_digest": "d1"}])) == ["c"]
    assert sorted(found(client, experiment, datasets=[{"dataset_name": "may", "dataset_digest": "d2"}])) == ["a", "b", "c"]
    by_metric = [{"field_name": "metrics.auc", "ascending": False, "dataset_name": "april"}]
    assert found(client, experiment, order_by=by_metric) == "cbad"
    assert found(client, experiment, order_by=[{"field_name": "metrics.auc", "ascending": False}]) == "abcd"
    assert found(client, experiment, order_by=[{"field_name": "name"}]) == "abcd"
    assert found(client, experiment, order_by=[{"field_name": "creation_timestamp", "ascending": True}]) == "abcd"


def test_search_in_pages(client, experiment, searched):
    first = client.search_logged_models([experiment], order_by=[{"field_name": "name"}], max_results=3)
    second = client.search_logged_models([experiment], order_by=[{"field_name": "name"}], max_results=3, page_token=first.token)
    assert [m.name for m in first] + [m.name for m in second] == [f"model-{label}" for label in "abcd"] and not second.token
    with pytest.raises(MlflowException):
        client.search_logged_models([experiment], order_by=[{"field_name": "name", "ascending": False}], max_results=3, page_token=first.token)
    table = mlflow.search_logged_models([experiment], output_format="pandas")
    assert len(table) == 4


@pytest.mark.parametrize("filter_string", ["name > 'a'", "metrics.auc LIKE 'x'", "nonsense.a = 'b'", "name = 'a' OR name = 'b'"])
def test_wrong_filters(client, experiment, filter_string):
    with pytest.raises(MlflowException) as refused:
        client.search_logged_models([experiment], filter_string=filter_string)
    assert refused.value.error_code == "INVALID_PARAMETER_VALUE"


def test_metrics_of_a_model(client, experiment):
    run = client.create_run(experiment).info.run_id
    model = client.create_logged_model(experiment)
    client.log_metric(run, "auc", math.inf, model_id=model.model_id, timestamp=7, step=3)
    [metric] = client.get_logged_model(model.model_id).metrics
    assert (metric.key, metric.step, metric.timestamp, metric.run_id) == ("auc", 3, 7, run)
    assert "auc" in client.get_run(run).data.metrics


def test_model_inputs_and_outputs_of_runs(client, experiment):
    from mlflow.entities import LoggedModelInput, LoggedModelOutput

    run = client.create_run(experiment).info.run_id
    first, second = (client.create_logged_model(experiment).model_id for _ in range(2))
    client.log_inputs(run, models=[LoggedModelInput(first)])
    client.log_outputs(run, models=[LoggedModelOutput(second, step=4)])
    found = client.get_run(run)
    assert [m.model_id for m in found.inputs.model_inputs] == [first]
    assert [(m.model_id, m.step) for m in found.outputs.model_outputs] == [(second, 4)]


def test_files_of_a_logged_model(client, server, experiment, log_model, tmp_path):
    info = log_model()
    paths = [file.path for file in client.list_logged_model_artifacts(info.model_id)]
    assert "MLmodel" in paths and "model.pkl" in paths
    folder = mlflow.artifacts.download_artifacts(info.model_uri, dst_path=str(tmp_path))
    assert os.path.exists(os.path.join(folder, "MLmodel"))
    status, answer = server.call("GET", f"/api/2.0/mlflow/logged-models/{info.model_id}/artifacts/directories")
    assert status == 200 and answer["root_uri"].endswith(f"models/{info.model_id}/artifacts")
