"""The report of a pull request: metrics beside those of the branch it goes into, with plots, in one comment."""

import base64
import json
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from weir_server import WEIR, wait_until

sys.path.append(str(Path(__file__).parents[1]))
from described import Described  # noqa: E402

PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")

# Logs by the protocol of MLflow, without its package.
TRAIN = """
import base64, json, os, sys, time, urllib.request

def call(path, body):
    request = urllib.request.Request(os.environ["MLFLOW_TRACKING_URI"] + "/api/2.0/mlflow/" + path, json.dumps(body).encode(),
        {"Content-Type": "application/json", "Authorization": "Bearer " + os.environ["MLFLOW_TRACKING_TOKEN"]})
    return json.load(urllib.request.urlopen(request))

run = call("runs/create", {"experiment_id": "0", "start_time": int(time.time() * 1000)})["run"]["info"]["run_id"]
for key, value in METRICS.items():
    call("runs/log-metric", {"run_id": run, "key": key, "value": value, "timestamp": int(time.time() * 1000)})
call("runs/log-parameter", {"run_id": run, "key": "depth", "value": DEPTH})
os.makedirs("plots", exist_ok=True)
open("plots/roc_curve.png", "wb").write(base64.b64decode("PICTURE"))
"""

WORKFLOW = """
name: Report
on: [push, pull_request]
permissions: {PERMISSIONS}
jobs:
  report:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v5
      - run: python3 train.py
      - uses: weir/report@v1
        id: report
        with: {plots: plots/*.png, title: Curves}
      - run: |
          echo "comment is ${{ steps.report.outputs.comment-id }}"
          printf '# Notes\\n\\n![ROC](plots/roc_curve.png) `![no](none.png)`\\n' > notes.md
      - uses: weir/comment@v1
        with: {file: notes.md}
"""


def train(metrics, depth="3"):
    return (TRAIN.replace("METRICS", json.dumps(metrics)).replace("DEPTH", json.dumps(depth))
            .replace("PICTURE", base64.b64encode(PNG).decode()))


def push(project, branch, metrics, permissions="contents: read, pull-requests: write", depth="3"):
    """Pushes a training that gives these metrics, and waits for what it starts. The run of `branch`, or of its pull request."""
    repository = project.repository
    repository.git("checkout", "-q", branch)
    repository.write("train.py", train(metrics, depth))
    repository.write(".github/workflows/report.yml", WORKFLOW.replace("PERMISSIONS", permissions))
    repository.commit("Train")
    repository.push(ref=branch)
    head = repository.git("rev-parse", "HEAD").stdout.strip()
    event = "push" if branch == "main" else "pull_request"

    def started():
        runs = project.server.get("/api/v1/runs?limit=20")["runs"]
        return [run["id"] for run in runs if run["head_sha"] == head and run["event"] == event]
    [run] = wait_until(started, what="the run")
    return project.server.finished(run)


def shown(project):
    return project.server.get("/api/v1/repos/project/pulls/1")


def log_of(project, run):
    assert run["jobs"], run["problem"]
    job = run["jobs"][0]["id"]
    return "\n".join(line["text"] for line in project.server.get(f"/api/v1/jobs/{job}/log")["lines"])


@pytest.fixture
def reported(project):
    repository = project.repository
    # A change has to merge: the branch begins where main is.
    run = push(project, "main", {"auc": 0.70, "loss": 0.5})
    assert run["conclusion"] == "success", log_of(project, run)
    repository.git("checkout", "-q", "better")
    repository.git("reset", "-q", "--hard", "main")
    repository.write("note", "new")
    repository.commit("Note")
    url = project.server.url.replace("http://", f"http://carol:{project.server.admin_token}@")
    repository.git("push", "-qf", f"{url}/git/project.git", "better")
    wait_until(lambda: all(run["state"] == "completed" for run in project.server.get("/api/v1/runs?limit=20")["runs"]))
    return project


