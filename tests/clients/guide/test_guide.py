"""Every page of docs/guide does what it says."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from guide_page import PAGES, ROOT, run_page  # noqa: E402

# Run where its tools are: tests/clients/containers.
ELSEWHERE = {"containers"}


@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", [page for page in PAGES if page.stem not in ELSEWHERE], ids=lambda page: page.stem)
def test_page_does_what_it_says(page, tmp_path):
    run_page(page, tmp_path)


def test_every_page_is_in_the_index():
    index = (ROOT / "README.md").read_text()
    for page in PAGES:
        assert f"docs/guide/{page.name}" in index
