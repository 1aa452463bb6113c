"""A job that waits for the test, and GitHub's published clients with the variables that its actions would get."""

import base64
import hashlib
import hmac
import json
import os
import subprocess
import time
from pathlib import Path

from weir_server import wait_until

HERE = Path(__file__).parent

WORKFLOW = """
name: Waiting
on: push
{permissions}
jobs:
  waits:
    runs-on: ubuntu-latest
    steps: [{{run: "while [ ! -e {gate} ]; do sleep 0.05; done"}}]
"""


def encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


class Job:
    def __init__(self, server, repository, folder: Path, ref="main", permissions=""):
        self.server, self.repository, self.folder, self.ref = server, repository, folder, ref
        folder.mkdir(parents=True)
        (folder / "workspace").mkdir()
        (folder / "temp").mkdir()
        self.gate = folder / "gate"
        repository.write(".github/workflows/waiting.yml", WORKFLOW.format(gate=self.gate, permissions=permissions))
        repository.commit(f"Wait for {folder.name}")
        before = {run["id"] for run in server.get("/api/v1/runs?limit=100")["runs"]}
        repository.push(ref=ref)
        self.run = wait_until(lambda: next((run["id"] for run in server.get("/api/v1/runs?limit=100")["runs"]
                                            if run["id"] not in before), None), what="the run")
        self.id = wait_until(lambda: next((job["id"] for job in self.jobs() if job["state"] == "in_progress"), None),
                             what="the job")

    def jobs(self):
        return self.server.get(f"/api/v1/runs/{self.run}")["jobs"]

    def end(self):
        self.gate.touch()
        self.server.finished(self.run)

    def token(self, **changes):
        """What the server gives the job; its key is on this disk. Changed claims make one that it would not give."""
        purpose = changes.pop("purpose", b"runtime")
        secret = bytes.fromhex((self.server.state / "keys/actions.key").read_text().strip())
        key = hmac.digest(changes.pop("key", hmac.digest(secret, purpose, hashlib.sha256)), b"", hashlib.sha256) \
            if "key" in changes else hmac.digest(secret, purpose, hashlib.sha256)
        now = int(time.time())
        claims = {"iat": now, "nbf": now, "exp": now + 600, "scp": f"Actions.Results:{self.run}:{self.id}", **changes}
        text = encoded(b'{"alg":"HS256","typ":"JWT"}') + b"." + encoded(json.dumps(claims).encode())
        return (text + b"." + encoded(hmac.digest(key, text, hashlib.sha256))).decode()

    def environment(self, **more):
        keep = {name: value for name, value in os.environ.items()
                if not name.startswith(("GITHUB_", "ACTIONS_", "RUNNER_"))}
        port = self.server.url.rsplit(":", 1)[1]
        return {**keep,
                "ACTIONS_RESULTS_URL": self.server.url + "/",
                "ACTIONS_RUNTIME_URL": self.server.url + "/actions/",
                "ACTIONS_RUNTIME_TOKEN": self.token(),
                "ACTIONS_CACHE_URL": self.server.url + "/",
                "ACTIONS_CACHE_SERVICE_V2": "True",
                "GITHUB_SERVER_URL": f"http://weir.localhost:{port}",
                "GITHUB_WORKSPACE": str(self.folder / "workspace"),
                "GITHUB_RUN_ID": str(self.run),
                "RUNNER_TEMP": str(self.folder / "temp"),
                "RUNNER_TOOL_CACHE": str(self.folder / "tools"),
                **more}

    def call(self, call, env=None, **given):
        """A call of client.mjs: what it gave, or {"error": …}."""
        done = subprocess.run(["node", HERE / "client.mjs", call, json.dumps(given)], capture_output=True, text=True,
                              timeout=120, env=env or self.environment(), cwd=self.folder / "workspace")
        assert done.returncode == 0, done.stderr + done.stdout
        self.output = done.stdout
        answer = json.loads(done.stdout.splitlines()[-1])
        return answer["ok"] if "ok" in answer else answer

    def post(self, method, body, token=None, service="ArtifactService"):
        """A call of the services below the clients: status and answer."""
        import urllib.error
        import urllib.request
        request = urllib.request.Request(
            f"{self.server.url}/twirp/github.actions.results.api.v1.{service}/{method}", json.dumps(body).encode(),
            {"Content-Type": "application/json", "Authorization": f"Bearer {self.token() if token is None else token}"})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def send(self, method, address, data=None, headers=None):
        import urllib.error
        import urllib.request
        request = urllib.request.Request(address, data, headers or {}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()