def test_a_pull_request_gets_its_report_and_a_second_push_changes_it(reported):
    project = reported
    before = len(shown(project)["comments"])
    run = push(project, "better", {"auc": 0.75, "loss": 0.6, "new": 1}, depth="4")
    assert run["conclusion"] == "success", log_of(project, run)
    report, notes = [comment["body"] for comment in shown(project)["comments"]][:2]
    assert before in (0, 2) and report.startswith("## Curves\n\n### Run "), report
    assert " against main, run " in report
    assert "| auc | 0.7500 | 0.7000 | +0.0500 | ✓ better |" in report
    assert "| loss | 0.6000 | 0.5000 | +0.1000 | ✗ worse |" in report and "| depth | 4 | 3 |" in report
    assert "![roc curve](/api/v1/repos/project/attachments/" in report
    assert report.endswith(f"\n\n[Report #{run['number']}](#/runs/{run['id']}) of {shown(project)['head']['sha'][:8]}\n\n"
                           "<!-- weir: report of the run -->"), report
    assert notes.startswith("# Notes\n\n![ROC](/api/v1/repos/project/attachments/") and "`![no](none.png)`" in notes
    picture = report.split("![roc curve](")[1].split(")")[0]
    with urllib.request.urlopen(project.server.url + picture, timeout=30) as answer:
        assert answer.read() == PNG and answer.headers["Content-Type"] == "image/png"
    log = log_of(project, run)
    assert "auc" in log and "comment is " in log
    assert "| auc | 0.7500" in run["jobs"][0]["summary"]

    run = push(project, "better", {"auc": 0.80, "loss": 0.4})
    assert run["conclusion"] == "success", log_of(project, run)
    comments = shown(project)["comments"]
    assert len(comments) == 2, "changed, not said again"
    assert "| auc | 0.8000 | 0.7000 | +0.1000 | ✓ better |" in comments[0]["body"]
    assert comments[0]["updated_at"] > comments[0]["created_at"]


def test_without_the_permission_the_job_goes_on_and_says_so(reported):
    comments = len(shown(reported)["comments"])
    run = push(reported, "better", {"auc": 0.75}, permissions="contents: read")
    assert run["conclusion"] == "success", log_of(reported, run)
    assert len(shown(reported)["comments"]) == comments
    assert "Nothing is shown in the pull request" in json.dumps(run["jobs"][0]["annotations"])
    assert "| auc | 0.7500" in run["jobs"][0]["summary"]


def test_people_ask_for_reports_and_comment_with_pictures(reported, tmp_path):
    server = reported.server
    run = push(reported, "better", {"auc": 0.75, "loss": 0.6})
    text = server.cli("report", "--run", str(run["id"])).stdout
    assert "against main, run " in text and "auc" in text and "+0.0500" in text
    assert server.cli("report", "--run", str(run["id"]), "--markdown").stdout.startswith("### Run ")
    made = json.loads(server.cli("report", "--run", str(run["id"]), "--compare", "main", "--json").stdout)
    [auc] = [metric for metric in made["metrics"] if metric["name"] == "auc"]
    assert auc["value"] == 0.75 and auc["base"] == 0.7 and auc["change"] == "better" and made["gate"] is None
    assert "\n| auc | 0.7500 |" in server.cli("pr", "view", "1", "--repo", "project").stdout
    by_pull = server.cli("report", "--pr", "1", "--repo", "project", "--json").stdout
    assert json.loads(by_pull)["candidate"] == made["candidate"]
    for arguments, says in ((["--run", "999"], "run"), (["--run", str(run["id"]), "--compare", "nowhere"], "nowhere"),
                            (["--pr", "77", "--repo", "project"], "77"), ([], "which candidate")):
        failed = server.cli("report", *arguments, check=False)
        assert failed.returncode == 1 and says in failed.stderr, (arguments, failed.stderr)

    (tmp_path / "plots").mkdir()
    (tmp_path / "plots/roc.png").write_bytes(PNG)
    (tmp_path / "report.md").write_text("![ROC](plots/roc.png)\n")
    comments = len(shown(reported)["comments"])
    for word in ("said", "changed"):
        done = server.cli("pr", "comment", "1", "--repo", "project", "--file", str(tmp_path / "report.md"), "--key", "mine")
        assert word in done.stdout
    assert len(shown(reported)["comments"]) == comments + 1
    assert "/attachments/" in shown(reported)["comments"][-1]["body"]
    (tmp_path / "report.md").write_text("![ROC](plots/none.png)\n")
    failed = server.cli("pr", "comment", "1", "--repo", "project", "--file", str(tmp_path / "report.md"), check=False)
    assert failed.returncode == 1 and "plots/none.png" in failed.stderr
    assert server.cli("pr", "comment", "1", "--repo", "project", check=False).returncode != 0
    failed = server.cli("pr", "comment", "1", "--repo", "project", "--body", "x", "--key", "-->", check=False)
    assert failed.returncode == 1 and "key" in failed.stderr
    piped = subprocess.run([WEIR, "pr", "comment", "1", "--repo", "project", "--file", "-"], input="From a pipe.", text=True,
                           capture_output=True, env={"PATH": "/usr/bin:/bin", "WEIR_STATE": str(server.state)}, timeout=60)
    assert piped.returncode == 0 and shown(reported)["comments"][-1]["body"] == "From a pipe.", piped.stderr


