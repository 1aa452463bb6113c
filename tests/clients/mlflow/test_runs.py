import math
import time

import mlflow
import pytest
from mlflow.entities import Metric, Param, RunTag, ViewType
from mlflow.exceptions import MlflowException


def refused(function, *arguments, code="INVALID_PARAMETER_VALUE", **named):
    with pytest.raises(MlflowException) as raised:
        function(*arguments, **named)
    assert raised.value.error_code == code, raised.value
    return raised.value


def test_the_fluent_api_logs_a_whole_run(client, experiment):
    with mlflow.start_run(run_name="first") as run:
        mlflow.log_params({"depth": 3, "rate": 0.1})
        mlflow.log_metric("auc", 0.5, step=1)
        mlflow.log_metrics({"auc": 0.7, "loss": 1.5}, step=2)
        mlflow.set_tags({"kind": "test", "note": "Flüge 航班 ✈"})
    data = client.get_run(run.info.run_id).data
    info = client.get_run(run.info.run_id).info
    assert data.params == {"depth": "3", "rate": "0.1"}
    assert data.metrics == {"auc": 0.7, "loss": 1.5}
    assert data.tags["note"] == "Flüge 航班 ✈" and data.tags["mlflow.runName"] == "first"
    assert (info.status, info.run_name, info.experiment_id) == ("FINISHED", "first", experiment)
    assert info.artifact_uri == f"mlflow-artifacts:/{experiment}/{info.run_id}/artifacts"
    assert len(info.run_id) == 32 and info.end_time >= info.start_time


def test_a_failed_run_says_so(client, experiment):
    with pytest.raises(RuntimeError):
        with mlflow.start_run() as run:
            raise RuntimeError("boom")
    assert client.get_run(run.info.run_id).info.status == "FAILED"


def test_nested_runs_name_their_parent(client, experiment):
    with mlflow.start_run() as parent:
        with mlflow.start_run(nested=True) as child:
            mlflow.log_param("x", 1)
    assert client.get_run(child.info.run_id).data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert client.get_parent_run(child.info.run_id).info.run_id == parent.info.run_id
    found = client.search_runs([experiment], f"tags.mlflow.parentRunId = '{parent.info.run_id}'")
    assert [run.info.run_id for run in found] == [child.info.run_id]


def test_a_run_without_a_name_gets_one(client, experiment):
    run = client.create_run(experiment)
    assert run.info.run_name and run.data.tags["mlflow.runName"] == run.info.run_name
    assert run.info.status == "RUNNING" and run.info.end_time is None
    refused(client.create_run, experiment, tags={"mlflow.runName": "a"}, run_name="b")


def test_the_name_and_its_tag_follow_each_other(client, run_id):
    client.set_tag(run_id, "mlflow.runName", "by tag")
    assert client.get_run(run_id).info.run_name == "by tag"
    client.update_run(run_id, name="by update", status="KILLED")
    run = client.get_run(run_id)
    assert run.data.tags["mlflow.runName"] == "by update" and run.info.status == "KILLED"
    client.log_batch(run_id, tags=[RunTag("mlflow.runName", "by batch")])
    assert client.get_run(run_id).info.run_name == "by batch"


def test_deleted_runs_take_no_writes_until_restored(client, run_id):
    client.delete_run(run_id)
    assert client.get_run(run_id).info.lifecycle_stage == "deleted"
    refused(client.log_metric, run_id, "a", 1.0)
    refused(client.log_param, run_id, "a", 1)
    refused(client.set_tag, run_id, "a", 1)
    client.restore_run(run_id)
    client.log_metric(run_id, "a", 1.0)


def test_a_parameter_never_changes(client, run_id):
    client.log_param(run_id, "depth", 3)
    client.log_param(run_id, "depth", 3)
    refused(client.log_param, run_id, "depth", 4)
    refused(client.log_batch, run_id, params=[Param("rate", "1"), Param("depth", "5")])
    assert client.get_run(run_id).data.params == {"depth": "3"}
    client.log_batch(run_id, params=[Param("rate", "1"), Param("depth", "3")])
    assert client.get_run(run_id).data.params == {"depth": "3", "rate": "1"}


def test_a_batch_is_stored_whole_or_not_at_all(client, run_id):
    client.log_param(run_id, "taken", "1")
    refused(client.log_batch, run_id, metrics=[Metric("m", 1.0, 1, 0)], params=[Param("taken", "2")], tags=[RunTag("t", "1")])
    data = client.get_run(run_id).data
    assert "m" not in data.metrics and "t" not in data.tags


