"""Caches by GitHub's own client, @actions/cache, against a running server."""

import json
import os
import shutil

from running_job import Job


def write_files(job):
    folder = job.folder / "workspace/data"
    folder.mkdir()
    (folder / "table.csv").write_text("a,b\n" * 100_000)
    (folder / "model.bin").write_bytes(os.urandom(3 << 20))
    return folder


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_client_saves_and_restores(job):
    folder = write_files(job)
    before = contents(folder)
    assert job.call("restore", paths=["data"], key="data-v1") is None
    assert job.call("save", paths=["data"], key="data-v1") > 0
    shutil.rmtree(folder)
    assert job.call("restore", paths=["data"], key="data-v1") == "data-v1"
    assert contents(folder) == before
    shutil.rmtree(folder)
    assert job.call("restore", paths=["data"], key="data-v2", restoreKeys=["other-", "data-"]) == "data-v1"
    assert contents(folder) == before
    assert job.call("restore", paths=["data"], key="data-v1", options={"lookupOnly": True}) == "data-v1"
    assert job.call("restore", paths=["elsewhere"], key="data-v1") is None, "other paths are another cache"
    assert job.call("save", paths=["data"], key="data-v1") == -1, "caches do not change"


def test_a_branch_sees_its_own_caches_and_the_default_branchs(job, server, repository, tmp_path):
    write_files(job)
    assert job.call("save", paths=["data"], key="from-main") > 0
    repository.git("checkout", "-q", "-b", "feature")
    feature = Job(server, repository, tmp_path / "feature", ref="feature")
    assert feature.call("restore", paths=["data"], key="from-main") == "from-main"
    assert feature.call("save", paths=["data"], key="from-feature") > 0
    feature.end()
    assert job.call("restore", paths=["data"], key="from-feature") is None


def test_an_entry_must_be_whole_and_its_job_at_work(job):
    def post(method, body):
        return job.post(method, body, service="CacheService")

    wish = {"key": "k", "version": "v"}
    status, made = post("CreateCacheEntry", wish)
    assert status == 200 and made["ok"]
    assert job.send("PUT", made["signed_upload_url"], b"12345")[0] == 201
    assert post("FinalizeCacheEntryUpload", {**wish, "size_bytes": "6"})[0] == 400
    assert post("FinalizeCacheEntryUpload", {"key": "k", "version": "other", "size_bytes": "5"})[0] == 404
    status, entry = post("FinalizeCacheEntryUpload", {**wish, "size_bytes": "5"})
    assert status == 200 and entry["ok"] and int(entry["entry_id"]) > 0
    assert post("CreateCacheEntry", wish) [1]["ok"] is False
    status, found = post("GetCacheEntryDownloadURL", wish)
    assert found["matched_key"] == "k"
    assert job.send("GET", found["signed_download_url"]) == (200, b"12345")
    assert job.send("GET", found["signed_download_url"].replace("sig=", "sig=0"))[0] == 403
    for key in ("", "a,b", "x" * 513):
        assert post("CreateCacheEntry", {"key": key, "version": "v"})[0] == 400


def test_the_old_client_saves_in_chunks_what_both_restore(job):
    folder = write_files(job)
    before = contents(folder)
    assert job.call("oldRestore", paths=["data"], key="data-v1") is None
    # Three chunks, two at a time.
    chunks = {"uploadChunkSize": 1 << 20, "uploadConcurrency": 2}
    assert job.call("oldSave", paths=["data"], key="data-v1", options=chunks) > 0
    for call, key, prefixes in (("oldRestore", "data-v1", []), ("oldRestore", "data-v2", ["other-", "data-"]),
                                ("restore", "data-v1", [])):
        shutil.rmtree(folder)
        assert job.call(call, paths=["data"], key=key, restoreKeys=prefixes) == "data-v1"
        assert contents(folder) == before
    assert job.call("oldRestore", paths=["data"], key="data-v1", options={"lookupOnly": True}) == "data-v1"
    assert job.call("oldSave", paths=["data"], key="data-v1") == -1, "caches do not change"
    assert job.call("save", paths=["data"], key="from-new") > 0
    assert job.call("oldRestore", paths=["data"], key="from-new") == "from-new"


def test_the_old_service_takes_whole_caches_of_jobs_at_work(job):
    def ask(method, path, data=None, token=None, **headers):
        body = json.dumps(data).encode() if isinstance(data, dict) else data
        headers = {"Authorization": f"Bearer {token or job.token()}", **{k.replace("_", "-"): v for k, v in headers.items()}}
        status, answer = job.send(method, f"{job.server.url}/_apis/artifactcache/{path}", body, headers)
        return status, json.loads(answer) if answer else None

    wish = {"key": "k", "version": "v"}
    assert ask("GET", "cache?keys=k&version=v")[0] == 204
    status, made = ask("POST", "caches", wish)
    assert status == 201 and 0 < made["cacheId"] < 1 << 53
    place = f"caches/{made['cacheId']}"
    for wrong in ("", "bytes 5-2/*", "bytes x-1/*", "items 0-1/*"):
        assert ask("PATCH", place, b"12", Content_Range=wrong)[0] == 400, wrong
    assert ask("PATCH", place, b"123", Content_Range="bytes 0-1/*")[0] == 400, "more than was announced"
    assert ask("PATCH", "caches/7", b"12", Content_Range="bytes 0-1/*")[0] == 404
    assert ask("PATCH", place, b"45", Content_Range="bytes 3-4/*")[0] == 204
    assert ask("PATCH", place, b"12", Content_Range="bytes 0-1/*")[0] == 204
    status, problem = ask("POST", place, {"size": 4})
    assert status == 400 and "leave out or repeat bytes at 2" in problem["message"]
    assert ask("GET", "cache?keys=k&version=v")[0] == 204, "nothing half is seen"
    assert ask("PATCH", place, b"123", Content_Range="bytes 0-2/*")[0] == 204
    assert ask("POST", place, {"size": 6})[0] == 400
    assert ask("POST", place, {"size": 5}) == (204, None)
    status, found = ask("GET", "cache?keys=other,k&version=v")
    assert status == 200 and found["cacheKey"] == "k"
    assert job.send("GET", found["archiveLocation"]) == (200, b"12345")
    assert ask("POST", "caches", wish)[0] == 409
    for bad in ({"key": "", "version": "v"}, {"key": "a,b", "version": "v"}, {"key": "k"}):
        assert ask("POST", "caches", bad)[0] == 400
    assert ask("GET", "cache?version=v")[0] == 400
    assert ask("GET", "cache?keys=k&version=v", token=job.token(key=b"guess"))[0] == 401
    late = job.token()
    job.end()
    assert ask("GET", "cache?keys=k&version=v", token=late)[0] == 401
