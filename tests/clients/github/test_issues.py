"""Issues, comments and pull requests through GitHub's own clients."""

import pytest
from github_project import Failed

CLIENTS = ["rest", "github", "rest18"]


@pytest.mark.parametrize("client", CLIENTS)
def test_a_comment_is_made_changed_found_and_deleted(project, client):
    got = project.call("""
        const on = {...at, issue_number: 1}
        const made = (await octokit.rest.issues.createComment({...on, body: 'first'})).data
        await octokit.rest.issues.updateComment({...at, comment_id: made.id, body: 'second'})
        const all = (await octokit.rest.issues.listComments(on)).data
        const one = (await octokit.rest.issues.getComment({...at, comment_id: made.id})).data
        await octokit.rest.issues.deleteComment({...at, comment_id: made.id})
        return {made, all, one, left: (await octokit.rest.issues.listComments(on)).data}""", client)
    assert got["made"]["body"] == "first" and got["made"]["html_url"].endswith("/#/pulls/project/1")
    assert [comment["body"] for comment in got["all"]] == ["second"] and got["one"]["body"] == "second"
    assert got["one"]["user"]["login"] == "admin" and got["left"] == []


def test_comments_come_page_by_page(project):
    got = project.call("""
        const on = {...at, issue_number: 1}
        for (let i = 0; i < 7; i++) await octokit.rest.issues.createComment({...on, body: `comment ${i}`})
        const first = await octokit.rest.issues.listComments({...on, per_page: 3})
        const all = await octokit.paginate(octokit.rest.issues.listComments, {...on, per_page: 3})
        return {link: first.headers.link, first: first.data.length, all: all.map(one => one.body)}""")
    assert got["first"] == 3 and 'page=2>; rel="next"' in got["link"]
    assert got["all"] == [f"comment {i}" for i in range(7)]


def test_issues_share_their_numbers_with_pull_requests(project):
    got = project.call("""
        const made = (await octokit.rest.issues.create({...at, title: 'Drift', body: 'text', labels: ['drift']})).data
        const id = {...at, issue_number: made.number}
        await octokit.rest.issues.addLabels({...id, labels: ['urgent']})
        await octokit.rest.issues.removeLabel({...id, name: 'drift'})
        const closed = (await octokit.rest.issues.update({...id, state: 'closed'})).data
        const open = (await octokit.rest.issues.listForRepo(at)).data
        const all = (await octokit.rest.issues.listForRepo({...at, state: 'all'})).data
        return {made, closed, open, all, pull: (await octokit.rest.issues.get({...at, issue_number: 1})).data}""")
    assert got["made"]["number"] == 2 and got["made"]["labels"][0]["name"] == "drift"
    assert got["closed"]["state"] == "closed" and [one["name"] for one in got["closed"]["labels"]] == ["urgent"]
    assert [one["number"] for one in got["open"]] == [1] and [one["number"] for one in got["all"]] == [2, 1]
    assert got["pull"]["pull_request"]["html_url"].endswith("/#/pulls/project/1")


@pytest.mark.parametrize("client", CLIENTS)
def test_a_pull_request_and_what_it_brings(project, client):
    got = project.call("""
        const id = {...at, pull_number: 1}
        return {
          list: (await octokit.rest.pulls.list({...at, head: 'weir:better'})).data,
          none: (await octokit.rest.pulls.list({...at, head: 'weir:other'})).data,
          one: (await octokit.rest.pulls.get(id)).data,
          files: (await octokit.rest.pulls.listFiles(id)).data,
          commits: (await octokit.rest.pulls.listCommits(id)).data,
          of: (await octokit.rest.repos.listPullRequestsAssociatedWithCommit({...at, commit_sha: given.head})).data,
        }""", client, head=project.head)
    assert [one["number"] for one in got["list"]] == [1] and got["none"] == []
    one = got["one"]
    assert one["head"]["sha"] == project.head and one["head"]["ref"] == "better" and one["base"]["ref"] == "main"
    assert (one["additions"], one["deletions"], one["changed_files"], one["commits"]) == (1, 0, 1, 1)
    assert one["mergeable"] is True and one["mergeable_state"] == "clean"
    assert [(file["filename"], file["status"], file["patch"]) for file in got["files"]] == [
        ("train.py", "modified", "@@ -1 +1,2 @@\n one\n+two")]
    assert [commit["commit"]["message"] for commit in got["commits"]] == ["Train better"]
    assert got["of"][0]["html_url"].endswith("/#/pulls/project/1")


