"""GitHub's GraphQL API, as @octokit/graphql and scripts of actions/github-script ask it."""

import base64
import json
import urllib.error
import urllib.request

import pytest
from github_project import Failed

CLIENTS = ["rest", "github", "rest18"]


def ask(project, query, token=None, client="rest", **variables):
    return project.call("return await octokit.graphql(given.query, given.variables)", token=token, client=client,
                        query=query, variables=variables)


def comment_on(project, number, body, token=None):
    return project.call("return (await octokit.rest.issues.createComment({...at, issue_number: given.n, body: given.b})).data",
                        token=token, n=number, b=body)


@pytest.mark.parametrize("client", CLIENTS)
def test_published_clients_find_it(project, client):
    got = ask(project, """query($owner: String!, $name: String!) { viewer { login __typename }
        repository(owner: $owner, name: $name) { nameWithOwner defaultBranchRef { name target { oid ... on Commit { message } } } } }""",
              client=client, owner="weir", name="project")
    assert got["viewer"] == {"login": "admin", "__typename": "User"}
    assert got["repository"]["nameWithOwner"] == "weir/project"
    main = got["repository"]["defaultBranchRef"]
    assert main["name"] == "main" and main["target"]["message"].strip() == "Begin"
    assert main["target"]["oid"] == project.repository.git("rev-parse", "main").stdout.strip()


def test_a_pull_request_with_all_that_is_in_it(project):
    project.call("""await octokit.rest.issues.addLabels({...at, issue_number: 1, labels: ['model', 'fast']})
        await octokit.rest.pulls.createReview({...at, pull_number: 1, event: 'COMMENT', body: 'Nice'})""")
    issue = project.call("return (await octokit.rest.issues.create({...at, title: 'Slow'})).data")
    project.call("await octokit.rest.pulls.update({...at, pull_number: 1, body: given.b})", b=f"Fixes #{issue['number']}, see #1")
    comment_on(project, 1, "first")
    rest = project.call("return (await octokit.rest.pulls.get({...at, pull_number: 1})).data")
    got = ask(project, """query($number: Int!) { repository(owner: "weir", name: "project") { pullRequest(number: $number) {
        id number title state isDraft merged mergeable headRefName headRefOid baseRefName additions deletions changedFiles url
        author { login __typename } isCrossRepository baseRepository { nameWithOwner } reviewDecision
        labels(first: 10) { nodes { name color id } totalCount }
        comments(first: 10) { totalCount nodes { id databaseId body author { login } isMinimized } }
        reviews(first: 10) { nodes { state body author { login } commit { oid } } }
        files(first: 10) { nodes { path additions deletions changeType } }
        commits(last: 1) { totalCount nodes { commit { oid messageHeadline statusCheckRollup { state } author { name user { login } } } } }
        closingIssuesReferences(first: 5) { nodes { number title id } }
        latestReviews(first: 3) { totalCount } reviewRequests(first: 3) { totalCount } } } }""", number=1)
    pull = got["repository"]["pullRequest"]
    assert pull["id"] == rest["node_id"] and pull["title"] == "Train better" and pull["url"] == rest["html_url"]
    assert (pull["state"], pull["isDraft"], pull["merged"], pull["mergeable"]) == ("OPEN", False, False, "MERGEABLE")
    assert (pull["additions"], pull["deletions"], pull["changedFiles"]) == (1, 0, 1)
    assert pull["headRefOid"] == project.head and pull["author"] == {"login": "admin", "__typename": "User"}
    assert [label["name"] for label in pull["labels"]["nodes"]] == ["model", "fast"]
    assert [one["id"] for one in pull["labels"]["nodes"]] == [one["node_id"] for one in rest["labels"]]
    assert pull["comments"]["nodes"][0]["body"] == "first" and not pull["comments"]["nodes"][0]["isMinimized"]
    assert pull["reviews"]["nodes"] == [{"state": "COMMENTED", "body": "Nice", "author": {"login": "admin"},
                                         "commit": {"oid": project.head}}]
    assert pull["files"]["nodes"] == [{"path": "train.py", "additions": 1, "deletions": 0, "changeType": "MODIFIED"}]
    commit = pull["commits"]["nodes"][0]["commit"]
    assert commit["oid"] == project.head and commit["statusCheckRollup"] is None and commit["author"]["user"] is None
    assert [one["id"] for one in pull["closingIssuesReferences"]["nodes"]] == [issue["node_id"]]


