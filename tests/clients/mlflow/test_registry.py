import mlflow
import pytest
from mlflow.exceptions import MlflowException

SOURCE = "s3://models/flights"  # kept elsewhere, so that a test of names needs no files


def refused(function, *arguments, code="INVALID_PARAMETER_VALUE", **named):
    with pytest.raises(MlflowException) as raised:
        function(*arguments, **named)
    assert raised.value.error_code == code, raised.value


def test_a_registered_model(client, name):
    model = client.create_registered_model(name, tags={"team": "flights"}, description="late or not")
    assert (model.name, model.description, model.tags) == (name, "late or not", {"team": "flights"})
    refused(client.create_registered_model, name, code="RESOURCE_ALREADY_EXISTS")
    client.update_registered_model(name, "rewritten")
    client.set_registered_model_tag(name, "team", "night")
    client.set_registered_model_tag(name, "other", "x")
    client.delete_registered_model_tag(name, "other")
    found = client.get_registered_model(name)
    assert (found.description, found.tags, found.latest_versions) == ("rewritten", {"team": "night"}, [])
    assert found.last_updated_timestamp >= found.creation_timestamp > 1_600_000_000_000


@pytest.mark.parametrize("wrong", ["", " ", "a/b", "a:b"])
def test_wrong_names(server, wrong):
    status, answer = server.call("POST", "/api/2.0/mlflow/registered-models/create", {"name": wrong})
    assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


def test_unknown_names(client, name):
    refused(client.get_registered_model, name, code="RESOURCE_DOES_NOT_EXIST")
    refused(client.create_model_version, name, SOURCE, code="RESOURCE_DOES_NOT_EXIST")
    refused(client.get_model_version_by_alias, name, "champion", code="RESOURCE_DOES_NOT_EXIST")
    client.create_registered_model(name)
    refused(client.get_model_version, name, "1", code="RESOURCE_DOES_NOT_EXIST")
    refused(client.get_model_version, name, "one")
    refused(client.get_model_version_by_alias, name, "champion")


def test_versions_count_up_and_can_be_described(client, name):
    client.create_registered_model(name)
    first = client.create_model_version(name, SOURCE, tags={"a": "1"}, description="first", run_link="https://example.org/1")
    second = client.create_model_version(name, SOURCE + "/2")
    assert (int(first.version), int(second.version)) == (1, 2)
    client.update_model_version(name, "1", "rewritten")
    client.set_model_version_tag(name, "1", "b", "2")
    client.delete_model_version_tag(name, "1", "a")
    found = client.get_model_version(name, "1")
    assert (found.description, found.tags, found.source, found.run_link) == ("rewritten", {"b": "2"}, SOURCE, "https://example.org/1")
    assert (found.status, found.current_stage) == ("READY", "None")
    assert client.get_model_version_download_uri(name, "2") == SOURCE + "/2"


def test_a_deleted_version_is_gone_and_its_number_is_not_given_again(client, name):
    client.create_registered_model(name)
    for _ in range(2):
        client.create_model_version(name, SOURCE)
    client.set_registered_model_alias(name, "champion", "2")
    client.delete_model_version(name, "2")
    refused(client.get_model_version, name, "2", code="RESOURCE_DOES_NOT_EXIST")
    refused(client.get_model_version_by_alias, name, "champion")
    assert [int(v.version) for v in client.search_model_versions(f"name = '{name}'")] == [1]
    assert int(client.create_model_version(name, SOURCE).version) == 3


def test_stages(client, name):
    client.create_registered_model(name)
    for _ in range(3):
        client.create_model_version(name, SOURCE)
    client.transition_model_version_stage(name, "1", "production")
    client.transition_model_version_stage(name, "2", "Production")
    assert client.get_model_version(name, "1").current_stage == "Production"
    moved = client.transition_model_version_stage(name, "3", "Production", archive_existing_versions=True)
    assert moved.current_stage == "Production"
    assert [client.get_model_version(name, str(i)).current_stage for i in (1, 2)] == ["Archived", "Archived"]
    latest = {v.current_stage: int(v.version) for v in client.get_latest_versions(name)}
    assert latest == {"Production": 3, "Archived": 2}
    assert [int(v.version) for v in client.get_latest_versions(name, ["Archived"])] == [2]
    assert client.get_latest_versions(name, ["Staging"]) == []
    refused(client.transition_model_version_stage, name, "1", "Shelf")
    refused(client.get_latest_versions, name, ["Shelf"])
    refused(client.transition_model_version_stage, name, "9", "Staging", code="RESOURCE_DOES_NOT_EXIST")
    by_stage = {v.current_stage: int(v.version) for v in client.get_registered_model(name).latest_versions}
    assert by_stage == {"Production": 3, "Archived": 2}


