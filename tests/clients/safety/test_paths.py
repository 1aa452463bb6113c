"""Names that climb out of where they belong: refused, and nothing written anywhere else."""

import http.client
import io
import json
import os
import shutil
import subprocess
import tarfile
import urllib.parse

import pytest

from faults import answer, sha256
from weir_server import WEIR, wait_until

CLIMBING = ["../evil", "..%2fevil", "%2e%2e/evil", "%2e%2e%2fevil", "%252e%252e%252fevil", "a/../../evil", "a/..%2f..%2fevil",
            "/etc/evil", "%2fetc%2fevil", "a//evil", "a%00evil", "a/%00", "..%5cevil", "a/./evil", "..", "%2e%2e", ".", "a/.."]


def outside(server):
    """Every file of the test's folder but those that the server is known to keep."""
    root = server.state.parent
    return {str(path.relative_to(root)) for path in root.rglob("*")
            if path.is_file() and path.relative_to(root).parts[0] not in ("state", "serve.log")}


def kept(server):
    return {str(path.relative_to(server.state)) for path in server.state.rglob("*") if "evil" in path.name}


def send(server, method, path, body=b""):
    """A request whose path goes out as it stands."""
    address = urllib.parse.urlparse(server.url)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=30)
    connection.putrequest(method, path, skip_accept_encoding=True)
    connection.putheader("Authorization", f"Bearer {server.admin_token}")
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body)
    response = connection.getresponse()
    text = response.read().decode(errors="replace")
    connection.close()
    return response.status, text


def test_addresses_that_climb_are_refused(server):
    before = outside(server)
    for name in CLIMBING:
        for prefix, method in [("/api/2.0/mlflow-artifacts/artifacts/", "PUT"), ("/api/2.0/mlflow-artifacts/artifacts/1/", "PUT"),
                               ("/api/2.0/mlflow-artifacts/artifacts/", "GET"),
                               ("/api/2.0/mlflow-artifacts/artifacts/", "DELETE"), ("/api/v1/blobs/", "PUT"),
                               ("/api/v1/blobs/", "GET"), ("/api/v1/runs/1/artifacts/", "GET"), ("/git/", "GET"),
                               ("/", "GET"), ("/assets/", "GET")]:
            path = prefix + name + ("/info/refs?service=git-receive-pack" if prefix == "/git/" else "")
            status, text = send(server, method, path, b"evil")
            page = "<html" in text.lower() and status == 200 and method == "GET" and prefix == "/"
            assert 400 <= status < 500 or page, (method, path, status, text)
            assert "root:" not in text and "SQLite format" not in text
    assert outside(server) == before and kept(server) == set()
    assert sorted(os.listdir(server.state / "blobs")) in (["incoming"], [])
    assert list((server.state / "repos").glob("*") if (server.state / "repos").exists() else []) == []


@pytest.mark.parametrize("name", ["..", "../evil", "..%2fevil", "a%2fb", "a/b", ".hidden", "a..b", "x.lock", "%2e%2e%2fevil",
                                  "-rf", "a%00b", "x" * 101, "a b", "--upload-pack=touch evil"])
def test_repositories_have_plain_names(server, repository, name):
    repository.write("a", "b")
    repository.commit()
    address = server.url.replace("http://", f"http://carol:{server.admin_token}@")
    pushed = repository.git("push", f"{address}/git/{name}.git", "main", check=False)
    assert pushed.returncode != 0
    assert list(server.state.rglob("*.git")) == [], pushed.stderr


def test_listing_and_logging_paths_that_climb_are_refused(server):
    run = server.post("/api/2.0/mlflow/runs/create", {"experiment_id": "0"})["run"]["info"]["run_id"]
    for name in ("..", "../..", "/etc", "a/../..", "%2e%2e/x", "..%2f"):
        quoted = urllib.parse.quote(name, safe="")
        for path in (f"/api/2.0/mlflow/artifacts/list?run_id={run}&path={quoted}",
                     f"/api/2.0/mlflow-artifacts/artifacts?path={quoted}", f"/get-artifact?run_uuid={run}&path={quoted}"):
            status, text = send(server, "GET", path)
            assert 400 <= status < 500, (path, status, text)
        for key in ("metrics", "params", "tags"):
            entry = {"key": name, "value": 1 if key == "metrics" else "1", "timestamp": 1}
            status, text = answer(server, "POST", "/api/2.0/mlflow/runs/log-batch", {"run_id": run, key: [entry]})
            assert status == 400, (key, name, text)


def archive(members):
    """A tar with zstd, as artifacts are kept: of (name, what) with what bytes, or ("link" | "hard", target)."""
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w", format=tarfile.GNU_FORMAT) as file:
        for name, what in members:
            member = tarfile.TarInfo(name)
            if isinstance(what, bytes):
                member.size = len(what)
                file.addfile(member, io.BytesIO(what))
            else:
                member.type = {"link": tarfile.SYMTYPE, "hard": tarfile.LNKTYPE, "fifo": tarfile.FIFOTYPE}[what[0]]
                member.linkname = what[1]
                file.addfile(member)
    return subprocess.run(["bsdtar", "-cf-", "--zstd", "--format=gnutar", "@-"], input=tar.getvalue(), capture_output=True,
                          check=True).stdout if shutil.which("bsdtar") else compressed(tar.getvalue())


