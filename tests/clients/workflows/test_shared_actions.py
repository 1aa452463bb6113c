"""Actions that a team keeps in a repository of its own server: `uses: weir/NAME/PATH@REF`."""

from test_calls import log_of
from weir_server import Repository

INNER = """\
name: Inner
runs:
  using: composite
  steps:
    - run: echo "inner of %s at $(cat "$GITHUB_ACTION_PATH/../word")"
      shell: bash
"""
OUTER = """\
name: Outer
outputs:
  said: {value: "${{ steps.s.outputs.said }}"}
runs:
  using: composite
  steps:
    - uses: $/inner
    - id: s
      run: echo "said=$(cat "$GITHUB_ACTION_PATH/../word")" >> "$GITHUB_OUTPUT"
      shell: bash
"""
WORKFLOW = """\
on: push
%s
jobs:
  one:
    runs-on: ubuntu-latest
    steps:
      - id: a
        uses: %s
      - run: echo "it said [${{ steps.a.outputs.said }}]"
"""


def shared_actions(tmp_path, server):
    shared = Repository(tmp_path / "shared", server, "shared")

    def publish(word, tag=None):
        shared.write("inner/action.yml", INNER % "shared")
        shared.write("outer/action.yml", OUTER)
        shared.write("word", word + "\n")
        shared.commit(word)
        shared.push()
        if tag:
            shared.git("tag", tag)
            shared.push(ref=tag)
        return shared.git("rev-parse", "HEAD").stdout.strip()

    return publish


def run_with(server, repository, uses, more=""):
    repository.write(".github/workflows/ci.yml", WORKFLOW % (more, uses))
    repository.commit()
    repository.push()
    newest = server.get("/api/v1/runs")["runs"][0]["id"]
    run = server.finished(newest)
    return run, log_of(server, run["jobs"][0]["id"])


def test_a_tag_a_branch_and_a_commit_of_this_server(server, repository, tmp_path):
    publish = shared_actions(tmp_path, server)
    old = publish("good morning", "v1")
    new = publish("good night")
    for ref, commit, word in (("v1", old, "good morning"), ("main", new, "good night"), (old, old, "good morning")):
        run, log = run_with(server, repository, f"weir/shared/outer@{ref}")
        assert run["conclusion"] == "success", log
        assert f"inner of shared at {word}" in log and f"it said [{word}]" in log
        assert f"Action weir/shared/outer@{ref} (SHA:{commit})" in log
    newest = publish("noon")  # a branch goes on
    run, log = run_with(server, repository, "weir/shared/outer@main")
    assert "it said [noon]" in log and f"(SHA:{newest})" in log


def test_what_is_not_there_is_asked_for_nowhere_else(server, repository, tmp_path):
    shared_actions(tmp_path, server)("good morning", "v1")
    for uses, problem in (("weir/shared/outer@v9", 'has neither a branch nor a tag "v9"'),
                          ("weir/none@v1", "names a repository of this server"),
                          ("weir/shared/nowhere@v1", "nowhere")):
        run, log = run_with(server, repository, uses)
        assert run["conclusion"] == "failure" and problem in log, log
        assert "github.com" not in log, log


def test_the_jobs_token_is_what_reads_them(server, repository, tmp_path):
    shared_actions(tmp_path, server)("good morning", "v1")
    run, log = run_with(server, repository, "weir/shared/outer@v1", "permissions: {issues: read}")
    assert run["conclusion"] == "failure" and "names a repository of this server" in log, log
    assert "contents" in log, log
