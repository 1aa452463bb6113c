import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
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
