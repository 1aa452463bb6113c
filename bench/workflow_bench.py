"""What `weir run` costs beside the bare shells, GNU make and `act` in host mode, all in one run: a step over its shell, a job
over its steps, a matrix of 1,000 jobs, and how many jobs a second a matrix of 100, 1,000 and 10,000 gets through.

    python bench/workflow_bench.py --weir build/bin/weir [--act PATH] [--rounds 5] [--sizes 100,1000,10000]
"""

import argparse
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from measure import SLOW_FILE_US, in_turns, load, quiet_disk, seconds, show

STEPS, CHAIN = 100, 20


def steps(count: int) -> str:
    return "".join("      - run: 'true'\n" for _ in range(count))


def chain(length: int) -> str:
    return "".join(f"  job{i}:\n    runs-on: ubuntu-latest\n" + (f"    needs: job{i - 1}\n" if i else "")
                   + "    steps:\n" + steps(1) for i in range(length))


def matrix(jobs: int) -> str:
    side = min(jobs, 100)
    return ("  many:\n    runs-on: ubuntu-latest\n    strategy:\n      matrix:\n"
            f"        a: {list(range(side))}\n        b: {list(range(jobs // side))}\n    steps:\n" + steps(1))


def repository(folder: Path, jobs: str) -> Path:
    (folder / ".github/workflows").mkdir(parents=True)
    (folder / ".github/workflows/bench.yml").write_text("name: bench\non: push\njobs:\n" + jobs)
    for command in (["init", "-q", "-b", "main"], ["add", "-A"],
                    ["-c", "user.name=b", "-c", "user.email=b@example.com", "commit", "-qm", "bench"],
                    ["remote", "add", "origin", "https://example.com/bench/bench.git"]):
        subprocess.run(["git", "-C", folder, *command], check=True)
    return folder


class Tools:
    """Each gives the seconds of one run."""

    def __init__(self, folder: Path, weir: Path, act: str):
        self.folder, self.weir_path, self.act_path = folder, weir, act
        self.script = folder / "step.sh"
        self.script.write_text("true\n")

    def shells(self, count: int) -> float:
        """The least that so many steps can cost: a shell each, one after the other."""
        return seconds(["sh", "-c", f'i=0; while [ $i -lt {count} ]; do bash -e "$0"; i=$((i+1)); done', self.script])

    def make(self, count: int) -> float:
        """The same shells as targets of a makefile, two at a time."""
        makefile = self.folder / f"make-{count}"
        names = " ".join(f"t{i}" for i in range(count))
        makefile.write_text(f".PHONY: all {names}\nall: {names}\n{names}:\n\t@bash -e {self.script}\n")
        return seconds(["make", "-s", "-j2", "-f", makefile])

    def weir(self, repo: Path) -> float:
        return seconds([self.weir_path, "run", "push", "--slots", "2"], cwd=repo)

    def act(self, repo: Path) -> float:
        return seconds([self.act_path, "push", "-P", "ubuntu-latest=-self-hosted", "--quiet"], cwd=repo)


def overheads(tools: Tools, repos: dict, run, rounds: int) -> tuple:
    """Milliseconds of a step over its shell, and of a job over its steps: differences between long and short workflows, so
    that what a command costs at its start is not among them."""
    times = in_turns(rounds, {"shells": lambda: tools.shells(STEPS),
                              **{name: (lambda name=name: run(repos[name])) for name in ("steps", "one", "chain")}})
    shell = times["shells"] / STEPS
    step = (times["steps"] - times["one"]) / (STEPS - 1)
    job = (times["chain"] - times["one"]) / (CHAIN - 1)
    return (step - shell) * 1e3, (job - step) * 1e3, shell * 1e3


def overheads_in_memory(tools: Tools, rounds: int) -> tuple | None:
    """The same where no disk has a part in it: what weir itself costs."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        return None
    with tempfile.TemporaryDirectory(dir=memory) as temporary:
        return overheads(tools, long_and_short(Path(temporary)), tools.weir, rounds)


def long_and_short(root: Path) -> dict:
    return {name: repository(root / name, jobs)
            for name, jobs in {"steps": steps_job(STEPS), "one": steps_job(1), "chain": chain(CHAIN)}.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weir", default="build/bin/weir", type=Path)
    parser.add_argument("--act", default=shutil.which("act") or str(Path.home() / "go/bin/act"))
    parser.add_argument("--rounds", default=5, type=int)
    parser.add_argument("--sizes", default="100,1000,10000")
    args = parser.parse_args()
    peer = Path(args.act).exists()
    print(f"workflows: medians of {args.rounds}, taken in turns; {load()}")
    if not peer:
        print("act is not here (go install github.com/nektos/act@latest): no ratio to it")
    sizes = [int(size) for size in args.sizes.split(",")]
    # Nothing is removed before the end, and act comes last: what it deletes slows the making of files for minutes.
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        tools = Tools(root, args.weir.resolve(), args.act)
        repos = long_and_short(root)
        matrices = {size: repository(root / f"matrix-{size}", matrix(size)) for size in sizes}
        cost = [quiet_disk(root / "files-before")]
        ours = overheads(tools, repos, tools.weir, args.rounds)
        in_memory = overheads_in_memory(tools, args.rounds)
        rates = {size: in_turns(args.rounds if size <= 1000 else 1,
                                {"weir": lambda: tools.weir(matrices[size]), "make": lambda: tools.make(size)})
                 for size in sizes}
        cost.append(quiet_disk(root / "files-between"))
        theirs = overheads(tools, repos, tools.act, args.rounds) if peer else None
        act_rates = {size: tools.act(matrices[size]) for size in sizes if peer and size <= 1000}
        cost.append(quiet_disk(root / "files-after", 0))

        for index, (what, target) in enumerate((("a step over its shell", "1 ms"), ("a job over its steps", "5 ms"))):
            other = f"act {theirs[index]:.2f} ms" if peer else ""
            if peer and ours[index] >= 0.05:  # less, or less than nothing, is what other programs did meanwhile
                other += f", {theirs[index] / ours[index]:.1f} times"
            show(what, f"{ours[index]:.2f} ms", target, f"the bare shell {ours[2]:.2f} ms; {other}")
            if in_memory:
                print(f"  {'':42} {in_memory[index]:>9.2f} ms   on a file system in memory")
        for size, times in rates.items():
            peers = f"make -j2 {size / times['make']:.0f}/s, {times['weir'] / times['make']:.1f} times quicker"
            if size in act_rates:
                peers += f"; act {size / act_rates[size]:.0f}/s, {act_rates[size] / times['weir']:.1f} times slower"
            show(f"a matrix of {size} jobs `true`", f"{size / times['weir']:.0f} jobs/s", "100 jobs/s" if size == 1000 else "",
                 peers)
        print("  making an empty file took (us): {:.0f} before weir, {:.0f} before act, {:.0f} after; {}".format(*cost, load()))
        if max(cost[:2]) > SLOW_FILE_US:
            print("  that is slow still: other programs deleted many files on this disk")


def steps_job(count: int) -> str:
    return "  one:\n    runs-on: ubuntu-latest\n    steps:\n" + steps(count)


if __name__ == "__main__":
    main()
