"""Reviews that are changed and dismissed, and whom a pull request asks, through GitHub's own clients."""

import pytest
from github_project import Failed


def person(project, name, role="developer"):
    return project.server.post("/api/v1/tokens", {"name": name, "role": role}, project.server.admin_token)["token"]


def test_a_dismissed_approval_no_longer_counts(project):
    project.repository.git("checkout", "-q", "main")
    project.repository.write("weir.yaml", "branches:\n  main: {reviews: 1}\n")
    project.repository.commit("Guard")
    project.repository.push()
    bob, carol = person(project, "bob"), person(project, "carol", "approver")
    given = project.call("""
        const {data} = await octokit.rest.pulls.createReview({...at, pull_number: 1, event: 'APPROVE'})
        return {id: data.id, state: (await octokit.rest.pulls.get({...at, pull_number: 1})).data.mergeable_state}""",
                         token=bob)
    assert given["state"] == "clean"
    refused = project.call("""return await octokit.rest.pulls.dismissReview(
        {...at, pull_number: 1, review_id: given.id, message: 'no'})""", token=person(project, "dave"), id=given["id"])
    assert isinstance(refused, Failed) and refused["status"] == 403 and "approvers" in refused["error"]
    got = project.call("""
        const {data} = await octokit.rest.pulls.dismissReview(
          {...at, pull_number: 1, review_id: given.id, message: 'The data has changed.'})
        const merge = await octokit.rest.pulls.merge({...at, pull_number: 1}).catch(error => error)
        return {data, state: (await octokit.rest.pulls.get({...at, pull_number: 1})).data.mergeable_state,
                merge: [merge.status, merge.message], one: (await octokit.rest.pulls.getReview(
                  {...at, pull_number: 1, review_id: given.id})).data}""", token=carol, client="github", id=given["id"])
    assert got["data"]["state"] == "DISMISSED" and got["data"]["user"]["login"] == "bob"
    assert got["one"] == got["data"] and got["state"] == "blocked"
    assert got["merge"][0] == 405 and "0 of 1 approvals" in got["merge"][1]


def test_a_review_is_reworded_by_its_author(project):
    got = project.call("""
        const id = {...at, pull_number: 1}
        const {data: {id: review_id}} = await octokit.rest.pulls.createReview({...id, event: 'COMMENT', body: 'why?'})
        return (await octokit.rest.pulls.updateReview({...id, review_id, body: 'why so?'})).data""")
    assert got["body"] == "why so?" and got["state"] == "COMMENTED"
    refused = project.call("return await octokit.rest.pulls.updateReview({...at, pull_number: 1, review_id: given.id, body: 'x'})",
                           token=person(project, "bob"), id=got["id"])
    assert isinstance(refused, Failed) and refused["status"] == 403


def test_people_are_asked_for_reviews(project):
    bob = person(project, "bob")
    got = project.call("""
        const id = {...at, pull_number: 1}
        const names = people => people.map(one => one.login)
        const {data, status} = await octokit.rest.pulls.requestReviewers({...id, reviewers: ['bob']})
        const {data: {users}} = await octokit.rest.pulls.listRequestedReviewers(id)
        return {status, asked: names(data.requested_reviewers), users: names(users)}""")
    assert got == {"status": 201, "asked": ["bob"], "users": ["bob"]}
    waiting = project.server.get("/api/v1/pulls?waiting=true", token=bob)["pulls"]
    assert [pull["number"] for pull in waiting] == [1]
    got = project.call("""
        const id = {...at, pull_number: 1}
        const {data} = await octokit.rest.pulls.removeRequestedReviewers({...id, reviewers: ['bob']})
        await octokit.rest.pulls.requestReviewers({...id, reviewers: ['bob']})
        return data.requested_reviewers""")
    assert got == []
    project.call("await octokit.rest.pulls.createReview({...at, pull_number: 1, event: 'COMMENT', body: 'fine'})", token=bob)
    assert project.call("return (await octokit.rest.pulls.get({...at, pull_number: 1})).data.requested_reviewers") == []


@pytest.mark.parametrize("body, status, says", [
    ("return await octokit.rest.pulls.requestReviewers({...at, pull_number: 1, reviewers: ['nobody']})", 422,
     "collaborator"),
    ("return await octokit.rest.pulls.requestReviewers({...at, pull_number: 1, reviewers: ['admin']})", 422,
     "pull request author"),
    ("return await octokit.rest.pulls.requestReviewers({...at, pull_number: 1, team_reviewers: ['ml']})", 422, "teams"),
    ("return await octokit.rest.pulls.requestReviewers({...at, pull_number: 9, reviewers: []})", 404, "9"),
    ("return await octokit.rest.pulls.getReview({...at, pull_number: 1, review_id: 4711})", 404, "4711"),
    ("return await octokit.rest.pulls.dismissReview({...at, pull_number: 1, review_id: given.id, message: 'm'})", 422,
     "nothing to dismiss"),
    ("return await octokit.rest.pulls.dismissReview({...at, pull_number: 1, review_id: given.id})", 422, "message"),
    ("return await octokit.rest.pulls.deletePendingReview({...at, pull_number: 1, review_id: given.id})", 422, "pending"),
    ("return await octokit.rest.pulls.submitReview({...at, pull_number: 1, review_id: given.id, event: 'APPROVE'})", 422,
     "pending"),
])
def test_wrong_calls_are_refused(project, body, status, says):
    made = project.call("return (await octokit.rest.pulls.createReview({...at, pull_number: 1, event: 'COMMENT', body: 'x'})).data.id")
    got = project.call(body, id=made)
    assert isinstance(got, Failed) and got["status"] == status and says in got["error"], got


def test_a_job_may_take_an_approval_back_but_not_an_objection(project):
    bob = person(project, "bob")
    ids = [project.call("return (await octokit.rest.pulls.createReview({...at, pull_number: 1, event: given.event, body: 'x'})).data.id",
                        token=bob, event=event) for event in ("APPROVE", "REQUEST_CHANGES")]
    token = project.job_token({"pull-requests": "write"})
    dismiss = "return (await octokit.rest.pulls.dismissReview({...at, pull_number: 1, review_id: given.id, message: 'm'})).data.state"
    assert project.call(dismiss, token=token, id=ids[0]) == "DISMISSED"
    refused = project.call(dismiss, token=token, id=ids[1])
    assert isinstance(refused, Failed) and refused["status"] == 403
