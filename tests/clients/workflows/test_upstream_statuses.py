"""How the runs of a followed repository go is told to its forge; a server on this machine stands for GitHub."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from weir_server import wait_until

WORKFLOW = """\
name: CI
on: push
jobs:
  good:
    runs-on: ubuntu-latest
    steps: [{run: "true"}]
  other:
    runs-on: ubuntu-latest
    steps: [{run: "test ! -e broken"}]
"""


class Forge(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status = self.server.answers.pop(0) if self.server.answers else 201
        if self.headers["Authorization"] != "Bearer ghp_good":
            status = 401
        self.server.seen.append((status, self.path, body))
        self.send_response(status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def do_GET(self):
        self.send_response(404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def forge(server, repository):
    fake = ThreadingHTTPServer(("127.0.0.1", 0), Forge)
    fake.seen, fake.answers = [], []
    fake.url = f"http://127.0.0.1:{fake.server_port}"
    thread = threading.Thread(target=fake.serve_forever)
    thread.start()
    repository.write(".github/workflows/ci.yml", WORKFLOW)
    repository.commit("Begin")
    repository.push()
    server.finished(1)
    server.call("PUT", "/api/v1/repos/project/mirror", {"url": f"{fake.url}/me/flights.git"}, server.admin_token)
    server.call("PUT", "/api/v1/variables/FORWARD_GITHUB_API", {"value": f"{fake.url}/api/v3"}, server.admin_token)
    server.cli("secret", "set", "FORWARD_GITHUB_TOKEN", "--value", "ghp_good")
    fake.taken = lambda: [(path, body) for status, path, body in fake.seen if status == 201]
    yield fake
    fake.shutdown()
    thread.join()
    fake.server_close()


def push(server, repository, number, **files):
    for name, text in files.items():
        repository.write(name, text)
    repository.write("note.txt", f"{number}\n")
    repository.commit(f"Commit {number}")
    repository.push()
    server.finished(number)
    return repository.git("rev-parse", "HEAD").stdout.strip()


def states_of(forge, commit):
    return [(body["state"], body["description"]) for path, body in forge.taken()
            if path == f"/api/v3/repos/me/flights/statuses/{commit}" and body["context"] == "weir / CI (push)"]


def ended(forge, commit):
    return lambda: states_of(forge, commit) and states_of(forge, commit)[-1][0] != "pending" and states_of(forge, commit)


def test_success_and_failure_are_told_of_the_commit(server, repository, forge):
    good = push(server, repository, 2)
    states = wait_until(ended(forge, good), 60, "the first run's status")
    assert states[-1][0] == "success" and states[-1][1].startswith("success after ")
    assert {state for state, _ in states[:-1]} <= {"pending"}
    bad = push(server, repository, 3, broken="x")
    states = wait_until(ended(forge, bad), 60, "the second run's status")
    assert states[-1][0] == "failure" and states[-1][1].endswith(": other")
    assert not [path for _, path, _ in forge.seen if "/statuses/" not in path]
    first = repository.git("rev-parse", "HEAD~2").stdout.strip()
    assert states_of(forge, first) == [], "what was before the repository followed one is history"


def test_what_the_forge_did_not_take_is_told_later_also_after_a_crash(server, repository, forge):
    forge.answers = [503] * 100
    commit = push(server, repository, 2)
    wait_until(lambda: forge.seen, 60, "a first try")
    server.kill()
    forge.answers.clear()
    server.start()
    states = wait_until(ended(forge, commit), 60, "the status")
    assert states[-1][0] == "success" and len(states) == 1, "an older state is not told any more"


def test_a_commit_that_the_forge_does_not_know_is_given_up(server, repository, forge):
    forge.answers = [422] * 100
    push(server, repository, 2)
    log = server.state.parent / "serve.log"
    wait_until(lambda: "the status of run 2 is not told to" in log.read_text(), 60, "a word about it")
    forge.answers.clear()
    commit = push(server, repository, 3)
    assert wait_until(ended(forge, commit), 60, "the next status")[-1][0] == "success"
    assert "ghp_good" not in log.read_text()
