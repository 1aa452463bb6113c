"""Which workflows `weir run` starts, and what they know of the event: what a push or a pull request would bring."""

import json
import subprocess

import pytest
from test_local_run import Project, signals  # noqa: F401

SAYS = "\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: echo it is NAME}]}}\n"
TELLS = """
jobs:
  a:
    runs-on: ubuntu-latest
    steps:
      - run: |
          echo "${{ github.ref }} ${{ github.ref_name }} ${{ github.ref_type }} ${{ github.event.ref }}"
          echo "base ${{ github.base_ref }} head ${{ github.head_ref }} is ${{ github.event.repository.default_branch }}"
          echo "from ${{ github.event.pull_request.base.sha }} to ${{ github.event.pull_request.head.sha }}"
          echo "sha ${{ github.sha }} number ${{ github.event.number }} ${{ github.event.action }}"
      - uses: actions/checkout@v4
        with: {fetch-depth: 0}
      - run: |
          git log -1 --format='parents %P'; ls | tr '\\n' ' '; echo
          test -z "$GITHUB_BASE_REF" || git diff --name-only ${{ github.event.pull_request.base.sha }}...${{ github.sha }} --
"""


@pytest.fixture
def project(tmp_path):
    project = Project(tmp_path)
    (project.folder / "README.md").write_text("read")
    yield project
    assert project.living() == []


def says(project, name, on):
    project.write(name, f"on: {on}{SAYS.replace('NAME', name)}")


def commit(project, name="file", text="text"):
    (project.folder / name).parent.mkdir(parents=True, exist_ok=True)
    (project.folder / name).write_text(text)
    project.git("add", "-A")
    project.git("commit", "-qm", f"change {name}")
    return project.git("rev-parse", "HEAD").stdout.strip()


def started(done):
    return sorted({line.rpartition("it is ")[2] for line in done.stdout.splitlines() if "| it is " in line})


def push_to_remote(project, tmp_path, *refs):
    remote = tmp_path / "remote.git"
    subprocess.run(["git", "init", "-q", "--bare", str(remote)], check=True)
    project.git("remote", "add", "origin", str(remote))
    project.git("push", "-q", "-u", "origin", *refs)


def test_filters_of_a_push_hold(project):
    says(project, "all.yml", "push")
    says(project, "other.yml", "{push: {branches: [other]}}")
    says(project, "not.yml", "{push: {branches-ignore: [main]}}")
    says(project, "release.yml", "{push: {tags: ['v*']}}")
    says(project, "source.yml", "{push: {paths: ['src/**']}}")
    says(project, "docs.yml", "{push: {paths: ['*.md']}}")
    says(project, "hand.yml", "workflow_dispatch")
    commit(project)
    commit(project, "README.md", "more")
    done = project.run(code=0)
    assert started(done) == ["all.yml", "docs.yml"]
    assert "other.yml: not started by this push: main is not in branches (other); run it with -W other.yml" in done.stderr
    assert "not.yml: not started by this push: main is in branches-ignore (main)" in done.stderr
    assert "release.yml: not started by this push: only tags (v*) start it, not the branch main" in done.stderr
    assert "source.yml: not started by this push: no changed file is in paths (src/**)" in done.stderr
    assert "changed files are those that differ from the last commit's parent" in done.stderr
    assert "hand.yml" not in done.stderr
    # What is not committed counts.
    (project.folder / "src").mkdir()
    (project.folder / "src/a").write_text("a")
    assert started(project.run(code=0)) == ["all.yml", "docs.yml", "source.yml"]
    # One that is named runs, a folder's do not.
    done = project.run("-W", "release.yml", code=0)
    assert started(done) == ["release.yml"]
    assert "release.yml: runs because -W names it; a push would not start it: only tags (v*)" in done.stderr
    assert started(project.run("-W", ".github/workflows", code=0)) == ["all.yml", "docs.yml", "source.yml"]


