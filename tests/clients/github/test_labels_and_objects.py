"""Labels, reactions, trees and blobs through GitHub's own clients."""

import base64

import pytest
from github_project import Failed


def test_labels_are_kept_and_what_carries_them_follows(project):
    got = project.call("""
        const issues = octokit.rest.issues
        const made = (await issues.createLabel({...at, name: 'drift', color: 'ff0000', description: 'it moved'})).data
        const issue_number = (await issues.create({...at, title: 'Drift', labels: ['drift', 'new one']})).data.number
        const renamed = (await issues.updateLabel({...at, name: 'drift', new_name: 'data drift/2'})).data
        const carried = (await issues.listLabelsOnIssue({...at, issue_number})).data
        const all = (await octokit.paginate(issues.listLabelsForRepo, {...at, per_page: 1})).map(one => one.name)
        await issues.deleteLabel({...at, name: 'new one'})
        return {made, renamed, carried, all, one: (await issues.getLabel({...at, name: 'data drift/2'})).data,
                left: (await issues.get({...at, issue_number})).data.labels.map(one => one.name)}""", client="github")
    assert (got["made"]["color"], got["made"]["description"]) == ("ff0000", "it moved")
    assert got["renamed"]["name"] == "data drift/2" and got["one"] == got["renamed"]
    assert [(one["name"], one["color"]) for one in got["carried"]] == [("data drift/2", "ff0000"), ("new one", "ededed")]
    assert got["all"] == ["data drift/2", "new one"] and got["left"] == ["data drift/2"]


def test_people_and_jobs_react(project):
    body = """
        const {issues, reactions, repos, pulls} = octokit.rest
        const comment_id = given.id ?? (await issues.createComment({...at, issue_number: 1, body: '/deploy'})).data.id
        const add = content => reactions.createForIssueComment({...at, comment_id, content})
        const first = await add('rocket'), again = await add('rocket')
        const line = (await pulls.createReviewComment({...at, pull_number: 1, body: 'x', path: 'train.py', line: 1,
                                                       commit_id: given.head})).data.id
        const commit = (await repos.createCommitComment({...at, commit_sha: given.head, body: 'x'})).data.id
        await reactions.createForPullRequestReviewComment({...at, comment_id: line, content: '+1'})
        await reactions.createForCommitComment({...at, comment_id: commit, content: 'heart'})
        await reactions.createForIssue({...at, issue_number: 1, content: 'eyes'})
        const all = (await reactions.listForIssueComment({...at, comment_id})).data
        return {comment_id, codes: [first.status, again.status], all: all.map(one => [one.content, one.user.login]),
                wrong: (await reactions.createForCommitComment({...at, comment_id: line, content: '+1'})
                  .catch(error => error)).status,
                issue: (await reactions.listForIssue({...at, issue_number: 1, content: 'eyes'})).data.length,
                gone: (await reactions.deleteForIssueComment({...at, comment_id, reaction_id: first.data.id})).status}"""
    got = project.call(body, head=project.head)
    assert got["codes"] == [201, 200] and got["all"] == [["rocket", "admin"]]
    assert (got["wrong"], got["issue"], got["gone"]) == (404, 1, 204)
    token = project.job_token({"issues": "write", "pull-requests": "write"})
    got = project.call(body, token=token, head=project.head, id=got["comment_id"], client="github")
    assert got["all"] == [["rocket", "github-actions[bot]"]]


def test_trees_and_blobs_are_read(project):
    got = project.call("""
        const {git} = octokit.rest
        const flat = (await git.getTree({...at, tree_sha: 'better'})).data
        const deep = (await git.getTree({...at, tree_sha: flat.sha, recursive: 'true'})).data
        const file_sha = deep.tree.find(one => one.path === 'docs/notes.md').sha
        const blob = (await git.getBlob({...at, file_sha})).data
        return {flat, deep, blob, raw: (await git.getBlob({...at, file_sha, mediaType: {format: 'raw'}})).data}""")
    assert [(one["path"], one["type"]) for one in got["flat"]["tree"]] == [("docs", "tree"), ("train.py", "blob")]
    assert [one["path"] for one in got["deep"]["tree"]] == ["docs", "docs/notes.md", "train.py"]
    assert not got["deep"]["truncated"] and got["deep"]["tree"][1]["mode"] == "100644"
    assert base64.b64decode(got["blob"]["content"]) == b"# Notes\n" and got["blob"]["size"] == 8
    assert got["raw"] == "# Notes\n"


@pytest.mark.parametrize("body, status, says", [
    ("return await octokit.rest.issues.createLabel({...at, name: 'x', color: 'red'})", 422, "color"),
    ("await octokit.rest.issues.createLabel({...at, name: 'x'});"
     "return await octokit.rest.issues.createLabel({...at, name: 'X'})", 422, "already_exists"),
    ("return await octokit.rest.issues.getLabel({...at, name: 'nowhere'})", 404, "nowhere"),
    ("return await octokit.rest.issues.deleteLabel({...at, name: 'nowhere'})", 404, "nowhere"),
    ("return await octokit.rest.reactions.createForIssue({...at, issue_number: 1, content: 'no'})", 422, "content"),
    ("return await octokit.rest.reactions.createForIssue({...at, issue_number: 99, content: '+1'})", 404, "99"),
    ("return await octokit.rest.reactions.deleteForIssue({...at, issue_number: 1, reaction_id: 99})", 404, "99"),
    ("return await octokit.rest.git.getTree({...at, tree_sha: 'nowhere'})", 404, "nowhere"),
    ("return await octokit.rest.git.getTree({...at, tree_sha: '--help'})", 404, "--help"),
    ("return await octokit.rest.git.getBlob({...at, file_sha: '0'.repeat(40)})", 404, "Not Found"),
    ("return await octokit.rest.git.getBlob({...at, file_sha: given.head})", 404, "no blob"),
    ("return await octokit.rest.git.getBlob({...at, file_sha: 'HEAD:train.py'})", 404, "Not Found"),
])
def test_wrong_calls_are_refused(project, body, status, says):
    got = project.call(body, head=project.head)
    assert isinstance(got, Failed) and got["status"] == status and says in got["error"], got


def test_a_job_needs_the_scopes(project):
    token = project.job_token({"contents": "none", "issues": "read"})
    for body in ("return await octokit.rest.issues.createLabel({...at, name: 'x'})",
                 "return await octokit.rest.reactions.createForIssue({...at, issue_number: 1, content: '+1'})",
                 "return await octokit.rest.git.getTree({...at, tree_sha: 'main'})"):
        got = project.call(body, token=token)
        assert isinstance(got, Failed) and got["status"] == 403, got
