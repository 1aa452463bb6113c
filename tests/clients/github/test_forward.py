"""What is said of a repository that follows one of GitHub's is said there; a server on this machine stands for GitHub."""

import json

import pytest
from github_project import Failed
from upstream_server import UpstreamHandler, upstream_of


class Upstream(UpstreamHandler):
    def answer(self):
        body = self.read_body()
        self.server.seen.append((self.command, self.path, self.headers.get("Authorization"), body.decode()))
        status = 401 if self.headers.get("Authorization") != "Bearer ghp_good" else 201 if body else 200
        page = b"[]" if "page=2" in self.path else b'[{"id": 77, "body": "there"}]'
        text = (b'{"id": 77, "body": "made"}' if body else page) if status < 400 else b'{"message": "Bad credentials"}'
        more = [("Link", '<https://api.github.com/repositories/1/issues/5/comments?page=2>; rel="next"')]
        self.send(status, text, more if not body and "page=2" not in self.path else ())


@pytest.fixture
def upstream(project):
    with upstream_of(project, Upstream) as fake:
        yield fake


def set_token(project, value):
    project.server.call("PUT", "/api/v1/secrets/FORWARD_GITHUB_TOKEN", {"value": value}, project.server.admin_token)


def asked(upstream):
    """What clients asked for; the server tells the state of its runs besides."""
    return [one for one in upstream.seen if one[1].startswith("/api/v3") and '"context":"weir / ' not in one[3]]


def test_comments_and_statuses_go_to_github_with_its_token(project, upstream):
    create = "return (await octokit.rest.issues.createComment({...at, issue_number: given.n, body: 'x'})).data"
    assert project.call(create, n=1)["body"] == "x", "without a token they stay here"
    assert asked(upstream) == []
    set_token(project, "ghp_good")
    assert project.call(create, n=5)["id"] == 77
    listed = project.call("return await octokit.paginate(octokit.rest.issues.listComments, {...at, issue_number: 5})")
    assert [one["id"] for one in listed] == [77]
    project.call("await octokit.rest.repos.createCommitStatus({...at, sha: given.sha, state: 'success'})",
                 sha=project.head)
    assert [(one[0], one[1].split("?")[0], one[2]) for one in asked(upstream)] == [
        ("POST", "/api/v3/repos/me/flights/issues/5/comments", "Bearer ghp_good"),
        ("GET", "/api/v3/repos/me/flights/issues/5/comments", "Bearer ghp_good"),
        ("GET", "/api/v3/repos/me/flights/issues/5/comments", "Bearer ghp_good"),
        ("POST", f"/api/v3/repos/me/flights/statuses/{project.head}", "Bearer ghp_good")]
    assert json.loads(asked(upstream)[0][3]) == {"body": "x"}


def test_a_job_needs_its_permissions_there_too_and_a_wrong_token_is_named(project, upstream):
    set_token(project, "ghp_bad")
    create = "return await octokit.rest.issues.createComment({...at, issue_number: 5, body: 'x'})"
    got = project.call(create)
    assert isinstance(got, Failed) and got["status"] == 502 and "FORWARD_GITHUB_TOKEN" in got["error"], got
    before = len(asked(upstream))
    token = project.job_token({"contents": "read"})
    refused = project.call(create, token=token)
    assert isinstance(refused, Failed) and refused["status"] == 403 and len(asked(upstream)) == before
