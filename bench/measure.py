"""What the benchmarks share: peers that take turns, medians, the machine's load, and lines of one form."""

import os
import statistics
import subprocess
import time
from pathlib import Path


def seconds(command: list, **options) -> float:
    begin = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    took = time.perf_counter() - begin
    assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}"
    return took


def in_turns(rounds: int, measures: dict) -> dict:
    """Medians of what each gives (a number, or several), called A B C A B C: what else the machine does hits all alike."""
    taken = {name: [] for name in measures}
    for _ in range(rounds):
        for name, measure in measures.items():
            taken[name].append(measure())
    return {name: median(values) for name, values in taken.items()}


def median(values: list):
    if isinstance(values[0], tuple):
        return tuple(statistics.median(column) for column in zip(*values))
    return statistics.median(values)


def load() -> str:
    """Processes that wanted a processor in the last minute, beside how many there are."""
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors"


def show(what: str, value: str, target: str, peers: str) -> None:
    print(f"  {what:42} {value:>12}   {'target ' + target if target else '':22} {peers}", flush=True)


SLOW_FILE_US = 60


def quiet_disk(folder: Path, limit_s: float = 420) -> float:
    """Waits until making an empty file is as quick as it should be; gives the microseconds it takes. For minutes after many
    files were deleted, ext4 looks at each of their inodes before it takes a free one. As it spreads folders over the disk,
    there are as many folders here as jobs make."""
    folder.mkdir()
    give_up = time.monotonic() + limit_s
    while True:
        tries = folder / str(time.monotonic_ns())
        begin = time.perf_counter()
        for job in range(20):
            for part in ("workspace/.git", "workspace/src", "temp", "runner"):
                (tries / str(job) / part).mkdir(parents=True)
                for number in range(5):
                    (tries / str(job) / part / str(number)).touch()
        cost = (time.perf_counter() - begin) / (20 * (6 + 4 * 5)) * 1e6
        if cost < SLOW_FILE_US or time.monotonic() > give_up:
            return cost
        time.sleep(10)


def on_ready_memory(folder: Path, mib: int, measure):
    """`measure`, right after so many MiB of the page cache were filled and given back. The first write to memory that a virtual
    machine has not used lately is dear, ten times a copy: without this whoever comes first would pay for the others."""
    def measured():
        with open(folder / "filled", "wb") as file:
            for _ in range(mib):
                file.write(bytes(1 << 20))
        (folder / "filled").unlink()
        return measure()

    return measured
