"""git-lfs itself against weir's git server."""

import hashlib
import json
import os
import shutil
import socket
import subprocess

import pytest
from weir_server import WEIR, wait_until

LARGE = 5_000_000


def git(folder, *arguments, check=True, **env):
    """git as somebody who has git-lfs, but neither settings nor saved passwords."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "SSH_ASKPASS"))}
    clean |= {"HOME": str(folder), "GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_NOSYSTEM": "1", **env}
    lfs = [part for name, value in (("clean", "git-lfs clean -- %f"), ("smudge", "git-lfs smudge -- %f"),
                                    ("process", "git-lfs filter-process"), ("required", "true"))
           for part in ("-c", f"filter.lfs.{name}={value}")]
    return subprocess.run(["git", *lfs, "-C", str(folder), *arguments], check=check, capture_output=True, text=True,
                          timeout=60, env=clean)


def address(server, token=None, name="models"):
    return server.url.replace("http://", f"http://ann:{token or server.admin_token}@") + f"/git/{name}.git"


def content(size, seed):
    block = hashlib.sha256(seed.encode()).digest() * 1024
    return (block * (size // len(block) + 1))[:size]


@pytest.fixture
def work(server, tmp_path):  # noqa: F811
    """A work tree with files of 1 byte and 5 MB in LFS, not pushed as yet."""
    folder = tmp_path / "work"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    git(folder, "config", "user.name", "Ann")
    git(folder, "config", "user.email", "ann@example.com")
    git(folder, "lfs", "install", "--local")
    git(folder, "lfs", "track", "*.bin")
    (folder / "small.bin").write_bytes(b"x")
    (folder / "large.bin").write_bytes(content(LARGE, "large"))
    (folder / "train.py").write_text("print('hello')\n")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "Begin")
    git(folder, "remote", "add", "origin", address(server))
    return folder


def objects(server, name="models"):
    return {path.name for path in (server.state / "repos" / f"{name}.git/lfs/objects").glob("*/*/*")}


def drafts(server, name="models"):
    return list((server.state / "repos" / f"{name}.git/lfs/incomplete").glob("*"))


def test_what_is_pushed_is_cloned_and_sound(server, work, tmp_path):
    pushed = git(work, "push", "origin", "main")
    # It tells nobody to set anything, and does not ask for locks again.
    assert "lock" not in pushed.stderr.lower(), pushed.stderr
    assert "locksverify = false" in (work / ".git/config").read_text()
    bare = server.state / "repos/models.git"
    assert objects(server) == {hashlib.sha256(b"x").hexdigest(), hashlib.sha256(content(LARGE, "large")).hexdigest()}
    assert not drafts(server)

    copy = tmp_path / "copy"
    git(tmp_path, "clone", "-q", address(server), str(copy))
    assert (copy / "large.bin").read_bytes() == content(LARGE, "large")
    assert (copy / "small.bin").read_bytes() == b"x"
    assert git(copy, "status", "--porcelain").stdout == ""
    assert "fsck OK" in git(copy, "lfs", "fsck").stdout
    # The server's own folder is one that git-lfs understands.
    assert "fsck OK" in git(bare, "-c", "safe.directory=*", "lfs", "fsck", "main").stdout

    # A second version, and one object only travels.
    (work / "small.bin").write_bytes(b"y")
    git(work, "commit", "-qam", "Other")
    git(work, "push", "-q", "origin", "main")
    assert len(objects(server)) == 3
    git(copy, "pull", "-q")
    assert (copy / "small.bin").read_bytes() == b"y"


def test_tokens_reach_the_server_in_every_way_that_git_has(server, work, tmp_path):
    git(work, "push", "-q", "origin", "main")
    plain = f"{server.url}/weir/models"
    token = server.cli("token", "create", "vic", "--role", "viewer", token=server.admin_token).stdout.strip()
    # A header from the environment, as steps of a job have it.
    header = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": f"http.{server.url}/.extraheader",
              "GIT_CONFIG_VALUE_0": f"Authorization: Bearer {token}"}
    git(tmp_path, "clone", "-q", plain, "by-header", **header)
    # A helper that is asked.
    helper = f"!f() {{ echo username=vic; echo password={token}; }}; f"
    git(tmp_path, "-c", f"credential.helper={helper}", "clone", "-q", plain, "by-helper")
    for name in ("by-header", "by-helper"):
        assert (tmp_path / name / "large.bin").stat().st_size == LARGE

    # Who may read may propose, files and all, but not push.
    (work / "small.bin").write_bytes(b"zz")
    git(work, "commit", "-qam", "Better")
    refused = git(work, "push", address(server, token), "main", check=False)
    assert refused.returncode != 0 and "may not" in refused.stderr, refused.stderr
    proposed = git(work, "push", address(server, token), "main:refs/for/main", check=False)
    assert proposed.returncode == 0, proposed.stderr
    assert hashlib.sha256(b"zz").hexdigest() in objects(server)

    (work / "small.bin").write_bytes(b"zzz")
    git(work, "commit", "-qam", "Not allowed")
    for refused in (address(server, "weir_wrong"), plain):
        failed = git(work, "lfs", "push", refused, "main", check=False)
        assert failed.returncode != 0, failed.stderr + failed.stdout
    assert git(tmp_path, "clone", address(server, "weir_wrong"), "wrong", check=False).returncode != 0
    assert hashlib.sha256(b"zzz").hexdigest() not in objects(server)


def test_a_missing_object_is_named(server, work, tmp_path):
    git(work, "push", "-q", "origin", "main")
    gone = hashlib.sha256(b"x").hexdigest()
    for path in (server.state / "repos/models.git/lfs/objects").glob(f"*/*/{gone}"):
        path.unlink()
    failed = git(tmp_path, "clone", address(server), "copy", check=False)
    assert failed.returncode != 0
    assert "small.bin" in failed.stderr and "404" in failed.stderr, failed.stderr
    # Whoever has it heals it.
    git(work, "lfs", "push", "--all", "origin")
    git(tmp_path, "clone", "-q", address(server), "again")


class Slowly:
    """Sends part of an object and then waits."""

    def __init__(self, server, data, sent):
        oid = hashlib.sha256(data).hexdigest()
        host = server.url.removeprefix("http://")
        self.socket = socket.create_connection(host.split(":"))
        head = (f"PUT /git/models.git/info/lfs/objects/{oid}/{len(data)} HTTP/1.1\r\nHost: {host}\r\n"
                f"Authorization: Bearer {server.admin_token}\r\nContent-Length: {len(data)}\r\n\r\n")
        self.socket.sendall(head.encode() + data[:sent])


def test_an_upload_that_is_cut_off_leaves_nothing(server, work):
    git(work, "push", "-q", "origin", "main")
    before = objects(server)
    data = content(LARGE, "other")
    client = Slowly(server, data, LARGE // 2)
    wait_until(lambda: drafts(server), what="the upload's beginning")
    client.socket.close()
    wait_until(lambda: not drafts(server), what="its removal")

    client = Slowly(server, data, LARGE // 2)
    wait_until(lambda: drafts(server), what="the upload's beginning")
    server.kill()
    assert drafts(server)
    server.start()
    assert not drafts(server)
    assert objects(server) == before
    # And it can be sent again.
    git(work, "remote", "set-url", "origin", address(server))
    (work / "other.bin").write_bytes(data)
    git(work, "add", "-A")
    git(work, "commit", "-qm", "More")
    git(work, "push", "-q", "origin", "main")
    assert hashlib.sha256(data).hexdigest() in objects(server)


WORKFLOW = """
name: Check
on: push
permissions:
  contents: {rights}
