"""Uploads of artifacts and caches, and what is said at GitHub, when the server is killed or the disk is full amid them:
what was acknowledged is there, nothing half is seen, and the room is given back."""

import base64
import json
import socket
import sys
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from faults import answer
from test_full_disk import disk  # noqa: F401
from weir_server import Repository, Server, wait_until

sys.path.append(str(Path(__file__).parents[1] / "toolkit"))
from running_job import Job  # noqa: E402

FIRST, SECOND = b"1" * 700_000, b"2" * 3_000_000


class Artifact:
    """The artifact service, and version 2 of the cache service: blocks by a signed address."""
    service, name = "ArtifactService", "model"
    create, finish = "CreateArtifact", "FinalizeArtifact"

    def __init__(self, job):
        self.job = job

    def wish(self, **more):
        return {"name": self.name, "version": 7, "mime_type": "text/plain", **more}

    def post(self, method, body):
        return self.job.post(method, body, service=self.service)

    def begin(self):
        status, made = self.post(self.create, self.wish())
        assert status == 200 and made["ok"], made
        self.address = made["signed_upload_url"]

    def block(self, index):
        name = base64.b64encode(f"{index:08}".encode()).decode()
        return "PUT", f"{self.address}&comp=block&blockid={urllib.parse.quote(name, safe='')}", {}

    def send(self, index, data):
        method, address, headers = self.block(index)
        return self.job.send(method, address, data, headers)[0]

    def end(self):
        names = [base64.b64encode(f"{index:08}".encode()).decode() for index in (0, 1)]
        listed = "<BlockList>" + "".join(f"<Latest>{name}</Latest>" for name in names) + "</BlockList>"
        status = self.job.send("PUT", f"{self.address}&comp=blocklist", listed.encode())[0]
        if status != 201:
            return status
        status, done = self.post(self.finish, self.wish(size=str(len(FIRST + SECOND)), size_bytes=str(len(FIRST + SECOND))))
        return status if status != 200 or done["ok"] else 409

    def found(self):
        assert self.post("ListArtifacts", {})[0] == 200
        if not self.post("ListArtifacts", {"name_filter": self.name})[1]["artifacts"]:
            return None
        address = self.post("GetSignedArtifactURL", self.wish())[1]["signed_url"]
        return self.job.send("GET", address)[1]


class Cache(Artifact):
    service = "CacheService"
    create, finish = "CreateCacheEntry", "FinalizeCacheEntryUpload"

    def wish(self, **more):
        return {"key": "key", "version": "v", **more}

    def found(self):
        status, given = self.post("GetCacheEntryDownloadURL", self.wish())
        assert status == 200
        return self.job.send("GET", given["signed_download_url"])[1] if given["ok"] else None


class OldCache(Artifact):
    """Version 1 of the cache service: chunks by their places."""

    def call(self, method, path, body=None, headers=None):
        return self.job.send(method, f"{self.job.server.url}/_apis/artifactcache/{path}", body,
                             {"Authorization": f"Bearer {self.job.token()}", **(headers or {})})

    def begin(self):
        status, made = self.call("POST", "caches", b'{"key": "key", "version": "v"}')
        assert status == 201
        self.place = f"caches/{json.loads(made)['cacheId']}"

    def block(self, index):
        start = index * len(FIRST)
        size = len((FIRST, SECOND)[index])
        return "PATCH", f"{self.job.server.url}/_apis/artifactcache/{self.place}", {
            "Authorization": f"Bearer {self.job.token()}", "Content-Range": f"bytes {start}-{start + size - 1}/*"}

    def end(self):
        return {204: 200}.get(status := self.call("POST", self.place, b'{"size": %d}' % len(FIRST + SECOND))[0], status)

    def found(self):
        status, given = self.call("GET", "cache?keys=key&version=v")
        return self.job.send("GET", json.loads(given)["archiveLocation"])[1] if status == 200 else None


KINDS = pytest.mark.parametrize("kind", [Artifact, Cache, OldCache])


