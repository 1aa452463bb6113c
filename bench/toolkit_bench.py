"""Artifacts and caches against a copy of the same bytes: `cp` with a sync, and for caches `cp -al`, in the same run.

Built-in actions and GitHub's own npm clients, which need `./dev setup` (tests/clients/toolkit). They and `cp` take turns, and
every figure is a median: all share the disk with whatever else the machine does. Beside each row of the npm client stands
what it takes with a server that keeps nothing: its own share.

    python bench/toolkit_bench.py [--mib 1024] [--files 64] [--rounds 3] [--only upload,cache]
"""

import argparse
import datetime
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
CLIENTS = ROOT / "tests/clients/toolkit"
sys.path[:0] = [str(CLIENTS), str(ROOT / "tests/clients/line")]
from discarding_server import Discarding  # noqa: E402
from measure import in_turns, load, on_ready_memory, seconds, show  # noqa: E402
from running_job import Job  # noqa: E402
from weir_server import Repository, Server, wait_until  # noqa: E402


def make_data(folder: Path, mib: int, files: int) -> None:
    """Half of it noise, as models and compressed tables are, half a table of numbers."""
    folder.mkdir()
    row = b"".join(b"%d,%d,%.4f\n" % (i, i * 7919 % 1000, i * 0.37 % 1) for i in range(60_000))
    each = mib * (1 << 20) // files
    for number in range(files):
        text = os.urandom(each) if number % 2 == 0 else (row * (each // len(row) + 1))[:each]
        (folder / f"part-{number:03}.bin").write_bytes(text)


def copies(data: Path, folder: Path) -> tuple:
    """Seconds of a copy that is on disk when it ends, of one that is not, and of one that only links."""
    times = []
    for script in ('cp -r "$0" "$1" && find "$1" -type f -exec sync {} +', 'cp -r "$0" "$1"', 'cp -al "$0" "$1"'):
        times.append(seconds(["sh", "-c", script, data, folder / "copied"]))
        shutil.rmtree(folder / "copied")
    return tuple(times)


WORKFLOW = """
name: Bench
on: push
jobs:
  one:
    runs-on: ubuntu-latest
    steps:
{first}
  two:
    needs: one
    runs-on: ubuntu-latest
    steps:
{second}
  three:
    needs: two
    runs-on: ubuntu-latest
    steps:
{third}
"""


def step_seconds(server, run) -> list:
    """Of each job: how long each step took."""
    def moment(text):
        return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))

    done = server.finished(run, 600)
    assert done["conclusion"] == "success", json.dumps(done["jobs"], indent=1)
    return [{step["name"]: (moment(step["completed_at"]) - moment(step["started_at"])).total_seconds()
             for step in job["steps"]} for job in done["jobs"]]


def run_workflow(server, repository, first, second, third) -> list:
    repository.write(".github/workflows/bench.yml", WORKFLOW.format(first=first, second=second, third=third))
    repository.git("add", "-A")
    repository.git("commit", "-q", "--allow-empty", "-m", "Measure")
    before = server.get("/api/v1/runs?limit=1")["runs"]
    repository.push()
    run = wait_until(lambda: next((run["id"] for run in server.get("/api/v1/runs?limit=1")["runs"]
                                   if not before or run["id"] != before[0]["id"]), None), what="the run")
    return step_seconds(server, run)


def built_in_artifacts(server, repository, data: Path, level: int) -> tuple:
    up = f"""
      - run: cp -r {data} data && find data -type f -exec sync {{}} +
      - {{name: upload, uses: actions/upload-artifact@v4, with: {{name: data, path: data, compression-level: {level}}}}}"""
    down = """
      - {name: download, uses: actions/download-artifact@v4, with: {name: data, path: data}}"""
    jobs = run_workflow(server, repository, up, down, down)
    return jobs[0]["upload"], min(jobs[1]["download"], jobs[2]["download"])


def built_in_cache(server, repository, data: Path, round_: int) -> tuple:
    save = f"""
      - run: cp -r {data} data && find data -type f -exec sync {{}} +
      - {{name: save, uses: actions/cache/save@v4, with: {{path: data, key: bench-{round_}}}}}"""
    restore = f"""
      - {{name: restore, uses: actions/cache/restore@v4, with: {{path: data, key: bench-{round_}, fail-on-cache-miss: true}}}}
      - run: test $(ls data | wc -l) -gt 0"""
    jobs = run_workflow(server, repository, save, restore, restore)
    return jobs[0]["save"], jobs[1]["restore"], jobs[2]["restore"]


def client_artifacts(job, data: Path, folder: Path, level: int, name: str, env=None) -> tuple:
    files = sorted(str(path) for path in data.iterdir())
    begin = time.perf_counter()
    made = job.call("upload", env, name=name, files=files, root=str(data), options={"compressionLevel": level})
    assert "error" not in made, made
    up = time.perf_counter() - begin
    begin = time.perf_counter()
    got = job.call("download", env, id=made["id"], path=str(folder / "got"))
    assert "error" not in got, got
    down = time.perf_counter() - begin
    shutil.rmtree(folder / "got")
    return up, down


