"""The tests here need node and the packages of package.json, which `./dev setup` installs."""

import json
import shutil
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "line")]
from running_job import Job  # noqa: E402
from weir_server import repository, server  # noqa: E402, F401


@pytest.fixture(scope="session", autouse=True)
def packages():
    if shutil.which("node") is None:
        pytest.skip("needs node")
    wanted = json.loads((HERE / "package.json").read_text())["dependencies"]
    for name, version in wanted.items():
        found = HERE / "node_modules" / name / "package.json"
        assert found.exists(), f"{name} is not installed: run ./dev setup"
        # One under another name: "npm:NAME@VERSION".
        assert json.loads(found.read_text())["version"] == version.rsplit("@")[-1], f"{name} must be {version}: run ./dev setup"


@pytest.fixture
def job(server, repository, tmp_path):  # noqa: F811
    """A job that runs until the test's end."""
    job = Job(server, repository, tmp_path / "job")
    yield job
    job.end()
