"""The tests here need node and the packages of package.json, which `./dev setup` installs."""

import json
import shutil
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "line")]
from github_project import Project  # noqa: E402
from weir_server import repository, server  # noqa: E402, F401


@pytest.fixture(scope="session", autouse=True)
def packages():
    if shutil.which("node") is None:
        pytest.skip("needs node")
    for name, wanted in json.loads((HERE / "package.json").read_text())["dependencies"].items():
        found = HERE / "node_modules" / name / "package.json"
        assert found.exists(), f"{name} is not installed: run ./dev setup"
        version = wanted.rsplit("@", 1)[-1]
        assert json.loads(found.read_text())["version"] == version, f"{name} must be {wanted}: run ./dev setup"


@pytest.fixture
def project(server, repository, tmp_path):  # noqa: F811
    made = Project(server, repository, tmp_path)
    yield made
    made.end()
