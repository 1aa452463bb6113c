"""The guide's page on containers does what it says."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "guide"))
from guide_page import ROOT, run_page  # noqa: E402


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("podman")
def test_page_does_what_it_says(tmp_path):
    run_page(ROOT / "docs/guide/containers.md", tmp_path)