def test_answers_are_as_described(reported):
    described, admin = Described(reported.server.url), reported.server.admin_token
    run = push(reported, "better", {"auc": 0.75, "new": 1}, depth="4")
    made = described.call("POST", "/api/v1/report", {"workflow_run": run["id"], "compare": "main"})
    assert made["params"] == [{"name": "depth", "value": "4", "base": "3"}]
    described.call("POST", "/api/v1/report", {"metrics": {"auc": 0.7}})
    path = "/api/v1/repos/project/pulls/1/comments"
    for _ in range(2):
        described.call("POST", path, {"body": "fine", "key": "k"}, admin)
    described.call("POST", path, {"body": "fine", "key": "<k>"}, admin, status=400)
    taken = described.call("POST", "/api/v1/repos/project/attachments?name=roc.png", PNG, admin)
    assert taken["picture"] and taken["name"] == "roc.png"
    described.call("POST", "/api/v1/repos/project/publish", PNG, admin)
    described.call("GET", f"/api/v1/repos/project/attachments/{'0' * 64}", status=404)
    described.call("GET", "/api/v1/repos/project/pulls/1")


def test_a_key_is_its_authors_own(reported):
    server = reported.server
    bob = server.cli("token", "create", "bob", "--role", "developer", token=server.admin_token).stdout.strip()
    path = "/api/v1/repos/project/pulls/1/comments"
    first = server.post(path, {"body": "of the admin's", "key": "k"}, server.admin_token)
    other = server.post(path, {"body": "of Bob's", "key": "k"}, bob)
    again = server.post(path, {"body": "of Bob's, later", "key": "k"}, bob)
    assert other["id"] != first["id"] and again["id"] == other["id"]
    with pytest.raises(urllib.error.HTTPError):
        server.post(path, {"body": "x", "key": ""}, bob)


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="needs bubblewrap")
def test_a_foreign_pull_request_is_reported_in_its_own_summary_only(reported):
    server, repository = reported.server, reported.repository
    vera = server.cli("token", "create", "vera", "--role", "viewer", token=server.admin_token).stdout.strip()
    repository.git("checkout", "-qb", "proposal", "main")
    repository.write(".github/workflows/report.yml", "on: pull_request\njobs:\n  report:\n    runs-on: ubuntu-latest\n    steps:\n"
                     "      - run: |\n          mkdir plots && echo x > plots/a.png && echo '{\"auc\": 0.9}' > m.json\n"
                     "      - uses: weir/report@v1\n        with: {metrics: m.json, plots: plots/*.png}\n")
    repository.commit("Propose")
    repository.push(token=vera, ref="HEAD:refs/for/main")

    def started():
        pulls = [pull for pull in server.get("/api/v1/repos/project/pulls")["pulls"] if pull["foreign"]]
        shown = pulls and server.get(f"/api/v1/repos/project/pulls/{pulls[0]['number']}")
        return shown and shown["runs"] and shown
    run = server.finished(wait_until(started, what="the run of the proposal")["runs"][0]["id"])
    log = log_of(reported, run)
    if "in a sandbox only, which this machine does not have" in log:
        pytest.skip(log)  # refused, as it has to be
    assert run["conclusion"] == "success", log
    assert "| auc | 0.9000 |" in run["jobs"][0]["summary"] and "![" not in run["jobs"][0]["summary"]
    assert started()["comments"] == []
    assert "Nothing is shown in the pull request" in json.dumps(run["jobs"][0]["annotations"])
