"""Watched data: complete updates start workflows once, over kill -9; addresses by their ETag; what is wrong is shown."""

import http.server
import json
import os
import threading

import pytest
from weir_server import Repository, Server, wait_until

WORKFLOW = """
on: {repository_dispatch: {types: [data.changed]}}
jobs: {train: {runs-on: ubuntu-latest, steps: [{run: "echo trained"}]}}
"""


class Files(http.server.BaseHTTPRequestHandler):
    """Answers HEAD as the test says."""
    answer = (404, {})

    def do_HEAD(self):
        status, headers = type(self).answer
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def address():
    Files.answer = (404, {})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/data.csv"
    server.shutdown()


@pytest.fixture
def world(tmp_path, address):
    (tmp_path / "state").mkdir()
    (tmp_path / "in").mkdir()

    class Watching(Server):
        arguments = ["--watch-root", str(tmp_path / "in"), "--watch-root", address]

    server = Watching(tmp_path / "state")
    repository = Repository(tmp_path / "repository", server)
    repository.write(".github/workflows/train.yml", WORKFLOW)
    yield server, repository, tmp_path / "in"
    server.stop()


def configure(repository, **data):
    repository.write("weir.yaml", json.dumps({"data": {name: {"settle": "200ms", "every": "1s", **it} for name, it in data.items()}}))
    repository.commit("Watch")
    repository.push()


def data(server, name):
    return next(one for one in server.get("/api/v1/triggers?repo=project")["data"] if one["name"] == name)


def events(server, name, kind="data.changed"):
    found = server.get(f"/api/v1/events?subject=data/project/{name}&limit=100&newest=true")["events"]
    return [event for event in found if event["type"] == kind]


def test_an_update_starts_its_workflow_once_whenever_the_server_is_killed(world):
    server, repository, folder = world
    (folder / "a.csv").write_text("1")
    configure(repository, arrivals={"watch": f"{folder}/*.csv"})
    wait_until(lambda: data(server, "arrivals")["state"] == "watching", what="the first look")
    for update in range(1, 6):
        (folder / f"new{update}.csv").write_text("x" * update)
        # At whatever moment of the quiet interval, of the event and of its run.
        wait_until(lambda: data(server, "arrivals")["changing_since"] or len(events(server, "arrivals")) == update, what="notice")
        if update % 2:
            wait_until(lambda: len(events(server, "arrivals")) == update, what="the event")
        server.kill()
        server.start()
        wait_until(lambda: len(events(server, "arrivals")) == update, what="the event")
        wait_until(lambda: len(server.get("/api/v1/runs")["runs"]) == update, what="the run")
    for run in server.get("/api/v1/runs")["runs"]:
        assert server.finished(run["id"])["conclusion"] == "success"
        assert run["reason"] == "data.changed of data/project/arrivals by weir"
    told = events(server, "arrivals")
    assert len(told) == len(server.get("/api/v1/runs")["runs"]) == 5
    added = sorted(name for event in told for name in event["data"]["changes"]["added_names"])
    assert added == [f"new{update}.csv" for update in range(1, 6)]


def test_an_address_is_compared_by_what_it_says_of_itself(world, address):
    server, repository, _ = world
    Files.answer = (200, {"ETag": '"one"', "Content-Length": "7"})
    configure(repository, prices={"watch": address}, elsewhere={"watch": address.replace("data.csv", "other.csv")})
    wait_until(lambda: data(server, "prices")["state"] == "watching", what="the first look")
    assert data(server, "prices")["seen"] == {"etag": '"one"', "size": 7}
    Files.answer = (200, {"ETag": '"two"'})
    event = wait_until(lambda: events(server, "prices"), what="the event")[0]["data"]
    assert (event["before"]["etag"], event["after"]["etag"]) == ('"one"', '"two"')
    for answer, problem in (((302, {"Location": "http://127.0.0.1/secret"}), "leads elsewhere"), ((200, {}), "neither ETag"),
                            ((500, {}), "answers 500"), ((404, {}), "is not there any more")):
        Files.answer = answer
        wait_until(lambda: problem in data(server, "prices")["problem"], what=problem)
    Files.answer = (200, {"ETag": '"two"'})
    wait_until(lambda: data(server, "prices")["state"] == "watching", what="its return")
    assert len(events(server, "prices")) == 1 and len(events(server, "prices", "data.unreadable")) == 1
    assert "--watch-root" in data(server, "elsewhere")["problem"]


def test_what_is_wrong_is_shown_and_logged_once(world):
    server, repository, folder = world
    os.symlink("/etc", folder / "out")
    configure(repository, shadow={"watch": "/etc/shadow"}, out={"watch": f"{folder}/out/passwd"}, later={"watch": f"{folder}/later"})
    for name, words in (("shadow", "below no folder"), ("out", "symbolic link leads out")):
        wait_until(lambda: events(server, name, "data.unreadable"), what=name)
        assert words in data(server, name)["problem"]
        assert data(server, name)["seen"] is None
    assert data(server, "later")["state"] == "absent"
    shown = server.cli("triggers").stdout
    assert "below no folder" in shown and "not there yet" in shown
    looked = data(server, "shadow")["looked_at"]
    wait_until(lambda: data(server, "shadow")["looked_at"] != looked, what="another look")
    assert (server.state.parent / "serve.log").read_text().count("cannot be watched") == 2
    assert server.cli("serve", "--state", str(server.state.parent / "other"), "--watch-root", "relative", check=False).returncode == 1
    (folder / "later").write_text("now")
    assert wait_until(lambda: events(server, "later"), what="its coming")[0]["data"]["before"] is None
