"""A server that an ordinary user runs: everything works as for root, and the sandbox where control groups are handed over."""

import os
import shutil
import stat
import tempfile
from pathlib import Path

import pytest
import weir_server
from weir_server import Repository, Server, wait_until

USER = 65534

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or shutil.which("setpriv") is None,
                                reason="only root can start a server as somebody else")

START = """\
#!/bin/sh
for group in $GROUPS_FOR_TEST; do echo $$ > "$group/cgroup.procs" || exit 1; done
exec setpriv --reuid {user} --regid {user} --clear-groups env -u GROUPS_FOR_TEST HOME={folder} {folder}/weir "$@"
"""

WORK = """\
name: Work
on: push
jobs:
  work:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: echo "user $(id -u)"; echo made > made.txt
      - uses: actions/upload-artifact@v4
        with: {name: made, path: made.txt}
      - uses: actions/cache@v4
        with: {path: made.txt, key: made}
  slow:
    runs-on: ubuntu-latest
    steps:
      - run: touch started; until [ -e %s/go ]; do sleep 0.05; done; echo "went on"
"""

FOREIGN = """\
name: Foreign
on: pull_request
jobs:
  look:
    runs-on: ubuntu-latest
    steps:
      - run: cat %s/keys/admin.token && echo GOT token; echo "looked"
        shell: bash {0}
      - run: (exec 3<> /dev/tcp/127.0.0.1/%s) && echo GOT server; echo "reached"
        shell: bash {0}
"""


@pytest.fixture
def folder():
    made = Path(tempfile.mkdtemp(prefix="weir-user-"))
    for name in ("weir", "weir-runner"):  # where they are built, others may not be able to look
        shutil.copy(weir_server.BUILD / "bin" / name, made / name)
    made.chmod(made.stat().st_mode | stat.S_IXGRP | stat.S_IXOTH)
    (made / "start").write_text(START.format(user=USER, folder=made))
    (made / "start").chmod(0o755)
    (made / "state").mkdir()
    for path in (made, made / "state"):
        os.chown(path, USER, USER)
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def groups():
    """Control groups that the user may divide, as an administrator or systemd hands them over."""
    def own(controller):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, names, path = line.split(":", 2)
            if controller in names.split(","):
                base = Path("/sys/fs/cgroup") / controller
                return Path(f"{base}{path}") if Path(f"{base}{path}").is_dir() else base
        return None

    version_2 = Path("/sys/fs/cgroup/cgroup.controllers")
    made = []
    try:
        if version_2.exists():
            if not {"memory", "pids"} <= set(Path("/sys/fs/cgroup/cgroup.subtree_control").read_text().split()):
                pytest.skip("control groups below the first cannot be limited here")
            parents = [Path("/sys/fs/cgroup")]
        else:
            parents = [own("memory"), own("pids")]
            if None in parents:
                pytest.skip("there are no control groups for memory and processes")
        for parent in parents:
            group = parent / f"weir-test-{os.getpid()}"
            group.mkdir()
            made.append(group)
            for name in ("", "cgroup.procs", "cgroup.subtree_control"):
                if (group / name).exists():
                    os.chown(group / name, USER, USER)
    except OSError as error:
        pytest.skip(f"no control groups can be made here: {error}")
    yield made
    for group in made:
        for below in sorted(group.glob("*/"), reverse=True):
            below.rmdir()
        group.rmdir()


def start(folder, monkeypatch, groups=()):
    monkeypatch.setattr(weir_server, "WEIR", folder / "start")
    return Server(folder / "state", env={"GROUPS_FOR_TEST": " ".join(map(str, groups))})


def log_of(server, job):
    return "\n".join(line["text"] for line in server.get(f"/api/v1/jobs/{job['id']}/log")["lines"])


def got(log):
    return [line for line in log.splitlines() if line.startswith("GOT")]


def foreign_log(server, repository):
    """What the job of somebody's pull request prints who may not push."""
    answer = server.cli("token", "create", "vera", "--role", "viewer").stdout
    vera = [word for word in answer.split() if word.startswith("weir_")][0]
    repository.git("checkout", "-qb", "theirs")
    repository.write(".github/workflows/foreign.yml", FOREIGN % (server.state, server.url.rsplit(":", 1)[1]))
    repository.commit("A gift")
    repository.push(token=vera, ref="HEAD:refs/for/main")
    runs = wait_until(lambda: [r for r in server.get("/api/v1/runs")["runs"] if r["workflow"] == "Foreign"], 30, "the run")
    run = server.finished(runs[0]["id"])
    return run["conclusion"], log_of(server, run["jobs"][0])


def test_jobs_results_and_a_restart(folder, monkeypatch, tmp_path):
    server = start(folder, monkeypatch)
    try:
        assert os.stat(f"/proc/{server.process.pid}").st_uid == USER
        repository = Repository(tmp_path / "repository", server)
        repository.write(".github/workflows/work.yml", WORK % folder)
        repository.commit()
        repository.push()
        wait_until((server.state / "jobs/2/workspace/started").exists, 30, "the slow job")
        wait_until(lambda: server.get("/api/v1/runs/1")["jobs"][0]["state"] == "completed", 30, "the first job")
        server.kill()
        server.start()
        (folder / "go").touch()
        run = server.finished(1)
        work, slow = run["jobs"]
        assert run["conclusion"] == "success", log_of(server, work) + log_of(server, slow)
        assert f"user {USER}" in log_of(server, work) and "Cache saved" in log_of(server, work)
        assert "went on" in log_of(server, slow)
        assert [a["name"] for a in server.get("/api/v1/runs/1/artifacts")["artifacts"]] == ["made"]

        conclusion, log = foreign_log(server, repository)
        assert got(log) == []
        if conclusion != "success":  # an ordinary user's own groups may do on one machine, and not on another
            assert conclusion == "failure" and "looked" not in log.splitlines()
            assert "bubblewrap" in log or "Landlock" in log or "Delegate=yes" in log, log
    finally:
        server.stop()


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="there is no bubblewrap")
def test_the_sandbox_in_groups_that_were_handed_over(folder, groups, monkeypatch, tmp_path):
    server = start(folder, monkeypatch, groups)
    try:
        repository = Repository(tmp_path / "repository", server)
        repository.write("file", "text\n")
        repository.commit()
        repository.push()
        conclusion, log = foreign_log(server, repository)
        if "Landlock" in log or "bubblewrap does not work here" in log:
            pytest.skip(log)
        assert got(log) == [] and {"looked", "reached"} <= set(log.splitlines()), log
        assert "kept by control group" in log, log
        assert conclusion == "success", log
    finally:
        server.stop()