def test_comments_are_made_changed_hidden_and_removed(project):
    pull = project.call("return (await octokit.rest.pulls.get({...at, pull_number: 1})).data.node_id")
    made = ask(project, """mutation($input: AddCommentInput!) { addComment(input: $input) { clientMutationId
        commentEdge { cursor node { id body } } subject { id __typename } } }""",
               input={"subjectId": pull, "body": "one", "clientMutationId": "x7"})["addComment"]
    assert made["clientMutationId"] == "x7" and made["subject"] == {"id": pull, "__typename": "PullRequest"}
    comment = made["commentEdge"]["node"]
    assert [one["node_id"] for one in project.call("return (await octokit.rest.issues.listComments({...at, issue_number: 1})).data")] \
        == [comment["id"]]
    changed = ask(project, "mutation($id: ID!) { updateIssueComment(input: {id: $id, body: \"two\"}) { issueComment { body } } }",
                  id=comment["id"])
    assert changed["updateIssueComment"]["issueComment"]["body"] == "two"
    hide = "mutation($input: MinimizeCommentInput!) { minimizeComment(input: $input) { minimizedComment { isMinimized minimizedReason } } }"
    got = ask(project, hide, input={"subjectId": comment["id"], "classifier": "OFF_TOPIC"})
    assert got["minimizeComment"]["minimizedComment"] == {"isMinimized": True, "minimizedReason": "off-topic"}
    shown = project.server.get("/api/v1/repos/project/pulls/1")["comments"]
    assert [one["hidden"] for one in shown] == ["off_topic"]
    got = ask(project, """mutation($id: ID!) { unminimizeComment(input: {subjectId: $id}) {
        unminimizedComment { isMinimized ... on IssueComment { body pullRequest { number } } } } }""", id=comment["id"])
    assert got["unminimizeComment"]["unminimizedComment"] == {"isMinimized": False, "body": "two", "pullRequest": {"number": 1}}
    ask(project, "mutation($id: ID!) { deleteIssueComment(input: {id: $id}) { clientMutationId } }", id=comment["id"])
    gone = ask(project, "query($id: ID!) { node(id: $id) { id } }", id=comment["id"])
    assert isinstance(gone, Failed) and gone["errors"][0]["type"] == "NOT_FOUND" and gone["data"] == {"node": None}


def test_lists_come_page_by_page_both_ways(project):
    for i in range(5):
        comment_on(project, 1, f"c{i}")
    query = """query($first: Int, $last: Int, $after: String, $before: String) { repository(owner: "weir", name: "project") {
        pullRequest(number: 1) { comments(first: $first, last: $last, after: $after, before: $before) {
            totalCount nodes { body } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } edges { cursor } } } } }"""

    def page(**variables):
        made = ask(project, query, **variables)["repository"]["pullRequest"]["comments"]
        assert made["totalCount"] == 5 and len(made["edges"]) == len(made["nodes"])
        return [one["body"] for one in made["nodes"]], made["pageInfo"]

    seen, info = page(first=2)
    while info["hasNextPage"]:
        more, info = page(first=2, after=info["endCursor"])
        seen += more
    assert seen == ["c0", "c1", "c2", "c3", "c4"]
    last, info = page(last=2)
    assert last == ["c3", "c4"] and info["hasPreviousPage"] and not info["hasNextPage"]
    before, info = page(last=2, before=info["startCursor"])
    assert before == ["c1", "c2"]
    refused = ask(project, query)
    assert "You must provide a `first` or `last` value" in refused["error"]


