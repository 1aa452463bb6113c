"""Repositories in which the documents' workflow files run word for word: each holds the scripts that its file calls,
small and real."""

import json
import os
import shutil
import subprocess
import textwrap
from pathlib import Path

HERE = Path(__file__).parent
BUILD = Path(os.environ.get("WEIR_BUILD", HERE.parents[2] / "build"))


class Repository:
    """A git repository in a folder of its own, run by `weir run`."""

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir(parents=True)
        self.git("init", "-q", "-b", "main")
        self.git("config", "user.name", "Dana")
        self.git("config", "user.email", "dana@example.com")

    def git(self, *arguments: str) -> str:
        return subprocess.run(["git", "-C", str(self.folder), *arguments], check=True, capture_output=True, text=True).stdout

    def write(self, path: str, text: str) -> None:
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(textwrap.dedent(text).lstrip("\n"))

    def workflow(self, name: str) -> None:
        target = self.folder / ".github/workflows" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(HERE / "workflows" / name, target)

    def commit(self, message: str = "Start") -> None:
        self.git("add", "-A")
        self.git("commit", "-qm", message)

    def run(self, *arguments: str, env: dict | None = None, timeout: float = 280) -> tuple[int, dict, str]:
        """Exit code, the run as JSON, and the log as text."""
        done = subprocess.run([BUILD / "bin/weir", "run", "--json", *arguments], cwd=self.folder, capture_output=True,
                              text=True, timeout=timeout, env={**os.environ, **(env or {})})
        lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        log = "\n".join(line["text"] for line in lines if "text" in line)
        runs = [line for line in lines if "jobs" in line]
        assert runs, f"no run: {done.stdout}\n{done.stderr}"
        return done.returncode, runs[-1], log + done.stderr


def conclusions(run: dict) -> dict:
    return {job["key"]: job["conclusion"] for job in run["jobs"]}
