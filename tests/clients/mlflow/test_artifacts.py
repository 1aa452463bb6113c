import hashlib
import os
import urllib.parse

import mlflow
import pytest
from mlflow.exceptions import MlflowException


def files(client, run_id, path=None):
    return {file.path: (file.is_dir, file.file_size) for file in client.list_artifacts(run_id, path)}


def test_files_and_folders(client, run_id, tmp_path):
    (tmp_path / "in" / "sub" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "a.txt").write_text("a")
    (tmp_path / "in" / "sub" / "b.bin").write_bytes(bytes(range(256)))
    (tmp_path / "in" / "sub" / "deep" / "empty").write_bytes(b"")
    client.log_artifacts(run_id, str(tmp_path / "in"))
    client.log_artifact(run_id, str(tmp_path / "in" / "a.txt"), "copies/one")
    assert files(client, run_id) == {"a.txt": (False, 1), "sub": (True, None), "copies": (True, None)}
    assert files(client, run_id, "sub") == {"sub/b.bin": (False, 256), "sub/deep": (True, None)}
    assert files(client, run_id, "copies") == {"copies/one": (True, None)}
    assert files(client, run_id, "nothing") == {} and files(client, run_id, "a.txt") == {}
    out = client.download_artifacts(run_id, "sub", str(tmp_path))
    assert (tmp_path / "sub" / "b.bin").read_bytes() == bytes(range(256)) and os.path.exists(os.path.join(out, "deep", "empty"))
    assert mlflow.artifacts.load_text(f"runs:/{run_id}/a.txt") == "a"


def test_a_file_is_replaced(client, run_id):
    client.log_text(run_id, "first", "note.txt")
    client.log_text(run_id, "second one", "note.txt")
    assert files(client, run_id) == {"note.txt": (False, 10)}
    assert mlflow.artifacts.load_text(f"runs:/{run_id}/note.txt") == "second one"


def test_what_else_can_be_logged(client, run_id):
    import pandas as pd

    client.log_dict(run_id, {"a": [1, 2]}, "data.json")
    client.log_table(run_id, pd.DataFrame({"x": [1, 2]}), "table.json")
    client.log_text(run_id, "x", "Flüge 2013/航班 nrno.txt")
    assert mlflow.artifacts.load_dict(f"runs:/{run_id}/data.json") == {"a": [1, 2]}
    assert list(mlflow.load_table("table.json", run_ids=[run_id])["x"]) == [1, 2]
    assert "Flüge 2013/航班 nrno.txt" in files(client, run_id, "Flüge 2013")
    assert mlflow.artifacts.load_text(f"runs:/{run_id}/Flüge 2013/航班 nrno.txt") == "x"


def test_twenty_megabytes(client, run_id, tmp_path):
    content = os.urandom(20 << 20)
    (tmp_path / "big.bin").write_bytes(content)
    client.log_artifact(run_id, str(tmp_path / "big.bin"))
    assert files(client, run_id) == {"big.bin": (False, 20 << 20)}
    (tmp_path / "out").mkdir()
    downloaded = client.download_artifacts(run_id, "big.bin", str(tmp_path / "out"))
    assert hashlib.sha256(open(downloaded, "rb").read()).digest() == hashlib.sha256(content).digest()


@pytest.mark.parametrize("path", ["../x", "a/../../x", "..%2fx", "%2e%2e/x", "a/%2e%2e/%2e%2e/x", "%252e%252e/x", "/etc/passwd", "a\\b", "a%00b", "a%0ab", "..%5cx"])
def test_climbing_paths_are_refused(server, client, run_id, path):
    root = client.get_run(run_id).info.artifact_uri.removeprefix("mlflow-artifacts:/")
    for prefix in ["", root + "/"]:
        for method, body in [("PUT", b"x"), ("GET", None)]:
            status, _ = server.call(method, f"/api/2.0/mlflow-artifacts/artifacts/{prefix}{path}", body)
            assert status in (400, 404, 405) or (not server.is_weir and status in (200, 308, 500)), (method, prefix, path, status)


@pytest.mark.parametrize("path", ["..", "../..", "a/../..", "/etc", "%2e%2e"])
def test_climbing_lists_are_refused(server, run_id, path):
    status, answer = server.call("GET", f"/api/2.0/mlflow/artifacts/list?run_id={run_id}&path={urllib.parse.quote(path)}")
    assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    status, answer = server.call("GET", f"/api/2.0/mlflow-artifacts/artifacts?path={urllib.parse.quote(path)}")
    assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