def compressed(data):
    import pyarrow  # comes with mlflow
    return pyarrow.compress(data, codec="zstd", asbytes=True)


TWO_JOBS = """
on: push
jobs:
  first:
    runs-on: ubuntu-latest
    steps: [{{run: "while [ ! -e {gate} ]; do sleep 0.05; done"}}]
  second:
    needs: first
    runs-on: ubuntu-latest
    steps:
      - uses: actions/download-artifact@v4
        with: {{name: bad, path: got/}}
"""


@pytest.mark.parametrize("name, members", [
    ("parent", lambda out: [("../evil", b"x")]),
    ("deep parent", lambda out: [("a/b/../../../evil", b"x")]),
    ("absolute", lambda out: [(f"{out}/evil", b"x")]),
    ("through a link", lambda out: [("link", ("link", str(out))), ("link/evil", b"x")]),
    ("through a link upwards", lambda out: [("link", ("link", "..")), ("link/evil", b"x")]),
    ("over a link", lambda out: [("evil", ("link", f"{out}/evil")), ("evil", b"x")]),
    ("hard link", lambda out: [("evil", ("hard", f"{out}/target"))]),
    ("hard link upwards", lambda out: [("evil", ("hard", "../../../../weir.db"))]),
    ("pipe", lambda out: [("evil", ("fifo", ""))]),
    ("last of many", lambda out: [(f"good{i}", b"x") for i in range(100)] + [("../evil", b"x")]),
])
def test_archives_that_climb_are_not_unpacked(server, repository, tmp_path, name, members):
    out = tmp_path / "out"
    out.mkdir()
    (out / "target").write_text("untouched")
    gate = tmp_path / "gate"
    repository.write(".github/workflows/a.yml", TWO_JOBS.format(gate=gate))
    repository.commit()
    repository.push()
    data = archive(members(out))
    assert answer(server, "PUT", f"/api/v1/blobs/{sha256(data)}", data)[0] == 201
    status, text = answer(server, "POST", "/api/v1/runs/1/artifacts", {"name": "bad", "sha256": sha256(data), "size_bytes": len(data)})
    assert status == 201, text
    gate.touch()
    run = server.finished(1)
    log = server.cli("logs", "1", "--job", "second").stdout
    assert run["conclusion"] == "failure", (name, log)
    assert sorted(os.listdir(out)) == ["target"] and (out / "target").read_text() == "untouched"
    folders = [path for path in (server.state / "jobs").rglob("*") if path.name.startswith(("evil", "good"))]
    assert folders == [], log  # not even what came before the bad one
    assert "the archive is refused" in log, log


def test_artifacts_and_their_files_have_names_that_stay_inside(server, repository):
    repository.write(".github/workflows/a.yml", "on: push\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: 'true'}]}}\n")
    repository.commit()
    repository.push()
    server.finished(1)
    assert answer(server, "PUT", f"/api/v1/blobs/{sha256(b'x')}", b"x")[0] == 201
    for name in ("../evil", "a/b", "a\\b", "", "a\nb", "x" * 256):
        body = {"name": name, "sha256": sha256(b"x")}
        assert answer(server, "POST", "/api/v1/runs/1/artifacts", body)[0] == 400, name
    for path in ("../evil", "/etc/evil", "a/../../evil", "", "a\0b"):
        body = {"name": "fine", "sha256": sha256(b"x"), "files": [{"path": path, "size_bytes": 1}]}
        assert answer(server, "POST", "/api/v1/runs/1/artifacts", body)[0] == 400, path
    for blob in ("../weir.db", "..", "", "0" * 64):
        status, text = answer(server, "POST", "/api/v1/runs/1/artifacts", {"name": "fine", "sha256": blob})
        assert 400 <= status < 500, (blob, text)
    assert server.get("/api/v1/runs/1/artifacts")["artifacts"] == []


STEPS = {
    "upload": "{uses: actions/upload-artifact@v4, with: {name: x, path: PATH, if-no-files-found: error}}",
    "download": "{uses: actions/download-artifact@v4, with: {path: PATH}}",
    "checkout": "{uses: actions/checkout@v4, with: {path: PATH}}",
    "artifact name": "{uses: actions/upload-artifact@v4, with: {name: PATH, path: notes.txt}}",
}


@pytest.mark.parametrize("step", STEPS)
def test_steps_keep_to_their_workspace(server, repository, tmp_path, step):
    out = tmp_path / "out"
    out.mkdir()
    (tmp_path / "evil").write_text("what an upload would take along")
    repository.write("notes.txt", "some notes")
    repository.write(".github/workflows/a.yml",
                     "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - "
                     + STEPS[step].replace("PATH", json.dumps(f"{'../' * 12}{tmp_path}/{'' if step == 'upload' else 'out/'}evil".replace("//", "/"))) + "\n")
    repository.commit()
    repository.push()
    assert server.finished(1)["conclusion"] == "failure"
    assert "##[error]" in server.cli("logs", "1").stdout
    assert os.listdir(out) == []
    assert server.get("/api/v1/runs/1/artifacts")["artifacts"] == []
