import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "line")]
from weir_server import repository, server  # noqa: E402, F401
