"""What actions of others rely on in the REST API, in contexts and in payloads, and tell by errors such as "Cannot read
properties of undefined"."""

import json

from github_project import Failed
from weir_server import wait_until

SHOW = """
name: Shows
on: [pull_request]
jobs:
  shows:
    runs-on: ubuntu-latest
    steps:
      - run: |
          echo 'ids ${{ github.actor_id }} ${{ github.repository_owner_id }} ${{ github.repository_id }}'
          echo "variables $GITHUB_ACTOR_ID $GITHUB_REPOSITORY_OWNER_ID $GITHUB_REPOSITORY_ID"
          node -e '
            const event = JSON.parse(require("fs").readFileSync(process.env.GITHUB_EVENT_PATH))
            const {base, head, user, html_url, url, issue_url, comments_url} = event.pull_request
            console.log(JSON.stringify({base: [base.user.login, base.label], head: [head.user.login, head.label],
                                        addresses: [html_url, url, issue_url, comments_url],
                                        ids: [user.id, base.user.id, base.repo.id, event.sender.id]}))'
"""


def lines_of(server, run):
    job = server.finished(run)["jobs"][0]["id"]
    return [line["text"] for line in server.get(f"/api/v1/jobs/{job}/log")["lines"]]


def test_people_and_repositories_have_the_same_numbers_everywhere(project):
    server, repository = project.server, project.repository
    repository.git("checkout", "-q", "main")
    repository.write(".github/workflows/shows.yml", SHOW)
    repository.commit("Show")
    repository.push()
    repository.git("checkout", "-qb", "shows")
    repository.write("train.py", "three\n")
    repository.commit("Three")
    repository.push(ref="shows")
    server.cli("pr", "create", "--head", "shows", "--repo", "project", token=server.admin_token)
    run = wait_until(lambda: next((one["id"] for one in server.get("/api/v1/runs?limit=9")["runs"]
                                   if one["event"] == "pull_request" and one["workflow"] == "Shows"), None),
                     what="the pull request's run")
    lines = lines_of(server, run)
    got = project.call("""
        const pull = (await octokit.rest.pulls.get({...at, pull_number: 2})).data
        return {user: pull.user.id, owner: pull.base.user.id, repo: pull.base.repo.id,
                addresses: [pull.html_url, pull.url, pull.issue_url, pull.comments_url]}""")
    ids = [str(got["user"]), str(got["owner"]), str(got["repo"])]
    assert f"ids {' '.join(ids)}" in lines and f"variables {' '.join(ids)}" in lines, lines
    event = next(json.loads(line) for line in lines if line.startswith('{"base"'))
    assert event["base"] == ["weir", "weir:main"] and event["head"] == ["weir", "weir:shows"]
    assert event["addresses"] == got["addresses"] and "/#/pulls/project/2" in event["addresses"][0]
    assert [str(number) for number in event["ids"]] == [ids[0], ids[1], ids[2], ids[0]]


def test_runs_of_a_pull_request_are_found_by_its_branch_and_tell_their_commit(project):
    test_people_and_repositories_have_the_same_numbers_everywhere(project)
    got = project.call("""
        const runs = async (branch) => (await octokit.rest.actions.listWorkflowRunsForRepo({...at, branch})).data
        const [run] = (await runs('shows')).workflow_runs
        const commit = (await octokit.rest.repos.getCommit({...at, ref: 'shows'})).data
        return {run, commit, merges: (await runs('2/merge')).total_count}""")
    assert got["run"]["head_branch"] == "shows" and got["merges"] == 0
    assert got["run"]["head_commit"]["id"] == got["commit"]["sha"] == got["run"]["head_sha"]
    assert got["run"]["head_commit"]["tree_id"] == got["commit"]["commit"]["tree"]["sha"]
    assert got["run"]["head_commit"]["message"].startswith("Three")


def test_two_refs_are_compared(project):
    got = project.call("""
        const compare = async (basehead) =>
          (await octokit.rest.repos.compareCommitsWithBasehead({...at, basehead}).catch(error => error)).data
        return {ahead: await compare('main...better'), behind: await compare('weir:better...weir:main'),
                same: await compare(`HEAD...main`), by_id: (await compare(`main...${given.head}`)).ahead_by,
                none: await octokit.rest.repos.compareCommitsWithBasehead({...at, basehead: 'main...none'})
                  .catch(error => error.status),
                odd: await octokit.rest.repos.compareCommitsWithBasehead({...at, basehead: 'main'})
                  .catch(error => error.status)}""", head=project.head)
    ahead, behind = got["ahead"], got["behind"]
    assert (ahead["status"], ahead["ahead_by"], ahead["behind_by"], ahead["total_commits"]) == ("ahead", 1, 0, 1)
    assert [commit["sha"] for commit in ahead["commits"]] == [project.head]
    assert [(one["filename"], one["status"], one["additions"]) for one in ahead["files"]] == [("train.py", "modified", 1)]
    assert ahead["merge_base_commit"]["sha"] == ahead["base_commit"]["sha"]
    assert (behind["status"], behind["ahead_by"], behind["behind_by"], behind["files"]) == ("behind", 0, 1, [])
    assert got["same"]["status"] == "identical" and got["by_id"] == 1
    assert (got["none"], got["odd"]) == (404, 404)


def test_diverged_refs_are_compared_from_where_they_parted(project):
    repository = project.repository
    repository.git("checkout", "-q", "main")
    repository.write("other.py", "x\n")
    repository.commit("Other")
    repository.push()
    got = project.call("""
        return (await octokit.rest.repos.compareCommitsWithBasehead({...at, basehead: 'main...better'})).data""")
    assert (got["status"], got["ahead_by"], got["behind_by"]) == ("diverged", 1, 1)
    assert [one["filename"] for one in got["files"]] == ["train.py"]


def test_a_raw_file_has_the_type_that_was_asked_for(project):
    got = project.call("""
        const types = []
        for (const accept of ['application/vnd.github.raw', 'application/vnd.github.v3.raw',
                              'text/html, application/vnd.github.raw+json;q=1']) {
          const answer = await octokit.request('GET /repos/{owner}/{repo}/contents/train.py',
                                               {...at, headers: {accept}})
          types.push([answer.headers['content-type'], Buffer.from(answer.data).toString()])
        }
        return types""")
    assert not isinstance(got, Failed)
    assert [one[0] for one in got] == [f"application/vnd.github.{name}; charset=utf-8"
                                       for name in ("raw", "v3.raw", "raw+json")]


def test_a_pull_request_that_is_open_already_is_refused_in_githubs_words(project):
    got = project.call("""
        const open = (head) => octokit.rest.pulls.create({...at, head, base: 'main', title: 'Again'})
          .catch(error => [error.status, error.message])
        return [await open('better'), await open('weir:better')]""")
    for status, message in got:
        assert status == 422 and "A pull request already exists for weir:better" in message, message
