"""What a job may push to the repository that it runs for."""

from test_calls import jobs_of, log_of

# The steps of actions that commit what a workflow has made: version bumps, formatted code, retrained metrics.
COMMIT = """\
      - uses: actions/checkout@v4
      - run: |
          git config user.name bot && git config user.email bot@example.com
          {change}
          git add -A && git commit -qm "{message}"
          git push origin HEAD:refs/heads/{branch} 2>&1
"""


def workflow(message, change, branch="main", on="push"):
    return (f"on: {on}\npermissions: {{contents: write}}\njobs:\n  commit:\n    runs-on: ubuntu-latest\n    steps:\n"
            + COMMIT.format(change=change, message=message, branch=branch))


def pushed(server, repository, run, branch="main"):
    jobs = jobs_of(server, run)
    log = log_of(server, jobs["commit"]["id"])
    repository.git("fetch", "-q", f"{server.url}/git/project.git", branch)
    return server.get(f"/api/v1/runs/{run}")["conclusion"], log, repository.git("log", "-1", "--format=%s", "FETCH_HEAD").stdout


def test_a_run_of_the_default_branch_commits_to_it_and_starts_nothing(server, repository):
    repository.write(".github/workflows/metrics.yml", workflow("Metrics", "echo 0.93 > metrics.txt"))
    repository.write("weir.yaml", "keep: {runs: 5}\n")
    repository.commit()
    repository.push()
    server.finished(1)
    conclusion, log, newest = pushed(server, repository, 1)
    assert conclusion == "success" and newest == "Metrics\n", log
    assert f"To {server.url}/weir/project\n" in log, "actions read owner and name from the address"
    assert len(server.get("/api/v1/runs")["runs"]) == 1


def test_what_decides_about_later_runs_is_for_people(server, repository):
    changes = {"a.yml": ("rm weir.yaml", "weir.yaml on main"),
               "b.yml": ("echo 'on: push' > .github/workflows/more.yml", ".github/workflows on main")}
    for name, (change, _) in changes.items():
        repository.write(f".github/workflows/{name}", workflow(name, change))
    repository.write(".github/workflows/c.yml", workflow("c.yml", "echo 'on: push' > .github/workflows/c.yml", "other"))
    repository.write("weir.yaml", "keep: {runs: 5}\n")
    repository.commit("Begin")
    repository.push()
    runs = {run["path"].rsplit("/", 1)[1]: server.finished(run["id"]) for run in server.get("/api/v1/runs")["runs"]}
    for name, (_, says) in changes.items():
        conclusion, log, newest = pushed(server, repository, runs[name]["id"])
        assert conclusion == "failure" and says in log and "open a pull request" in log, log
        assert newest == "Begin\n"
    job = jobs_of(server, runs["c.yml"]["id"])["commit"]
    assert runs["c.yml"]["conclusion"] == "failure" and "may not change workflow files" in log_of(server, job["id"])
    assert "refs/heads/other" not in repository.git("ls-remote", f"{server.url}/git/project.git").stdout


def test_only_code_of_the_default_branch_pushes_there(server, repository):
    repository.write("a", "b")
    repository.commit("Begin")
    repository.push()
    repository.git("checkout", "-q", "-b", "better")
    repository.write(".github/workflows/ci.yml", workflow("Mine", "echo mine > a"))
    repository.commit("Better")
    repository.push(ref="better")
    server.finished(1)
    conclusion, log, newest = pushed(server, repository, 1)
    assert conclusion == "failure" and newest == "Begin\n"
    assert "its run is of better, and only runs of the branch itself do that" in log


def test_an_event_of_the_default_branch_played_on_other_code_pushes_nothing_there(server, repository):
    repository.write(".github/workflows/ci.yml", workflow("First", "false", on="workflow_dispatch"))
    repository.commit("Begin")
    repository.push()
    server.post("/api/v1/repos/project/dispatches", {"workflow": "ci.yml"}, server.admin_token)
    assert server.finished(1)["conclusion"] == "failure"
    repository.git("checkout", "-q", "-b", "better")
    repository.write(".github/workflows/ci.yml", workflow("Mine", "echo mine > a", on="workflow_dispatch"))
    repository.commit("Better")
    repository.push(ref="better")
    commit = repository.git("rev-parse", "HEAD").stdout.strip()
    for run, code in ((2, "better"), (3, commit)):
        server.cli("rerun", "1", "--on", code, token=server.admin_token)
        server.finished(run)
        conclusion, log, newest = pushed(server, repository, run)
        assert conclusion == "failure" and newest == "Begin\n"
        assert "may not push to main of project" in log


def test_a_branch_that_asks_for_reviews_asks_jobs_too(server, repository):
    repository.write(".github/workflows/ci.yml", workflow("Metrics", "echo 0.93 > metrics.txt"))
    repository.write("weir.yaml", "branches:\n  main: {reviews: 1}\n")
    repository.commit("Begin")
    repository.push()
    server.finished(1)
    conclusion, log, newest = pushed(server, repository, 1)
    assert conclusion == "failure" and newest == "Begin\n"
    assert "weir.yaml asks for checks or reviews there" in log
