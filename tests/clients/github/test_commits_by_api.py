"""Commits that programs make through the API, without git: blobs, trees, commits, and the refs that then lead there."""

import base64
import json

import pytest
from github_project import Failed

CLIENTS = ["rest", "github", "rest18"]

# Puts files on a branch as scripts do it: {path: text, null to take one away, or an entry of a tree}.
COMMIT = """
    const {git} = octokit.rest
    const head = (await git.getRef({...at, ref: `heads/${given.branch}`})).data.object.sha
    const base_tree = (await git.getCommit({...at, commit_sha: head})).data.tree.sha
    const tree = []
    for (const [path, text] of Object.entries(given.files)) {
      const entry = {path, mode: '100644', type: 'blob'}
      if (text !== null && typeof text === 'object') Object.assign(entry, text)
      else if (text === null) entry.sha = null
      else entry.sha = (await git.createBlob({...at, content: Buffer.from(text).toString('base64'), encoding: 'base64'})).data.sha
      tree.push(entry)
    }
    const made = (await git.createTree({...at, base_tree, tree})).data
    const commit = (await git.createCommit({...at, tree: made.sha, parents: [head], message: given.message ?? 'By API', ...given.more})).data
    const ref = given.onto ? (await git.createRef({...at, ref: `refs/heads/${given.onto}`, sha: commit.sha})).data
                           : (await git.updateRef({...at, ref: `heads/${given.branch}`, sha: commit.sha})).data
    return {made, commit, ref}"""


def fetch(project, ref):
    url = project.server.url.replace("http://", f"http://carol:{project.server.admin_token}@")
    project.repository.git("fetch", "-q", f"{url}/git/project.git", ref)


def files_at(project, ref):
    git = project.repository.git
    fetch(project, ref)
    names = git("ls-tree", "-r", "--format=%(objectmode) %(path)", "FETCH_HEAD").stdout.splitlines()
    return {name.split(" ", 1)[1]: name.split(" ", 1)[0] for name in names}


@pytest.mark.parametrize("client", CLIENTS)
def test_a_commit_is_made_of_blobs_and_a_tree(project, client):
    got = project.call(COMMIT, client, branch="better", message="Two words: 水\n\nAnd more", files={
        "train.py": "three\n", "docs/notes.md": None, "deep/er/a.txt": "a",
        "run.sh": {"mode": "100755", "content": "#!/bin/sh\n"}, "link": {"mode": "120000", "content": "train.py"}})
    assert not isinstance(got, Failed), got
    assert got["ref"]["object"]["sha"] == got["commit"]["sha"]
    assert got["commit"]["verification"] == {"verified": False, "reason": "unsigned", "signature": None, "payload": None}
    assert files_at(project, "better") == {"train.py": "100644", "deep/er/a.txt": "100644", "run.sh": "100755",
                                           "link": "120000"}
    git = project.repository.git
    assert git("show", "FETCH_HEAD:train.py").stdout == "three\n"
    assert git("log", "-1", "--format=%B", "FETCH_HEAD").stdout.strip() == "Two words: 水\n\nAnd more"
    assert git("rev-parse", "FETCH_HEAD^").stdout.strip() == project.head
    git("fsck", "--strict")
    pull = project.call("return (await octokit.rest.pulls.get({...at, pull_number: 1})).data")
    assert pull["head"]["sha"] == got["commit"]["sha"], "the pull request follows its branch as after a push"


def test_author_committer_and_dates_are_kept(project):
    author = {"name": "Ann <x>", "email": "ann@example.com", "date": "2024-03-01T12:00:00Z"}
    project.call(COMMIT, branch="better", files={"a": "b"}, more={"author": author, "committer": {"name": "Bot"}})
    fetch(project, "better")
    shown = project.repository.git("log", "-1", "--format=%an|%ae|%at|%cn|%ce|%ct", "FETCH_HEAD").stdout.strip()
    assert shown == "Ann x|ann@example.com|1709294400|Bot|ann@example.com|1709294400"


def test_a_folder_and_a_submodule_are_put_at_a_path_and_files_become_folders(project):
    docs = project.repository.git("rev-parse", "HEAD:docs").stdout.strip()
    got = project.call(COMMIT, branch="better", files={
        "train.py/now/a/folder": "x", "docs": "a file", "copy": {"mode": "040000", "type": "tree", "sha": docs},
        "other": {"mode": "160000", "type": "commit", "sha": project.head}})
    assert not isinstance(got, Failed), got
    assert files_at(project, "better") == {"train.py/now/a/folder": "100644", "docs": "100644",
                                           "copy/notes.md": "100644", "other": "160000"}


def test_what_comes_before_one_another_is_told(project):
    got = project.call("""
        const {git} = octokit.rest
        const alone = (await git.createTree({...at, tree: [{path: 'a/b', mode: '100644', content: 'x'}]})).data
        const root = (await git.createCommit({...at, tree: alone.sha, message: 'Root'})).data
        const blob = (await git.createBlob({...at, content: 'plain'})).data
        return {alone, root, blob, read: (await git.getBlob({...at, file_sha: blob.sha})).data}""")
    assert [one["path"] for one in got["alone"]["tree"]] == ["a"] and got["root"]["parents"] == []
    assert base64.b64decode(got["read"]["content"]) == b"plain"