def test_long_values_are_cut_and_tags_deleted(client, run_id):
    client.log_param(run_id, "long", "p" * 7000)
    client.set_tag(run_id, "long", "é" * 9000)
    data = client.get_run(run_id).data
    assert data.params["long"] == "p" * 6000 and data.tags["long"] == "é" * 8000
    client.delete_tag(run_id, "long")
    assert "long" not in client.get_run(run_id).data.tags
    refused(client.delete_tag, run_id, "long", code="RESOURCE_DOES_NOT_EXIST")


@pytest.mark.parametrize("key", ["a b", "val/auc", "x:y", "läuft", "航班", "a.b-c_d", "x" * 250])
def test_keys_that_are_fine(client, run_id, key):
    client.log_metric(run_id, key, 1.0)
    client.log_param(run_id, key, "v")
    client.set_tag(run_id, key, "v")
    data = client.get_run(run_id).data
    assert data.metrics[key] == 1.0 and data.params[key] == "v" and data.tags[key] == "v"


@pytest.mark.parametrize("key", ["a;b", "../a", "a//b", "/a", "a/", "a/../b", ".", "x" * 251, "a\nb", "a%b"])
def test_keys_that_are_refused(server, run_id, key):
    for path, body in [("log-metric", {"value": 1.0, "timestamp": 1}), ("log-parameter", {"value": "v"}), ("set-tag", {"value": "v"})]:
        status, answer = server.call("POST", f"/api/2.0/mlflow/runs/{path}", {"run_id": run_id, "key": key, **body})
        assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE"), (path, answer)


def test_the_newest_point_is_the_one_of_the_highest_step(client, run_id):
    for step, timestamp, value in [(5, 10, 1.0), (3, 99, 2.0), (5, 9, 3.0), (5, 10, 0.5)]:
        client.log_metric(run_id, "m", value, timestamp=timestamp, step=step)
    assert client.get_run(run_id).data.metrics == {"m": 1.0}
    client.log_metric(run_id, "m", 7.0, timestamp=11, step=5)
    assert client.get_run(run_id).data.metrics == {"m": 7.0}
    history = client.get_metric_history(run_id, "m")
    assert [(p.step, p.timestamp, p.value) for p in history] == [(5, 9, 3.0), (5, 10, 0.5), (5, 10, 1.0), (5, 11, 7.0), (3, 99, 2.0)]
    assert client.get_metric_history(run_id, "unknown") == []


def test_negative_steps_and_not_a_number(client, run_id):
    client.log_metric(run_id, "m", math.nan, timestamp=5, step=-3)
    client.log_metric(run_id, "m", math.nan, timestamp=5, step=-3)
    [point] = client.get_metric_history(run_id, "m")
    assert math.isnan(point.value) and point.step == -3
    assert math.isnan(client.get_run(run_id).data.metrics["m"])
    client.log_metric(run_id, "m", 1.0, timestamp=6, step=-3)
    assert client.get_run(run_id).data.metrics["m"] == 1.0


def test_the_same_batch_twice_is_stored_once(client, run_id):
    points = [Metric(f"m{i % 3}", i / 7, 1000 + i, i) for i in range(500)] + [Metric("nan", math.nan, 1, 1)]
    for _ in range(3):
        client.log_batch(run_id, metrics=points, params=[Param("a", "1")], tags=[RunTag("b", "2")])
    assert len(client.get_metric_history(run_id, "m0")) == 167
    assert len(client.get_metric_history(run_id, "nan")) == 1
    assert client.get_run(run_id).data.metrics["m1"] == 499 / 7