def test_changed_paths_are_those_that_a_push_would_bring(project, tmp_path):
    says(project, "source.yml", "{push: {paths: ['src/**']}}")
    commit(project)
    push_to_remote(project, tmp_path, "main")
    commit(project, "src/a")
    commit(project, "README.md", "more")
    assert started(project.run(code=0)) == ["source.yml"]  # both are yet to be pushed
    project.git("push", "-q")
    done = project.run(code=1)  # nothing is: what the last commit brought
    assert started(done) == [] and "error: nothing to run: a push of main starts no workflow here" in done.stderr
    assert "JOB" not in done.stdout
    # A new branch is compared with where it left the default one.
    project.git("checkout", "-qb", "feat")
    commit(project, "src/b")
    commit(project, "README.md", "other")
    assert started(project.run(code=0)) == ["source.yml"]
    project.git("push", "-q", "origin", "feat")
    (project.folder / "README.md").write_text("not committed")
    done = project.run(code=1)
    assert "differ from origin/feat" in done.stderr


def test_a_message_that_asks_for_no_runs_is_heard(project):
    says(project, "all.yml", "push")
    project.git("add", "-A")
    project.git("commit", "-qm", "typo [skip ci]")
    assert "the commit's message asks for no runs" in project.run(code=1).stderr
    assert started(project.run("-W", "all.yml", code=0)) == ["all.yml"]


def test_a_pull_request_has_two_branches(project):
    project.write("pr.yml", "on: {pull_request: {branches: [main]}}" + TELLS)
    says(project, "stable.yml", "{pull_request: {branches: [stable]}}")
    says(project, "closed.yml", "{pull_request: {types: [closed]}}")
    says(project, "source.yml", "{pull_request: {paths: ['src/**']}}")
    says(project, "data.yml", "{pull_request: {paths: ['data/**']}}")
    commit(project)
    project.git("checkout", "-qb", "feat")
    commit(project, "src/new")
    project.git("checkout", "-q", "main")
    base = commit(project, "data/late")
    project.git("checkout", "-q", "feat")
    head = project.git("rev-parse", "HEAD").stdout.strip()
    done = project.run("pull_request", code=0)
    out = done.stdout
    assert "| refs/pull/1/merge 1/merge branch" in out
    assert "| base main head feat is main" in out and f"| from {base} to {head}" in out and "number 1 opened" in out
    sha = out.split("| sha ")[1].split()[0]
    assert sha not in (base, head) and f"| parents {base} {head}" in out
    assert "| README.md data file src" in out  # the merge of both
    assert [line for line in out.splitlines() if line.endswith("| src/new")]
    assert "| data/late" not in out
    assert started(done) == ["source.yml"]
    assert f"pull request #1 of feat ({head[:8]}) into main ({base[:8]}): jobs get the commit that merges the two, as " \
        "refs/pull/1/merge" in done.stderr
    assert "stable.yml: not started by this pull_request: main is not in branches (stable)" in done.stderr
    assert 'closed.yml: not started by this pull_request: the activity "opened" is not in types (closed)' in done.stderr
    assert "data.yml: not started by this pull_request: no changed file is in paths (data/**)" in done.stderr


def test_a_pull_request_may_be_described(project, tmp_path):
    project.write("pr.yml", "on: {pull_request: {types: [labeled]}}" + TELLS)
    commit(project)
    project.git("branch", "stable")
    project.git("checkout", "-qb", "feat")
    commit(project, "more")
    event = tmp_path / "pr.json"
    event.write_text(json.dumps({"action": "labeled", "number": 7, "pull_request": {"base": {"ref": "stable"}}}))
    out = project.run("pull_request", "-e", str(event), code=0).stdout
    assert "| refs/pull/7/merge" in out and "| base stable head feat is main" in out and "number 7 labeled" in out
    done = project.run("pull_request", "-W", "pr.yml", "--base", "stable", code=0)
    assert "| base stable head feat is main" in done.stdout and "runs because -W names it" in done.stderr
    done = project.run("pull_request", "--base", "stabel", code=1)
    assert "a pull request into stabel: there is no such branch here; did you mean \"stable\"?" in done.stderr
    assert "--base is for pull_request" in project.run("--base", "stable", code=1).stderr
    assert "--ref is for other events" in project.run("pull_request", "--ref", "v1", code=1).stderr


