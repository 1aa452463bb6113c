"""docs/COMPATIBILITY.md says what weir does today: its script lets weir try every row anew."""

import subprocess
import sys

from oracle import HERE

SCRIPT = HERE.parents[2] / "tools" / "compatibility" / "compatibility.py"


def test_the_page_is_current_and_nothing_on_it_fails():
    done = subprocess.run([sys.executable, SCRIPT, "--check"], capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stderr
    page = (HERE.parents[2] / "docs" / "COMPATIBILITY.md").read_text()
    assert "does not work" not in page
