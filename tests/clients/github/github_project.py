"""A repository with a pull request, and GitHub's published clients that call the server about it."""

import json
import os
import subprocess
from pathlib import Path

from weir_server import wait_until

HERE = Path(__file__).parent


class Failed(dict):
    """What a client threw."""


class Project:
    """A repository with a pull request, and clients that call the server about it."""

    def __init__(self, server, repository, folder):
        self.server, self.repository, self.folder = server, repository, folder
        repository.write("train.py", "one\n")
        repository.write("docs/notes.md", "# Notes\n")
        repository.commit("Begin")
        repository.push()
        repository.git("checkout", "-qb", "better")
        repository.write("train.py", "one\ntwo\n")
        repository.commit("Train better")
        repository.push(ref="better")
        self.head = repository.git("rev-parse", "HEAD").stdout.strip()
        server.cli("pr", "create", "--head", "better", "--repo", "project", token=server.admin_token)
        self.gates = []

    def call(self, body, client="rest", token=None, **given):
        env = {name: value for name, value in os.environ.items() if not name.startswith(("GITHUB_", "ACTIONS_"))}
        env |= {"GITHUB_API_URL": f"{self.server.url}/api/v3", "GITHUB_REPOSITORY": "weir/project",
                "GIVEN": json.dumps(given)}
        token = self.server.admin_token if token is None else token
        if token:
            env["GITHUB_TOKEN"] = token
        done = subprocess.run(["node", HERE / "client.mjs", client, body], capture_output=True, text=True, timeout=60,
                              env=env)
        assert done.returncode == 0, done.stderr + done.stdout
        answer = json.loads(done.stdout.splitlines()[-1])
        return answer["ok"] if "ok" in answer else Failed(answer)

    def job_token(self, permissions):
        """The token of a job that waits until the test's end."""
        number = len(self.gates)
        gate, token = self.folder / f"gate{number}", self.folder / f"token{number}"
        self.gates.append(gate)
        name = f"waits{number}"
        self.repository.write(f".github/workflows/{name}.yml", json.dumps({
            "name": name, "on": "workflow_dispatch", "permissions": permissions, "jobs": {"waits": {
                "runs-on": "ubuntu-latest", "env": {"GITHUB_TOKEN": "${{ github.token }}"}, "steps": [
                    {"run": f'printf %s "$GITHUB_TOKEN" > {token}.new && mv {token}.new {token}\n'
                            f"while [ ! -e {gate} ]; do sleep 0.05; done"}]}}}))
        self.repository.git("checkout", "-q", "main")
        self.repository.commit(name)
        self.repository.push()
        self.server.post("/api/v1/repos/project/dispatches", {"workflow": f"{name}.yml"}, self.server.admin_token)
        wait_until(token.exists, what="the job's token")
        return token.read_text()

    def end(self):
        for gate in self.gates:
            gate.touch()
        for run in self.server.get("/api/v1/runs?limit=100")["runs"]:
            self.server.finished(run["id"])
