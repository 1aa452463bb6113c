"""Artifacts by GitHub's own client, @actions/artifact, against a running server."""

import hashlib
import os
import shutil
import zipfile

import pytest
from running_job import Job
from weir_server import wait_until


def write_files(job):
    folder = job.folder / "workspace/out"
    (folder / "sub").mkdir(parents=True)
    (folder / "metrics.json").write_text('{"auc": 0.93}')
    (folder / "sub/notes.txt").write_text("line\n" * 10_000)
    (folder / "sub/model.bin").write_bytes(os.urandom(20 << 20))
    return folder, sorted(str(path) for path in folder.rglob("*") if path.is_file())


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_client_uploads_lists_downloads_and_deletes(job, server, tmp_path):
    folder, files = write_files(job)
    made = job.call("upload", name="trained model", files=files, root=str(folder))
    assert "error" not in made, made
    listed = job.call("list")["artifacts"]
    assert [(one["name"], one["id"], one["size"]) for one in listed] == [("trained model", made["id"], made["size"])]
    assert listed[0]["digest"] == f"sha256:{made['digest']}"
    assert job.call("get", name="trained model")["artifact"]["id"] == made["id"]
    got = job.call("download", id=made["id"], path=str(tmp_path / "got"),
                   options={"expectedHash": f"sha256:{made['digest']}"})
    assert got["digestMismatch"] is False, got
    assert contents(tmp_path / "got") == contents(folder)
    # People see it as every other artifact, and get a zip.
    shown = server.get(f"/api/v1/runs/{job.run}/artifacts")["artifacts"][0]
    assert shown["format"] == "zip" and shown["sha256"] == made["digest"]
    assert {file["path"] for file in shown["files"]} == {"metrics.json", "sub/notes.txt", "sub/model.bin"}
    status, data = job.send("GET", f"{server.url}/api/v1/runs/{job.run}/artifacts/trained%20model")
    assert status == 200 and hashlib.sha256(data).hexdigest() == made["digest"]
    (tmp_path / "people.zip").write_bytes(data)
    assert zipfile.ZipFile(tmp_path / "people.zip").testzip() is None
    assert job.call("remove", name="trained model")["id"] == made["id"]
    assert job.call("list")["artifacts"] == []
    assert "Artifact not found" in job.call("get", name="trained model")["error"]


def test_a_single_file_is_kept_as_it_is(job, tmp_path):
    file = job.folder / "workspace/report, März.txt"
    file.write_text("plain text")
    made = job.call("upload", name="ignored", files=[str(file)], root=str(file.parent), options={"skipArchive": True})
    assert "error" not in made, made
    assert [one["name"] for one in job.call("list")["artifacts"]] == [file.name]
    (tmp_path / "got").mkdir()
    got = job.call("download", id=made["id"], path=str(tmp_path / "got"))
    assert "error" not in got, got
    assert contents(tmp_path / "got") == {file.name: b"plain text"}


def test_a_name_can_be_used_once(job):
    folder, files = write_files(job)
    assert "error" not in job.call("upload", name="n", files=files[:1], root=str(folder))
    again = job.call("upload", name="n", files=files[:1], root=str(folder))
    assert "an artifact with this name already exists on the workflow run" in again["error"]
    for name in ("", "a/b", "a:b", "x" * 300, "a\nb"):
        assert job.post("CreateArtifact", {"name": name, "version": 7})[0] == 400, name


def test_another_attempt_uses_the_name_again(job, server, tmp_path):
    folder, files = write_files(job)
    file = folder / "metrics.json"
    first = job.call("upload", name="n", files=[str(file)], root=str(folder))
    job.end()
    job.gate.unlink()
    server.cli("rerun", str(job.run))
    job.id = wait_until(lambda: next((one["id"] for one in job.jobs() if one["state"] == "in_progress"), None),
                        what="the job of the second attempt")
    file.write_text('{"auc": 0.95}')
    second = job.call("upload", name="n", files=[str(file)], root=str(folder))
    assert "error" not in second and second["id"] > first["id"], second
    assert "already exists" in job.call("upload", name="n", files=[str(file)], root=str(folder))["error"]
    # Its listing has both, and its other calls take the newest.
    assert sorted(one["id"] for one in job.call("list")["artifacts"]) == [first["id"], second["id"]]
    assert [one["id"] for one in job.call("list", options={"latest": True})["artifacts"]] == [second["id"]]
    assert job.call("get", name="n")["artifact"]["id"] == second["id"]
    for made, auc in ((first, b"0.93"), (second, b"0.95")):
        target = tmp_path / str(made["id"])
        got = job.call("download", id=made["id"], path=str(target),
                       options={"expectedHash": f"sha256:{made['digest']}"})
        assert got["digestMismatch"] is False and auc in contents(target)["metrics.json"]
    assert job.call("remove", name="n")["id"] == second["id"]
    assert job.call("get", name="n")["artifact"]["id"] == first["id"]