def begin_half(kind, index, size):
    """A block whose sender stops in the middle; gives its connection."""
    method, address, headers = kind.block(index)
    place = urllib.parse.urlparse(address)
    connection = socket.create_connection((place.hostname, place.port), timeout=30)
    head = {"Host": place.netloc, "Content-Length": str(size), **headers}
    connection.sendall(f"{method} {place.path}?{place.query} HTTP/1.1\r\n".encode() +
                       "".join(f"{name}: {value}\r\n" for name, value in head.items()).encode() + b"\r\n" +
                       b"x" * (size // 2))
    return connection


@pytest.fixture(autouse=True)
def job_folder(tmp_path):
    """Whatever becomes of the test, its job ends: servers leave jobs alone."""
    yield
    (tmp_path / "job").mkdir(exist_ok=True)
    (tmp_path / "job/gate").touch()


def waiting_job(server, repository, folder):
    """A job whose step has begun: from there on it writes nothing."""
    job = Job(server, repository, folder)
    wait_until(lambda: any(step["state"] == "in_progress" and "while" in step["name"] for step in job.jobs()[0]["steps"]),
               what="the step")
    return job


def room_is_given_back(server, job):
    """Once the job has ended: the next start forgets its uploads."""
    job.end()
    server.stop()
    server.start()
    for folder in ("uploads", "exchange", "blobs/incoming"):
        assert list((server.state / folder).iterdir()) == [], folder
    checked = server.cli("fsck", "--deep", check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@KINDS
def test_a_kill_amid_an_upload_loses_nothing_acknowledged(server, repository, tmp_path, kind):
    job = waiting_job(server, repository, tmp_path / "job")
    upload = kind(job)
    upload.begin()
    assert upload.send(0, FIRST) // 100 == 2
    with begin_half(upload, 1, len(SECOND)):
        wait_until(lambda: sum(path.stat().st_size for path in (server.state / "uploads").glob("*/data")) > len(FIRST),
                   what="bytes of the second block")
        server.kill()
    server.start()
    assert upload.found() is None
    assert upload.end() // 100 == 4, "its second block is missing"
    assert upload.found() is None
    assert upload.send(1, SECOND) // 100 == 2
    assert upload.end() == 200
    server.kill()
    server.start()
    assert upload.found() == FIRST + SECOND
    room_is_given_back(server, job)


@KINDS
def test_a_full_disk_amid_an_upload_refuses_and_goes_on_when_there_is_room(disk, tmp_path, kind):  # noqa: F811
    server = Server(disk.folder)
    try:
        job = waiting_job(server, Repository(tmp_path / "repository", server), tmp_path / "job")
        upload = kind(job)
        upload.begin()
        assert upload.send(0, FIRST) // 100 == 2
        disk.fill()
        for _ in range(2):
            assert upload.send(1, SECOND) == 507
        assert upload.end() >= 400 and upload.found() is None
        disk.free()
        assert upload.send(1, SECOND) // 100 == 2
        # Complete, but what tells of it finds no room: the job may say so again.
        disk.fill()
        assert upload.end() >= 500 and upload.found() is None
        disk.free()
        assert upload.end() == 200
        assert upload.found() == FIRST + SECOND
        room_is_given_back(server, job)
    finally:
        server.stop()


class Stalling(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.came.release()
        if self.server.stalls:
            self.server.go_on.wait(60)
            return
        body = b'{"id": 77, "body": "made"}'
        self.send_response(201)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def github():
    """Stands for GitHub; may keep its answers back."""
    fake = ThreadingHTTPServer(("127.0.0.1", 0), Stalling)
    fake.stalls, fake.came, fake.go_on = False, threading.Semaphore(0), threading.Event()
    fake.url = f"http://127.0.0.1:{fake.server_port}"
    thread = threading.Thread(target=fake.serve_forever)
    thread.start()
    yield fake
    fake.go_on.set()
    fake.shutdown()
    thread.join()
    fake.server_close()


COMMENT = "/api/v3/repos/weir/project/issues/5/comments"


def test_what_is_said_at_github_is_kept_by_nobody_here_whatever_happens(disk, tmp_path, github):  # noqa: F811
    server = Server(disk.folder)
    try:
        repository = Repository(tmp_path / "repository", server)
        repository.write("a", "b")
        repository.commit()
        repository.push()
        server.call("PUT", "/api/v1/repos/project/mirror", {"url": f"{github.url}/me/flights.git"}, server.admin_token)
        server.call("PUT", "/api/v1/variables/FORWARD_GITHUB_API", {"value": f"{github.url}/api/v3"}, server.admin_token)
        server.call("PUT", "/api/v1/secrets/FORWARD_GITHUB_TOKEN", {"value": "ghp_good"}, server.admin_token)
        # It needs no room here.
        disk.fill()
        assert answer(server, "POST", COMMENT, {"body": "x"}) == (201, '{"id": 77, "body": "made"}')
        disk.free()
        assert github.came.acquire(timeout=30)
        github.stalls = True
        results = []

        def ask():
            try:
                results.append(answer(server, "POST", COMMENT, {"body": "y"}))
            except OSError as error:
                results.append(error)

        asking = threading.Thread(target=ask)
        asking.start()
        assert github.came.acquire(timeout=30)
        server.kill()
        asking.join(30)
        assert isinstance(results[0], OSError), "nothing was acknowledged"
        server.start()
        assert not github.came.acquire(timeout=1), "it is for the client to say it again"
        github.stalls = False
        assert answer(server, "POST", COMMENT, {"body": "y"})[0] == 201
        assert server.cli("fsck", "--deep").returncode == 0
    finally:
        server.stop()