def test_aliases(client, name):
    client.create_registered_model(name)
    for _ in range(2):
        client.create_model_version(name, SOURCE)
    client.set_registered_model_alias(name, "champion", "1")
    client.set_registered_model_alias(name, "challenger", 2)
    assert int(client.get_model_version_by_alias(name, "champion").version) == 1
    client.set_registered_model_alias(name, "champion", "2")
    assert {a: int(v) for a, v in client.get_registered_model(name).aliases.items()} == {"champion": 2, "challenger": 2}
    assert sorted(client.get_model_version(name, "2").aliases) == ["challenger", "champion"]
    assert int(client.get_model_version_by_alias(name, "latest").version) == 2
    client.delete_registered_model_alias(name, "champion")
    client.delete_registered_model_alias(name, "champion")
    refused(client.get_model_version_by_alias, name, "champion")
    for wrong in ["latest", "Latest", "v1", "V22", "a b", "a/b", ""]:
        refused(client.set_registered_model_alias, name, wrong, "1")
    refused(client.set_registered_model_alias, name, "x", "9", code="RESOURCE_DOES_NOT_EXIST")


def test_renaming_takes_versions_and_aliases_along(client, name):
    client.create_registered_model(name)
    client.create_model_version(name, SOURCE)
    client.set_registered_model_alias(name, "champion", "1")
    client.rename_registered_model(name, name + "-new")
    refused(client.get_registered_model, name, code="RESOURCE_DOES_NOT_EXIST")
    assert client.get_model_version_by_alias(name + "-new", "champion").name == name + "-new"
    client.create_registered_model(name)
    refused(client.rename_registered_model, name, name + "-new", code="RESOURCE_ALREADY_EXISTS")


def test_deletion_of_a_model(client, name):
    client.create_registered_model(name)
    client.create_model_version(name, SOURCE, tags={"a": "b"})
    client.delete_registered_model(name)
    refused(client.get_registered_model, name, code="RESOURCE_DOES_NOT_EXIST")
    assert client.search_model_versions(f"name = '{name}'") == []
    refused(client.delete_registered_model, name, code="RESOURCE_DOES_NOT_EXIST")


@pytest.fixture
def searched(client, name, experiment):
    run = client.create_run(experiment).info.run_id
    for label in "abc":
        client.create_registered_model(f"{name}-{label}", tags={"label": label, "group": name})
        for version in (1, 2):
            client.create_model_version(f"{name}-{label}", f"{SOURCE}/{label}/{version}", run_id=run if label == "a" else None,
                                        tags={"label": label, "parity": str(version % 2)})
    return run


def test_search_of_models(client, name, searched):
    found = lambda *a, **n: "".join(m.name[-1] for m in client.search_registered_models(*a, **n))
    assert found(f"name LIKE '{name}%'") == "abc"
    assert found(f"name = '{name}-b'") == "b"
    assert found(f"name LIKE '{name.upper()}%'") == "" and found(f"name ILIKE '{name.upper()}%'") == "abc"
    assert found(f"tags.group = '{name}' AND tags.label != 'a'") == "bc"
    assert found(f"tags.group = '{name}'", order_by=["name DESC"]) == "cba"
    assert found(f"tags.group = '{name}'", order_by=["last_updated_timestamp ASC"]) == "abc"
    first = client.search_registered_models(f"tags.group = '{name}'", max_results=2)
    second = client.search_registered_models(f"tags.group = '{name}'", max_results=2, page_token=first.token)
    assert [m.name[-1] for m in first + second] == list("abc") and not second.token
    assert [int(v.version) for v in first[0].latest_versions] == [2]
    for wrong in ["run_id = 'x'", "name > 'x'", "name = 'a' OR name = 'b'", "metrics.a = 1", "name ="]:
        refused(client.search_registered_models, wrong)
    refused(client.search_registered_models, max_results=1001)


