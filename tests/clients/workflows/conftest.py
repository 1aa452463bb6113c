import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / "line")]
from weir_server import repository, server  # noqa: E402, F401
