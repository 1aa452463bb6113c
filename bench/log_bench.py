"""The log of a job that writes gigabytes: how quickly it is taken in without losing a line, beside `cat` through a pipe into
a file of the same bytes, and how quickly any place of it is shown, beside `dd` of as many bytes at the same place.

    python bench/log_bench.py [--gib 1] [--rounds 3] [--places 60]        --gib 5 for the size that the target names
"""

import argparse
import datetime
import os
import random
import statistics
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests/clients/line"))
from measure import load, seconds, show  # noqa: E402
from weir_server import Repository, Server, wait_until  # noqa: E402

WORKFLOW = """
name: Log
on: push
jobs:
  talks:
    runs-on: ubuntu-latest
    steps:
      - {{name: talk, run: "cat {lines}"}}
"""


def make_lines(path: Path, gib: float) -> int:
    """Lines as a training prints them, each with its number; gives how many."""
    count = int(gib * (1 << 30)) // 100
    with open(path, "w") as file:
        for begin in range(0, count, 10_000):
            file.writelines(f"{number:012} epoch 17, step 4211, loss 0.{number * 7919 % 10**9:09}, accuracy 0.91, "
                            "learning rate 0.001, 412 images/s\n" for number in range(begin, min(begin + 10_000, count)))
    return count


def moment(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def talk(server, repository) -> tuple:
    """One run of the job: its id, and how long the step took."""
    before = {run["id"] for run in server.get("/api/v1/runs?limit=100")["runs"]}
    repository.git("commit", "-q", "--allow-empty", "-m", "Talk")
    repository.push()
    run = wait_until(lambda: next((run["id"] for run in server.get("/api/v1/runs?limit=100")["runs"]
                                   if run["id"] not in before), None), what="the run")
    done = server.finished(run, 900)
    assert done["conclusion"] == "success", done
    job = done["jobs"][0]
    step = next(step for step in job["steps"] if step["name"] == "talk")
    return job["id"], (moment(step["completed_at"]) - moment(step["started_at"])).total_seconds()


def check_complete(log: Path, count: int) -> None:
    """Every line of the step is there, once and in order."""
    expected = 0
    with open(log, "rb") as file:
        for line in file:
            at = line.find(b" epoch 17, step")
            if at < 0:
                continue
            assert int(line[at - 12:at]) == expected, f"line {expected} is missing: {line!r}"
            expected += 1
    assert expected == count, f"{expected} of {count} lines came"


def place_times(server, job: int, log: Path, places: int) -> dict:
    """Seconds for an answer from anywhere, and for dd of as many bytes at the same place, in turns."""
    size = log.stat().st_size
    times = {"shown": [], "dd": []}
    chance = random.Random(7)
    for _ in range(places):
        at = chance.randrange(size)
        begin = time.perf_counter()
        with urllib.request.urlopen(f"{server.url}/api/v1/jobs/{job}/log?near={at}&limit=131072", timeout=60) as answer:
            answer.read()
        times["shown"].append(time.perf_counter() - begin)
        times["dd"].append(seconds(["dd", f"if={log}", "of=/dev/null", "bs=131072", "count=1", "iflag=skip_bytes",
                                    f"skip={at}", "status=none"]))
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gib", type=float, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--places", type=int, default=60)
    args = parser.parse_args()
    print(f"logs: {args.gib:g} GiB, medians of {args.rounds}, taken in turns; {load()}")
    with tempfile.TemporaryDirectory(dir=os.environ.get("WEIR_BENCH_DIR")) as temporary:
        folder = Path(temporary)
        lines = folder / "lines"
        count = make_lines(lines, args.gib)
        size = lines.stat().st_size
        (folder / "state").mkdir()
        server = Server(folder / "state")
        try:
            repository = Repository(folder / "repository", server)
            repository.write(".github/workflows/log.yml", WORKFLOW.format(lines=lines))
            repository.git("add", "-A")
            ours, peers = [], []
            for number in range(args.rounds):
                if number > 0:
                    log.unlink()
                (folder / "copy").unlink(missing_ok=True)
                job, took = talk(server, repository)
                log = server.state / f"jobs/{job}/log.txt"
                ours.append(took)
                peers.append(seconds(["sh", "-c", 'cat "$0" | cat > "$1"', lines, folder / "copy"]))
            (folder / "copy").unlink()
            check_complete(log, count)
            weir, cat = size / statistics.median(ours) / 1e6, size / statistics.median(peers) / 1e6
            show("log lines taken in, none lost", f"{weir:.0f} MB/s", "200 MB/s",
                 f"`cat | cat > file` {cat:.0f} MB/s, {cat / weir:.1f} times quicker")
            times = place_times(server, job, log, args.places)
            shown, dd = (statistics.median(times[name]) * 1e3 for name in ("shown", "dd"))
            show(f"any place of a log of {log.stat().st_size / 1e9:.1f} GB", f"{shown:.1f} ms", "200 ms",
                 f"at most {max(times['shown']) * 1e3:.1f} ms in {args.places}; dd of the same {dd:.1f} ms, "
                 f"{shown / dd:.1f} times that")
            begin = time.perf_counter()
            answer = server.get(f"/api/v1/jobs/{job}/log?before={log.stat().st_size}&limit=131072")
            assert answer["lines"], "the end of the log is empty"
            show("its end", f"{(time.perf_counter() - begin) * 1e3:.1f} ms", "200 ms", load())
        finally:
            server.stop()


if __name__ == "__main__":
    main()