def test_a_pull_request_of_the_base_itself_is_told(project):
    project.write("pr.yml", "on: pull_request" + TELLS)
    first = commit(project)
    second = commit(project, "more")
    done = project.run("pull_request", code=0)
    assert "you are on main, which is the branch that the pull request is to be merged into" in done.stderr
    assert "the last commit is played as what is proposed" in done.stderr
    assert f"| from {first} to {second}" in done.stdout


def test_conflicts_of_a_pull_request_are_told(project):
    project.write("pr.yml", "on: pull_request" + TELLS)
    commit(project)
    project.git("checkout", "-qb", "feat")
    head = commit(project, "file", "mine")
    project.git("checkout", "-q", "main")
    commit(project, "file", "theirs")
    project.git("checkout", "-q", "feat")
    done = project.run("pull_request", code=0)
    assert "they conflict (file), and then GitHub starts nothing; jobs get the head alone" in done.stderr
    assert f"| sha {head}" in done.stdout


def test_the_default_branch_is_the_remotes(project, tmp_path):
    project.write("pr.yml", "on: pull_request" + TELLS)
    commit(project)
    project.git("branch", "trunk")
    push_to_remote(project, tmp_path, "main", "trunk")
    project.git("remote", "set-head", "origin", "trunk")
    commit(project, "more")
    done = project.run("pull_request", code=0)
    assert "| base trunk head main is trunk" in done.stdout and "into trunk (origin/trunk" in done.stderr


def test_a_tag_can_be_pushed(project, tmp_path):
    project.write("release.yml", "on: {push: {tags: ['v*']}}" + TELLS)
    says(project, "main.yml", "{push: {branches: [main]}}")
    commit(project)
    for given in (["--ref", "refs/tags/v1"], ["-e", str(tmp_path / "tag.json")]):
        (tmp_path / "tag.json").write_text('{"ref": "refs/tags/v1"}')
        done = project.run(*given, code=0)
        assert "| refs/tags/v1 v1 tag refs/tags/v1" in done.stdout and started(done) == []
        assert "main.yml: not started by this push: only branches (main) start it, not the tag v1" in done.stderr
    done = project.run("--ref", "v2", code=1)
    assert "--ref v2: there is no such branch or tag here; one that is yet to be made is given in full" in done.stderr
    project.git("tag", "v2")
    assert "| refs/tags/v2 v2 tag refs/tags/v2" in project.run("--ref", "v2", code=0).stdout
    done = project.run("--ref", "refs/heads/dev", "-W", "release.yml", code=0)
    assert "| refs/heads/dev dev branch refs/heads/dev" in done.stdout


def test_a_detached_head_is_told(project):
    says(project, "main.yml", "{push: {branches: [trunk]}}")
    commit(project)
    project.git("branch", "-m", "trunk")
    project.git("config", "init.defaultBranch", "trunk")
    project.git("checkout", "-q", "--detach")
    done = project.run(code=0)
    assert started(done) == ["main.yml"] and "HEAD is detached, on no branch: it is played as trunk" in done.stderr


def test_one_wrong_file_stops_no_other(project):
    says(project, "good.yml", "[push, pull_request]")
    says(project, "bad.yml", "{schedule: [{cron: '@daily'}]}")
    commit(project)
    done = project.run(code=1)
    assert started(done) == ["good.yml"]
    assert ".github/workflows/bad.yml:1:" in done.stderr and "@daily" in done.stderr
    assert done.stderr.rstrip().endswith("error: bad.yml did not run: see above what is wrong with it")
    project.run("-W", "good.yml", code=0)
    done = project.run("workflow_dispatch", code=1)
    assert "@daily" in done.stderr and "nothing to run" in done.stderr


