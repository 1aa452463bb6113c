import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from local_run import Repository  # noqa: E402


@pytest.fixture
def repository(tmp_path):
    return Repository(tmp_path / "repository")
