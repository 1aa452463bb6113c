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


HOSTILE = "<img src=x onerror=document.title=2>"


def log_experiment(server):
    """A run with a metric and a hostile parameter, and a model version made from it."""
    def call(path, **body):
        return server.post(f"/api/2.0/mlflow/{path}", body)

    run = call("runs/create", experiment_id="0", run_name="tried", start_time=1)["run"]["info"]["run_id"]
    call("runs/log-parameter", run_id=run, key="note", value=HOSTILE)
    call("runs/log-metric", run_id=run, key="auc", value=0.9375, timestamp=1, step=0)
    call("registered-models/create", name="m")
    call("model-versions/create", name="m", source=f"runs:/{run}/model", run_id=run)
    return run


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
        experiment_run = log_experiment(server)
        pages = ["", "#/runs", "#/runs/1", "#/experiments", "#/experiments/0", f"#/experiments/0/runs/{experiment_run}", "#/models",
                 "#/models/m", "#/endpoints", "#/endpoints/flights", "#/alerts", "#/events"]
        folder = Path(os.environ.get("WEIR_SCREENSHOTS", tmp_path))
        done = subprocess.run(["node", HERE / "browse.mjs", server.url, folder, *pages], capture_output=True, text=True,
                              timeout=200)
        assert done.returncode == 0, done.stderr
        answer = json.loads(done.stdout.splitlines()[-1])
        assert answer["problems"] == []
        assert "Show me" in answer["texts"]["-runs-en-light"]
        assert "等待决定" in answer["texts"]["overview-zh-dark"]
        assert "0.9375" in answer["texts"]["-experiments-0-en-light"] and HOSTILE in answer["texts"]["-experiments-0-en-light"]
        assert "0.9375" in answer["texts"][f"-experiments-0-runs-{experiment_run}-zh-dark"]
        assert "0.9375" in answer["texts"]["-models-m-en-light"]
        assert "<script>" in answer["texts"]["-runs-1-en-light"] and "Numbers" in answer["texts"]["-runs-1-en-light"]
    finally:
        server.stop()
