"""A real `weir serve` on a state of its own, and repositories that are pushed to it."""

import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

HERE = Path(__file__).parent
BUILD = Path(os.environ.get("WEIR_BUILD", HERE.parents[2] / "build"))
WEIR = BUILD / "bin/weir"


def wait_until(condition, seconds=60, what="condition"):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"waited {seconds} s for {what}")


class Server:
    arguments = ()  # of weir serve, further ones

    def __init__(self, state: Path, **options):
        self.state = state
        self.options = options
        self.process = None
        self.start()

    def start(self):
        (self.state / "server.json").unlink(missing_ok=True)
        self.log = open(self.state.parent / "serve.log", "a")
        self.process = subprocess.Popen([WEIR, "serve", "--state", self.state, *self.arguments], stderr=self.log,
                                        env={**os.environ, **self.options.get("env", {})})
        wait_until(lambda: (self.state / "server.json").exists() or self.process.poll() is not None, 30, "server.json")
        assert self.process.poll() is None, (self.state.parent / "serve.log").read_text()
        self.url = json.loads((self.state / "server.json").read_text())["url"]
        wait_until(self.healthy, 30, "health")

    def healthy(self):
        try:
            return self.get("/api/v1/runs?limit=1", self.admin_token) is not None
        except (urllib.error.URLError, ConnectionError):
            return False

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            # Also what a sanitizer found is told by the exit code.
            assert self.process.wait(30) == 0, (self.state.parent / "serve.log").read_text()[-4000:]

    @property
    def admin_token(self):
        return (self.state / "keys/admin.token").read_text().strip()

    def call(self, method, path, body=None, token=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"}, method=method)
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
            return json.loads(text) if text else None

    def get(self, path, token=None):
        return self.call("GET", path, token=token)

    def post(self, path, body, token=None):
        return self.call("POST", path, body, token)

    def cli(self, *arguments, check=True, token=None):
        env = {**os.environ, "WEIR_STATE": str(self.state)}
        if token:
            env["WEIR_TOKEN"] = token
        return subprocess.run([WEIR, *arguments], capture_output=True, text=True, timeout=120, check=check, env=env)

    def finished(self, run, seconds=120):
        return wait_until(lambda: (r := self.get(f"/api/v1/runs/{run}"))["state"] == "completed" and r, seconds, f"run {run}")


class Repository:
    def __init__(self, folder: Path, server: Server, name="project"):
        self.folder = folder
        self.server = server
        self.name = name
        folder.mkdir(parents=True)
        self.git("init", "-q", "-b", "main")
        self.git("config", "user.name", "Carol")
        self.git("config", "user.email", "carol@example.com")

    def git(self, *arguments, check=True):
        return subprocess.run(["git", "-C", str(self.folder), *arguments], check=check, capture_output=True, text=True,
                              env={**os.environ, "GIT_TERMINAL_PROMPT": "0"})

    def write(self, path, text):
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def commit(self, message="Change"):
        self.git("add", "-A")
        self.git("commit", "-qm", message)

    def push(self, token=None, ref="main", check=True):
        url = self.server.url.replace("http://", f"http://carol:{token or self.server.admin_token}@")
        return self.git("push", "-q", f"{url}/git/{self.name}.git", ref, check=check)


# The fixtures of every folder that imports them in its conftest.
@pytest.fixture
def server(tmp_path):
    (tmp_path / "state").mkdir()
    server = Server(tmp_path / "state")
    yield server
    server.stop()


@pytest.fixture
def repository(tmp_path, server):
    return Repository(tmp_path / "repository", server)
