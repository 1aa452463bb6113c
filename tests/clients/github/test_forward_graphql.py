"""What GraphQL asks of comments of a repository that follows one of GitHub's; a server on this machine stands for GitHub."""

import json

import pytest
from github_project import Failed
from upstream_server import UpstreamHandler, upstream_of

ROOT = "/api/v3/repos/me/flights"
STICKY = """query($repo: String! $owner: String! $number: Int! $after: String) { viewer { login } repository(name: $repo owner: $owner) {
    pullRequest(number: $number) { title comments(first: 100 after: $after) { nodes { id author { login } isMinimized body }
        pageInfo { endCursor hasNextPage } } } } }"""


class Github(UpstreamHandler):
    """Pull request 5 of me/flights, with comments, and just the GraphQL that is asked for them."""

    def comment(self, number):
        return {"id": number, "node_id": f"IC_{number}", "body": self.server.comments[number],
                "user": {"login": "robot[bot]", "type": "Bot", "node_id": "BOT_1", "id": 4}, "author_association": "MEMBER",
                "created_at": "2026-01-02T03:04:05Z", "updated_at": "2026-01-02T03:04:05Z",
                "issue_url": f"https://api.github.com/repos/me/flights/issues/5", "html_url": "https://github.com/me/flights/pull/5"}

    def graphql(self, query, variables):
        if "minimizeComment" in query:
            given = variables["input"]
            number = int(given["subjectId"].removeprefix("IC_"))
            (self.server.hidden.pop(number) if "unminimize" in query else self.server.hidden.update({number: given["classifier"].lower()}))
            return {"data": {"minimizeComment": {}}}
        if "viewer" in query:
            return {"data": {"viewer": {"login": "robot[bot]"}}}
        ids = [int(one.removeprefix("IC_")) for one in variables["ids"]]
        return {"data": {"nodes": [{"id": f"IC_{one}", "isMinimized": one in self.server.hidden,
                                    "minimizedReason": self.server.hidden.get(one)} for one in ids]}}

    def made(self, body):
        path = self.path.split("?")[0]
        comments = self.server.comments
        if path == "/api/graphql":
            return self.graphql(body["query"], body["variables"])
        if path == f"{ROOT}/pulls/5":
            return {"number": 5, "id": 900, "node_id": "PR_5", "title": "Fly", "state": "open", "body": "", "merged": False, "draft": False,
                    "user": {"login": "ann", "type": "User"}, "head": {"ref": "better", "sha": "1" * 40},
                    "base": {"ref": "main", "sha": "2" * 40}, "labels": [], "html_url": "https://github.com/me/flights/pull/5"}
        if path == f"{ROOT}/issues/5/comments":
            if self.command == "POST":
                comments[max(comments) + 1] = body["body"]
                return self.comment(max(comments))
            page = int(self.path.rsplit("page=", 1)[1])
            return [self.comment(one) for one in sorted(comments)[(page - 1) * 100:page * 100]]
        if path.startswith(f"{ROOT}/issues/comments/"):
            number = int(path.rsplit("/", 1)[1])
            if number not in comments:
                return None
            if self.command == "DELETE":
                return comments.pop(number) and ""
            if self.command == "PATCH":
                comments[number] = body["body"]
            return self.comment(number)
        return None

    def answer(self):
        body = self.read_body()
        self.server.seen.append((self.command, self.path, self.headers.get("Authorization")))
        said = self.made(json.loads(body) if body else None)
        status = 204 if said == "" else 404 if said is None else 200
        text = b"" if said == "" else json.dumps(said or {"message": "Not Found"}).encode()
        self.send(status, text)


@pytest.fixture
def github(project):
    with upstream_of(project, Github) as fake:
        fake.hidden, fake.comments = {}, {70 + i: f"c{i}" for i in range(103)}
        fake.job = project.job_token({"pull-requests": "write"})
        fake.reader = project.job_token({"pull-requests": "read"})
        project.server.call("PUT", "/api/v1/secrets/FORWARD_GITHUB_TOKEN", {"value": "ghp_good"}, project.server.admin_token)
        yield fake


def ask(project, token, query, **variables):
    return project.call("return await octokit.graphql(given.query, given.variables)", token=token, query=query, variables=variables)


def test_a_sticky_comment_finds_changes_and_hides_its_own_at_github(project, github):
    seen, after = [], None
    while True:
        got = ask(project, github.job, STICKY, repo="project", owner="weir", number=5, after=after)
        pull = got["repository"]["pullRequest"]
        seen += pull["comments"]["nodes"]
        after = pull["comments"]["pageInfo"]["endCursor"]
        if not pull["comments"]["pageInfo"]["hasNextPage"]:
            break
    assert got["viewer"]["login"] == "robot[bot]" and pull["title"] == "Fly"
    assert [one["body"] for one in seen] == [f"c{i}" for i in range(103)]
    assert {one["author"]["login"] for one in seen} == {"robot"}, "as GitHub names bots in GraphQL"
    own = seen[100]["id"]
    got = ask(project, github.job, """mutation($id: ID!) { updateIssueComment(input: {id: $id, body: "new"}) { issueComment { id body } }
        minimizeComment(input: {subjectId: $id, classifier: OUTDATED}) { minimizedComment { isMinimized minimizedReason } } }""", id=own)
    assert got["updateIssueComment"]["issueComment"] == {"id": own, "body": "new"} and github.comments[170] == "new"
    assert got["minimizeComment"]["minimizedComment"] == {"isMinimized": True, "minimizedReason": "outdated"}
    ask(project, github.job, "mutation($id: ID!) { unminimizeComment(input: {subjectId: $id}) { clientMutationId } }", id=own)
    assert github.hidden == {}
    ask(project, github.job, "mutation($id: ID!) { deleteIssueComment(input: {id: $id}) { clientMutationId } }", id=own)
    assert 170 not in github.comments
    got = ask(project, github.job, """mutation { addComment(input: {subjectId: "pull/project/5", body: "more"}) {
        commentEdge { node { id } } subject { id } } }""")["addComment"]
    assert got == {"commentEdge": {"node": {"id": "comment/project/173"}}, "subject": {"id": "pull/project/5"}}
    assert {one[2] for one in github.seen if "/issues/" in one[1]} == {"Bearer ghp_good"}


def test_it_is_reached_by_the_same_rights_and_for_nothing_else(project, github):
    before = len(github.seen)
    refused = ask(project, github.reader, "mutation { deleteIssueComment(input: {id: \"comment/project/70\"}) { clientMutationId } }")
    assert isinstance(refused, Failed) and refused["errors"][0]["type"] == "FORBIDDEN"
    assert not any("/comments" in one[1] for one in github.seen[before:])
    for query, says in [
        ("mutation { deleteIssueComment(input: {id: \"comment/project/9\"}) { clientMutationId } }", "GitHub: Not Found"),
        ("mutation { closePullRequest(input: {pullRequestId: \"pull/project/1\"}) { clientMutationId } }", "GitHub's own"),
        ("{ repository(owner: \"weir\", name: \"project\") { pullRequest(number: 5) { reviews(first: 1) { totalCount } } } }", "GitHub's own"),
        ("{ repository(owner: \"weir\", name: \"project\") { pullRequest(number: 6) { title } } }", "GitHub: Not Found"),
    ]:
        refused = ask(project, github.job, query)
        assert isinstance(refused, Failed) and says in refused["error"], refused
    assert len(github.comments) == 103
