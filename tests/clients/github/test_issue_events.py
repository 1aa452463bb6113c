"""What happened to issues and pull requests, and who is to do them, through GitHub's own clients."""

import json

import pytest
from github_project import Failed
from weir_server import wait_until

CLIENTS = ["rest", "github", "rest18"]


def token_of(project, name, role="developer"):
    return json.loads(project.server.cli("token", "create", name, "--role", role, "--json").stdout)["token"]


@pytest.mark.parametrize("client", CLIENTS)
def test_events_tell_what_happened_to_an_issue(project, client):
    got = project.call("""
        const {issues} = octokit.rest
        const issue_number = (await issues.create({...at, title: 'Drift', labels: ['drift']})).data.number
        const on = {...at, issue_number}
        await issues.addLabels({...on, labels: ['stale']})
        await issues.removeLabel({...on, name: 'drift'})
        await issues.update({...on, title: 'Data drift'})
        await issues.update({...on, body: 'more'})
        await issues.update({...on, state: 'closed'})
        await issues.update({...on, state: 'open'})
        const all = await octokit.paginate(issues.listEvents, {...on, per_page: 2})
        return {all, one: (await issues.getEvent({...at, event_id: all[1].id})).data,
                newest: (await issues.listEventsForRepo({...at, per_page: 1})).data}""", client)
    assert not isinstance(got, Failed), got
    assert [(one["event"], one.get("label", {}).get("name")) for one in got["all"]] == [
        ("labeled", "drift"), ("labeled", "stale"), ("unlabeled", "drift"), ("renamed", None), ("closed", None),
        ("reopened", None)]
    assert got["all"][3]["rename"] == {"from": "Drift", "to": "Data drift"}
    assert got["all"][0]["label"]["color"] == "ededed" and got["all"][0]["actor"]["login"] == "admin"
    assert got["one"]["event"] == "labeled" and got["one"]["issue"]["title"] == "Data drift"
    assert [one["event"] for one in got["newest"]] == ["reopened"]


def test_events_tell_what_happened_to_a_pull_request(project):
    ann = token_of(project, "ann", "approver")
    on = "const on = {...at, pull_number: 1}, {pulls} = octokit.rest\n"
    project.call(on + "await pulls.requestReviewers({...on, reviewers: ['ann']})")
    review = project.call(on + "return (await pulls.createReview({...on, event: 'APPROVE'})).data", token=ann)
    project.call(on + "await pulls.dismissReview({...on, review_id: given.id, message: 'It changed'})",
                 id=review["id"])
    merged = project.call(on + "return (await pulls.merge(on)).data")
    got = project.call("""
        const on = {...at, issue_number: 1}
        await octokit.rest.issues.createComment({...on, body: 'Well done'})
        return {events: (await octokit.rest.issues.listEvents(on)).data,
                timeline: (await octokit.rest.issues.listEventsForTimeline(on)).data}""")
    assert [one["event"] for one in got["events"]] == ["review_requested", "review_dismissed", "merged", "closed"]
    asked, dismissed, merge, _ = got["events"]
    assert asked["requested_reviewer"]["login"] == "ann" and asked["review_requester"]["login"] == "admin"
    assert dismissed["dismissed_review"]["review_id"] == review["id"]
    assert dismissed["dismissed_review"]["dismissal_message"] == "It changed"
    assert merge["commit_id"] == merged["sha"]
    kinds = [one["event"] for one in got["timeline"]]
    assert kinds[0] == "committed" and kinds[-3:] == ["merged", "closed", "commented"] and "reviewed" in kinds
    assert got["timeline"][0]["sha"] == project.head and got["timeline"][-1]["body"] == "Well done"
    assert next(one for one in got["timeline"] if one["event"] == "reviewed")["state"] == "dismissed"


@pytest.mark.parametrize("number", [1, 2])
def test_people_are_assigned_and_taken_off(project, number):
    token_of(project, "ann")
    token_of(project, "bob", "viewer")
    got = project.call("""
        const {issues} = octokit.rest
        if (given.number === 2) await issues.create({...at, title: 'Drift'})
        const on = {...at, issue_number: given.number}
        const added = (await issues.addAssignees({...on, assignees: ['ann', 'bob', 'ann', 'nobody']})).data
        const named = (await issues.listForRepo({...at, assignee: 'bob'})).data.map(one => one.number)
        const removed = (await issues.removeAssignees({...on, assignees: ['ann', 'nobody']})).data
        const set = (await issues.update({...on, assignees: ['ann']})).data
        const none = (await issues.update({...on, assignees: []})).data
        await issues.update({...on, assignee: 'bob'})
        const events = (await issues.listEvents(on)).data
        return {added, removed, set, none, named, events, free: (await issues.listForRepo({...at, assignee: 'none'})).data.map(one => one.number),
                pull: given.number === 1 && (await octokit.rest.pulls.get({...at, pull_number: 1})).data,
                all: (await issues.listAssignees(at)).data.map(one => one.login),
                can: (await issues.checkUserCanBeAssigned({...at, assignee: 'bob'})).status}""", number=number)
    assert not isinstance(got, Failed), got
    names = {key: [one["login"] for one in got[key]["assignees"]] for key in ("added", "removed", "set", "none")}
    assert names == {"added": ["ann", "bob"], "removed": ["bob"], "set": ["ann"], "none": []}
    assert got["added"]["assignee"]["login"] == "ann" and got["none"]["assignee"] is None
    assert got["named"] == [number] and number not in got["free"] and got["can"] == 204
    assert {"admin", "ann", "bob"} <= set(got["all"])
    assert [(one["event"], one["assignee"]["login"], one["assigner"]["login"]) for one in got["events"]] == [
        (event, name, "admin") for event, name in (
            ("assigned", "ann"), ("assigned", "bob"), ("unassigned", "ann"), ("assigned", "ann"), ("unassigned", "bob"),
            ("unassigned", "ann"), ("assigned", "bob"))]
    if number == 1:
        assert [one["login"] for one in got["pull"]["assignees"]] == ["bob"]


