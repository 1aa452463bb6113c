"""The tests here need node and the packages of package.json, which `./dev setup` installs."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
BUILD = Path(os.environ.get("WEIR_BUILD", HERE.parents[2] / "build"))
WEIR = BUILD / "bin/weir"


@pytest.fixture(scope="session", autouse=True)
def packages():
    if shutil.which("node") is None:
        pytest.skip("needs node")
    wanted = json.loads((HERE / "package.json").read_text())["dependencies"]
    for name, version in wanted.items():
        found = HERE / "node_modules" / name / "package.json"
        assert found.exists(), f"{name} is not installed: run ./dev setup"
        assert json.loads(found.read_text())["version"] == version, f"{name} must be {version}: run ./dev setup"


def git(folder, *arguments):
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
    return subprocess.run(["git", *identity, "-C", folder, *arguments], check=True, capture_output=True, text=True).stdout


class World:
    """A project whose workflow runs with `weir run`, and a folder of repositories that stands for the internet."""

    def __init__(self, folder: Path):
        self.mirror = folder / "mirror"
        self.project = folder / "project"
        self.project.mkdir(parents=True)
        git(self.project, "init", "-q", "-b", "main")

    def publish(self, name, files, tag="v1"):
        """Commits files to the repository `name` and tags them; its packages are those that the tests have."""
        folder = self.mirror / name
        if not folder.exists():
            folder.mkdir(parents=True)
            git(folder, "init", "-q", "-b", "main")
            (folder / "node_modules").symlink_to(HERE / "node_modules")
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        git(folder, "add", "-A", "-f")
        git(folder, "commit", "-qm", tag)
        git(folder, "tag", "-f", tag)

    def write(self, path, text):
        (self.project / path).parent.mkdir(parents=True, exist_ok=True)
        (self.project / path).write_text(text)

    def run(self, jobs, *arguments, env=None, actions_url=None, expect=0):
        self.write(".github/workflows/w.yml", "name: W\non: push\njobs:\n" + jobs)
        git(self.project, "add", "-A")
        git(self.project, "commit", "-qm", "x", "--allow-empty")
        url = actions_url or f"file://{self.mirror}"
        done = subprocess.run([WEIR, "run", *arguments], cwd=self.project, capture_output=True, text=True, timeout=280,
                              env={**os.environ, "WEIR_ACTIONS_URL": url, **(env or {})})
        assert done.returncode == expect, done.stdout[-6000:] + done.stderr[-3000:]
        return done.stdout


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)
