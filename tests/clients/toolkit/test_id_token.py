"""Id tokens as a cloud provider checks them: by the issuer's published keys, with the library jose."""

import json

from running_job import Job


def variables(job, **github):
    claims = {"environment": "", "job": {"workflow_ref": "o/r/.github/workflows/w.yml@refs/heads/main"},
              "github": {"repository": "o/r", "repository_owner": "o", "ref": "refs/heads/main", "run_id": str(job.run),
                         "event_name": "push", "server_url": "http://weir.localhost:1", **github}}
    environment = claims["github"].pop("environment", "")
    return {"ACTIONS_ID_TOKEN_REQUEST_URL": f"{job.server.url}/actions/id-token?api-version=2.0",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": job.token(**{**claims, "environment": environment}, purpose=b"id-token")}


def ask(job, audience=None, **github):
    return job.call("idToken", env=job.environment(**variables(job, **github)), audience=audience)


def test_a_token_is_verified_by_the_published_keys(job, server):
    token = ask(job, audience="sts.amazonaws.com")
    found = job.call("verify", token=token, issuer=server.url, audience="sts.amazonaws.com")
    claims = found["payload"]
    assert claims["sub"] == "repo:o/r:ref:refs/heads/main"
    assert claims["exp"] - claims["iat"] == 300
    assert claims["job_workflow_ref"].endswith("w.yml@refs/heads/main")
    assert found["protectedHeader"]["alg"] == "RS256" and found["protectedHeader"]["kid"]
    assert "error" in job.call("verify", token=token, issuer=server.url, audience="somebody-else")
    head, body, signature = token.split(".")
    forged = ".".join([head, body[:-4] + ("AAAA" if body[-4:] != "AAAA" else "BBBB"), signature])
    assert "error" in job.call("verify", token=forged, issuer=server.url, audience="sts.amazonaws.com")
    default = job.call("verify", token=ask(job), issuer=server.url, audience="http://weir.localhost:1/o")
    assert default["payload"]["aud"] == "http://weir.localhost:1/o"
    assert default["payload"]["jti"] != claims["jti"]


def test_the_subject_tells_environment_pull_request_or_ref(job, server):
    def subject(**github):
        token = ask(job, audience="x", **github)
        return job.call("verify", token=token, issuer=server.url, audience="x")["payload"]["sub"]

    assert subject(environment="Production:V1") == "repo:o/r:environment:Production%3AV1"
    assert subject(event_name="pull_request", ref="refs/pull/1/merge") == "repo:o/r:pull_request"
    assert subject(ref="refs/tags/v1") == "repo:o/r:ref:refs/tags/v1"


def test_only_who_may_ask_gets_one(job, server):
    url = f"{server.url}/actions/id-token?api-version=2.0"

    def status(token):
        return job.send("GET", url, headers={"Authorization": f"Bearer {token}"} if token else {})[0]

    request = variables(job)["ACTIONS_ID_TOKEN_REQUEST_TOKEN"]
    assert status(request) == 200
    assert status("") == 401
    assert status(job.token()) == 401, "the token for artifacts is not one for id tokens"
    assert status(server.admin_token) == 401
    assert status(request[:-3] + "AAA") == 401
    job.end()
    assert status(request) == 401, "the job has ended"


def test_the_keys_stay_the_same_after_a_restart(job, server):
    before = json.loads(job.send("GET", f"{server.url}/.well-known/jwks")[1])
    assert set(before["keys"][0]) == {"kty", "alg", "use", "kid", "n", "e"}
    server.stop()
    server.start()
    assert json.loads(job.send("GET", f"{server.url}/.well-known/jwks")[1]) == before
    assert (server.state / "keys/oidc.pem").stat().st_mode & 0o777 == 0o600


def test_a_job_without_the_permission_gets_no_variables(server, repository, tmp_path):
    for permissions, count in (("", 0), ("permissions: {contents: write}", 0), ("permissions: {id-token: write}", 2)):
        repository.write(".github/workflows/show.yml", f"""
name: Show
on: push
{permissions}
jobs:
  show:
    runs-on: ubuntu-latest
    steps: [{{run: "env | grep -c ^ACTIONS_ID_TOKEN_REQUEST_ > count || true"}}, {{run: "echo found $(cat count) >> $GITHUB_STEP_SUMMARY"}}]
""")
        repository.commit("Show")
        repository.push()
        run = next(run for run in server.get("/api/v1/runs?limit=1")["runs"])["id"]
        server.finished(run)
        job = server.get(f"/api/v1/runs/{run}")["jobs"][0]
        assert f"found {count}" in job["summary"], json.dumps(job)