def test_what_the_client_announces_must_be_what_came(job):
    status, made = job.post("CreateArtifact", {"name": "n", "version": 7, "mime_type": "application/zip"})
    assert status == 200 and made["ok"]
    address = made["signed_upload_url"]
    assert job.post("FinalizeArtifact", {"name": "n", "size": "4"})[0] == 412, "nothing has come yet"
    assert job.send("PUT", address + "&comp=block&blockid=QQ==", b"PK..")[0] == 201
    assert job.send("PUT", address + "&comp=block&blockid=", b"PK..")[0] == 400
    assert job.send("PUT", address + "&comp=blocklist", b"<BlockList><Latest>Qg==</Latest></BlockList>")[0] == 400
    assert job.send("PUT", address + "&comp=blocklist", b"no list")[0] == 400
    assert job.send("PUT", address + "&comp=blocklist", b"<BlockList><Latest>QQ==</Latest></BlockList>")[0] == 201
    assert job.send("PUT", address + "&comp=block&blockid=Qg==", b"late")[0] == 412 or True
    digest = hashlib.sha256(b"PK..").hexdigest()
    for wrong in ({"size": "5"}, {"size": "x"}, {"size": "4", "hash": "sha256:" + "0" * 64}, {"size": "4", "hash": "md5:1"}):
        status, answer = job.post("FinalizeArtifact", {"name": "n", **wrong})
        assert status == 400, (wrong, answer)
    status, answer = job.post("FinalizeArtifact", {"name": "n", "size": "4", "hash": f"sha256:{digest}"})
    assert status == 400 and "zip" in answer["msg"], "it is no zip"
    assert job.call("list")["artifacts"] == []


def test_blocks_in_another_order_and_sent_twice(job, server):
    _, made = job.post("CreateArtifact", {"name": "n", "version": 7, "mime_type": "text/plain"})
    address = made["signed_upload_url"]
    blocks = {name: os.urandom(300_000) for name in ("Mg==", "MA==", "MQ==")}
    for name, data in blocks.items():
        assert job.send("PUT", f"{address}&comp=block&blockid={name}", data)[0] == 201
    blocks["MA=="] = os.urandom(100_000)
    assert job.send("PUT", f"{address}&comp=block&blockid=MA%3D%3D", blocks["MA=="])[0] == 201
    whole = blocks["MA=="] + blocks["MQ=="] + blocks["Mg=="]
    server.stop()
    server.start()  # what came survives
    body = b"<?xml version='1.0'?><BlockList>" + b"".join(
        b"<Latest>%s</Latest>" % name for name in (b"MA==", b"MQ==", b"Mg==")) + b"</BlockList>"
    address = server.url + address[address.index("/", 8):]
    assert job.send("PUT", address + "&comp=blocklist", body)[0] == 201
    assert job.send("PUT", address + "&comp=blocklist", body)[0] == 201, "said twice"
    status, answer = job.post("FinalizeArtifact", {"name": "n", "size": str(len(whole)),
                                                   "hash": {"value": "sha256:" + hashlib.sha256(whole).hexdigest()}})
    assert status == 200, answer
    _, answer = job.post("GetSignedArtifactURL", {"name": "n"})
    assert job.send("GET", answer["signed_url"]) == (200, whole)
    assert job.send("GET", answer["signed_url"], headers={"Range": "bytes=5-9"}) == (206, whole[5:10])
    assert not list((server.state / "uploads").iterdir())


def test_addresses_are_good_for_one_thing_and_a_while(job):
    _, made = job.post("CreateArtifact", {"name": "n", "version": 7, "mime_type": "text/plain"})
    address = made["signed_upload_url"]
    assert job.send("PUT", address, b"text", {"x-ms-blob-type": "BlockBlob"})[0] == 201
    assert job.send("PUT", address, b"text", {"x-ms-blob-type": "PageBlob"})[0] == 501
    assert job.send("GET", address)[0] == 405
    digest = hashlib.sha256(b"text").hexdigest()
    assert job.post("FinalizeArtifact", {"name": "n", "size": "4", "hash": f"sha256:{digest}"})[0] == 200
    assert job.send("PUT", address, b"more")[0] == 404, "the upload has ended"
    _, answer = job.post("GetSignedArtifactURL", {"name": "n"})
    good = answer["signed_url"]
    assert job.send("GET", good) == (200, b"text")
    end = good.split("se=")[1].split("&")[0]
    for bad in (good.replace("sp=r", "sp=w"), good.replace("se=" + end, f"se={int(end) + 1}"),
                good[:-1] + ("0" if good[-1] != "0" else "1"), good.replace("/n?", "/m?"), good.split("&sig")[0],
                good.replace(f"/{job.run}/", f"/{job.run + 1}/")):
        assert job.send("GET", bad)[0] == 403, bad
    job.post("DeleteArtifact", {"name": "n"})
    assert job.send("GET", good)[0] == 404


