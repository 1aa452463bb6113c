import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "line")]
import pytest  # noqa: E402
from real_podman import make_image, prepare  # noqa: E402
from weir_server import Server, repository, server  # noqa: E402, F401

# Jobs give way to whatever else the machine does, and podman needs much of it.
Server.arguments = ("--job-nice", "0")


@pytest.fixture(scope="session")
def podman(tmp_path_factory):
    """A podman that runs containers here, with an image of this machine's own programs."""
    folder = tmp_path_factory.mktemp("podman")
    reason, run = prepare(folder)
    if reason:
        pytest.skip(reason)
    make_image(folder, run)
    yield run
    run("rm", "--all", "--force", "--time", "0")
    run("network", "prune", "--force")
