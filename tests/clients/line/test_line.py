"""What a user relies on from push to approval, with the real server, git and command line."""

import json
import urllib.error

import pytest

from weir_server import wait_until

WORKFLOW = """
name: Pipeline
on: {push: {branches: [main]}, workflow_dispatch: {inputs: {who: {required: true}}}}
jobs:
  build:
    runs-on: ubuntu-latest
    outputs: {answer: "${{ steps.work.outputs.answer }}"}
    steps:
      - id: work
        run: |
          echo "hello ${{ inputs.who || 'push' }}, the password is ${{ secrets.PASSWORD }}"
          echo "answer=42" >> "$GITHUB_OUTPUT"
          echo "### Report of ${{ github.sha }}" >> "$GITHUB_STEP_SUMMARY"
      - uses: actions/upload-artifact@v4
        with: {name: notes, path: notes.txt}
  release:
    needs: build
    runs-on: ubuntu-latest
    environment: {name: production, url: "https://example.com/${{ steps.deploy.outputs.place }}"}
    steps:
      - uses: actions/download-artifact@v4
        with: {name: notes, path: got/}
      - {id: deploy, run: echo place=home >> "$GITHUB_OUTPUT"}
      - run: test "$(cat got/notes.txt)" = "some notes" && echo "answer ${{ needs.build.outputs.answer }}"
"""


@pytest.fixture
def project(server, repository):
    repository.write(".github/workflows/pipeline.yml", WORKFLOW)
    repository.write("notes.txt", "some notes")
    repository.write("weir.yaml", "environments:\n  production: {reviewers: [alice]}\n")
    repository.commit("Start the project")
    server.cli("secret", "set", "PASSWORD", "--value", "correct-horse")
    return repository


def log_of(server, run, job):
    return server.cli("logs", str(run), "--job", job).stdout


def test_a_push_waits_for_its_reviewer_and_then_goes_on(server, project):
    project.push()
    wait_until(lambda: server.get("/api/v1/approvals?state=pending")["approvals"], what="an approval")

    admin_only = server.cli("approve", token="weir_wrong", check=False)
    assert admin_only.returncode == 1 and "error" in admin_only.stderr
    alice = server.cli("token", "create", "alice", "--role", "approver").stdout.strip()
    server.cli("approve", "-m", "fine", token=alice)
    run = server.finished(1)
    assert run["conclusion"] == "success", run
    assert "answer 42" in log_of(server, 1, "release")
    assert next(job for job in run["jobs"] if job["key"] == "release")["environment_url"] == "https://example.com/home"
    assert "the password is ***" in log_of(server, 1, "build")
    assert "correct-horse" not in json.dumps(server.get("/api/v1/events?limit=1000"))
    assert "Report of" in next(job for job in run["jobs"] if job["key"] == "build")["summary"]
    assert server.cli("fsck").returncode == 0


def test_a_rejected_release_fails_its_job_and_says_who_did_it(server, project):
    project.push()
    approval = wait_until(lambda: server.get("/api/v1/approvals?state=pending")["approvals"], what="an approval")[0]
    server.cli("reject", str(approval["id"]), "-m", "not today")
    run = server.finished(1)
    assert run["conclusion"] == "failure"
    assert "not today" in json.dumps(run)


def test_loopback_without_a_token_reads_but_does_not_decide(server, project):
    project.push()
    approval = wait_until(lambda: server.get("/api/v1/approvals?state=pending")["approvals"], what="an approval")[0]
    for path, body in [(f"/api/v1/approvals/{approval['id']}/approve", {}), ("/api/v1/runs/1/cancel", {}),
                       ("/api/v1/tokens", {"name": "x"})]:
        with pytest.raises(urllib.error.HTTPError) as refused:
            server.post(path, body)
        assert refused.value.code in (401, 403), path
    assert project.push(token="nonsense", check=False).returncode != 0
    server.cli("cancel", "1")
    assert server.finished(1)["conclusion"] == "cancelled"


def test_a_dispatch_checks_its_inputs(server, project):
    project.push()
    server.cli("cancel", "1")
    with pytest.raises(urllib.error.HTTPError) as refused:
        server.post("/api/v1/repos/project/dispatches", {"workflow": "pipeline.yml"}, server.admin_token)
    assert refused.value.code == 400
    assert "who" in json.loads(refused.value.read())["message"]
    run = server.post("/api/v1/repos/project/dispatches", {"workflow": "pipeline.yml", "inputs": {"who": "you"}},
                      server.admin_token)["run_id"]
    wait_until(lambda: "hello you" in log_of(server, run, "build"), what="the log")
    server.cli("cancel", str(run))


def test_a_broken_workflow_file_is_a_failed_run_with_its_problems(server, repository):
    repository.write(".github/workflows/broken.yml", "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    stepz: []\n")
    repository.commit()
    repository.push()
    run = server.finished(1)
    assert run["conclusion"] == "failure"
    assert 'did you mean "steps"' in run["problem"] and "broken.yml:5:5" in run["problem"]


def test_a_broken_workflow_file_stops_no_other(server, repository):
    repository.write(".github/workflows/a.yml", "on: {schedule: [{cron: '@daily'}]}\njobs: {}\n")
    repository.write(".github/workflows/b.yml",
                     "on: push\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: echo fine}]}}\n")
    repository.commit()
    repository.push()
    broken, good = server.finished(1), server.finished(2)
    assert broken["conclusion"] == "failure" and "@daily" in broken["problem"]
    assert good["conclusion"] == "success"


def test_a_foreign_host_or_origin_is_refused(server):
    import urllib.request
    for header in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}):
        request = urllib.request.Request(server.url + "/api/2.0/mlflow/experiments/create", b'{"name":"x"}', header)
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=10)
        assert refused.value.code == 403