def test_only_the_jobs_own_token_counts(job, server):
    create = {"name": "n", "version": 7}
    good = job.token()
    head, claims, signature = good.split(".")
    for what, token in {
        "none": "", "no token": "hello", "the server's own": server.admin_token,
        "changed claims": f"{head}.{claims[:-2]}AA.{signature}",
        "changed signature": f"{head}.{claims}.{'A' * len(signature)}",
        "without a signature": f"{head}.{claims}.",
        "expired": job.token(exp=1), "not yet good": job.token(nbf=2**40),
        "of another use": job.token(purpose=b"id-token"), "without a job": job.token(scp="Actions.Other:1:1"),
        "of a job that there never was": job.token(scp=f"Actions.Results:{job.run}:99999"),
        "of another run": job.token(scp=f"Actions.Results:{job.run + 7}:{job.id}"),
    }.items():
        status, answer = job.post("CreateArtifact", create, token=token)
        assert status in (401, 404), (what, status, answer)
        assert "signed_upload_url" not in answer
    status, answer = job.post("CreateArtifact", {**create, "workflow_run_backend_id": str(job.run + 1)})
    assert status == 403, answer
    assert job.post("CreateArtifact", create)[0] == 200


def test_a_job_that_has_ended_can_do_nothing_more(job, server):
    _, made = job.post("CreateArtifact", {"name": "n", "version": 7, "mime_type": "text/plain"})
    token = job.token()
    job.end()
    assert job.send("PUT", made["signed_upload_url"], b"late")[0] == 403
    assert job.post("FinalizeArtifact", {"name": "n", "size": "4"}, token=token)[0] == 401
    assert job.post("ListArtifacts", {}, token=token)[0] == 401


def test_the_client_finds_artifacts_of_another_run(job, server, repository, tmp_path):
    folder, files = write_files(job)
    made = job.call("upload", name="theirs", files=files, root=str(folder))
    job.end()
    other = Job(server, repository, tmp_path / "other")
    assert other.call("list")["artifacts"] == []
    find = {"token": server.admin_token, "workflowRunId": job.run, "repositoryOwner": "weir", "repositoryName": "project"}
    env = other.environment(GITHUB_API_URL=f"{server.url}/api/v3")
    options = {"findBy": find}
    assert [one["id"] for one in other.call("list", env=env, options=options)["artifacts"]] == [made["id"]]
    found = other.call("get", env=env, name="theirs", options=options)["artifact"]
    assert (found["id"], found["size"], found["digest"]) == (made["id"], made["size"], f"sha256:{made['digest']}")
    got = other.call("download", env=env, id=made["id"], path=str(tmp_path / "got"), options=options)
    assert "error" not in got, got
    assert contents(tmp_path / "got") == contents(folder)
    for wrong in ({"token": "weir_wrong"}, {"repositoryName": "elsewhere"}, {"workflowRunId": 4711}):
        assert "error" in other.call("list", env=env, options={"findBy": {**find, **wrong}}), wrong
    assert other.call("remove", env=env, name="theirs", options=options)["id"] == made["id"]
    assert other.call("list", env=env, options=options)["artifacts"] == []
    other.end()


@pytest.mark.skipif(shutil.which("unzip") is None, reason="@actions/tool-cache unpacks with unzip")
def test_the_tool_cache_takes_a_tool_from_an_artifact(job):
    """What weir packs, other programs unpack: here unzip, started by @actions/tool-cache."""
    folder, files = write_files(job)
    job.call("upload", name="tool", files=files, root=str(folder))
    _, answer = job.post("GetSignedArtifactURL", {"name": "tool"})
    got = job.call("tool", url=answer["signed_url"], folder=str(job.folder / "unpacked"), name="mytool", version="1.2.3")
    assert got == {"path": str(job.folder / "tools/mytool/1.2.3/x64"), "found": True,
                   "files": ["metrics.json", "sub"]}, got