def test_search_of_versions(client, name, searched):
    found = lambda *a, **n: [v.name[-1] + str(v.version) for v in client.search_model_versions(*a, **n)]
    assert sorted(found(f"name LIKE '{name}%'")) == ["a1", "a2", "b1", "b2", "c1", "c2"]
    assert found(f"name = '{name}-b'", order_by=["version_number ASC"]) == ["b1", "b2"]
    assert sorted(found(f"run_id = '{searched}'")) == ["a1", "a2"]
    assert sorted(found(f"run_id IN ('{searched}', 'x')")) == ["a1", "a2"]
    assert sorted(found(f"name LIKE '{name}%' AND tags.parity = '1'")) == ["a1", "b1", "c1"]
    assert sorted(found(f"name LIKE '{name}%' AND version_number > 1")) == ["a2", "b2", "c2"]
    assert found(f"source_path = '{SOURCE}/b/2' AND name = '{name}-b'") == ["b2"]
    assert found(f"name LIKE '{name}%'", order_by=["name DESC", "version_number ASC"]) == ["c1", "c2", "b1", "b2", "a1", "a2"]
    first = client.search_model_versions(f"name LIKE '{name}%'", order_by=["name", "version_number"], max_results=4)
    second = client.search_model_versions(f"name LIKE '{name}%'", order_by=["name", "version_number"], max_results=4, page_token=first.token)
    assert [v.name[-1] + str(v.version) for v in first + second] == ["a1", "a2", "b1", "b2", "c1", "c2"]
    for wrong in ["name > 'x'", "version_number = 'x'", "speed = 'x'", "source_path IN ('a')"]:
        refused(client.search_model_versions, wrong)


def test_copies_keep_run_and_files(client, experiment, name, log_model, fitted):
    with mlflow.start_run() as run:
        log_model(registered_model_name=name)
    client.set_registered_model_alias(name, "champion", "1")
    copy = client.copy_model_version(f"models:/{name}@champion", name + "-prod")
    assert (copy.name, int(copy.version), copy.run_id) == (name + "-prod", 1, run.info.run_id)
    assert copy.source == f"models:/{name}/1"
    model, table = fitted
    assert list(mlflow.pyfunc.load_model(f"models:/{name}-prod/1").predict(table)) == list(model.predict(table))


def test_sources_must_belong_to_their_run(client, experiment, name):
    client.create_registered_model(name)
    run, other = (client.create_run(experiment) for _ in range(2))
    client.log_text(run.info.run_id, "x", "model/MLmodel")
    version = client.create_model_version(name, f"{run.info.artifact_uri}/model", run.info.run_id)
    assert version.run_id == run.info.run_id
    assert int(client.create_model_version(name, f"runs:/{run.info.run_id}/model", run.info.run_id).version) == 2
    for source in [f"{run.info.artifact_uri}/model", f"runs:/{run.info.run_id}/model"]:
        refused(client.create_model_version, name, source, other.info.run_id)
    for source in ["/etc", "file:///etc", "./model", f"{run.info.artifact_uri}/../../..", "mlflow-artifacts:/../../etc", "s3://a/../b",
                   f"{run.info.artifact_uri}/%2e%2e/%2e%2e/other"]:
        refused(client.create_model_version, name, source, run.info.run_id)


def test_prompts_stay_out_of_model_lists(client, name):
    mlflow.genai.register_prompt(name=name, template="Is flight {{number}} late?")
    assert mlflow.genai.load_prompt(f"prompts:/{name}/1").template == "Is flight {{number}} late?"
    assert client.search_registered_models(f"name = '{name}'") == []
    assert client.search_model_versions(f"name = '{name}'") == []
    assert [p.name for p in mlflow.genai.search_prompts(f"name = '{name}'")] == [name]