def test_a_job_is_of_the_workflow_that_has_it(project):
    says(project, "one.yml", "push")
    project.write("two.yml", "on: push\njobs: {b: {runs-on: ubuntu-latest, steps: [{run: echo it is two}]}}\n")
    assert started(project.run("-j", "b", code=0)) == ["two"]
    done = project.run("-j", "c", code=1)
    assert 'no job "c"' in done.stderr and not done.stdout


def test_a_refused_run_prints_no_table(project):
    project.write("calls.yml", "on: push\njobs: {a: {uses: ./.github/workflows/missing.yml}}\n")
    done = project.run(code=1)
    assert "JOB" not in done.stdout, done.stdout


def test_what_has_no_use_is_refused(project):
    says(project, "all.yml", "push")
    assert "--input is for workflow_dispatch; a push has no inputs" in project.run("--input", "a=b", code=1).stderr
    done = project.run("--actions-url", "nonsense", code=1)
    assert "--actions-url nonsense: it must be an address such as https://github.com" in done.stderr
    assert "did you mean file:///srv/mirror?" in project.run("--actions-url", "/srv/mirror", code=1).stderr
    assert not (project.folder / ".weir").exists()


def test_a_repository_inside_without_a_commit_is_left_out(project):
    project.write("all.yml", """
on: push
jobs: {a: {runs-on: ubuntu-latest, steps: [{run: "ls; cat 'new file'"}]}}
""")
    (project.folder / "new file").write_text("here\n")
    nested = project.folder / "data [1]"
    nested.mkdir()
    subprocess.run(["git", "init", "-q", str(nested)], check=True)
    (nested / "x").write_text("x")
    done = project.run(code=0)
    assert "| here" in done.stdout and "data" not in done.stdout
    assert "data [1]/ is a git repository of its own without a commit: what is in it does not take part" in done.stderr


UNQUOTED = """
on: push
jobs:
  a:
    runs-on: ubuntu-latest
    steps:
      - id: say
        run: |
          echo word=fine >> $GITHUB_OUTPUT
          echo NEXT=$RUNNER_TEMP >> $GITHUB_ENV
          cd $GITHUB_WORKSPACE && touch $NEXT/x
      - run: echo "it is ${{ steps.say.outputs.word }} in $PWD"
      - run: echo kept > kept.txt
      - uses: actions/upload-artifact@v4
        with: {name: kept, path: kept.txt}
"""


def test_a_path_that_shells_would_split(tmp_path):
    place = tmp_path / "my $work & more"
    place.mkdir()
    project = Project(place)
    project.write("all.yml", UNQUOTED)
    states = tmp_path / "states"
    project.env["XDG_STATE_HOME"] = str(states)
    done = project.run(code=0)
    (state,) = (states / "weir").iterdir()
    assert f"it is fine in {state}/jobs/" in done.stdout
    assert f"what jobs use and leave lies in {state}" in done.stderr
    assert project.git("status", "--porcelain").stdout == "?? .github/\n"
    done = project.run("--json", code=0)  # the same state, and nothing to tell
    assert not done.stderr and json.loads(done.stdout.splitlines()[-1])["id"] == 2
    assert list((states / "weir").iterdir()) == [state]
    for named in ([], ["--state", ".weir"]):
        assert f"checked in {state}" in project.run(*named, command="fsck", code=0).stdout


def test_a_state_that_is_there_stays_where_it_is(tmp_path):
    place = tmp_path / "a b"
    place.mkdir()
    project = Project(place)
    says(project, "all.yml", "push")
    project.run("--state", str(project.folder / ".weir"), code=0)
    done = project.run(code=0)
    assert "and steps may fail for it; remove" in done.stderr and not (place / "states").exists()