WATCH = """
name: Watch
on: {issues: {types: [assigned, unassigned]}, pull_request_target: {types: [assigned]}}
jobs:
  shows:
    runs-on: ubuntu-latest
    steps: [{run: "echo says ${{ github.event.action }} ${{ github.event.assignee.login }}"}]
"""


def test_workflows_hear_of_assignments(project):
    project.repository.git("checkout", "-q", "main")
    project.repository.write(".github/workflows/watch.yml", WATCH)
    project.repository.commit("Watch")
    project.repository.push()
    token_of(project, "ann")
    project.call("""
        const made = (await octokit.rest.issues.create({...at, title: 'Drift', assignees: ['ann']})).data
        await octokit.rest.issues.removeAssignees({...at, issue_number: made.number, assignees: ['ann']})
        await octokit.rest.issues.addAssignees({...at, issue_number: 1, assignees: ['ann']})""")
    server = project.server
    runs = wait_until(lambda: [found for found in [[one["id"] for one in server.get("/api/v1/runs?limit=50")["runs"]
                                                    if one["workflow"] == "Watch"]] if len(found) == 3], what="runs")[0]
    said = set()
    for run in runs:
        job = server.finished(run)["jobs"][0]["id"]
        said |= {line["text"] for line in server.get(f"/api/v1/jobs/{job}/log")["lines"]
                 if line["text"].startswith("says ")}
    assert said == {"says assigned ann", "says unassigned ann"}


@pytest.mark.parametrize("body, status, says", [
    ("return await octokit.rest.issues.listEvents({...at, issue_number: 99})", 404, "99"),
    ("return await octokit.rest.issues.listEventsForTimeline({...at, issue_number: 99})", 404, "99"),
    ("return await octokit.rest.issues.getEvent({...at, event_id: 99})", 404, "99"),
    ("return await octokit.rest.issues.checkUserCanBeAssigned({...at, assignee: 'nobody'})", 404, "nobody"),
    ("return await octokit.rest.issues.update({...at, issue_number: 1, assignees: ['nobody']})", 422, "nobody"),
    ("return await octokit.rest.issues.create({...at, title: 'x', assignees: ['nobody']})", 422, "nobody"),
    ("return await octokit.rest.issues.listForRepo({...at, sort: 'comments'})", 422, "comments"),
    ("return await octokit.rest.issues.listForRepo({...at, direction: 'up'})", 422, "up"),
    ("return await octokit.rest.issues.listForRepo({...at, milestone: '1'})", 422, "milestone"),
])
def test_what_is_wrong_is_named(project, body, status, says):
    got = project.call(body)
    assert isinstance(got, Failed) and got["status"] == status and says in got["error"], got


def test_who_may_not_write_assigns_nobody(project):
    vic = token_of(project, "vic", "viewer")
    for body in ("return await octokit.rest.issues.create({...at, title: 'x', assignees: ['vic']})",
                 "return await octokit.rest.issues.addAssignees({...at, issue_number: 1, assignees: ['vic']})"):
        got = project.call(body, token=vic)
        assert isinstance(got, Failed) and got["status"] == 403, got
    assert not isinstance(project.call("return await octokit.rest.issues.create({...at, title: 'x'})", token=vic), Failed)


def test_issues_are_sorted_and_found_by_labels_and_time(project):
    got = project.call("""
        const {issues} = octokit.rest
        for (const labels of [['a'], ['a', 'b'], ['b']]) await issues.create({...at, title: 'x', labels})
        await issues.update({...at, issue_number: 2, body: 'newest'})
        const list = more => octokit.paginate(issues.listForRepo, {...at, per_page: 2, ...more})
                                    .then(all => all.map(one => one.number))
        return [await list({direction: 'asc'}), await list({sort: 'updated'}), await list({labels: 'a,b'}),
                await list({creator: 'admin'}), await list({creator: 'ann'}), await list({since: '2999-01-01T00:00:00Z'})]""")
    assert got == [[1, 2, 3, 4], [2, 4, 3, 1], [3], [4, 3, 2, 1], [], []]