def test_deletion(server, client, run_id):
    root = client.get_run(run_id).info.artifact_uri.removeprefix("mlflow-artifacts:/")
    client.log_text(run_id, "x", "keep/a.txt")
    client.log_text(run_id, "x", "drop/a.txt")
    client.log_text(run_id, "x", "drop/sub/b.txt")
    assert server.call("DELETE", f"/api/2.0/mlflow-artifacts/artifacts/{root}/drop")[0] == 200
    assert list(files(client, run_id)) == ["keep"]
    assert server.call("DELETE", f"/api/2.0/mlflow-artifacts/artifacts/{root}/keep/a.txt")[0] == 200
    assert files(client, run_id, "keep") == {}


def test_missing_files(server, client, run_id):
    root = client.get_run(run_id).info.artifact_uri.removeprefix("mlflow-artifacts:/")
    status, _ = server.call("GET", f"/api/2.0/mlflow-artifacts/artifacts/{root}/nothing.txt")
    assert status in (404, 500) and (status == 404 or not server.is_weir)
    with pytest.raises(MlflowException):
        client.download_artifacts(run_id, "nothing.txt")


def test_a_file_and_a_folder_cannot_share_a_name(weir):
    from mlflow import MlflowClient

    client = MlflowClient()
    run_id = client.create_run("0").info.run_id
    client.log_text(run_id, "x", "a/b.txt")
    for path in ["a", "a/b.txt/c"]:
        status, answer = weir.call("PUT", f"/api/2.0/mlflow-artifacts/artifacts/0/{run_id}/artifacts/{path}", b"x")
        assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE"), path
    assert list(files(client, run_id, "a")) == ["a/b.txt"]


def test_browsers_never_run_artifacts(weir):
    import urllib.request

    from mlflow import MlflowClient

    client = MlflowClient()
    run_id = client.create_run("0").info.run_id
    client.log_text(run_id, "<script>alert(1)</script>", "page.html")
    for path in [f"/api/2.0/mlflow-artifacts/artifacts/0/{run_id}/artifacts/page.html", f"/get-artifact?run_uuid={run_id}&path=page.html"]:
        with urllib.request.urlopen(weir.url + path) as response:
            assert response.read() == b"<script>alert(1)</script>"
            assert response.headers["Content-Disposition"].startswith("attachment")
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert "sandbox" in response.headers["Content-Security-Policy"]


def test_a_part_of_a_file(weir):
    from mlflow import MlflowClient

    client = MlflowClient()
    run_id = client.create_run("0").info.run_id
    client.log_text(run_id, "0123456789", "digits.txt")
    path = f"/api/2.0/mlflow-artifacts/artifacts/0/{run_id}/artifacts/digits.txt"
    status, content = weir.call("GET", path, headers={"Range": "bytes=2-4"})
    assert (status, content) == (206, 234)


def test_an_upload_that_breaks_off_leaves_nothing(weir):
    import socket

    from mlflow import MlflowClient

    client = MlflowClient()
    run_id = client.create_run("0").info.run_id
    host, port = weir.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(f"PUT /api/2.0/mlflow-artifacts/artifacts/0/{run_id}/artifacts/half.bin HTTP/1.1\r\nHost: {host}:{port}\r\n"
                           f"Authorization: Bearer {weir.token}\r\nContent-Length: 1000\r\n\r\n".encode() + b"x" * 500)
    client.log_text(run_id, "x", "whole.txt")
    assert list(files(client, run_id)) == ["whole.txt"]


def test_large_files_in_parts_fall_back(client, server, run_id, tmp_path, monkeypatch):
    if not server.is_weir:
        pytest.skip("asks how weir refuses")
    monkeypatch.setenv("MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD", "true")
    monkeypatch.setenv("MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD", "true")
    monkeypatch.setenv("MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE", "1000")
    (tmp_path / "part.bin").write_bytes(b"y" * 5000)
    client.log_artifact(run_id, str(tmp_path / "part.bin"))
    assert open(client.download_artifacts(run_id, "part.bin"), "rb").read() == b"y" * 5000
