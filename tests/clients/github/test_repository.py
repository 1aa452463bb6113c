"""Commits, files, refs, statuses, checks and runs through GitHub's own clients."""

import base64

import pytest
from github_project import Failed
from weir_server import wait_until


def test_statuses_and_checks_of_a_commit(project):
    got = project.call("""
        const sha = given.head
        await octokit.rest.repos.createCommitStatus({...at, sha, state: 'pending', context: 'lint'})
        await octokit.rest.repos.createCommitStatus({...at, sha, state: 'success', context: 'lint',
                                                     target_url: 'https://example.com/1'})
        const check = (await octokit.rest.checks.create({...at, head_sha: sha, name: 'drift',
          status: 'in_progress', output: {title: 'Drift', summary: 'none yet', annotations: [
            {path: 'train.py', start_line: 1, end_line: 1, annotation_level: 'notice', message: 'here'}]}})).data
        const done = (await octokit.rest.checks.update({...at, check_run_id: check.id, conclusion: 'neutral',
          completed_at: new Date()})).data
        return {check, done,
          status: (await octokit.rest.repos.getCombinedStatusForRef({...at, ref: 'better'})).data,
          checks: (await octokit.rest.checks.listForRef({...at, ref: 'better'})).data,
          notes: (await octokit.rest.checks.listAnnotations({...at, check_run_id: check.id})).data}""",
                       head=project.head)
    assert got["status"]["state"] == "success" and got["status"]["statuses"][0]["target_url"] == "https://example.com/1"
    assert got["check"]["status"] == "in_progress" and got["check"]["conclusion"] is None
    assert (got["done"]["status"], got["done"]["conclusion"]) == ("completed", "neutral")
    assert got["checks"]["total_count"] == 1 and got["notes"][0]["message"] == "here"


def test_check_runs_of_a_commit_make_a_suite(project):
    got = project.call("""
        const run = async (name, conclusion) => (await octokit.rest.checks.create(
          {...at, head_sha: given.head, name, ...(conclusion ? {conclusion} : {status: 'in_progress'})})).data
        const lint = await run('lint', 'success'), scan = await run('scan')
        const suite = async () => (await octokit.rest.checks.listSuitesForRef({...at, ref: 'better'})).data
        const before = await suite()
        await octokit.rest.checks.update({...at, check_run_id: scan.id, conclusion: 'failure'})
        const check_suite_id = lint.check_suite.id
        return {before, after: (await octokit.rest.checks.getSuite({...at, check_suite_id})).data, lint, scan,
                runs: (await octokit.rest.checks.listForSuite({...at, check_suite_id, status: 'completed'})).data,
                named: (await octokit.rest.checks.listSuitesForRef({...at, ref: 'better', check_name: 'x'})).data.total_count,
                again: (await octokit.rest.checks.rerequestRun({...at, check_run_id: lint.id})).status,
                none: await octokit.rest.checks.getSuite({...at, check_suite_id: scan.id}).catch(error => error.status)}""",
                       client="github", head=project.head)
    assert got["before"]["total_count"] == 1 and got["before"]["check_suites"][0]["status"] == "in_progress"
    after = got["after"]
    assert (after["status"], after["conclusion"], after["head_branch"]) == ("completed", "failure", "better")
    assert after["head_sha"] == project.head and after["latest_check_runs_count"] == 2
    assert after["id"] == got["scan"]["check_suite"]["id"] and after["head_commit"]["message"].startswith("Train better")
    assert [run["name"] for run in got["runs"]["check_runs"]] == ["scan", "lint"]
    assert (got["named"], got["again"], got["none"]) == (0, 201, 404)


