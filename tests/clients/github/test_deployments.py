"""Deployments, their statuses and environments through GitHub's own clients, and those that jobs make."""

import pytest
from github_project import Failed
from weir_server import wait_until


def test_a_deployment_is_made_followed_and_ended(project):
    got = project.call("""
        const make = async (ref, environment, more) => (await octokit.rest.repos.createDeployment(
          {...at, ref, environment, required_contexts: [], auto_merge: false, ...more})).data
        const say = async (deployment_id, state, more) => (await octokit.rest.repos.createDeploymentStatus(
          {...at, deployment_id, state, ...more})).data
        const first = await make('better', 'staging', {description: 'first', payload: {version: 3}})
        await say(first.id, 'in_progress')
        const live = await say(first.id, 'success', {environment_url: 'https://staging.example.com',
                                                     log_url: 'https://ci.example.com/1'})
        const second = await make(given.head, 'staging', {task: 'deploy:migrations', transient_environment: true})
        await say(second.id, 'success')
        const list = async more => (await octokit.rest.repos.listDeployments({...at, ...more})).data.map(one => one.id)
        const statuses = await octokit.paginate(octokit.rest.repos.listDeploymentStatuses,
                                                {...at, deployment_id: first.id, per_page: 1})
        const one = (await octokit.rest.repos.getDeploymentStatus({...at, deployment_id: first.id, status_id: live.id}))
        return {first, second, live, statuses: statuses.map(one => one.state), one: one.data.id,
                all: await list({}), staging: await list({environment: 'staging', sha: given.head}),
                task: await list({task: 'deploy:migrations'}), ref: await list({ref: 'better'}), none: await list({ref: 'x'}),
                paged: (await octokit.paginate(octokit.rest.repos.listDeployments, {...at, per_page: 1})).length,
                gone: (await octokit.rest.repos.deleteDeployment({...at, deployment_id: first.id})).status}""",
                       client="github", head=project.head)
    first, second, live = got["first"], got["second"], got["live"]
    assert (first["sha"], first["ref"], first["task"]) == (project.head, "better", "deploy")
    assert first["payload"] == {"version": 3} and first["creator"]["login"] == "admin"
    assert not first["production_environment"] and second["transient_environment"]
    assert (live["environment_url"], live["target_url"]) == ("https://staging.example.com", "https://ci.example.com/1")
    assert live["deployment_url"] == first["url"] and got["one"] == live["id"]
    assert got["statuses"] == ["inactive", "success", "in_progress"], "the second took its place"
    assert got["all"] == [second["id"], first["id"]] and got["paged"] == 2 and got["gone"] == 204
    assert got["staging"] == got["all"] and got["ref"] == [first["id"]] and got["task"] == [second["id"]]
    assert got["none"] == []


def test_checks_must_have_succeeded_and_a_branch_is_brought_up_to_date(project):
    refused = project.call("""
        await octokit.rest.repos.createCommitStatus({...at, sha: given.head, state: 'failure', context: 'lint'})
        return await octokit.rest.repos.createDeployment({...at, ref: 'better'})""", head=project.head)
    assert isinstance(refused, Failed) and refused["status"] == 409, refused
    assert refused["data"]["errors"][0]["contexts"] == [{"context": "lint", "state": "failure"}]
    project.repository.git("checkout", "-q", "main")
    project.repository.write("other.py", "x\n")
    project.repository.commit("Go on")
    project.repository.push()
    got = project.call("""
        const merged = await octokit.rest.repos.createDeployment({...at, ref: 'better', required_contexts: []})
        const made = await octokit.rest.repos.createDeployment({...at, ref: 'better', required_contexts: []})
        const {data} = await octokit.rest.repos.getCommit({...at, ref: 'better'})
        return {merged: [merged.status, merged.data], made: made.data, parents: data.parents.length, sha: data.sha}""")
    assert got["merged"] == [202, {"message": "Auto-merged main into better on deployment."}]
    assert got["made"]["sha"] == got["sha"] and got["parents"] == 2
    assert got["made"]["production_environment"], "production is the environment where none is named"


DEPLOYS = """
on: {workflow_dispatch: {inputs: {end: {default: 'true'}}}}
jobs:
  deploys:
    runs-on: ubuntu-latest
    environment: {name: staging, url: "${{ steps.where.outputs.url }}"}
    steps:
      - {id: where, run: 'echo url=https://staging.example.com >> "$GITHUB_OUTPUT"'}
      - run: ${{ inputs.end }}
  uses:
    runs-on: ubuntu-latest
    environment: {name: secrets, deployment: false}
    steps: [{run: 'true'}]
"""
TELLS = """
on: [deployment, deployment_status]
run-name: ${{ github.event_name }} ${{ github.event.deployment_status.state }}
jobs:
  says:
    if: github.event_name == 'deployment' || github.event.deployment_status.state == 'success'
    runs-on: ubuntu-latest
    steps: [{run: 'test "${{ github.event.deployment.environment }} ${{ github.ref }}" = "qa refs/heads/better"'}]
"""


