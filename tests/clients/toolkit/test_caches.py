"""Caches by GitHub's own client, @actions/cache, against a running server."""

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