jobs:
  check:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
        with: {{lfs: {lfs}}}
      - run: |
{script}
"""


def run_of(server, work, script, lfs="true", rights="read"):
    """What the last lines of a job say that checks this work tree out."""
    workflow = work / ".github/workflows/check.yml"
    workflow.parent.mkdir(parents=True, exist_ok=True)
    lines = "\n".join("          " + line for line in script.splitlines())
    workflow.write_text(WORKFLOW.format(lfs=lfs, script=lines, rights=rights))
    git(work, "add", "-A")
    git(work, "commit", "-qm", "Run")
    git(work, "push", "-q", "origin", "main")
    newest = wait_until(lambda: [run for run in server.get("/api/v1/runs?limit=5")["runs"]
                                 if run["commit"] == git(work, "rev-parse", "HEAD").stdout.strip()], what="the run")
    server.finished(newest[0]["id"])
    return newest[0]["id"]


def log_of(server, run):
    return server.cli("logs", str(run), token=server.admin_token, check=False).stdout


def conclusion_of(server, run):
    return server.get(f"/api/v1/runs/{run}")["conclusion"]


def test_a_job_has_the_files_and_sends_others(server, work, tmp_path):
    # A step has git-lfs where the machine has it: its filters, its hook before a push, and the job's token.
    script = """set -e