def test_batches_have_limits(client, server, run_id):
    client.log_batch(run_id, metrics=[Metric("m", float(i), i, i) for i in range(1000)])
    client.log_batch(run_id, params=[Param(f"p{i}", "v") for i in range(100)])
    for body in [{"metrics": [{"key": "m", "value": 1.0, "timestamp": i, "step": i} for i in range(1001)]},
                 {"params": [{"key": f"q{i}", "value": "v"} for i in range(101)]},
                 {"tags": [{"key": f"q{i}", "value": "v"} for i in range(101)]},
                 {"metrics": [{"key": "m", "value": 1.0, "timestamp": i} for i in range(950)],
                  "params": [{"key": f"q{i}", "value": "v"} for i in range(100)]},
                 {"params": [{"key": "q", "value": "1"}, {"key": "q", "value": "2"}]},
                 {"metrics": [{"key": "m", "timestamp": 1}]},
                 {"metrics": [{"key": "m", "value": 1.0}]},
                 {"metrics": [{"value": 1.0, "timestamp": 1}]},
                 {"metrics": [{"key": "m", "value": 1.0, "timestamp": -1}]}]:
        status, answer = server.call("POST", "/api/2.0/mlflow/runs/log-batch", {"run_id": run_id, **body})
        assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE"), (body.keys(), answer)


@pytest.mark.parametrize("body", [{"metrics": [{"key": "m", "value": "many", "timestamp": 1}]}, {"metrics": "many"}, {"metrics": [1]},
                                  {"params": [{"key": 5, "value": "v"}]}, {"metrics": [{"key": "m", "value": 1.0, "timestamp": 1.5}]}])
def test_members_of_a_wrong_kind_are_named(weir, body):
    from mlflow import MlflowClient

    run_id = MlflowClient().create_run("0").info.run_id
    status, answer = weir.call("POST", "/api/2.0/mlflow/runs/log-batch", {"run_id": run_id, **body})
    assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE"), answer


def test_history_comes_in_pages_and_in_bulk(client, server, experiment):
    first, second = (client.create_run(experiment).info.run_id for _ in range(2))
    client.log_batch(first, metrics=[Metric("m", float(i), i, i) for i in range(250)])
    client.log_batch(second, metrics=[Metric("m", -float(i), i, i) for i in range(10)])
    seen, token = [], ""
    while True:
        _, answer = server.call("GET", f"/api/2.0/mlflow/metrics/get-history?run_id={first}&metric_key=m&max_results=100&page_token={token}")
        seen += [point["value"] for point in answer["metrics"]]
        token = answer.get("next_page_token", "")
        if not token:
            break
    assert seen == [float(i) for i in range(250)]
    _, answer = server.call("GET", f"/ajax-api/2.0/mlflow/metrics/get-history-bulk?run_id={first}&run_id={second}&metric_key=m")
    assert len(answer["metrics"]) == 260 and {point["run_id"] for point in answer["metrics"]} == {first, second}
    _, answer = server.call("GET", f"/ajax-api/2.0/mlflow/metrics/get-history-bulk-interval?run_ids={first}&run_ids={second}&metric_key=m&max_results=5")
    steps = [point.get("step", 0) for point in answer["metrics"] if point["run_id"] == first]
    assert len(steps) == 5 and steps[0] == 0 and steps[-1] == 249
    _, answer = server.call("GET", f"/ajax-api/2.0/mlflow/metrics/get-history-bulk-interval?run_ids={first}&metric_key=m&start_step=10&end_step=12")
    assert [point["step"] for point in answer["metrics"]] == [10, 11, 12]


@pytest.fixture
def searched(client, experiment):
    """Six runs with an order of their own."""
    runs = {}
    for i, label in enumerate("abcdef"):
        run = client.create_run(experiment, start_time=1000 + i, run_name=f"run {label}", tags={"label": label, "mixed": "Mixed%Case_x"})
        runs[label] = run.info.run_id
        client.log_param(run.info.run_id, "depth", i)
        client.log_param(run.info.run_id, "learning rate", f"0.{i}")
        if label != "f":
            client.log_metric(run.info.run_id, "auc", i / 10)
            client.log_metric(run.info.run_id, "val loss", -i)
        if label == "e":
            client.log_metric(run.info.run_id, "auc", math.nan, step=5)
        client.set_terminated(run.info.run_id, "FINISHED" if i % 2 == 0 else "FAILED", 5000 + i)
    client.delete_run(runs["b"])
    return runs