def test_files_are_read_written_and_deleted_as_commits(project):
    got = project.call("""
        const id = {...at, path: 'docs/new.md', branch: 'better'}
        const text = {...at, path: 'docs/notes.md', ref: 'better'}
        const read = (await octokit.rest.repos.getContent(text)).data
        const raw = (await octokit.rest.repos.getContent({...text, mediaType: {format: 'raw'}})).data
        const folder = (await octokit.rest.repos.getContent({...at, path: 'docs'})).data
        const content = s => Buffer.from(s).toString('base64')
        const made = await octokit.rest.repos.createOrUpdateFileContents({...id, message: 'New', content: content('a')})
        const again = await octokit.rest.repos.createOrUpdateFileContents(
          {...id, message: 'Newer', content: content('b'), sha: made.data.content.sha,
           committer: {name: 'Dora', email: 'dora@example.com'}})
        const gone = await octokit.rest.repos.deleteFile({...id, message: 'Gone', sha: again.data.content.sha})
        const commits = (await octokit.rest.repos.listCommits({...at, sha: 'better', per_page: 3})).data
        return {read, raw, folder, made: made.status, again: again.status, gone: gone.data.commit.message,
                commits: commits.map(one => [one.commit.message, one.commit.author.name]),
                pull: (await octokit.rest.pulls.get({...at, pull_number: 1})).data.head.sha, newest: commits[0].sha,
                path: (await octokit.rest.repos.listCommits({...at, sha: 'better', path: 'train.py'})).data.length}""")
    assert base64.b64decode(got["read"]["content"]) == b"# Notes\n" and got["raw"] == "# Notes\n"
    assert [(one["name"], one["type"]) for one in got["folder"]] == [("notes.md", "file")]
    assert (got["made"], got["again"], got["gone"]) == (201, 200, "Gone")
    assert got["commits"] == [["Gone", "admin"], ["Newer", "Dora"], ["New", "admin"]] and got["path"] == 2
    assert got["pull"] == got["newest"], "the pull request follows its branch"


def test_refs_branches_and_tags(project):
    got = project.call("""
        const sha = given.head
        const made = (await octokit.rest.git.createRef({...at, ref: 'refs/heads/feature/x', sha})).data
        const ref = (await octokit.rest.git.getRef({...at, ref: 'heads/feature/x'})).data
        const main = (await octokit.rest.git.getRef({...at, ref: 'heads/main'})).data.object.sha
        await octokit.rest.git.createRef({...at, ref: 'refs/tags/v1', sha})
        await octokit.rest.git.updateRef({...at, ref: 'heads/feature/x', sha: main, force: true})
        const branch = (await octokit.rest.repos.getBranch({...at, branch: 'feature/x'})).data
        await octokit.rest.git.deleteRef({...at, ref: 'heads/feature/x'})
        return {made, ref, main, branch, tags: (await octokit.rest.repos.listTags(at)).data,
                branches: (await octokit.rest.repos.listBranches(at)).data,
                commit: (await octokit.rest.git.getCommit({...at, commit_sha: sha})).data,
                whole: (await octokit.rest.repos.getCommit({...at, ref: 'v1'})).data}""", head=project.head)
    assert got["made"]["ref"] == "refs/heads/feature/x" and got["ref"]["object"]["sha"] == project.head
    assert got["branch"]["commit"]["sha"] == got["main"] and not got["branch"]["protected"]
    assert got["tags"][0]["name"] == "v1" and got["tags"][0]["commit"]["sha"] == project.head
    assert [(one["name"], one["protected"]) for one in got["branches"]] == [("better", False), ("main", True)]
    assert got["commit"]["parents"][0]["sha"] == got["main"] and got["whole"]["stats"]["additions"] == 1


def test_runs_are_dispatched_listed_and_rerun(project):
    project.repository.git("checkout", "-q", "main")
    project.repository.write(".github/workflows/by-hand.yml", """
name: By hand
on: {workflow_dispatch: {inputs: {word: {default: nothing}}}, repository_dispatch: {types: [go]}}
jobs: {says: {runs-on: ubuntu-latest, steps: [{name: Say, run: 'echo "word ${{ inputs.word || github.event.client_payload.word }}"'}]}}
""")
    project.repository.commit("By hand")
    project.repository.push()
    project.call("""
        await octokit.rest.actions.createWorkflowDispatch({...at, workflow_id: 'by-hand.yml', ref: 'main',
                                                           inputs: {word: 'one'}})
        await octokit.rest.repos.createDispatchEvent({...at, event_type: 'go', client_payload: {word: 'two'}})""")
    runs = wait_until(lambda: len(all := project.server.get("/api/v1/runs")["runs"]) == 2 and all, what="two runs")
    for run in runs:
        project.server.finished(run["id"])
    got = project.call("""
        const {data: {workflows}} = await octokit.rest.actions.listRepoWorkflows(at)
        const {data} = await octokit.rest.actions.listWorkflowRuns({...at, workflow_id: workflows[0].id})
        const run_id = data.workflow_runs.at(-1).id
        const {data: {jobs}} = await octokit.rest.actions.listJobsForWorkflowRun({...at, run_id})
        const log = (await octokit.rest.actions.downloadJobLogsForWorkflowRun({...at, job_id: jobs[0].id})).data
        await octokit.rest.actions.reRunWorkflow({...at, run_id})
        return {data, jobs, log, events: (await octokit.rest.actions.listWorkflowRunsForRepo(
          {...at, event: 'repository_dispatch', status: 'success'})).data.total_count}""")
    assert got["data"]["total_count"] == 2 and got["events"] == 1
    assert [run["conclusion"] for run in got["data"]["workflow_runs"]] == ["success", "success"]
    assert [step["name"] for step in got["jobs"][0]["steps"]].count("Say") == 1 and "word one" in got["log"]


