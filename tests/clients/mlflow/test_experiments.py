import pytest
from mlflow.entities import ViewType
from mlflow.exceptions import MlflowException


def names(experiments):
    return [experiment.name for experiment in experiments]


def test_the_default_experiment_is_there(client):
    experiment = client.get_experiment("0")
    assert (experiment.name, experiment.lifecycle_stage) == ("Default", "active")
    assert experiment.artifact_location == "mlflow-artifacts:/0"


def test_an_experiment_is_found_by_id_and_name(client, name):
    experiment_id = client.create_experiment(name, tags={"team": "flights", "empty": ""})
    by_id, by_name = client.get_experiment(experiment_id), client.get_experiment_by_name(name)
    assert by_id.name == name and by_name.experiment_id == experiment_id
    assert by_id.tags["team"] == "flights" and by_id.tags["empty"] == ""
    assert by_id.artifact_location == f"mlflow-artifacts:/{experiment_id}"
    assert by_id.creation_time > 1_600_000_000_000 and by_id.last_update_time >= by_id.creation_time
    assert client.get_experiment_by_name(name + "x") is None


def test_a_name_is_taken_once_even_by_a_deleted_experiment(client, name):
    experiment_id = client.create_experiment(name)
    with pytest.raises(MlflowException) as refused:
        client.create_experiment(name)
    assert refused.value.error_code == "RESOURCE_ALREADY_EXISTS"
    client.delete_experiment(experiment_id)
    with pytest.raises(MlflowException):
        client.create_experiment(name)
    assert client.get_experiment_by_name(name).lifecycle_stage == "deleted"


def test_deletion_takes_the_runs_along_and_can_be_undone(client, name):
    experiment_id = client.create_experiment(name)
    run = client.create_run(experiment_id)
    client.delete_experiment(experiment_id)
    assert client.get_experiment(experiment_id).lifecycle_stage == "deleted"
    assert client.get_run(run.info.run_id).info.lifecycle_stage == "deleted"
    with pytest.raises(MlflowException) as refused:
        client.create_run(experiment_id)
    assert refused.value.error_code == "INVALID_PARAMETER_VALUE"
    with pytest.raises(MlflowException) as refused:
        client.delete_experiment(experiment_id)
    assert refused.value.error_code == "RESOURCE_DOES_NOT_EXIST"
    client.restore_experiment(experiment_id)
    assert client.get_run(run.info.run_id).info.lifecycle_stage == "active"


def test_renaming_and_tags(client, name):
    experiment_id = client.create_experiment(name)
    client.rename_experiment(experiment_id, name + "-new")
    client.set_experiment_tag(experiment_id, "a", "1")
    client.set_experiment_tag(experiment_id, "a", "2")
    experiment = client.get_experiment(experiment_id)
    assert experiment.name == name + "-new" and experiment.tags["a"] == "2"
    client.delete_experiment_tag(experiment_id, "a")
    assert "a" not in client.get_experiment(experiment_id).tags
    with pytest.raises(MlflowException) as refused:
        client.delete_experiment_tag(experiment_id, "a")
    assert refused.value.error_code == "RESOURCE_DOES_NOT_EXIST"


def test_search_filters_orders_and_pages(client, name):
    ids = [client.create_experiment(f"{name}-{i}", tags={"group": name, "parity": str(i % 2)}) for i in range(5)]
    client.delete_experiment(ids[4])
    mine = f"tags.group = '{name}'"
    assert names(client.search_experiments(filter_string=mine, order_by=["name ASC"])) == [f"{name}-{i}" for i in range(4)]
    assert names(client.search_experiments(filter_string=mine, order_by=["experiment_id DESC"])) == [f"{name}-{i}" for i in (3, 2, 1, 0)]
    assert names(client.search_experiments(view_type=ViewType.DELETED_ONLY, filter_string=mine)) == [f"{name}-4"]
    assert len(client.search_experiments(view_type=ViewType.ALL, filter_string=mine)) == 5
    assert names(client.search_experiments(filter_string=f"{mine} AND tags.parity = '1'", order_by=["name"])) == [f"{name}-1", f"{name}-3"]
    assert names(client.search_experiments(filter_string=f"name LIKE '{name}%' AND tags.parity != '1'", order_by=["name"])) == [f"{name}-0", f"{name}-2"]
    assert client.search_experiments(filter_string=f"name LIKE '{name.upper()}%'") == []
    assert len(client.search_experiments(filter_string=f"name ILIKE '{name.upper()}%'")) == 4
    assert names(client.search_experiments(filter_string=f"experiment_id IN ('{ids[0]}', '{ids[1]}')", order_by=["name"])) == [f"{name}-0", f"{name}-1"]
    assert len(client.search_experiments(filter_string=f"{mine} AND tags.parity IS NOT NULL")) == 4
    assert len(client.search_experiments(filter_string=f"{mine} AND tags.other IS NULL")) == 4
    created = client.get_experiment(ids[2]).creation_time
    assert f"{name}-2" in names(client.search_experiments(filter_string=f"{mine} AND creation_time >= {created}"))

    first = client.search_experiments(filter_string=mine, order_by=["name"], max_results=3)
    second = client.search_experiments(filter_string=mine, order_by=["name"], max_results=3, page_token=first.token)
    assert names(first) + names(second) == [f"{name}-{i}" for i in range(4)]
    assert not second.token


@pytest.mark.parametrize("filter_string", ["name", "name = ", "nonsense = 'x'", "name > 'a'", "metrics.a > 1", "name = 'a' OR name = 'b'",
                                           "creation_time = 'x'", "name = unquoted", "tags.a > '1'"])
def test_a_wrong_filter_is_an_invalid_parameter(client, filter_string):
    with pytest.raises(MlflowException) as refused:
        client.search_experiments(filter_string=filter_string)
    assert refused.value.error_code == "INVALID_PARAMETER_VALUE"


@pytest.mark.parametrize("wrong", ["", "x" * 501])
def test_wrong_names_are_refused(server, wrong):
    status, answer = server.call("POST", "/api/2.0/mlflow/experiments/create", {"name": wrong})
    assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


def test_unknown_ids(server):
    status, answer = server.call("GET", "/api/2.0/mlflow/experiments/get?experiment_id=987654321")
    assert (status, answer["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")
    status, answer = server.call("GET", "/api/2.0/mlflow/experiments/get?experiment_id=abc")
    assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    status, answer = server.call("GET", "/api/2.0/mlflow/experiments/get")
    assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