ENTRY = "return await octokit.rest.git.createTree({...at, base_tree: given.head, tree: [{path: 'a', mode: '100644', "


@pytest.mark.parametrize("body, says", [
    (ENTRY + "sha: '0'.repeat(40)}]})", "is no blob"),
    (ENTRY + "sha: given.head}]})", "is no blob"),
    (ENTRY + "sha: 'HEAD'}]})", "full id"),
    (ENTRY + "sha: null}]})", "not in the base tree"),
    (ENTRY + "mode: '100600', content: 'x'}]})", "100600"),
    (ENTRY + "path: '../x', content: 'x'}]})", "malformed"),
    (ENTRY + "path: 'a/.GIT/config', content: 'x'}]})", "malformed"),
    (ENTRY + "path: '/etc', content: 'x'}]})", "malformed"),
    (ENTRY + "mode: '160000', content: 'x'}]})", "must be a file"),
    (ENTRY + "}]})", "sha or content"),
    ("return await octokit.rest.git.createTree({...at, base_tree: 'better', tree: []})", "base_tree"),
    ("return await octokit.rest.git.createTree({...at, tree: []})", "empty"),
    ("return await octokit.rest.git.createBlob({...at, content: '***', encoding: 'base64'})", "ase64"),
    ("return await octokit.rest.git.createBlob({...at, content: 'x', encoding: 'rot13'})", "rot13"),
    ("return await octokit.rest.git.createCommit({...at, message: 'x', tree: given.head})", "Tree SHA"),
    ("return await octokit.rest.git.createCommit({...at, message: 'x', tree: given.tree, parents: ['x']})", "Parent SHA"),
    ("return await octokit.rest.git.createCommit({...at, message: 'x', tree: given.tree, parents: [given.tree]})",
     "Parent SHA"),
    ("return await octokit.rest.git.createCommit({...at, message: 'x', tree: given.tree, signature: 'gpg'})",
     "signature"),
    ("return await octokit.rest.git.createCommit({...at, message: 'x', tree: given.tree, author: {date: 'soon'}})",
     "soon"),
])
def test_wrong_objects_are_refused_by_name(project, body, says):
    tree = project.repository.git("rev-parse", "HEAD^{tree}").stdout.strip()
    got = project.call(body, head=project.head, tree=tree)
    assert isinstance(got, Failed) and got["status"] == 422 and says in got["error"], got


def test_a_job_commits_with_its_scope_but_no_workflows(project):
    token = project.job_token({"contents": "write"})
    assert not isinstance(project.call(COMMIT, token=token, branch="better", files={"a": "b"}), Failed)
    assert not isinstance(project.call(COMMIT, token=token, branch="main", onto="made", files={"a": "b"}), Failed)
    flow = ".github/workflows/evil.yml"
    for more in ({"branch": "better", "files": {flow: "on: push"}},
                 {"branch": "main", "onto": "hidden", "files": {flow: "on: push"}}):
        got = project.call(COMMIT, token=token, **more)
        assert isinstance(got, Failed) and got["status"] == 403 and "workflow" in got["error"], (more, got)
    # A person's commit with a workflow may be gone on from.
    project.call(COMMIT, branch="better", files={flow: "on: push"})
    assert not isinstance(project.call(COMMIT, token=token, branch="better", files={"a": "d"}), Failed)
    reads = project.job_token({"contents": "read"})
    got = project.call("return await octokit.rest.git.createBlob({...at, content: 'x'})", token=reads)
    assert isinstance(got, Failed) and got["status"] == 403 and "contents: write" in got["error"]


def test_a_viewer_makes_no_objects(project):
    token = json.loads(project.server.cli("token", "create", "vic", "--role", "viewer", "--json").stdout)["token"]
    for body in ("return await octokit.rest.git.createBlob({...at, content: 'x'})",
                 "return await octokit.rest.git.createTree({...at, tree: [{path: 'a', content: 'x'}]})"):
        got = project.call(body, token=token)
        assert isinstance(got, Failed) and got["status"] == 403, got


def test_many_files_come_in_one_tree(project):
    got = project.call("""
        const {git} = octokit.rest
        const sha = (await git.createBlob({...at, content: 'same'})).data.sha
        const tree = [...Array(2000).keys()].map(i => ({path: `many/${i % 10}/${i}.txt`, mode: '100644', sha}))
        tree.splice(1000, 0, {path: 'docs/notes.md', mode: '100644', sha: null})
        const made = (await git.createTree({...at, base_tree: given.head, tree})).data
        return (await git.getTree({...at, tree_sha: made.sha, recursive: 'true'})).data.tree""", head=project.head)
    assert not isinstance(got, Failed), got
    assert len([one for one in got if one["type"] == "blob"]) == 2001 and "docs" not in {one["path"] for one in got}