test "$(wc -c < large.bin)" = 5000000
test -z "$(git status --porcelain)"
echo made > new.bin
git add -A
git -c user.name=j -c user.email=j@example.com commit -qm Made
git lfs ls-files -n | tr '\\n' ' '
git push -q origin HEAD:refs/heads/made
git checkout -q main~1 -- small.bin"""
    run = run_of(server, work, script, rights="write")
    assert conclusion_of(server, run) == "success", log_of(server, run)
    assert hashlib.sha256(b"made\n").hexdigest() in objects(server)
    git(work, "fetch", "-q", "origin", "made")
    assert "oid sha256:" in git(work, "show", "FETCH_HEAD:new.bin").stdout

    # A token that may only read sends nothing.
    run = run_of(server, work, """echo secret > new.bin
git add -A
git -c user.name=j -c user.email=j@example.com commit -qm Made
! git lfs push origin HEAD""")
    assert conclusion_of(server, run) == "success", log_of(server, run)
    assert hashlib.sha256(b"secret\n").hexdigest() not in objects(server)


def test_a_job_has_pointers_unless_it_asks(server, work):
    run = run_of(server, work, 'set -e\nhead -n 1 small.bin | grep -q "^version"\ntest -z "$(git status --porcelain)"',
                 lfs="false")
    assert conclusion_of(server, run) == "success", log_of(server, run)


def test_a_job_that_asks_for_what_is_missing_says_what(server, work):
    git(work, "push", "-q", "origin", "main")
    for path in (server.state / "repos/models.git/lfs/objects").glob(f"*/*/{hashlib.sha256(b'x').hexdigest()}"):
        path.unlink()
    run = run_of(server, work, "true")
    assert conclusion_of(server, run) == "failure"
    assert "Error downloading object: small.bin" in log_of(server, run)


def test_files_of_another_repository_and_of_submodules(server, work, tmp_path):
    git(work, "push", "-q", "origin", "main")
    outer = tmp_path / "outer"
    outer.mkdir()
    git(outer, "init", "-q", "-b", "main")
    git(outer, "config", "user.name", "Ann")
    git(outer, "config", "user.email", "ann@example.com")
    git(outer, "remote", "add", "origin", address(server, name="outer"))
    head = git(work, "rev-parse", "HEAD").stdout.strip()
    (outer / ".gitmodules").write_text('[submodule "models"]\n\tpath = models\n\turl = ../models.git\n')
    git(outer, "update-index", "--add", "--cacheinfo", f"160000,{head},models")
    (outer / "models").mkdir()
    workflow = outer / ".github/workflows/check.yml"
    workflow.parent.mkdir(parents=True)
    workflow.write_text("""
name: Check
on: push
jobs:
  check:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
        with: {lfs: true, submodules: true}
      - uses: actions/checkout@v4
        with: {lfs: true, repository: weir/models, path: other}
      - run: test "$(wc -c < models/large.bin)" = 5000000 && test "$(wc -c < other/large.bin)" = 5000000