@pytest.mark.parametrize("filter_string, expected", [
    ("", "acdef"),
    ("metrics.auc > 0.2", "d"),
    ("metrics.auc >= 0.2 and metrics.auc < 0.3", "c"),
    ("metrics.auc != 0.2", "ade"),
    ("metric.auc = 0", "a"),
    ("metrics.`val loss` <= -2", "cde"),
    ("metrics.\"val loss\" > -3.5", "acd"),
    ("params.depth = '3'", "d"),
    ("params.depth != '3'", "acef"),
    ("param.`learning rate` LIKE '0._'", "acdef"),
    ("parameters.\"learning rate\" ILIKE '%.2'", "c"),
    ("params.depth = \"5\"", "f"),
    ("tags.label = 'a'", "a"),
    ("tag.`label` != 'a'", "cdef"),
    ("tags.mixed LIKE 'mixed%'", ""),
    ("tags.mixed ILIKE 'mixed%'", "acdef"),
    ("tags.mixed LIKE 'Mixed%'", "acdef"),
    ("tags.missing IS NULL AND tags.label IS NOT NULL", "acdef"),
    ("params.missing IS NOT NULL", ""),
    ("attributes.status = 'FINISHED'", "ace"),
    ("status != 'FINISHED'", "df"),
    ("attribute.start_time >= 1003", "def"),
    ("start_time < 1002 AND end_time > 0", "a"),
    ("run_name LIKE 'run %'", "acdef"),
    ("`run name` = 'run c'", "c"),
    ("run.status ILIKE 'fin%'", "ace"),
    ("tags.`mlflow.runName` = 'run d'", "d"),
    ("params.depth = '3' AND tags.label = 'd' AND metrics.auc = 0.3", "d"),
    ("params.nothing = 'x'", ""),
])
def test_filters(client, experiment, searched, filter_string, expected):
    found = client.search_runs([experiment], filter_string)
    labels = "".join(sorted(run.data.tags["label"] for run in found))
    assert labels == "".join(sorted(expected))


def test_run_ids_in_lists(client, experiment, searched):
    two = f"('{searched['a']}', '{searched['c']}')"
    labels = lambda runs: "".join(sorted(run.data.tags["label"] for run in runs))
    assert labels(client.search_runs([experiment], f"attributes.run_id IN {two}")) == "ac"
    assert labels(client.search_runs([experiment], f"run_id NOT IN {two}")) == "def"
    assert labels(client.search_runs([experiment], f"run_id = '{searched['d']}'")) == "d"


@pytest.mark.parametrize("order_by, expected", [
    ([], "fedca"),
    (["metrics.auc DESC"], "dcaef"),
    (["metrics.auc ASC"], "acdef"),
    (["params.depth DESC"], "fedca"),
    (["attributes.start_time ASC"], "acdef"),
    (["start_time DESC"], "fedca"),
    (["tags.label"], "acdef"),
    (["status ASC", "start_time DESC"], "fdeca"),
    (["metrics.`val loss` ASC"], "edcaf"),
    (["attributes.end_time DESC"], "fedca"),
])
def test_orders(client, experiment, searched, order_by, expected):
    assert "".join(run.data.tags["label"] for run in client.search_runs([experiment], order_by=order_by)) == expected


@pytest.mark.parametrize("filter_string", [
    "metrics.auc", "metrics.auc >", "metrics.auc > 'x'", "metrics.auc > abc", "params.depth > '1'", "params.depth = 3", "speed = 'x'",
    "nonsense.depth = '3'", "params.depth = 'a' OR params.depth = 'b'", "attributes.start_time = 'x'",
    "status IN ('FINISHED')", "run_id IN ()", "metrics.auc LIKE 'x'", "metrics.auc IS NULL", "params.depth = 'open", "dataset.size = 'x'",
    "params.depth IN ('1')", "start_time LIKE '1'",
])
def test_a_wrong_filter_is_an_invalid_parameter(client, experiment, filter_string):
    refused(client.search_runs, [experiment], filter_string)


@pytest.mark.parametrize("filter_string", ["AND", "params.depth = 'a' params.x = 'b'", "params.depth = 'a' AND"])
def test_comparisons_are_joined_by_and(weir, filter_string):
    # MLflow's own server skips over these.
    status, answer = weir.call("POST", "/api/2.0/mlflow/runs/search", {"experiment_ids": ["0"], "filter": filter_string})
    assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


@pytest.mark.parametrize("order_by", ["speed", "metrics.auc UP", "nonsense.x ASC", "metrics.a DESC extra"])
def test_a_wrong_order_is_an_invalid_parameter(client, experiment, order_by):
    refused(client.search_runs, [experiment], order_by=[order_by])