def test_a_job_with_an_environment_deploys_and_people_start_workflows(project):
    for branch in ("better", "main"):
        project.repository.git("checkout", "-q", branch)
        project.repository.write(".github/workflows/deploys.yml", DEPLOYS)
        project.repository.write(".github/workflows/tells.yml", TELLS)
        project.repository.commit("Deploy")
        project.repository.push(ref=branch)

    def runs(event):
        return [run for run in project.server.get("/api/v1/runs?limit=100")["runs"] if run["event"].startswith(event)]

    for end in ("true", "false"):
        project.call("""await octokit.rest.actions.createWorkflowDispatch(
            {...at, workflow_id: 'deploys.yml', ref: 'main', inputs: {end: given.end}})""", end=end)
    wait_until(lambda: len(runs("workflow_dispatch")) == 2, what="two runs")
    for run in runs("workflow_dispatch"):
        project.server.finished(run["id"])
    listed = """
        const {data} = await octokit.rest.repos.listDeployments(at)
        return await Promise.all(data.map(async one => [one.environment, one.ref, one.creator.login, (
          await octokit.rest.repos.listDeploymentStatuses({...at, deployment_id: one.id})
        ).data.map(status => [status.state, status.environment_url])]))"""
    url = "https://staging.example.com"

    def ended(state):
        return ["staging", "main", "github-actions[bot]", [[state, url], ["in_progress", ""]]]

    got = wait_until(lambda: len(all_of := project.call(listed)) == 2 and all(len(one[3]) > 1 for one in all_of) and all_of,
                     what="two deployments that have ended")
    assert sorted(got, key=str) == sorted([ended("failure"), ended("success")], key=str)
    assert runs("deployment") == [], "what a job does starts nothing"
    project.server.kill()
    project.server.start()
    assert project.call(listed) == got, "each job deploys once, also over a crash"

    project.call("""
        const {data: {id}} = await octokit.rest.repos.createDeployment(
          {...at, ref: 'better', environment: 'qa', auto_merge: false, required_contexts: []})
        for (const state of ['pending', 'success', 'inactive'])
          await octokit.rest.repos.createDeploymentStatus({...at, deployment_id: id, state})""")
    started = wait_until(lambda: len(found := runs("deployment")) == 3 and found, what="what listens to deployments")
    ends = {run["title"].strip(): project.server.finished(run["id"])["conclusion"] for run in started}
    assert ends == {"deployment": "success", "deployment_status success": "success",
                    "deployment_status pending": "skipped"}


def test_environments_are_what_is_configured_and_what_was_deployed_to(project):
    project.repository.git("checkout", "-q", "main")
    project.repository.write("weir.yaml", "environments:\n  production: {reviewers: [admin], wait: 10m, branches: [main]}\n")
    project.repository.commit("Protect")
    project.repository.push()
    got = project.call("""
        await octokit.rest.repos.createDeployment({...at, ref: 'main', environment: 'qa', required_contexts: []})
        const {data} = await octokit.rest.repos.getAllEnvironments(at)
        const one = (await octokit.rest.repos.getEnvironment({...at, environment_name: 'production'})).data
        return {data, one}""")
    assert got["data"]["total_count"] == 2
    production, qa = got["data"]["environments"]
    assert qa["name"] == "qa" and qa["protection_rules"] == [] and qa["deployment_branch_policy"] is None
    assert got["one"] == production and production["deployment_branch_policy"]["custom_branch_policies"]
    rules = {rule["type"]: rule for rule in production["protection_rules"]}
    assert rules["wait_timer"]["wait_timer"] == 10 and rules["required_reviewers"]["prevent_self_review"]
    assert rules["required_reviewers"]["reviewers"][0]["reviewer"]["login"] == "admin" and "branch_policy" in rules


@pytest.mark.parametrize("body, status, says", [
    ("return await octokit.rest.repos.createDeployment({...at, ref: 'nowhere'})", 422, "No ref found for: nowhere"),
    ("return await octokit.rest.repos.createDeployment({...at})", 422, "ref"),
    ("return await octokit.rest.repos.createDeployment({...at, ref: 'main', payload: 3})", 422, "payload"),
    ("return await octokit.rest.repos.createDeployment({...at, ref: 'main', description: 'x'.repeat(200)})", 422, "140"),
    ("return await octokit.rest.repos.createDeployment({...at, ref: 'main', required_contexts: ['unknown']})", 409,
     "Commit status checks failed for main"),
    ("return await octokit.rest.repos.getDeployment({...at, deployment_id: 4711})", 404, "4711"),
    ("return await octokit.rest.repos.createDeploymentStatus({...at, deployment_id: 4711, state: 'success'})", 404, "4711"),
    ("const {data: {id}} = await octokit.rest.repos.createDeployment({...at, ref: 'main'});"
     "return await octokit.rest.repos.createDeploymentStatus({...at, deployment_id: id, state: 'fine'})", 422, "state"),
    ("const {data: {id}} = await octokit.rest.repos.createDeployment({...at, ref: 'main'});"
     "return await octokit.rest.repos.createDeploymentStatus({...at, deployment_id: id, state: 'success', "
     "environment_url: 'javascript:alert(1)'})", 422, "http"),
    ("await octokit.rest.repos.createDeployment({...at, ref: 'main'});"
     "const {data: {id}} = await octokit.rest.repos.createDeployment({...at, ref: 'main'});"
     "return await octokit.rest.repos.deleteDeployment({...at, deployment_id: id})", 422, "active deployment"),
    ("return await octokit.rest.repos.getEnvironment({...at, environment_name: 'nowhere'})", 404, "Not Found"),
])
def test_wrong_calls_are_refused(project, body, status, says):
    got = project.call(body)
    assert isinstance(got, Failed) and got["status"] == status and says in got["error"], got


def test_a_job_needs_the_scope(project):
    token = project.job_token({"contents": "write", "deployments": "read"})
    got = project.call("return await octokit.rest.repos.createDeployment({...at, ref: 'main', required_contexts: []})",
                       token=token)
    assert isinstance(got, Failed) and got["status"] == 403 and "`deployments: write`" in got["error"]
    assert project.call("return (await octokit.rest.repos.listDeployments(at)).data", token=token) == []
