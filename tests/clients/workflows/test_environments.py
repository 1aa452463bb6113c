"""Environments are each repository's own: what they ask for, and their secrets."""

import pytest
from test_calls import jobs_of, log_of
from weir_server import Repository, wait_until

DEPLOY = """\
on: push
jobs:
  deploy:
    runs-on: ubuntu-latest
    environment: production
    steps:
      - run: echo "key ${#KEY} own ${#OWN} plain ${#PLAIN}"
        env: {KEY: "${{ secrets.KEY }}", OWN: "${{ secrets.OWN }}", PLAIN: "${{ secrets.PLAIN }}"}
"""


@pytest.fixture
def two(server, repository, tmp_path):
    other = Repository(tmp_path / "other", server, "other")
    for one in (repository, other):
        one.write(".github/workflows/deploy.yml", DEPLOY)
    return repository, other


def newest(server, repo):
    return wait_until(lambda: next((run["id"] for run in server.get("/api/v1/runs")["runs"] if run["repo"] == repo), None),
                      what=f"a run of {repo}")


def lengths(server, run):
    return next(line for line in log_of(server, jobs_of(server, run)["deploy"]["id"]).splitlines() if line.startswith("key "))


def test_rules_and_secrets_of_two_repositories_with_the_same_name(server, two):
    project, other = two
    server.cli("secret", "set", "KEY", "--value", "of all", "--environment", "production")
    server.cli("secret", "set", "OWN", "--value", "project's", "--repo", "project", "-e", "production")
    server.cli("secret", "set", "PLAIN", "--value", "plain text", "--repo", "other")
    project.write("weir.yaml", "environments:\n  production: {reviewers: [alice]}\n")
    other.write("weir.yaml", "environments:\n  production: {expires: 2d}\n")
    for one in two:
        one.commit()
        one.push()
    # The other repository asks nobody, and so gets nothing of what the first one guards.
    run = newest(server, "other")
    assert server.finished(run)["conclusion"] == "success"
    assert lengths(server, run) == "key 0 own 0 plain 10"
    run = newest(server, "project")
    approval = wait_until(lambda: server.get("/api/v1/approvals?state=pending")["approvals"], what="an approval")[0]
    assert approval["repository"] == "project" and approval["reviewers"] == ["alice"]
    server.cli("approve", str(approval["id"]), token=server.admin_token)
    assert server.finished(run)["conclusion"] == "success"
    assert lengths(server, run) == "key 6 own 9 plain 0"
    listed = server.cli("secret", "list").stdout
    assert [line.split()[:3] for line in listed.splitlines()[1:]] == [
        ["KEY", "all", "production"], ["OWN", "project", "production"], ["PLAIN", "other", "any"]]
    server.cli("secret", "delete", "OWN", "--repo", "project", "-e", "production")
    assert "OWN" not in server.cli("secret", "list").stdout


def test_nobody_enters_what_a_refused_file_may_protect_and_the_pusher_is_told(server, two):
    project, _ = two
    project.write("weir.yaml", "environments: {production: {reviewers: [alice]}}\nkeepp: 1\n")
    project.commit()
    told = project.push().stderr
    assert "remote: weir.yaml of the default branch is refused; nothing that it asks for is in force" in told, told
    assert 'unknown key "keepp"' in told and "weir.yaml:2:1" in told, told
    run = server.finished(newest(server, "project"))
    assert run["conclusion"] == "failure"
    job = jobs_of(server, run["id"])["deploy"]
    assert "nobody enters the environment production" in job["error"] and "keepp" in job["error"], job
    # A push of something else tells it, too; once the file is right nothing is said, and the rule holds.
    project.write("notes", "n")
    project.commit()
    assert "is refused" in project.push().stderr
    project.write("weir.yaml", "environments: {production: {reviewers: [alice]}}\n")
    project.commit()
    assert "remote:" not in project.push().stderr
    wait_until(lambda: server.get("/api/v1/approvals?state=pending")["approvals"], what="an approval")
