"""The tests here need node and the packages of package.json, which `./dev setup` installs."""

import json
import shutil
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="session", autouse=True)
def packages():
    if shutil.which("node") is None:
        pytest.skip("needs node")
    wanted = json.loads((HERE / "package.json").read_text())["dependencies"]
    for name, version in wanted.items():
        found = HERE / "node_modules" / name / "package.json"
        assert found.exists(), f"{name} is not installed: run ./dev setup"
        assert json.loads(found.read_text())["version"] == version, f"{name} must be {version}: run ./dev setup"
