"""Real receivers of messages: a webhook, and mail servers with TLS by a certificate of the test's own."""

import json
import ssl
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "line"))
from weir_server import Repository, Server, wait_until  # noqa: E402, F401


class Webhook:
    """Takes what is posted to it. `answer` says what to answer; it may wait."""

    def __init__(self):
        self.posts = []
        self.answer = lambda post: 200
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                post = {"path": self.path, "headers": dict(self.headers), "body": body, "json": json.loads(body)}
                outer.posts.append(post)
                status = outer.answer(post)
                try:
                    self.send_response(status)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                except OSError:
                    pass  # the sender was killed meanwhile

            def log_message(self, *arguments):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def webhook():
    webhook = Webhook()
    yield webhook
    webhook.close()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """Of localhost, signed by itself: the file with it, and that with its key."""
    folder = tmp_path_factory.mktemp("certificate")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=DNS:localhost", "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
                   check=True, capture_output=True)
    return folder / "cert.pem", folder / "key.pem"


@pytest.fixture
def tls(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


@pytest.fixture
def serve(tmp_path):
    """Starts a server with the given variables of its environment."""
    servers = []

    def start(**env):
        (tmp_path / "state").mkdir()
        servers.append(Server(tmp_path / "state", env=env))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def push(tmp_path):
    """Pushes a repository with this weir.yaml and these files, and waits until it applies."""

    def push(server, weir_yaml, name="project", **files):
        repository = Repository(tmp_path / name, server, name)
        repository.write("weir.yaml", weir_yaml)
        for path, text in files.items():
            repository.write(path, text)
        repository.commit()
        repository.push()

        def state():
            events = [event["type"] for event in server.get(f"/api/v1/events?subject=repo/{name}", server.admin_token)["events"]]
            assert "config.refused" not in events, server.get(f"/api/v1/events?subject=repo/{name}", server.admin_token)
            return "config.applied" in events

        wait_until(state, what="weir.yaml in force")
        return repository

    return push


def secret(server, name, value):
    server.call("PUT", f"/api/v1/secrets/{name}", {"value": value}, server.admin_token)


def notifications(server, state=""):
    return server.get(f"/api/v1/notifications?state={state}", server.admin_token)["notifications"]


def tell(server, message, **more):
    server.post("/api/v1/notifications", {"message": message, "severity": "page", **more}, server.admin_token)