""")
    git(outer, "add", ".gitmodules", ".github")
    git(outer, "commit", "-qm", "Begin")
    git(outer, "push", "-q", "origin", "main")
    run = wait_until(lambda: server.get("/api/v1/runs?limit=5")["runs"], what="the run")[0]["id"]
    server.finished(run)
    assert conclusion_of(server, run) == "success", log_of(server, run)


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="there is no bubblewrap")
def test_a_strangers_job_has_its_files_and_nothing_of_its_steps_runs_outside(server, work, tmp_path):
    git(work, "push", "-q", "origin", "main")
    vera = server.cli("token", "create", "vera", "--role", "viewer", token=server.admin_token).stdout.strip()
    planted = tmp_path / "planted"
    workflow = work / ".github/workflows/check.yml"
    workflow.parent.mkdir(parents=True)
    workflow.write_text(f"""
name: Check
on: pull_request
jobs:
  check:
    runs-on: ubuntu-latest
    steps:
      - run: |
          mkdir evil
          printf '#!/bin/sh\\ntouch {planted}\\n' > evil/git
          chmod +x evil/git
          cp evil/git evil/git-lfs
          echo "$PWD/evil" >> "$GITHUB_PATH"
      - uses: actions/checkout@v4
        with: {{lfs: true, path: deep}}
      - run: |
          cd deep
          cat mine.bin && test "$(wc -c < large.bin)" = 5000000 && test -z "$(/usr/bin/git status --porcelain)"
""")
    (work / "mine.bin").write_bytes(b"of vera\n")
    git(work, "add", "-A")
    git(work, "commit", "-qm", "A gift")
    git(work, "push", "-q", address(server, vera), "HEAD:refs/for/main")
    run = wait_until(lambda: server.get("/api/v1/runs?limit=5")["runs"], what="the run")[0]["id"]
    log = (server.finished(run), log_of(server, run))[1]
    if "which this machine does not have" in log:
        pytest.skip(log)  # refused, as it has to be
    assert conclusion_of(server, run) == "success", log
    assert "of vera" in log and not planted.exists()


def fsck(server, *more):
    done = subprocess.run([WEIR, "fsck", "--json", "--state", server.state, *more], capture_output=True, text=True)
    report = json.loads(done.stdout)
    assert done.returncode == (1 if report["problems"] else 0), done
    assert bool(report["problems"]) == bool(report["advice"])
    return report


def test_fsck_names_objects_that_are_damaged_or_missing_and_whose_they_are(server, work):
    git(work, "push", "-q", "origin", "main")
    git(work, "checkout", "-qb", "better")
    (work / "odd name.bin").write_bytes(b"another")
    git(work, "add", "-A")
    git(work, "commit", "-qm", "Another")
    git(work, "push", "-q", "origin", "better")
    report = fsck(server)
    assert (report["lfs_objects"], report["lfs_objects_read"], report["problems"]) == (3, 3, [])
    folder = server.state / "repos/models.git/lfs/objects"

    def path(data):
        name = hashlib.sha256(data).hexdigest()
        return folder / name[:2] / name[2:4] / name

    large, small, other = path(content(LARGE, "large")), path(b"x"), path(b"another")
    for file in (large, small):
        file.chmod(0o644)
    with open(large, "r+b") as file:
        file.seek(1000)
        file.write(b"!")
    small.write_bytes(b"xy")
    other.unlink()
    stray = folder / "ab" / "cd" / ("abcd" + "0" * 60)
    stray.parent.mkdir(parents=True)
    stray.write_bytes(b"stray")
    problems = "\n".join(fsck(server)["problems"])
    assert f"object {large.name} (large.bin on " in problems and "has other bytes" in problems
    assert f"object {small.name} (small.bin on " in problems and "has 2 bytes, 1 are right" in problems
    assert f"object {other.name} (odd name.bin on better): it is not there" in problems
    assert f"object {stray.name} (no branch names it)" in problems and len(fsck(server)["problems"]) == 4
    words = subprocess.run([WEIR, "fsck", "--state", server.state], capture_output=True, text=True)
    assert words.returncode == 1 and "git lfs push --all" in words.stdout and "3 objects of Git LFS (2 read)" in words.stdout
    stray.unlink()
    for file in (large, small):
        file.unlink()
    git(work, "lfs", "push", "--all", "origin")
    assert fsck(server)["problems"] == []