def client_cache(job, data: Path, key: str) -> tuple:
    work = job.folder / "workspace"
    shutil.copytree(data, work / "data")
    begin = time.perf_counter()
    assert job.call("save", paths=["data"], key=key) > 0
    save = time.perf_counter() - begin
    shutil.rmtree(work / "data")
    begin = time.perf_counter()
    assert job.call("restore", paths=["data"], key=key) == key
    restore = time.perf_counter() - begin
    shutil.rmtree(work / "data")
    return save, restore


def unpacking(archive: Path, folder: Path) -> float:
    """What the client does with a cache once it has it."""
    folder.mkdir()
    took = seconds(["tar", "--use-compress-program", "unzstd", "-xf", archive, "-C", folder])
    shutil.rmtree(folder)
    return took


def make_zip(data: Path, target: Path, level: int) -> Path:
    """What the client would upload."""
    method = zipfile.ZIP_DEFLATED if level else zipfile.ZIP_STORED
    with zipfile.ZipFile(target, "w", method, compresslevel=level or None) as file:
        for path in sorted(data.iterdir()):
            file.write(path, path.name)
    return target


def alone(job, data: Path, folder: Path, level: int) -> tuple:
    """The client's own share."""
    with Discarding(folder / f"level-{level}.zip") as server:
        return client_artifacts(job, data, folder, level, "data", job.environment(ACTIONS_RESULTS_URL=server.url + "/"))


def measures_of(server, job, repositories, data: Path, folder: Path, only: str) -> dict:
    """By name, what gives the seconds of one round, each called in turn."""
    rounds = itertools.count()
    measures = {"copies": lambda: copies(data, folder)}
    if "built-in" in only:
        for level in (0, 6):
            measures[f"artifact action, level {level}"] = \
                lambda level=level: built_in_artifacts(server, repositories[0], data, level)
        measures["cache action"] = lambda: built_in_cache(server, repositories[0], data, next(rounds))
    if "client" in only:
        measures["node"] = lambda: seconds(["node", CLIENTS / "client.mjs", "list"], env=job.environment())
        for level in (0, 6):
            make_zip(data, folder / f"level-{level}.zip", level)
            measures[f"npm alone, level {level}"] = lambda level=level: alone(job, data, folder, level)
            measures[f"npm artifact, level {level}"] = \
                lambda level=level: client_artifacts(job, data, folder, level, f"data-{next(rounds)}")
        archive = folder / "data.tzst"
        subprocess.run(["tar", "--use-compress-program", "zstdmt", "-cf", archive, "-C", folder, data.name], check=True)
        measures["unpacking"] = lambda: unpacking(archive, folder / "unpacked")
        measures["npm cache"] = lambda: client_cache(job, data, f"k{next(rounds)}")
    return measures


def report(taken: dict) -> None:
    synced, copied, linked = taken["copies"]
    print(f"  cp and sync {synced:.3f} s, cp {copied:.3f} s, cp -al {linked:.3f} s")

    def line(what, time_, peer, name, target=""):
        show(what, f"{time_:.3f} s", target, f"{time_ / peer:.2f} times {name}")

    for level in (0, 6):
        if times := taken.get(f"artifact action, level {level}"):
            line(f"upload-artifact, level {level}", times[0], synced, "cp and sync", "1 copy" if level == 0 else "")
            line(f"download-artifact, level {level}", times[1], copied, "cp", "1 copy" if level == 0 else "")
    if times := taken.get("cache action"):
        line("cache, saved", times[0], synced, "cp and sync")
        line("cache, restored", times[1], linked, "cp -al", "hard links")
        line("cache, restored by the next job", times[2], linked, "cp -al", "hard links")
    node = taken.get("node", 0)
    for level in (0, 6):
        if times := taken.get(f"npm artifact, level {level}"):
            own = taken[f"npm alone, level {level}"]
            line(f"npm upload, level {level}", times[0] - node, synced, f"cp and sync; the client alone {own[0] - node:.3f} s",
                 "1 copy" if level == 0 else "")
            line(f"npm download, level {level}", times[1] - node, copied, f"cp; the client alone {own[1] - node:.3f} s",
                 "1 copy" if level == 0 else "")
    if times := taken.get("npm cache"):
        line("npm cache, saved (with tar and zstd)", times[0] - node, synced, "cp and sync")
        line("npm cache, restored", times[1] - node, copied, f"cp; tar and unzstd alone {taken['unpacking']:.3f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--files", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="built-in,client")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=os.environ.get("WEIR_BENCH_DIR")) as temporary:
        folder = Path(temporary)
        data = folder / "data"
        make_data(data, args.mib, args.files)
        print(f"artifacts and caches: {args.mib} MiB in {args.files} files, medians of {args.rounds} taken in turns; {load()}")
        (folder / "state").mkdir()
        server = Server(folder / "state")
        try:
            repositories = [Repository(folder / "repository", server), Repository(folder / "waiting", server, "waiting")]
            job = Job(server, repositories[1], folder / "job")
            measures = measures_of(server, job, repositories, data, folder, args.only)
            taken = in_turns(args.rounds, {name: on_ready_memory(folder, args.mib * 3, measure)
                                           for name, measure in measures.items()})
            job.end()
        finally:
            server.stop()
        report(taken)
        print(f"  the start of node and of the client's library was left out of the rows of npm; {load()}")


if __name__ == "__main__":
    main()
