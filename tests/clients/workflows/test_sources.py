"""What starts workflows from outside: followed repositories, webhooks, dispatches."""

import base64
import hashlib
import hmac
import json
import subprocess
import time
import urllib.error
import urllib.request

import pytest
from weir_server import wait_until

SECRET = "hook-secret-42"


def deliver(server, source, body, headers):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(f"{server.url}/hooks/project/{source}", data,
                                     {"Content-Type": "application/json", **headers}, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def github(event, body, delivery, secret=SECRET):
    signature = hmac.new(secret.encode(), json.dumps(body).encode(), hashlib.sha256).hexdigest()
    return {"X-Hub-Signature-256": f"sha256={signature}", "X-GitHub-Event": event, "X-GitHub-Delivery": delivery}


@pytest.fixture
def upstream(tmp_path, server):
    """A repository elsewhere that `project` follows."""
    folder = tmp_path / "upstream"
    folder.mkdir()
    (folder / ".github/workflows").mkdir(parents=True)
    (folder / ".github/workflows/ci.yml").write_text("""\
name: CI
on:
  push:
  release: {types: [published]}
  repository_dispatch: {types: [table.updated]}
jobs:
  a:
    runs-on: ubuntu-latest
    steps:
      - run: echo "${{ github.event_name }} ${{ github.event.release.tag_name }} ${{ github.event.client_payload.data.rows }}"
""")
    git = lambda *a: subprocess.run(["git", "-C", folder, *a], check=True, capture_output=True, text=True).stdout.strip()
    git("init", "-q", "-b", "main")
    git("config", "user.name", "Una")
    git("config", "user.email", "una@example.com")
    git("add", "-A")
    git("commit", "-qm", "One")
    server.cli("repo", "add", "project", "--from", f"file://{folder}", token=server.admin_token)
    server.finished(wait_until(lambda: [r["id"] for r in server.get("/api/v1/runs")["runs"]], 60, "the first fetch")[0])
    return git


def runs(server, event):
    return [run for run in server.get("/api/v1/runs")["runs"] if run["event"] == event]


def test_a_followed_repository_is_fetched_by_a_webhook(server, upstream):
    server.cli("secret", "set", "HOOK_GITHUB", "--value", SECRET)
    upstream("commit", "-q", "--allow-empty", "-m", "Two")
    head = upstream("rev-parse", "HEAD")
    body = {"ref": "refs/heads/main", "after": head}
    assert deliver(server, "github", body, github("push", body, "1", secret="wrong"))[0] == 401
    assert deliver(server, "github", body, github("push", body, "1"))[0] == 202
    found = wait_until(lambda: [r for r in runs(server, "push") if r["commit"] == head], 60, "the push")
    assert server.finished(found[0]["id"])["conclusion"] == "success"
    listed = server.cli("repo", "list").stdout
    assert "project" in listed and "not yet" not in listed


def test_a_private_repository_is_followed_with_a_token(server, repository):
    repository.write("a.txt", "a")
    repository.commit("One")
    repository.push()
    server.cli("secret", "set", "UPSTREAM", "--value", "weir_wrong")
    add = lambda: server.cli("repo", "add", "copy", "--from", f"{server.url}/git/project.git", "--token-secret", "UPSTREAM",
                             token=server.admin_token)
    add()
    wait_until(lambda: "copy" in (text := server.cli("repo", "list").stdout) and "the token that was given is not taken" in text, 30,
               "what went wrong")
    server.cli("secret", "set", "UPSTREAM", "--value", server.admin_token)
    add()
    wait_until(lambda: (server.state / "repos/copy.git/refs/heads/main").exists(), 30, "the copy")
    assert server.admin_token not in (server.state.parent / "serve.log").read_text()


def test_a_delivery_counts_once(server, upstream):
    server.cli("secret", "set", "HOOK_GITHUB", "--value", SECRET)
    body = {"action": "published", "release": {"tag_name": "v3"}, "sender": {"login": "una"}}
    status, answer = deliver(server, "github", body, github("release", body, "d-1"))
    assert status == 202 and len(answer["runs"]) == 1
    status, answer = deliver(server, "github", body, github("release", body, "d-1"))
    assert status == 200 and "taken before" in answer["message"]
    assert len(runs(server, "release")) == 1
    run = server.finished(runs(server, "release")[0]["id"])
    log = "\n".join(line["text"] for line in server.get(f"/api/v1/jobs/{run['jobs'][0]['id']}/log")["lines"])
    assert "release v3" in log
    server.kill()
    server.start()
    assert deliver(server, "github", body, github("release", body, "d-1"))[0] == 200
    assert deliver(server, "github", {"zen": "x"}, github("ping", {"zen": "x"}, "d-2"))[1]["message"] == "pong"


def test_cloud_events_start_repository_dispatches(server, upstream):
    server.cli("secret", "set", "HOOK_CLOUDEVENTS", "--value", SECRET)
    event = {"specversion": "1.0", "id": "17", "source": "/lake", "type": "table.updated", "data": {"rows": 12}}
    body = json.dumps(event).encode()

    def signed(message, at, body=body):
        text = f"{message}.{at}.".encode() + body
        signature = base64.b64encode(hmac.new(SECRET.encode(), text, hashlib.sha256).digest()).decode()
        return {"webhook-id": message, "webhook-timestamp": str(at), "webhook-signature": f"v1,{signature}",
                "Content-Type": "application/cloudevents+json"}

    assert deliver(server, "cloudevents", body, signed("m1", int(time.time()) - 3600))[0] == 401
    status, answer = deliver(server, "cloudevents", body, signed("m2", int(time.time())))
    assert status == 202, answer
    run = server.finished(answer["runs"][0])
    log = "\n".join(line["text"] for line in server.get(f"/api/v1/jobs/{run['jobs'][0]['id']}/log")["lines"])
    assert "repository_dispatch  12" in log

    # Whoever saw it can send it again, but neither as another event nor twice.
    seen = signed("m2", int(time.time()))
    assert deliver(server, "cloudevents", body, seen)[0] == 200
    for headers in ({"ce-id": "99"}, {"ce-id": "99", "ce-type": "table.updated", "ce-source": "/other"}):
        assert deliver(server, "cloudevents", body, {**seen, **headers})[0] == 200
    other = json.dumps({**event, "id": "18"}).encode()
    assert deliver(server, "cloudevents", other, signed("m2", int(time.time()), other))[0] == 200, "a message's number"
    assert deliver(server, "cloudevents", body, signed("m3", int(time.time())))[0] == 200, "an event's number"
    binary = {**signed("m4", int(time.time())), "Content-Type": "application/json", "ce-id": "77", "ce-source": "/lake",
              "ce-type": "table.updated", "ce-specversion": "1.0"}
    status, answer = deliver(server, "cloudevents", body, binary)
    assert status == 400 and "Content-Type: application/cloudevents+json" in answer["message"], answer
    assert len([r for r in server.get("/api/v1/runs")["runs"] if r["event"] == "repository_dispatch"]) == 1
    assert deliver(server, "cloudevents", other, signed("m5", int(time.time()), other))[0] == 202


def test_without_a_secret_nothing_is_taken(server, upstream):
    status, answer = deliver(server, "gitlab", {}, {"X-Gitlab-Token": "", "X-Gitlab-Event": "Push Hook"})
    assert status == 404 and "weir secret set HOOK_GITLAB" in answer["message"]
    assert deliver(server, "elsewhere", {}, {})[0] == 404


def test_a_tag_may_name_a_file_or_a_folder_and_starts_nothing(server, repository):
    repository.write(".github/workflows/ci.yml", """\
on: {push: {tags: ["**"]}}
jobs: {a: {runs-on: ubuntu-latest, steps: [{run: "echo ${{ github.event_name }} ${{ github.ref }}"}]}}
""")
    repository.commit()
    repository.push()
    repository.git("tag", "key", "HEAD:.github/workflows/ci.yml")
    repository.git("tag", "-a", "-m", "The folder", "flows", "HEAD:.github")
    repository.git("tag", "v1")
    # Several at once: one without a commit keeps none of the others.
    repository.push(ref="--tags")
    runs = lambda: sorted((r["event"], r["ref"]) for r in server.get("/api/v1/runs")["runs"] if "tags" in r["ref"])
    wait_until(runs, 30, "the run of v1")
    assert runs() == [("push", "refs/tags/v1")]
    pushed = lambda: sorted((e["data"]["ref"], e["data"]["after"].strip("0") != "") for e in
                            server.get("/api/v1/events?limit=200", server.admin_token)["events"]
                            if e["type"] == "repo.pushed" and "tags" in e["data"]["ref"])
    assert pushed() == [("refs/tags/flows", True), ("refs/tags/key", True), ("refs/tags/v1", True)]
    # Moved to a commit and back, deleted, and found by a server that starts anew.
    repository.git("tag", "-f", "key", "HEAD")
    repository.push(ref="+refs/tags/key")
    wait_until(lambda: len(runs()) == 2, 30, "the run of key")
    repository.git("tag", "-f", "key", "HEAD:.github")
    repository.push(ref="+refs/tags/key")
    repository.push(ref=":refs/tags/flows")
    server.stop()
    server.start()
    assert len(pushed()) == 6 and ("refs/tags/flows", False) in pushed()
    assert len(runs()) == 2, runs()
    log = (server.state.parent / "serve.log").read_text()
    assert "error" not in log, log
