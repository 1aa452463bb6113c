"""Jobs that call GitHub's REST API with their own token: what it may do, and programs that people use there."""

import os

import pytest
from github_project import HERE, Failed
from weir_server import Repository, wait_until

SHA = "head_sha: given.head"


def test_a_job_may_do_what_its_permissions_say(project):
    token = project.job_token({"contents": "read", "issues": "write", "statuses": "read"})
    comment = project.call("return (await octokit.rest.issues.createComment({...at, issue_number: 1, body: 'x'})).data",
                           token=token)
    assert comment["user"]["login"] == "github-actions[bot]"
    refused = {
        "return await octokit.rest.repos.createCommitStatus({...at, sha: given.head, state: 'success'})":
            "`statuses: write`",
        "return await octokit.rest.checks.listForRef({...at, ref: given.head})": "`checks: read`",
        f"return await octokit.rest.checks.create({{...at, name: 'x', {SHA}}})": "`checks: write`",
        "return await octokit.rest.git.createRef({...at, ref: 'refs/heads/x', sha: given.head})": "`contents: write`",
        "return await octokit.rest.pulls.list(at)": "`pull-requests: read`",
        "return await octokit.rest.actions.reRunWorkflow({...at, run_id: 1})": "`actions: write`",
    }
    for body, says in refused.items():
        got = project.call(body, token=token, head=project.head)
        assert isinstance(got, Failed) and got["status"] == 403 and says in got["error"], (body, got)
    for allowed in ("return (await octokit.rest.repos.get(at)).data.full_name",
                    "return (await octokit.rest.repos.getContent({...at, path: 'train.py'})).data.name",
                    "return (await octokit.rest.repos.getCombinedStatusForRef({...at, ref: given.head})).data.state",
                    "return (await octokit.rest.users.getAuthenticated()).data.login"):
        assert not isinstance(project.call(allowed, token=token, head=project.head), Failed), allowed


def test_a_job_changes_no_other_repository_no_protected_branch_and_no_workflow(project, tmp_path):
    other = Repository(tmp_path / "other", project.server, "other")
    other.write("a", "b")
    other.commit()
    other.push()
    token = project.job_token({"contents": "write", "issues": "write"})
    put = "return await octokit.rest.repos.createOrUpdateFileContents({...at, message: 'm', content: '', "
    refused = {"return await octokit.rest.issues.create({owner: 'weir', repo: 'other', title: 't'})": "runs for project",
               put + "path: 'weir.yaml'})": "weir.yaml on main",
               put + "path: '.github/workflows/x.yml'})": ".github/workflows on main",
               put + "branch: 'better', path: '.github/workflows/x.yml'})": "workflow files"}
    for body, says in refused.items():
        got = project.call(body, token=token)
        assert isinstance(got, Failed) and got["status"] == 403 and says in got["error"], (body, got)
    assert not isinstance(project.call(put + "branch: 'better', path: 'x'})", token=token), Failed)
    # The run is of main, whose workflow an approver has let in.
    assert not isinstance(project.call(put + "path: 'x'})", token=token), Failed)


def test_nobody_writes_without_a_token_or_with_a_wrong_one(project):
    body = "return await octokit.rest.issues.createComment({...at, issue_number: 1, body: 'x'})"
    for token in ("", "weir_wrong"):
        got = project.call(body, token=token)
        assert isinstance(got, Failed) and got["status"] == 401, got


COMMENT = """
name: Report
on: pull_request
permissions: {{contents: read, pull-requests: write}}
jobs:
  report:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - env: {{GITHUB_TOKEN: "${{{{ github.token }}}}", REPO_TOKEN: "${{{{ github.token }}}}"}}
        run: |
          {steps}
"""


def comments(project, number=1):
    return project.server.get(f"/api/v1/repos/project/pulls/{number}")["comments"]


def run_of_push(project, text):
    """Pushes a workflow on the pull request's branch, and gives the run that it starts there, with its log."""
    project.repository.git("checkout", "-q", "better")
    project.repository.write(".github/workflows/report.yml", text)
    project.repository.commit("Report")
    project.repository.push(ref="better")
    head = project.repository.git("rev-parse", "HEAD").stdout.strip()

    def started():
        shown = project.server.get("/api/v1/repos/project/pulls/1")
        runs = [run["id"] for run in shown["runs"] if run["event"] == "pull_request"]
        return shown["head"]["sha"] == head and runs and runs[0]
    run = project.server.finished(wait_until(started, what="the pull request's run"))
    log = project.server.get(f"/api/v1/jobs/{run['jobs'][0]['id']}/log")["lines"]
    return run, "\n".join(line["text"] for line in log)


def test_github_script_style_comment_of_a_pull_request(project):
    script = ("const event = JSON.parse(require('fs').readFileSync(process.env.GITHUB_EVENT_PATH)); "
              "await octokit.rest.issues.createComment({...at, issue_number: event.pull_request.number, "
              "body: 'accuracy ' + event.pull_request.head.ref})").replace("require('fs')", "(await import('fs'))")
    run, log = run_of_push(project, COMMENT.format(steps=f'node {HERE}/client.mjs github "{script}"'))
    assert run["conclusion"] == "success", log
    assert [comment["body"] for comment in comments(project)] == ["accuracy better"], log
    # What a job does starts nothing.
    assert {one["event"] for one in project.server.get("/api/v1/runs")["runs"]} <= {"pull_request", "push"}

CML = os.environ.get("WEIR_TEST_CML")  # the folder with the program cml, of an installed @dvcorg/cml
SETUP = """\
      - run: echo "{bin}" >> "$GITHUB_PATH"
      - uses: iterative/setup-cml@v2
"""


@pytest.mark.skipif(not CML, reason="WEIR_TEST_CML names no cml; not every registry has @dvcorg/cml")
def test_cml_comments_on_the_pull_request_and_updates_its_comment(project):
    run, log = run_of_push(project, COMMENT.replace("      - env:", SETUP + "      - env:").format(bin=CML, steps="""
          export CI=1 ITERATIVE_DO_NOT_TRACK=1 HOME=$RUNNER_TEMP
          echo "accuracy 0.91" > report.md
          cml comment create report.md
          echo "accuracy 0.92" > report.md
          cml comment update report.md
          cml comment create --target=commit report.md
          cml check create --title=Drift report.md || echo "refused: no checks"
          """.strip()))
    assert run["conclusion"] == "success", log
    made = comments(project)
    assert len(made) == 1 and "accuracy 0.92" in made[0]["body"], (made, log)
    assert "refused: no checks" in log and "`checks: write`" in log, log
    assert made[0]["user"]["login"].startswith("job:")
