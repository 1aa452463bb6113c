import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "line")]
from weir_server import Repository, Server  # noqa: E402


@pytest.fixture
def server(tmp_path):
    (tmp_path / "state").mkdir()
    server = Server(tmp_path / "state")
    yield server
    server.stop()


@pytest.fixture
def repository(tmp_path, server):
    return Repository(tmp_path / "repository", server)