def test_a_pull_request_is_opened_reviewed_and_merged(project):
    project.repository.git("checkout", "-qb", "third", "main")
    project.repository.write("docs/notes.md", "# More\n")
    project.repository.commit("More notes")
    project.repository.push(ref="third")
    got = project.call("""
        const made = (await octokit.rest.pulls.create({...at, head: 'third', base: 'main', title: 'Third'})).data
        const id = {...at, pull_number: made.number}
        await octokit.rest.pulls.update({...id, title: 'The third'})
        await octokit.rest.pulls.createReview({...id, event: 'COMMENT', body: 'good'})
        await octokit.rest.pulls.createReviewComment({...id, path: 'docs/notes.md', line: 1, body: 'here',
                                                      commit_id: made.head.sha})
        const reviews = (await octokit.rest.pulls.listReviews(id)).data
        const lines = (await octokit.rest.pulls.listReviewComments(id)).data
        const merged = (await octokit.rest.pulls.merge({...id, merge_method: 'squash', sha: made.head.sha})).data
        return {made, reviews, lines, merged, after: (await octokit.rest.pulls.get(id)).data}""")
    assert got["made"]["number"] == 2 and got["reviews"][0]["state"] == "COMMENTED"
    assert (got["lines"][0]["path"], got["lines"][0]["line"]) == ("docs/notes.md", 1)
    assert got["merged"]["merged"] and got["after"]["merged"] and got["after"]["title"] == "The third"
    assert got["after"]["merge_commit_sha"] == got["merged"]["sha"]


def test_a_rebase_keeps_commits_and_authors_and_is_refused_where_one_conflicts(project):
    repository = project.repository
    repository.write("docs/more.md", "more\n")
    repository.git("add", "-A")
    repository.git("commit", "-qm", "Say more", "--author", "Eve <eve@example.com>")
    repository.push(ref="better")
    repository.git("checkout", "-q", "main")
    repository.write("other.py", "meanwhile\n")
    repository.commit("Meanwhile")
    repository.push()
    merged = project.call("return (await octokit.rest.pulls.merge({...at, pull_number: 1, merge_method: 'rebase'})).data")
    assert merged["merged"], merged
    repository.git("fetch", "-q", f"{project.server.url}/git/project.git", "main")
    log = repository.git("log", "--format=%H %s|%an", "FETCH_HEAD").stdout.splitlines()
    assert [line.split(" ", 1)[1] for line in log] == [
        "Say more|Eve", "Train better|Carol", "Meanwhile|Carol", "Begin|Carol"]
    assert merged["sha"] == log[0].split()[0]
    # One that writes what the base has changed meanwhile, and takes it back: a merge takes it, a rebase cannot.
    repository.git("checkout", "-qb", "back", "main")
    for text in ("theirs\n", None):
        repository.write("shared.py", text or "")
        if text is None:
            repository.git("rm", "-qf", "shared.py")
        repository.write("back.py", f"{text}")
        repository.commit("Write or take back")
    repository.push(ref="back")
    repository.git("checkout", "-q", "main")
    repository.git("reset", "-q", "--hard", "FETCH_HEAD")
    repository.write("shared.py", "ours\n")
    repository.commit("Share")
    repository.push()
    number = project.call("""
        return (await octokit.rest.pulls.create({...at, head: 'back', base: 'main', title: 'Back'})).data.number""")
    refused = project.call(f"return await octokit.rest.pulls.merge({{...at, pull_number: {number}, merge_method: 'rebase'}})")
    assert refused["status"] == 405 and "conflicts in shared.py" in str(refused), refused
    command = project.server.cli("pr", "merge", str(number), "--repo", "project", "--rebase", check=False,
                                 token=project.server.admin_token)
    assert command.returncode == 1 and "conflicts in shared.py" in command.stderr
    both = project.server.cli("pr", "merge", str(number), "--repo", "project", "--rebase", "--squash", check=False)
    assert both.returncode != 0
    assert project.call(f"return (await octokit.rest.pulls.merge({{...at, pull_number: {number}}})).data")["merged"]


@pytest.mark.parametrize("body, status, says", [
    ("return await octokit.rest.issues.createComment({...at, issue_number: 99, body: 'x'})", 404, "no issue"),
    ("return await octokit.rest.issues.createComment({...at, issue_number: 1, body: ''})", 422, "empty"),
    ("return await octokit.request('POST /repos/weir/project/issues/1/comments', {body: 7})", 422, "string"),
    ("return await octokit.rest.issues.create({...at, title: 't', assignees: ['bob']})", 422, "assignees"),
    ("return await octokit.rest.issues.create({...at, title: ' '})", 422, "title"),
    ("return await octokit.rest.issues.listForRepo({...at, per_page: 'x'})", 422, "per_page"),
    ("return await octokit.rest.pulls.create({...at, head: 'nowhere', base: 'main', title: 't'})", 422, "nowhere"),
    ("return await octokit.rest.pulls.merge({...at, pull_number: 1, merge_method: 'octopus'})", 422, "octopus"),
    ("return await octokit.rest.pulls.merge({...at, pull_number: 1, sha: '0'.repeat(40)})", 409, "Head branch"),
    ("return await octokit.rest.pulls.createReview({...at, pull_number: 1, event: 'APPROVE'})", 403, "approve"),
    ("return await octokit.rest.repos.get({owner: 'weir', repo: 'nothing'})", 404, "nothing"),
    ("return await octokit.rest.repos.get({owner: 'weir', repo: '../project'})", 400, ""),
    ("return await octokit.rest.issues.lock({...at, issue_number: 1})", 404, "weir has no"),
    ("return await octokit.rest.rateLimit.get()", 404, "Rate limiting is not enabled."),
])
def test_wrong_calls_are_refused_as_github_does(project, body, status, says):
    got = project.call(body)
    assert isinstance(got, Failed) and got["status"] == status and says in got["error"], got
