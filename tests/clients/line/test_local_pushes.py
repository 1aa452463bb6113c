"""What jobs of `weir run` push: to a copy of the repository, which the user takes over or not."""

import re

import pytest
from test_local_run import Project, signals  # noqa: F401

PUSHES = """
on: push
permissions: {contents: write}
jobs:
  tag:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: |
          git config user.name bot && git config user.email bot@example.com
          git fetch -q origin main && git fetch -q --tags && git rev-parse -q --verify v1
          echo built > page && git add page && git commit -qm page
          git push -q origin HEAD:refs/heads/pages && git tag v2 && git push -q origin v2
          git push -q --force origin HEAD:refs/heads/dev && git push -q origin :refs/tags/v1
          git push -q origin HEAD:main
          git push -q --force origin $(git commit-tree -m orphan HEAD^{tree}):refs/heads/old
  release:
    needs: tag
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
        with: {fetch-depth: 0}
      - run: git show v2:page && test -z "$(git tag -l v1)" && git ls-remote --exit-code origin pages
"""


@pytest.fixture
def project(tmp_path):
    project = Project(tmp_path)
    (project.folder / "a").write_text("a")
    project.git("add", "a")
    project.git("commit", "-qm", "first")
    project.git("tag", "v1")
    project.git("branch", "dev")
    project.git("branch", "old")
    return project


def refs(project):
    return project.git("for-each-ref", "--format=%(refname) %(objectname)").stdout


def commands(done):
    return re.findall(r"git (?:fetch|pull) \S+ \S+$", done.stderr, re.MULTILINE)


@pytest.mark.parametrize("packed", [False, True])
def test_jobs_push_to_a_copy(project, packed):
    project.write("push.yml", PUSHES)
    project.git("add", "-A")
    project.git("commit", "-qm", "workflow")
    if packed:
        project.git("pack-refs", "--all")
    before = refs(project)
    done = project.run(code=0)
    assert refs(project) == before
    assert "refs/tags/v1 was deleted" in done.stderr
    assert "refs/heads/pages is new" in done.stderr and "refs/heads/dev has moved" in done.stderr, done.stderr
    assert "refs/heads/old was forced" in done.stderr

    for command in commands(done):
        project.git(*command.split()[1:])
    assert project.git("show", "pages:page").stdout == "built\n"
    assert project.git("log", "--format=%s", "old").stdout == "orphan\n"
    assert project.git("show", "v2:page").stdout == "built\n"
    assert (project.folder / "page").read_text() == "built\n"

    # The next run starts with what the repository has.
    project.write("push.yml", "on: push\njobs: {a: {runs-on: linux, steps: [{run: git ls-remote origin}]}}\n")
    done = project.run(code=0)
    assert "refs/tags/v1" in done.stdout and "refs/heads/pages" in done.stdout
    assert "pushed" not in done.stderr


def test_the_api_moves_refs_of_the_copy(project):
    project.write("api.yml", """
on: push
permissions: {contents: write}
jobs:
  a:
    runs-on: linux
    steps:
      - run: |
          curl -fsS -H "Authorization: Bearer ${{ github.token }}" "$GITHUB_API_URL/repos/$GITHUB_REPOSITORY/git/refs" \\
            -d '{"ref": "refs/tags/v3", "sha": "${{ github.sha }}"}' && git fetch -q --tags && git rev-parse v3
""")
    before = refs(project)
    done = project.run(code=0)
    assert refs(project) == before
    assert "refs/tags/v3 is new" in done.stderr, done.stdout + done.stderr


def test_a_linked_work_tree_with_a_detached_head(project, tmp_path):
    tree = tmp_path / "tree"
    project.git("worktree", "add", "-q", "--detach", str(tree))
    workflow = tree / ".github/workflows/a.yml"
    workflow.parent.mkdir(parents=True)
    workflow.write_text("on: push\njobs: {a: {runs-on: linux, steps: [{run: 'git push -q origin HEAD:refs/heads/new'}]}}\n")
    before = refs(project)
    done = project.run(folder=tree, code=0)
    assert refs(project) == before
    assert re.search(r"git fetch \S+/tree/.weir/pushes/1 refs/heads/new:refs/heads/new", done.stderr), done.stderr


def test_submodules_come_from_the_users_repository(project, tmp_path):
    library = tmp_path / "library"
    library.mkdir()
    project.git("-C", str(library), "init", "-q")
    (library / "f").write_text("of the library\n")
    project.git("-C", str(library), "add", "f")
    project.git("-C", str(library), "commit", "-qm", "f")
    project.git("submodule", "--quiet", "add", str(library), "lib")
    project.git("commit", "-qm", "lib")
    library.rename(tmp_path / "away")
    project.write("a.yml", "on: push\njobs: {a: {runs-on: linux, steps: ["
                  "{uses: actions/checkout@v4, with: {submodules: true}}, {run: cat lib/f}]}}\n")
    assert "of the library" in project.run(code=0).stdout


REFUSED = """
on: push
permissions: {contents: %s}
jobs:
  publish:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: git push -q origin HEAD:refs/heads/pages
"""


def test_a_job_that_may_not_write_contents_may_not_push_here_either(project):
    project.write("push.yml", REFUSED % "read")
    project.git("add", "-A")
    project.git("commit", "-qm", "workflow")
    done = project.run(code=1)
    assert "the job may not push: its permissions have no contents: write" in done.stdout
    assert "pages" not in done.stderr
    project.write("push.yml", REFUSED % "write")
    assert "refs/heads/pages is new" in project.run(code=0).stderr