def test_search_views_and_pages(client, experiment, searched):
    labels = lambda runs: "".join(run.data.tags["label"] for run in runs)
    assert labels(client.search_runs([experiment], run_view_type=ViewType.DELETED_ONLY)) == "b"
    assert labels(client.search_runs([experiment], run_view_type=ViewType.ALL)) == "fedcba"
    seen, token = "", None
    for _ in range(10):
        page = client.search_runs([experiment], max_results=2, page_token=token)
        seen += labels(page)
        token = page.token
        if not token:
            break
    assert seen == "fedca"
    assert client.search_runs([], "") == []


def test_search_as_a_table(experiment, searched):
    table = mlflow.search_runs([experiment], order_by=["start_time ASC"])
    assert list(table["tags.label"]) == list("acdef")
    assert table["metrics.auc"][1] == 0.2 and math.isnan(table["metrics.auc"][4])


def test_results_have_limits(server, experiment):
    for wrong in [0, -1, 50001]:
        status, answer = server.call("POST", "/api/2.0/mlflow/runs/search", {"experiment_ids": [experiment], "max_results": wrong})
        assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE"), wrong
    status, answer = server.call("POST", "/api/2.0/mlflow/runs/search", {"experiment_ids": [experiment], "page_token": "!"})
    assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


def test_unknown_runs(client, server):
    refused(client.get_run, "0" * 31 + "f", code="RESOURCE_DOES_NOT_EXIST")
    refused(client.log_metric, "f" * 32, "a", 1.0, code="RESOURCE_DOES_NOT_EXIST")
    refused(client.delete_run, "f" * 32, code="RESOURCE_DOES_NOT_EXIST")
    status, answer = server.call("POST", "/api/2.0/mlflow/runs/log-metric", {"key": "a", "value": 1, "timestamp": 1})
    assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


def test_asynchronous_logging_arrives(client, experiment):
    with mlflow.start_run() as run:
        for step in range(200):
            mlflow.log_metric("m", step, step=step, synchronous=False)
        mlflow.log_params({f"p{i}": i for i in range(50)}, synchronous=False)
        mlflow.flush_async_logging()
    assert len(client.get_metric_history(run.info.run_id, "m")) == 200
    assert len(client.get_run(run.info.run_id).data.params) == 50


def test_datasets_are_inputs_with_digest_and_context(client, experiment):
    import pandas as pd

    table = pd.DataFrame({"x": [1.0, 2.0], "y": [0, 1]})
    dataset = mlflow.data.from_pandas(table, source="https://example.org/flights.csv", name="flights", targets="y")
    with mlflow.start_run() as run:
        mlflow.log_input(dataset, context="training", tags={"month": "1"})
        mlflow.log_input(dataset, context="training")
    with mlflow.start_run():
        mlflow.log_input(mlflow.data.from_pandas(table[:1], name="other"), context="eval")
    [logged] = client.get_run(run.info.run_id).inputs.dataset_inputs
    assert (logged.dataset.name, logged.dataset.digest, logged.dataset.source_type) == ("flights", dataset.digest, "http")
    assert "mlflow_colspec" in logged.dataset.schema and "num_rows" in logged.dataset.profile
    assert {tag.key: tag.value for tag in logged.tags} == {"mlflow.data.context": "training", "month": "1"}
    assert mlflow.data.get_source(logged).url == "https://example.org/flights.csv"
    for filter_string in ["dataset.name = 'flights'", f"datasets.digest = '{dataset.digest}'", "dataset.context = 'training'",
                          "dataset.name LIKE 'fl%' AND dataset.context IN ('training', 'x')"]:
        assert [r.info.run_id for r in client.search_runs([experiment], filter_string)] == [run.info.run_id], filter_string


def test_dataset_summaries(server, client, experiment):
    import pandas as pd

    with mlflow.start_run():
        mlflow.log_input(mlflow.data.from_pandas(pd.DataFrame({"x": [1.0]}), name="a"), context="training")
    status, answer = server.call("POST", "/ajax-api/2.0/mlflow/experiments/search-datasets", {"experiment_ids": [experiment]})
    [summary] = answer["dataset_summaries"]
    assert status == 200 and (summary["name"], summary["context"], summary["experiment_id"]) == ("a", "training", experiment)


def test_times_are_the_clients(client, experiment):
    now = int(time.time() * 1000)
    run = client.create_run(experiment, start_time=now - 5)
    client.set_terminated(run.info.run_id, end_time=now)
    info = client.get_run(run.info.run_id).info
    assert (info.start_time, info.end_time) == (now - 5, now)
