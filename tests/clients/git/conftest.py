"""The tests here need git-lfs, which `./dev setup` installs."""

import shutil
import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parents[1] / "line")]
from weir_server import repository, server  # noqa: E402, F401


@pytest.fixture(scope="session", autouse=True)
def git_lfs():
    assert shutil.which("git-lfs"), "git-lfs is not installed: run ./dev setup"