def test_what_is_in_a_repository(project):
    project.call("""await octokit.rest.repos.createRelease({...at, tag_name: 'v1', name: 'One', body: 'text'})
        await octokit.rest.issues.create({...at, title: 'Slow', labels: ['bug']})""")
    got = ask(project, """{ repository(owner: "weir", name: "project") { id viewerPermission
        object(expression: "better:train.py") { __typename ... on Blob { text byteSize isBinary } }
        tree: object(expression: "main:") { ... on Tree { entries { name type object { ... on Tree { entries { name } } } } } }
        peeled: object(expression: "refs/tags/v1^{commit}") { oid __typename } nothing: object(expression: "nowhere") { oid }
        ref(qualifiedName: "refs/tags/v1") { name prefix compare(headRef: "better") { aheadBy behindBy status
            commits(first: 10) { nodes { oid associatedPullRequests(first: 5) { nodes { number } } } } } }
        refs(refPrefix: "refs/heads/", first: 10) { nodes { name } }
        latestRelease { tagName isLatest description tagCommit { oid } } release(tagName: "v1") { id name }
        releases(first: 5, orderBy: {field: CREATED_AT, direction: DESC}) { totalCount nodes { tagName author { login } } }
        issues(states: [OPEN], labels: ["bug"], first: 5) { nodes { number title state labels(first: 5) { nodes { name } } } }
        issue(number: 2) { __typename title } issueOrPullRequest(number: 1) { ... on PullRequest { number } ... on Issue { title } }
        pullRequests(states: OPEN, headRefName: "better", first: 5) { totalCount nodes { number } }
        labels(first: 10) { nodes { name } } label(name: "bug") { name color } } rateLimit { remaining } }""")
    repository = got["repository"]
    assert got["rateLimit"] is None and repository["viewerPermission"] == "ADMIN"
    assert repository["object"] == {"__typename": "Blob", "text": "one\ntwo\n", "byteSize": 8, "isBinary": False}
    assert repository["tree"]["entries"][0] == {"name": "docs", "type": "tree", "object": {"entries": [{"name": "notes.md"}]}}
    assert repository["peeled"]["__typename"] == "Commit" and repository["nothing"] is None
    compared = repository["ref"]["compare"]
    assert (compared["aheadBy"], compared["behindBy"], compared["status"]) == (1, 0, "AHEAD")
    assert compared["commits"]["nodes"] == [{"oid": project.head, "associatedPullRequests": {"nodes": [{"number": 1}]}}]
    assert [one["name"] for one in repository["refs"]["nodes"]] == ["better", "main"]
    assert repository["latestRelease"]["tagName"] == "v1" and repository["latestRelease"]["isLatest"]
    assert repository["release"]["name"] == "One" and repository["releases"]["totalCount"] == 1
    assert repository["issues"]["nodes"] == [{"number": 2, "title": "Slow", "state": "OPEN", "labels": {"nodes": [{"name": "bug"}]}}]
    assert repository["issueOrPullRequest"] == {"number": 1} and repository["pullRequests"]["nodes"] == [{"number": 1}]
    assert repository["label"]["name"] == "bug"


def test_issues_and_pull_requests_are_changed(project):
    ids = ask(project, "{ repository(owner: \"weir\", name: \"project\") { id pullRequest(number: 1) { id } } }")["repository"]
    issue = ask(project, "mutation($r: ID!) { createIssue(input: {repositoryId: $r, title: \"Slow\"}) { issue { id number } } }",
                r=ids["id"])["createIssue"]["issue"]
    label = project.call("return (await octokit.rest.issues.createLabel({...at, name: 'bug', color: 'ff0000'})).data.node_id")
    got = ask(project, """mutation($l: ID!, $labels: [ID!]!) { addLabelsToLabelable(input: {labelableId: $l, labelIds: $labels}) {
        labelable { labels(first: 5) { nodes { name } } } } }""", l=ids["pullRequest"]["id"], labels=[label])
    assert got["addLabelsToLabelable"]["labelable"]["labels"]["nodes"] == [{"name": "bug"}]
    got = ask(project, """mutation($i: ID!, $p: ID!) {
        closeIssue(input: {issueId: $i, stateReason: COMPLETED}) { issue { state closed } }
        draft: convertPullRequestToDraft(input: {pullRequestId: $p}) { pullRequest { isDraft } }
        ready: markPullRequestReadyForReview(input: {pullRequestId: $p}) { pullRequest { isDraft } }
        closePullRequest(input: {pullRequestId: $p}) { pullRequest { state } }
        reopenPullRequest(input: {pullRequestId: $p}) { pullRequest { state } }
        updatePullRequest(input: {pullRequestId: $p, title: "Better"}) { pullRequest { title } }
        mergePullRequest(input: {pullRequestId: $p, mergeMethod: SQUASH, commitHeadline: "All"}) {
            pullRequest { state mergedBy { login } mergeCommit { messageHeadline } } } }""", i=issue["id"], p=ids["pullRequest"]["id"])
    assert got["closeIssue"]["issue"] == {"state": "CLOSED", "closed": True}
    assert got["draft"]["pullRequest"]["isDraft"] and not got["ready"]["pullRequest"]["isDraft"]
    assert got["closePullRequest"]["pullRequest"]["state"] == "CLOSED" and got["reopenPullRequest"]["pullRequest"]["state"] == "OPEN"
    assert got["mergePullRequest"]["pullRequest"] == {"state": "MERGED", "mergedBy": {"login": "admin"},
                                                      "mergeCommit": {"messageHeadline": "All"}}
    found = ask(project, """query($q: String!) { search(query: $q, type: ISSUE, first: 5) { issueCount nodes {
        ... on PullRequest { number title } } } }""", q="repo:weir/project is:pr is:merged author:admin merged:>2020-01-01T00:00:00Z better")
    assert found["search"] == {"issueCount": 1, "nodes": [{"number": 1, "title": "Better"}]}


