"""What waits for whom: GET /api/v1/pulls?waiting=true."""


def waiting(project, token=None, query=""):
    answer = project.server.get(f"/api/v1/pulls?waiting=true{query}", token)
    assert all(pull["waits_for_you"] for pull in answer["pulls"])
    return [pull["number"] for pull in answer["pulls"]]


def test_a_review_waits_for_others_until_one_has_given_it(project):
    server, repository = project.server, project.repository
    tokens = {name: server.cli("token", "create", name, "--role", "developer").stdout.split()[-1] for name in ("bob", "eve")}
    for branch in ("second", "third"):
        repository.git("checkout", "-qb", branch, "main")
        repository.write(f"{branch}.py", "x\n")
        repository.commit(branch)
        repository.push(ref=branch)
        server.cli("pr", "create", "--head", branch, "--repo", "project", token=tokens["bob"])
    assert waiting(project, tokens["eve"]) == [3, 2, 1]
    assert waiting(project, tokens["bob"]) == [1], "nobody reviews an own one"
    assert waiting(project) == [3, 2, 1], "without a token what waits for anybody"
    assert waiting(project, tokens["eve"], "&limit=1&skip=1") == [2]
    assert waiting(project, tokens["eve"], "&repo=other") == []
    server.post("/api/v1/repos/project/pulls/3/reviews", {"state": "comment", "body": "hm"}, tokens["eve"])
    server.post("/api/v1/repos/project/pulls/2/reviews", {"state": "approve"}, tokens["eve"])
    assert waiting(project, tokens["eve"]) == waiting(project) == [3, 1]
    repository.git("checkout", "-q", "second")
    repository.write("second.py", "y\n")
    repository.commit("newer")
    repository.push(ref="second")
    assert waiting(project, tokens["eve"]) == [3, 2, 1], "the newest commit has no approval"
    server.call("PATCH", "/api/v1/repos/project/pulls/3", {"state": "closed"}, server.admin_token)
    assert waiting(project, tokens["eve"]) == [2, 1]