@pytest.mark.parametrize("body, status, says", [
    ("return await octokit.rest.repos.getContent({...at, path: 'nowhere'})", 404, "Not Found"),
    ("return await octokit.rest.repos.getContent({...at, path: 'train.py', ref: 'nowhere'})", 404, "nowhere"),
    ("return await octokit.rest.repos.getContent({...at, path: 'train.py', ref: 'main..better'})", 404, "ref"),
    ("return await octokit.request('GET /repos/weir/project/contents/a%2F..%2F..%2Fweir.db')", 400, ""),
    ("return await octokit.request('PUT /repos/weir/project/contents/.git/hooks/x', {message: 'm', content: ''})", 422,
     "malformed"),
    ("return await octokit.rest.repos.createOrUpdateFileContents({...at, path: 'x', message: 'm', content: '%%'})", 422,
     "Base64"),
    ("return await octokit.rest.repos.createOrUpdateFileContents({...at, path: 'train.py/x', message: 'm', content: ''})",
     422, "no folder"),
    ("return await octokit.rest.repos.createOrUpdateFileContents({...at, path: 'train.py', message: 'm', content: ''})",
     422, "sha"),
    ("return await octokit.rest.repos.createOrUpdateFileContents({...at, path: 'train.py', message: 'm', content: '', "
     "sha: '0'.repeat(40)})", 409, "does not match"),
    ("return await octokit.rest.repos.deleteFile({...at, path: 'nowhere', message: 'm', sha: '0'.repeat(40)})", 404, ""),
    ("return await octokit.rest.git.createRef({...at, ref: 'refs/heads/main', sha: given.head})", 422, "already exists"),
    ("return await octokit.rest.git.createRef({...at, ref: 'refs/pull/9/merge', sha: given.head})", 422, "no name"),
    ("return await octokit.rest.git.createRef({...at, ref: 'refs/heads/a..b', sha: given.head})", 422, "no name"),
    ("return await octokit.rest.git.createRef({...at, ref: 'refs/heads/x', sha: 'main'})", 422, "no commit"),
    ("return await octokit.rest.git.updateRef({...at, ref: 'heads/better', sha: given.base})", 422, "fast forward"),
    ("return await octokit.rest.git.deleteRef({...at, ref: 'heads/main'})", 422, "default branch"),
    ("return await octokit.rest.repos.getBranchProtection({...at, branch: 'better'})", 404, "Branch not protected"),
    ("return await octokit.rest.repos.createCommitStatus({...at, sha: given.head, state: 'fine'})", 422, "state"),
    ("return await octokit.rest.repos.createCommitStatus({...at, sha: given.head, state: 'success', "
     "target_url: 'javascript:alert(1)'})", 422, "http"),
    ("return await octokit.rest.checks.create({...at, name: 'x', head_sha: '0'.repeat(40)})", 422, "No commit"),
    ("return await octokit.rest.actions.createWorkflowDispatch({...at, workflow_id: 'no.yml', ref: 'main'})", 404, ""),
    ("return await octokit.rest.actions.getWorkflowRun({...at, run_id: 4711})", 404, "4711"),
])
def test_wrong_calls_are_refused(project, body, status, says):
    base = project.repository.git("rev-parse", "main").stdout.strip()
    got = project.call(body, head=project.head, base=base)
    assert isinstance(got, Failed) and got["status"] == status and says in got["error"], got