COMMIT = "mutation($input: CreateCommitOnBranchInput!) { createCommitOnBranch(input: $input) { commit { oid message } ref { name } } }"


def test_a_commit_is_made_from_what_was_seen(project):
    text = base64.b64encode(b"by GraphQL\n").decode()
    wish = {"branch": {"repositoryNameWithOwner": "weir/project", "branchName": "better"}, "expectedHeadOid": project.head,
            "message": {"headline": "Write notes", "body": "With care."},
            "fileChanges": {"additions": [{"path": "notes/a.txt", "contents": text}], "deletions": [{"path": "docs/notes.md"}]}}
    made = ask(project, COMMIT, input=wish)["createCommitOnBranch"]
    assert made["ref"]["name"] == "better" and made["commit"]["message"].strip() == "Write notes\n\nWith care."
    project.repository.git("fetch", "-q", f"{project.server.url}/git/project.git", "better")
    assert project.repository.git("show", f"{made['commit']['oid']}:notes/a.txt").stdout == "by GraphQL\n"
    changed = project.repository.git("diff", "--name-status", project.head, "FETCH_HEAD").stdout.split()
    assert changed == ["D", "docs/notes.md", "A", "notes/a.txt"]
    assert project.call("return (await octokit.rest.pulls.get({...at, pull_number: 1})).data.head.sha") == made["commit"]["oid"]
    for change, says in [({}, "Expected branch to point to"), ({"branch": {"repositoryNameWithOwner": "weir/project", "branchName": "no"}}, "doesn't exist"),
                         ({"expectedHeadOid": made["commit"]["oid"], "fileChanges": {"additions": [{"path": "../x", "contents": text}]}}, "path"),
                         ({"expectedHeadOid": made["commit"]["oid"], "fileChanges": {"additions": [{"path": "x", "contents": "!"}]}}, "ase64"),
                         ({"branch": {}}, "branch needs an id")]:
        refused = ask(project, COMMIT, input=wish | change)
        assert isinstance(refused, Failed) and says in refused["error"], refused
    writes = project.job_token({"contents": "write"})
    workflow = wish | {"expectedHeadOid": made["commit"]["oid"], "fileChanges": {"additions": [{"path": ".github/workflows/x.yml", "contents": text}]}}
    refused = ask(project, COMMIT, token=writes, input=workflow)
    assert isinstance(refused, Failed) and refused["errors"][0]["type"] == "FORBIDDEN", refused


def test_a_job_needs_its_permissions_and_writes_to_its_own_repository(project):
    comment = comment_on(project, 1, "by a person")
    reads = project.job_token({"contents": "read"})
    got = ask(project, """{ viewer { login } repository(owner: "weir", name: "project") { name pullRequest(number: 1) { title }
        object(expression: "main") { oid } } }""", token=reads)
    assert isinstance(got, Failed) and got["data"]["viewer"]["login"] == "github-actions[bot]"
    assert got["data"]["repository"]["pullRequest"] is None and got["data"]["repository"]["object"]["oid"]
    assert [(one["type"], one["path"]) for one in got["errors"]] == [("FORBIDDEN", ["repository", "pullRequest"])]
    assert "pull-requests: read" in got["error"]
    hide = "mutation($id: ID!) { minimizeComment(input: {subjectId: $id, classifier: OUTDATED}) { minimizedComment { isMinimized } } }"
    update = "mutation($id: ID!) { updateIssueComment(input: {id: $id, body: \"taken\"}) { issueComment { body } } }"
    for mutation in hide, update:
        refused = ask(project, mutation, token=reads, id=comment["node_id"])
        assert isinstance(refused, Failed) and refused["errors"][0]["type"] == "FORBIDDEN", refused
    writes = project.job_token({"pull-requests": "write"})
    assert ask(project, hide, token=writes, id=comment["node_id"])["minimizeComment"]["minimizedComment"]["isMinimized"]
    refused = ask(project, update, token=writes, id=comment["node_id"])
    assert isinstance(refused, Failed) and "may not change it" in refused["error"], "what people say stays theirs"
    own = comment_on(project, 1, "by the job", token=writes)
    got = ask(project, "query($id: ID!) { node(id: $id) { ... on IssueComment { author { login __typename } viewerDidAuthor } } }",
              token=writes, id=own["node_id"])
    assert got["node"] == {"author": {"login": "github-actions", "__typename": "Bot"}, "viewerDidAuthor": True}
    assert ask(project, update, token=writes, id=own["node_id"])["updateIssueComment"]["issueComment"]["body"] == "taken"
    merge = ask(project, """mutation { mergePullRequest(input: {pullRequestId: "pull/project/1"}) { pullRequest { state } } }""", token=writes)
    assert isinstance(merge, Failed) and merge["errors"][0]["type"] == "FORBIDDEN"


