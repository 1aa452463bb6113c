"""How the runs of a followed repository go is told to its forge; servers on this machine stand for GitHub and GitLab."""

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


class Gitlab(Forge):
    """Takes a project by its whole path, wants its own header, and calls it an error to hear the same twice."""

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status, answer = self.server.answers.pop(0) if self.server.answers else 201, b"{}"
        key = (self.path, body["name"])
        if status == 201 and self.server.states.get(key) == body["state"]:
            status, answer = 400, b'{"message": "Cannot transition status via :enqueue from :pending"}'
        if self.headers["PRIVATE-TOKEN"] != "glpat-good" or self.headers["Authorization"]:
            status = 401
        if status == 201:
            self.server.states[key] = body["state"]
        self.server.seen.append((status, self.path, body))
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


@pytest.fixture
def gitlab(server, repository):
    yield from followed(server, repository, Gitlab, "team/ml/flights", "GITLAB", "/api/v4", "glpat-good")


@pytest.fixture
def forge(server, repository):
    yield from followed(server, repository, Forge, "me/flights", "GITHUB", "/api/v3", "ghp_good")


def followed(server, repository, handler, name, kind, api, token):
    fake = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    fake.states = {}
    fake.seen, fake.answers = [], []
    fake.url = f"http://127.0.0.1:{fake.server_port}"
    thread = threading.Thread(target=fake.serve_forever)
    thread.start()
    repository.write(".github/workflows/ci.yml", WORKFLOW)
    repository.commit("Begin")
    repository.push()
    server.finished(1)
    server.call("PUT", "/api/v1/repos/project/mirror", {"url": f"{fake.url}/{name}.git"}, server.admin_token)
    server.call("PUT", f"/api/v1/variables/FORWARD_{kind}_API", {"value": f"{fake.url}{api}"}, server.admin_token)
    server.cli("secret", "set", f"FORWARD_{kind}_TOKEN", "--value", token)
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


def told_gitlab(gitlab, commit):
    return [body["state"] for path, body in gitlab.taken()
            if path == f"/api/v4/projects/team%2Fml%2Fflights/statuses/{commit}" and body["name"] == "weir / CI (push)"]


def test_gitlab_hears_of_success_and_failure_in_its_own_words(server, repository, gitlab):
    good = push(server, repository, 2)
    wait_until(lambda: told_gitlab(gitlab, good)[-1:] == ["success"], 60, "the first run's status")
    bad = push(server, repository, 3, broken="x")
    wait_until(lambda: told_gitlab(gitlab, bad)[-1:] == ["failed"], 60, "the second run's status")
    assert {state for state in told_gitlab(gitlab, good)[:-1] + told_gitlab(gitlab, bad)[:-1]} <= {"pending"}
    assert [body["description"] for _, body in gitlab.taken()][-1].endswith(": other")
    assert all(path.startswith("/api/v4/projects/team%2Fml%2Fflights/statuses/") for _, path, _ in gitlab.seen)


def test_what_gitlab_knows_already_is_told_and_done(server, repository, gitlab):
    gitlab.answers = [503] * 100
    commit = push(server, repository, 2)
    wait_until(lambda: gitlab.seen, 60, "a first try")
    key = (f"/api/v4/projects/team%2Fml%2Fflights/statuses/{commit}", "weir / CI (push)")
    gitlab.states[key] = "success"
    gitlab.answers.clear()
    wait_until(lambda: any(status == 400 for status, _, _ in gitlab.seen), 60, "the status, once more")
    gitlab.states.pop(key)
    after = push(server, repository, 3)
    wait_until(lambda: told_gitlab(gitlab, after)[-1:] == ["success"], 60, "the next status")
    log = (server.state.parent / "serve.log").read_text()
    assert "is not told to" not in log and "glpat-good" not in log
    assert told_gitlab(gitlab, commit) == []


def test_gitlabs_token_goes_to_its_own_server_only(server, repository, gitlab):
    server.call("PUT", "/api/v1/variables/FORWARD_GITLAB_API", {"value": "https://gitlab.invalid/api/v4"},
                server.admin_token)
    push(server, repository, 2)
    server.call("PUT", "/api/v1/variables/FORWARD_GITLAB_API", {"value": f"{gitlab.url}/api/v4"}, server.admin_token)
    commit = push(server, repository, 3)
    wait_until(lambda: told_gitlab(gitlab, commit)[-1:] == ["success"], 60, "the next status")
    assert {path.rsplit("/", 1)[1] for _, path, _ in gitlab.seen} == {commit}
