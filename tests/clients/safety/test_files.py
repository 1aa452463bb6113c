"""Files that are made to hurt whoever reads them: a clear word, soon, in little memory, and nothing runs."""

import json
import os
import subprocess
import time

import pytest

from weir_server import WEIR, wait_until

JOBS = "jobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: touch {trace}\n"


def laughs(key, names="abcdefghijklmnop"):
    lines = [f"{key}:", f"  {names[0]}: &{names[0]} [x, x, x, x, x, x, x, x, x]"]
    for before, name in zip(names, names[1:]):
        lines.append(f"  {name}: &{name} [{', '.join(['*' + before] * 9)}]")
    return "\n".join(lines) + "\n"


# Name: the file's bytes, words of the message.
BAD = {
    "ten megabytes": (b"on: push\nenv:\n" + b"".join(b"  KEY_%07d: some value\n" % i for i in range(450_000)), "at most"),
    "ten megabytes of comment": (b"on: push\n" + b"# x\n" * 2_500_000, "at most"),
    "billion laughs": (laughs("env").encode(), "aliases"),
    "an alias of itself": (b"on: push\nenv: &a {b: *a}\n", "alias"),
    "deep brackets": (b"on: " + b"[" * 100_000 + b"]" * 100_000 + b"\n", "nested deeper"),
    "open brackets": (b"on: " + b"[{a: [" * 50_000 + b"\n", "must be text"),
    "deep blocks": (b"".join(b" " * i + b"a:\n" for i in range(1_300)), "nested deeper"),
    "dashes": (b"on:\n" + b"- " * 100_000 + b"x\n", "nested deeper"),
    "not utf-8": (b"on: push\nname: \xff\xfe caf\xe9\n", "UTF-8"),
    "a nul byte": (b"on: push\nname: a\0b\n", "NUL"),
    "utf-16": ("on: push\n".encode("utf-16"), "NUL"),
    "a tab": (b"on: push\njobs:\n\ta: b\n", ""),
    "a second document": (b"on: push\n---\non: push\n", "second"),
    "a long line": (b"name: " + b"x" * 990_000 + b"\n", "on"),
    "many anchors": (b"env:\n" + b"".join(b"  k%d: &a%d v\n" % (i, i) for i in range(30_000)), "more than"),
    "a list of keys": (b"? [a, b]\n: c\n", "key"),
    "nothing": (b"", ""),
}


def lint(path):
    """Exit code, words, seconds and peak memory in MB of `weir lint`."""
    output = path.with_suffix(".out")
    with open(output, "wb") as file:
        start = time.monotonic()
        process = subprocess.Popen([WEIR, "lint", path], stdout=file, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, output.read_text(errors="replace"), time.monotonic() - start, usage.ru_maxrss / 1024


@pytest.mark.parametrize("file", ["workflow.yml", "weir.yaml"])
@pytest.mark.parametrize("name", BAD)
def test_lint_says_what_is_wrong_and_where(tmp_path, name, file):
    data, words = BAD[name]
    if file == "weir.yaml" and name in ("nothing", "a long line", "many anchors"):
        words = ""
    path = tmp_path / file
    path.write_bytes(data)
    code, text, seconds, megabytes = lint(path)
    assert code == (0 if (file, name) == ("weir.yaml", "nothing") else 1), text[:2000]
    assert words in text and (code == 0 or f"{file}:" in text), text[:2000]
    assert len(text) < 100_000  # no excerpt of a whole long line
    assert seconds < 10 and megabytes < 300, (seconds, megabytes)


def peak_megabytes(server):
    with open(f"/proc/{server.process.pid}/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM:"))


def test_pushed_files_fail_their_run_and_start_nothing(server, repository, tmp_path):
    trace = tmp_path / "trace"
    names = list(BAD)
    for i, name in enumerate(names):
        path = repository.folder / f".github/workflows/bad{i:02}.yml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(BAD[name][0] + JOBS.format(trace=trace).encode())
    repository.write(".github/workflows/zgood.yml", "on: push\n" + JOBS.format(trace=tmp_path / "good"))
    repository.commit()
    start = time.monotonic()
    repository.push()
    assert time.monotonic() - start < 30
    runs = [server.finished(number) for number in range(1, len(names) + 2)]
    for run in runs[:-1]:
        name = names[int(run["path"][-6:-4])]
        assert run["conclusion"] == "failure" and run["problem"], (name, run)
        assert len(json.dumps(run)) < 100_000
    assert runs[-1]["conclusion"] == "success"
    assert (tmp_path / "good").exists() and not trace.exists()
    assert peak_megabytes(server) < 400
    # Every answer is JSON that a reader takes, whatever the file held.
    assert len(server.get("/api/v1/runs?limit=100")["runs"]) == len(runs)
    assert server.cli("fsck").returncode == 0


@pytest.mark.parametrize("name", ["ten megabytes", "billion laughs", "deep brackets", "not utf-8", "a nul byte"])
def test_a_bad_weir_yaml_is_refused_and_the_one_before_stays(server, repository, name):
    repository.write("weir.yaml", "environments: {production: {reviewers: [alice]}}\n")
    repository.write(".github/workflows/a.yml", "on: push\n" + JOBS.format(trace="x").replace(
        "    steps", "    environment: production\n    steps"))
    repository.commit()
    (repository.folder / "weir.yaml").write_bytes(BAD[name][0])
    repository.commit()
    repository.push()
    refused = [event for event in server.get("/api/v1/events?limit=100")["events"] if event["type"] == "config.refused"]
    assert len(refused) == 1 and BAD[name][1] in refused[0]["data"]["problems"], refused
    repository.write("weir.yaml", "environments: {production: {reviewers: [alice]}}\n")
    repository.commit()
    repository.push()
    (repository.folder / "weir.yaml").write_bytes(BAD[name][0])
    repository.commit("Break it again")
    repository.push()
    wait_until(lambda: len(server.get("/api/v1/approvals?state=pending")["approvals"]) == 2, what="two approvals")
