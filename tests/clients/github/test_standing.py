"""What the author of a comment is to the repository, by which workflows let commands pass."""

import json

from weir_server import wait_until

GUARD = """
name: Commands
on: [issue_comment, pull_request_target]
jobs:
  shows:
    runs-on: ubuntu-latest
    steps:
      - run: echo "says ${{ github.event.comment.author_association || github.event.pull_request.author_association }}"
  deploys:
    if: contains(fromJSON('["OWNER","MEMBER","COLLABORATOR"]'), github.event.comment.author_association)
    runs-on: ubuntu-latest
    steps: [{run: "true"}]
"""

COMMENT = "return (await octokit.rest.issues.createComment({...at, issue_number: 1, body: '/deploy'})).data"


def token_of(project, name, role):
    return json.loads(project.server.cli("token", "create", name, "--role", role, "--json").stdout)["token"]


def run_after(project, before):
    run = wait_until(lambda: next((one["id"] for one in project.server.get("/api/v1/runs?limit=9")["runs"]
                                   if one["id"] > before and one["workflow"] == "Commands"), None), what="a run")
    jobs = {job["name"]: job for job in project.server.finished(run)["jobs"]}
    lines = [line["text"] for line in project.server.get(f"/api/v1/jobs/{jobs['shows']['id']}/log")["lines"]]
    said = next(line.removeprefix("says ") for line in lines if line.startswith("says "))
    return run, said, jobs["deploys"]["conclusion"]


def test_commands_pass_for_who_may_write_and_for_nobody_else(project):
    project.repository.git("checkout", "-q", "main")
    project.repository.write(".github/workflows/commands.yml", GUARD)
    project.repository.commit("Guard")
    project.repository.push()
    newest = 0
    for name, role, association in (("root", "admin", "OWNER"), ("ann", "approver", "MEMBER"),
                                    ("dev", "developer", "COLLABORATOR"), ("vic", "viewer", "NONE")):
        made = project.call(COMMENT, token=token_of(project, name, role))
        assert made["author_association"] == association
        newest, said, deploys = run_after(project, newest)
        assert (said, deploys) == (association, "skipped" if role == "viewer" else "success"), name
    # A token that may write makes nothing of what the same name said before; one that is revoked takes its words along.
    token_of(project, "vic", "admin")
    dev = next(one["id"] for one in project.server.get("/api/v1/tokens", project.server.admin_token)["tokens"]
               if one["name"] == "dev")
    project.server.call("DELETE", f"/api/v1/tokens/{dev}", token=project.server.admin_token)
    listed = project.call("return (await octokit.rest.issues.listComments({...at, issue_number: 1})).data")
    assert [(one["user"]["login"], one["author_association"]) for one in listed] == [
        ("root", "OWNER"), ("ann", "MEMBER"), ("dev", "NONE"), ("vic", "NONE")]


def test_pull_requests_and_reviews_say_it_too(project):
    got = project.call("""
        await octokit.rest.pulls.createReview({...at, pull_number: 1, event: 'COMMENT', body: 'words'})
        return {pull: (await octokit.rest.pulls.get({...at, pull_number: 1})).data.author_association,
                issue: (await octokit.rest.issues.get({...at, issue_number: 1})).data.author_association,
                review: (await octokit.rest.pulls.listReviews({...at, pull_number: 1})).data[0].author_association}""")
    assert got == {"pull": "OWNER", "issue": "OWNER", "review": "OWNER"}
    job = project.job_token({"issues": "write"})
    assert project.call(COMMENT, token=job)["author_association"] == "NONE"