@pytest.mark.parametrize("query, says, error_type", [
    ("{ repository(owner: \"weir\", name: \"nothing\") { id } }", "Could not resolve to a Repository with the name 'weir/nothing'.", "NOT_FOUND"),
    ("{ repository(owner: \"weir\", name: \"../project\") { id } }", "Could not resolve to a Repository", "NOT_FOUND"),
    ("{ repository(owner: \"weir\", name: \"project\") { pullRequest(number: 9) { id } } }", "Could not resolve to a PullRequest with the number of 9.",
     "NOT_FOUND"),
    ("{ repository(owner: \"weir\", name: \"project\") { issue(number: 1) { id } } }", "Could not resolve to an Issue", "NOT_FOUND"),
    ("{ repository(owner: \"weir\", name: \"project\") { stars } }", "Field 'stars' doesn't exist on type 'Repository'", None),
    ("{ repository(owner: \"weir\", name: \"project\") { issues(first: 101) { nodes { id } } } }", "exceeds the `first` limit of 100", "UNPROCESSABLE"),
    ("{ repository(owner: \"weir\", name: \"project\") { issues(first: 1, after: \"x\") { nodes { id } } } }", "valid cursor", "UNPROCESSABLE"),
    ("{ user(login: \"weir\") { projectV2(number: 1) { id } } }", "weir has no projects", "NOT_FOUND"),
    ("mutation { enablePullRequestAutoMerge(input: {pullRequestId: \"pull/project/1\"}) { clientMutationId } }", "weir has no auto-merge", "UNPROCESSABLE"),
    ("mutation { addComment(input: {subjectId: \"pull/project/1\", body: \"\"}) { clientMutationId } }", "empty", "UNPROCESSABLE"),
    ("mutation { addComment(input: {subjectId: \"issue/project/1\", body: \"x\"}) { clientMutationId } }", "Could not resolve to a node", "NOT_FOUND"),
    ("mutation { deleteIssueComment(input: {id: \"IC_kwDO\"}) { clientMutationId } }", "Could not resolve to a node with the global id of 'IC_kwDO'", "NOT_FOUND"),
    ("{ search(query: \"repo:weir/project stars:>3\", type: ISSUE, first: 1) { issueCount } }", "does not know stars", "UNPROCESSABLE"),
    ("{ search(query: \"is:pr\", type: ISSUE, first: 1) { issueCount } }", "repo:OWNER/NAME", "UNPROCESSABLE"),
    ("{ viewer { login }", "Parse error", None),
])
def test_wrong_questions_are_refused_as_github_does(project, query, says, error_type):
    got = ask(project, query)
    assert isinstance(got, Failed) and says in got["error"], got
    assert got["errors"][0].get("type") == error_type and got["errors"][0]["locations"]


def test_one_that_is_gone_does_not_hide_the_others(project):
    got = ask(project, "query($ids: [ID!]!) { nodes(ids: $ids) { __typename ... on PullRequest { number } } }",
              ids=["pull/project/1", "comment/project/99", "nothing"])
    assert got["nodes"] == [{"__typename": "PullRequest", "number": 1}, None, None]


def test_bodies_that_are_no_question(project):
    def post(body, token=project.server.admin_token):
        request = urllib.request.Request(f"{project.server.url}/api/graphql", body.encode(), {"Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    assert "query attribute" in post("{}")["errors"][0]["message"]
    assert "query attribute" in post("[1]")["errors"][0]["message"]
    assert "query attribute" in post('{"query": 5}')["errors"][0]["message"]
    assert "Variables" in post('{"query": "{ viewer { login } }", "variables": [1]}')["errors"][0]["message"]
    with pytest.raises(urllib.error.HTTPError) as refused:
        post("{")
    assert refused.value.code == 400
    with pytest.raises(urllib.error.HTTPError) as refused:
        post('{"query": "{ viewer { login } }"}', token="wrong")
    assert refused.value.code == 401
