"""Overhead of `weir run` and of `act` in host mode over the bare cost of the same shells: a job of 100 steps, a matrix of 50
jobs, a chain of 20. All in one run, on the same machine; prints a ratio for each.

    python bench/workflow_bench.py --weir build/bin/weir [--act PATH] [--rounds 5]
"""

import argparse
import concurrent.futures
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path


def steps(count: int) -> str:
    return "".join("      - run: 'true'\n" for _ in range(count))


SLOW_FILE_US = 60


WORKFLOWS = {
    "100 steps": ("  one:\n    runs-on: ubuntu-latest\n    steps:\n" + steps(100), 100, 1),
    "matrix of 50": ("  many:\n    runs-on: ubuntu-latest\n    strategy:\n      matrix:\n        n: ["
                     + ", ".join(map(str, range(50))) + "]\n    steps:\n" + steps(1), 50, os.cpu_count()),
    "chain of 20": ("".join(f"  job{i}:\n    runs-on: ubuntu-latest\n" + (f"    needs: job{i - 1}\n" if i else "")
                            + "    steps:\n" + steps(1) for i in range(20)), 20, 1),
}


def repository(folder: Path, jobs: str) -> None:
    (folder / ".github/workflows").mkdir(parents=True)
    (folder / ".github/workflows/bench.yml").write_text("name: bench\non: push\njobs:\n" + jobs)
    for command in (["init", "-q", "-b", "main"], ["add", "-A"],
                    ["-c", "user.name=b", "-c", "user.email=b@example.com", "commit", "-qm", "bench"],
                    ["remote", "add", "origin", "https://example.com/bench/bench.git"]):
        subprocess.run(["git", "-C", folder, *command], check=True)


def shells(folder: Path, count: int, parallel: int) -> float:
    script = folder / "step.sh"
    script.write_text("true\n")
    begin = time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(parallel) as pool:
        list(pool.map(lambda _: subprocess.run(["bash", "-e", script], check=True), range(count)))
    return time.perf_counter() - begin


def timed(command: list, folder: Path) -> float:
    begin = time.perf_counter()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    seconds = time.perf_counter() - begin
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return seconds


def quiet_disk(folder: Path) -> float:
    """Waits until making an empty file is as quick as it should be; gives the microseconds it takes. For minutes after many
    files were deleted, ext4 looks at each of their inodes before it takes a free one."""
    folder.mkdir()
    give_up = time.monotonic() + 420
    while True:
        tries = folder / str(time.monotonic_ns())
        tries.mkdir()
        begin = time.perf_counter()
        for number in range(100):
            (tries / str(number)).touch()
        cost = (time.perf_counter() - begin) / 100 * 1e6
        if cost < SLOW_FILE_US or time.monotonic() > give_up:
            return cost
        time.sleep(10)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weir", default="build/bin/weir", type=Path)
    parser.add_argument("--act", default=shutil.which("act") or str(Path.home() / "go/bin/act"))
    parser.add_argument("--rounds", default=5, type=int)
    args = parser.parse_args()
    weir = args.weir.resolve()
    peer = Path(args.act).exists()
    if not peer:
        print("act is not here (go install github.com/nektos/act@latest): no ratio")
    print(f"{'':14} {'shells':>9} {'weir':>9} {'act':>9}   overhead: {'weir':>8} {'act':>8}   act / weir")
    # One tool's rounds after the other's, each on a disk that is quiet, and nothing is removed before the end.
    with tempfile.TemporaryDirectory() as temporary:
        measured, cost = {}, {}
        for name, (jobs, count, parallel) in WORKFLOWS.items():
            folder = Path(temporary) / name.replace(" ", "-")
            folder.mkdir()
            repository(folder, jobs)
            cost[name] = [quiet_disk(Path(temporary) / f"files-{name}")]
            measured[name] = ([shells(Path(temporary), count, parallel) for _ in range(args.rounds)],
                              [timed([weir, "run", "push"], folder) for _ in range(args.rounds)])
        for name, (_, count, _) in WORKFLOWS.items():
            folder = Path(temporary) / name.replace(" ", "-")
            bare, ours = measured[name]
            cost[name].append(quiet_disk(Path(temporary) / f"more-files-{name}"))
            theirs = [timed([args.act, "push", "-P", "ubuntu-latest=-self-hosted", "--quiet"], folder)
                      for _ in range(args.rounds if peer else 0)]
            shell, weir_time = statistics.median(bare), statistics.median(ours)
            line = f"{name:14} {shell * 1e3:7.0f}ms {weir_time * 1e3:7.0f}ms "
            weir_over = max(weir_time - shell, 1e-4)
            if peer:
                act_time = statistics.median(theirs)
                act_over = act_time - shell
                line += (f"{act_time * 1e3:7.0f}ms             {weir_over / count * 1e3:6.2f}ms {act_over / count * 1e3:6.2f}ms"
                         f"   {act_over / weir_over:6.1f}")
            else:
                line += f"{'':9}             {weir_over / count * 1e3:6.2f}ms"
            print(line, flush=True)
        print("making an empty file took (us):",
              "; ".join(f"{name} {before:.0f} before weir, {after:.0f} before act" for name, (before, after) in cost.items()))
        if max(map(max, cost.values())) > SLOW_FILE_US:
            print("that is slow still: other programs deleted many files on this disk")


if __name__ == "__main__":
    main()
