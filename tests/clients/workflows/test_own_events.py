"""What weir's own log starts: only workflows that name an event, and only of the repository that it belongs to."""

import pytest
from weir_server import Repository, wait_until

JOBS = """
jobs:
  tell:
    runs-on: ubuntu-latest
    steps:
      - run: echo "action [${{ github.event.action }}] [${{ toJSON(github.event.client_payload) }}]"
"""


def repository_with(tmp_path, server, name, triggers):
    made = Repository(tmp_path / f"of-{name}", server, name)
    for key, trigger in triggers.items():
        made.write(f".github/workflows/{key}.yml", f"name: {key}\non:\n  repository_dispatch:{trigger}\n{JOBS}")
    made.commit("Begin")
    made.push()
    return made


@pytest.fixture
def others(server, tmp_path):
    triggers = {"bare": "", "config": " {types: [config.applied]}", "alias": " {types: [alias.set, gate.passed]}"}
    return {name: repository_with(tmp_path, server, name, triggers) for name in ("flights", "trains")}


def dispatched(server):
    return sorted((run["repo"], run["workflow"]) for run in server.get("/api/v1/runs?limit=100")["runs"]
                  if run["event"] == "repository_dispatch")


def test_configuration_of_a_repository_is_told_to_itself_alone(server, others):
    others["flights"].write("weir.yaml", "branches: {nowhere-else: {reviews: 1}}\n")
    others["flights"].commit("Configure")
    others["flights"].push()
    wait_until(lambda: dispatched(server) == [("flights", "config")], 30, "the run of flights")
    # What concerns no repository reaches whoever names it, wherever.
    post = lambda path, body: server.post(f"/api/2.0/mlflow/{path}", body, token=server.admin_token)
    post("registered-models/create", {"name": "delay"})
    post("model-versions/create", {"name": "delay", "source": "mlflow-artifacts:/1/x"})
    post("registered-models/alias", {"name": "delay", "alias": "best", "version": "1"})
    named = [("flights", "alias"), ("flights", "config"), ("trains", "alias")]
    wait_until(lambda: dispatched(server) == named, 30, "the runs of the alias")
    # All that was told before has had its effect now: nothing else was started.
    server.post("/api/v3/repos/weir/trains/dispatches", {"event_type": "go"}, token=server.admin_token)
    wait_until(lambda: dispatched(server) == sorted([*named, ("trains", "bare")]), 30, "the run that was asked for")
    for run in server.get("/api/v1/runs?limit=100")["runs"]:
        for job in server.finished(run["id"])["jobs"]:
            log = "\n".join(line["text"] for line in server.get(f"/api/v1/jobs/{job['id']}/log")["lines"])
            assert run["repo"] == "flights" or "nowhere-else" not in log, log
    # Whoever sends an event of that name to a repository means that repository.
    server.post("/api/v3/repos/weir/trains/dispatches", {"event_type": "config.applied"}, token=server.admin_token)
    wait_until(lambda: dispatched(server).count(("trains", "config")) == 1, 30, "the run that was asked for")
