"""Runs GitHub's published packages and `weir` side by side over the same lines."""

import json
import os
import subprocess
import threading
from pathlib import Path

HERE = Path(__file__).parent
WEIR = Path(os.environ.get("WEIR_BUILD", HERE.parents[2] / "build")) / "bin" / "weir"
COUNTS = HERE / "counts.json"


def converse(command, lines, cwd=None):
    """What `command` answers to `lines`, line by line as JSON, read while the next ones are written.

    Objects come as {"members": [[name, value], …]}, so that their order can be compared.
    """
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=cwd)

    def write():
        with process.stdin as pipe:
            for line in lines:
                pipe.write(json.dumps(line, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for line in process.stdout:
            yield json.loads(line, object_pairs_hook=lambda pairs: {"members": [list(pair) for pair in pairs]})
    finally:
        writer.join()
        process.stdout.close()
        assert process.wait() == 0, command


def members(value):
    """The members of one object, as a dict; what they hold is left as it came."""
    return dict(value["members"])


def check_counts(part, counts):
    """Compares with the counts that docs/COMPATIBILITY.md shows; WEIR_UPDATE_COUNTS=1 takes them over."""
    recorded = json.loads(COUNTS.read_text()) if COUNTS.exists() else {}
    if os.environ.get("WEIR_UPDATE_COUNTS"):
        recorded[part] = counts
        COUNTS.write_text(json.dumps(recorded, indent=2, sort_keys=True) + "\n")
    assert recorded.get(part) == counts, f"counts changed: {counts}; WEIR_UPDATE_COUNTS=1 takes them over"
