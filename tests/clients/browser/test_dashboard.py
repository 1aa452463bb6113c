"""The dashboard in a real browser, with the data of a real run: both languages, both themes, no script error, nothing
loaded from elsewhere, WCAG AA."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "line"))
from weir_server import Repository, Server, wait_until  # noqa: E402

WORKFLOW = """
name: Browse
on: push
jobs:
  first:
    runs-on: ubuntu-latest
    steps:
      - run: |
          echo '<script>document.title = "taken over"</script>'
          echo '### Numbers <img src=x onerror="document.title = 1"> | **bold**' >> "$GITHUB_STEP_SUMMARY"
  second:
    needs: first
    runs-on: ubuntu-latest
    environment: production
    steps:
      - run: echo done
"""


@pytest.mark.skipif(shutil.which("node") is None or not Path("/usr/bin/chromium").exists(), reason="needs node and chromium")
def test_every_page_shows_its_data_without_an_error(tmp_path):
    (tmp_path / "state").mkdir()
    server = Server(tmp_path / "state")
    try:
        repository = Repository(tmp_path / "repository", server)
        repository.write(".github/workflows/browse.yml", WORKFLOW)
        repository.write("weir.yaml", "environments:\n  production: {reviewers: [alice]}\n"
                                      "endpoints:\n  flights: {environments: {production: {model: 'models:/m@champion'}}}\n")
        repository.commit("Show me")
        repository.push()
        wait_until(lambda: server.get("/api/v1/approvals?state=pending")["approvals"], what="an approval")
        pages = ["", "#/runs", "#/runs/1", "#/models", "#/endpoints", "#/alerts", "#/events"]
        folder = Path(os.environ.get("WEIR_SCREENSHOTS", tmp_path))
        done = subprocess.run(["node", HERE / "browse.mjs", server.url, folder, *pages], capture_output=True, text=True,
                              timeout=200)
        assert done.returncode == 0, done.stderr
        answer = json.loads(done.stdout.splitlines()[-1])
        assert answer["problems"] == []
        assert "Show me" in answer["texts"]["-runs-en-light"]
        assert "等待决定" in answer["texts"]["overview-zh-dark"]
        assert "<script>" in answer["texts"]["-runs-1-en-light"] and "Numbers" in answer["texts"]["-runs-1-en-light"]
    finally:
        server.stop()
