"""Whether the server answers while jobs use every processor: latencies of its API and of a prediction through its gateway, idle
and beside jobs with two busy processes for each processor, which give way to it (the default) or do not (--job-nice 0).

    python bench/responsive_bench.py [--requests 1000] [--rounds 3]
"""

import argparse
import csv
import http.client
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parent.parent / "tests/clients/line"))
from gateway_bench import make_model, start_weir  # noqa: E402
from measure import load, median  # noqa: E402
from weir_server import Repository, Server, wait_until  # noqa: E402

PAUSE_S = 0.004
WORKFLOW = """
name: Busy
on: push
jobs:
  busy:
    runs-on: ubuntu-latest
    strategy: {{matrix: {{n: {numbers}}}}}
    steps:
      - run: |
          busy() {{ while [ ! -e {gate} ]; do :; done; }}
          busy & busy & touch {folder}/began-${{{{ matrix.n }}}}; wait
"""


class Asker:
    """One client that stays connected and asks one thing after the other, with pauses."""

    def __init__(self, url: str, method: str, path: str, body: bytes | None = None):
        self.asked = (method, path, body, {"Content-Type": "application/json"})
        self.connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)

    def once(self) -> float:
        begin = time.perf_counter()
        self.connection.request(*self.asked)
        answer = self.connection.getresponse()
        answer.read()
        assert answer.status == 200, answer.status
        return (time.perf_counter() - begin) * 1e3

    def latencies(self, requests: int) -> tuple:
        """Milliseconds: the median, and what one of a hundred takes longer than."""
        times = []
        for _ in range(requests):
            times.append(self.once())
            time.sleep(PAUSE_S)
        return (*middle_and_tail(times), 0)


def middle_and_tail(times: list) -> tuple:
    times = sorted(times)
    return times[len(times) // 2], times[int(len(times) * 0.99)]


class Crowd:
    """Sixteen clients that ask as quickly as they are answered (`hey`): the server could use every processor itself."""

    def __init__(self, url: str, path: str):
        self.command = ["hey", "-c", "16", "-o", "csv", url + path]

    def latencies(self, requests: int) -> tuple:
        """The same, and answers a second."""
        begin = time.perf_counter()
        done = subprocess.run([*self.command[:-1], "-n", str(requests * 16), self.command[-1]], check=True,
                              capture_output=True, text=True)
        rows = list(csv.DictReader(io.StringIO(done.stdout)))
        assert all(row["status-code"] == "200" for row in rows)
        rate = len(rows) / (time.perf_counter() - begin)
        return (*middle_and_tail([1e3 * float(row["response-time"]) for row in rows]), rate)


class Busy:
    """While the `with` lasts, every slot of the server has a job that keeps two processes busy."""

    def __init__(self, server, repository, folder: Path):
        self.server, self.repository, self.folder = server, repository, folder
        folder.mkdir(parents=True)

    def __enter__(self):
        numbers = list(range(os.cpu_count()))
        self.repository.write(".github/workflows/busy.yml", WORKFLOW.format(numbers=numbers, gate=self.folder / "gate",
                                                                            folder=self.folder))
        self.repository.commit(f"Be busy in {self.folder.name}")
        self.repository.push()
        wait_until(lambda: all((self.folder / f"began-{n}").exists() for n in numbers), 60, "the busy jobs")
        return self

    def __exit__(self, *_):
        (self.folder / "gate").touch()
        wait_until(lambda: all(run["state"] == "completed" for run in self.server.get("/api/v1/runs?limit=5")["runs"]), 60,
                   "the end of the busy jobs")


def measure(folder: Path, nice: str, askers_of, requests: int) -> dict:
    """Of one server: latencies idle and busy, by what was asked."""
    (folder / "state").mkdir(parents=True)
    server = Server(folder / "state", env={"WEIR_JOB_NICE": nice})
    try:
        repository = Repository(folder / "repository", server)
        askers = askers_of(server)
        for asker in askers.values():
            asker.latencies(50)
        taken = {(what, "idle"): asker.latencies(requests) for what, asker in askers.items()}
        with Busy(server, repository, folder / "busy"):
            for what, asker in askers.items():
                taken[what, "busy"] = asker.latencies(requests)
        return taken
    finally:
        server.stop()


def per_second(taken: tuple) -> str:
    return f"{taken[2]:6.0f}/s   " if taken[2] else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    print(f"latency beside busy jobs: medians of {args.rounds} taken in turns, {args.requests} requests each; {load()}")
    with tempfile.TemporaryDirectory() as temporary, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        root = Path(temporary)
        body = json.dumps(make_model(str(root / "model"), 0)).encode()
        gateway, address = start_weir([str(root / "model"), str(root / "model")])
        try:
            def askers_of(server):
                askers = {"GET /api/v1/runs": Asker(server.url, "GET", "/api/v1/runs?limit=20"),
                          "a prediction": Asker(address, "POST", "/model/invocations", body)}
                if shutil.which("hey"):
                    askers["16 clients at once"] = Crowd(server.url, "/api/v1/runs?limit=20")
                return askers

            taken: dict = {}
            for number in range(args.rounds):
                for nice in ("0", "10"):
                    for key, times in measure(root / f"{number}-{nice}", nice, askers_of, args.requests).items():
                        taken.setdefault((nice, *key), []).append(times)
        finally:
            gateway.stdin.close()
            gateway.wait(30)
    middle = {key: median(times) for key, times in taken.items()}
    for what in dict.fromkeys(key[1] for key in middle):
        idle = median(taken["0", what, "idle"] + taken["10", what, "idle"])
        print(f"  {what:18} {'idle':28} p50 {idle[0]:7.2f} ms   p99 {idle[1]:7.2f} ms   " + per_second(idle))
        for nice, how in (("10", "beside jobs that give way"), ("0", "beside jobs that do not")):
            busy = middle[nice, what, "busy"]
            print(f"  {'':18} {how:28} p50 {busy[0]:7.2f} ms   p99 {busy[1]:7.2f} ms   {per_second(busy)}"
                  f"{busy[0] / idle[0]:.1f} and {busy[1] / idle[1]:.1f} times idle")
    print(f"  {load()}")


if __name__ == "__main__":
    main()
