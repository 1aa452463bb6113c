"""Bytes that are not what was announced are not kept, not even for a while."""

import json
import socket
import urllib.parse

import pytest

from faults import answer, sha256
from weir_server import wait_until

DATA = b"the bytes of a model" * 5000


def files(server):
    return sorted(str(path.relative_to(server.state)) for path in (server.state / "blobs").rglob("*") if path.is_file())


def raw(server, request, body=b"", then_close=False):
    """One request, byte by byte as given; what the server says until it closes."""
    address = urllib.parse.urlparse(server.url)
    with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
        head = request.format(host=address.netloc, token=server.admin_token)
        connection.sendall(head.encode() + body)
        if then_close:
            return b""
        connection.shutdown(socket.SHUT_WR)
        received = b""
        while piece := connection.recv(65536):
            received += piece
        return received


def put(path, *headers):
    return "\r\n".join([f"PUT {path} HTTP/1.1", "Host: {host}", "Authorization: Bearer {token}", *headers]) + "\r\n\r\n"


def test_a_wrong_hash_keeps_nothing(server):
    for wrong in ("0" * 64, sha256(b"other")):
        status, text = answer(server, "PUT", f"/api/v1/blobs/{wrong}", DATA)
        assert status == 400 and sha256(DATA) in text and "nothing was kept" in text, text
    for no_hash in ("abc", sha256(DATA).upper(), "..%2f..%2fweir.db", "0" * 63 + "g"):
        status, text = answer(server, "PUT", f"/api/v1/blobs/{no_hash}", DATA)
        assert 400 <= status < 500, (no_hash, status, text)
    assert files(server) == []


PATHS = [f"/api/v1/blobs/{sha256(DATA)}", "/api/2.0/mlflow-artifacts/artifacts/a/model.pkl"]


@pytest.mark.parametrize("path", PATHS)
def test_a_body_that_ends_early_keeps_nothing(server, path):
    received = raw(server, put(path, f"Content-Length: {len(DATA) + 7}"), DATA)
    assert not received.startswith(b"HTTP/1.1 2"), received
    raw(server, put(path, f"Content-Length: {len(DATA)}"), DATA[:50_000], then_close=True)
    raw(server, put(path, "Transfer-Encoding: chunked"), b"%x\r\n" % len(DATA) + DATA[:50_000], then_close=True)
    # Everything of the blob, but not the end of the message.
    raw(server, put(path, "Transfer-Encoding: chunked"), b"%x\r\n" % len(DATA) + DATA + b"\r\n", then_close=True)
    assert answer(server, "GET", path)[0] == 404
    wait_until(lambda: files(server) == [], what="the rest of a cut upload to go")
    assert answer(server, "GET", path)[0] == 404


@pytest.mark.parametrize("path", PATHS)
def test_bytes_after_the_announced_length_are_no_part_of_it(server, path):
    received = raw(server, put(path, f"Content-Length: {len(DATA) - 7}"), DATA)
    status = int(received.split(b" ", 2)[1])
    if "blobs" in path:
        assert status == 400 and b"SHA-256" in received, received
        assert files(server) == []
    # What follows is not taken for a request that may be answered with success.
    assert received.count(b"HTTP/1.1 2") <= 1


@pytest.mark.parametrize("length", ["-1", "abc", "1e3", "0x10", "99999999999999999999", "5, 6", ""])
def test_a_length_that_is_none_is_refused(server, length):
    received = raw(server, put(PATHS[0], f"Content-Length: {length}"), DATA)
    assert received.startswith(b"HTTP/1.1 4"), received
    both = raw(server, put(PATHS[0], f"Content-Length: {len(DATA)}", "Transfer-Encoding: chunked"), b"0\r\n\r\n")
    assert not both.startswith(b"HTTP/1.1 2"), both
    assert files(server) == []


def test_an_artifact_needs_its_blob(server, repository):
    repository.write(".github/workflows/a.yml", "on: push\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: 'true'}]}}\n")
    repository.commit()
    repository.push()
    server.finished(1)
    status, text = answer(server, "POST", "/api/v1/runs/1/artifacts", {"name": "notes", "sha256": sha256(b"never sent")})
    assert status == 404 and "upload it first" in json.loads(text)["message"], text
    assert server.get("/api/v1/runs/1/artifacts")["artifacts"] == []
