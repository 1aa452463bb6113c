"""A repository's addresses of GitHub's kind, $GITHUB_SERVER_URL/$GITHUB_REPOSITORY and those of payloads, with git and a browser's GET."""

import http.client
import json
import os
import subprocess
from urllib.parse import urlsplit

import pytest

WORKFLOW = {"on": {"workflow_dispatch": {}}, "permissions": {"contents": "write"}, "jobs": {"clone": {
    "runs-on": "ubuntu-latest",
    "env": {"TOKEN": "${{ github.token }}", "CLONE": "${{ github.event.repository.clone_url }}",
            "SSH": "${{ github.event.repository.ssh_url }}", "HTML": "${{ github.event.repository.html_url }}"},
    "steps": [{"run": "\n".join([
        # As actions/checkout gives it to git.
        "header=\"AUTHORIZATION: basic $(printf 'x-access-token:%s' \"$TOKEN\" | base64 -w0)\"",
        'for url in "$GITHUB_SERVER_URL/$GITHUB_REPOSITORY" "$GITHUB_SERVER_URL/$GITHUB_REPOSITORY.git" "$CLONE" "$SSH" "$HTML"; do',
        '  rm -rf there && git -c http.extraheader="$header" clone -q "$url" there && echo "cloned $(git -C there rev-parse HEAD)"',
        "done",
        "cd there && git config user.name job && git config user.email job@example.com",
        "git checkout -qb made && git commit -q --allow-empty -m 'By a job'",
        'git -c http.extraheader="$header" push -q "$GITHUB_SERVER_URL/$GITHUB_REPOSITORY" made',
        'echo "pushed $(git rev-parse HEAD)"'])}]}}}


@pytest.fixture
def pushed(server, repository):
    repository.write("train.py", "one\n")
    repository.write(".github/workflows/clone.yml", json.dumps(WORKFLOW))
    repository.commit("Begin")
    repository.push()
    return repository


def get(server, path):
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=30)
    connection.request("GET", path)
    answer = connection.getresponse()
    answer.read()
    return answer.status, answer.getheader("Location")


def git(*arguments, cwd):
    return subprocess.run(["git", *arguments], cwd=cwd, capture_output=True, text=True, timeout=60,
                          env={**os.environ, "GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_GLOBAL": "/dev/null"})


def test_a_job_clones_and_pushes_by_the_addresses_that_it_is_told(server, pushed):
    server.post("/api/v1/repos/project/dispatches", {"workflow": "clone.yml"}, server.admin_token)
    run = server.finished(1)
    log = "\n".join(line["text"] for line in server.get(f"/api/v1/jobs/{run['jobs'][0]['id']}/log")["lines"])
    assert run["conclusion"] == "success", log
    head = pushed.git("rev-parse", "HEAD").stdout.strip()
    assert log.splitlines().count(f"cloned {head}") == 5, log
    made = log.rsplit("pushed ", 1)[1].split()[0]
    assert git("ls-remote", f"{server.url}/weir/project", "refs/heads/made", cwd="/").stdout.split()[0] == made
    assert len(server.get("/api/v1/runs")["runs"]) == 1, "what a job pushes starts nothing"


def test_rights_are_those_of_the_other_address(server, pushed, tmp_path):
    assert git("clone", "-q", f"{server.url}/weir/project.git", "there", cwd=tmp_path).returncode == 0
    there = tmp_path / "there"
    git("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "x", cwd=there)
    for address in ("/weir/project", "/weir/project.git"):
        assert git("push", "-q", server.url + address, "HEAD:refs/heads/mine", cwd=there).returncode != 0
        wrong = git("-c", "http.extraheader=AUTHORIZATION: basic eDp3cm9uZw==", "push", "-q", server.url + address,
                    "HEAD:refs/heads/mine", cwd=there)
        assert wrong.returncode != 0 and "could not read Username" in wrong.stderr, "git asks for another token"
    missing = git("clone", "-q", f"{server.url}/weir/nothing", "nothing", cwd=tmp_path)
    assert "there is no repository nothing" in missing.stderr
    url = server.url.replace("http://", f"http://carol:{server.admin_token}@")
    assert git("push", "-q", f"{url}/weir/fresh", "HEAD:refs/heads/main", cwd=there).returncode == 0, "made by its push"
    assert git("ls-remote", f"{server.url}/git/fresh.git", cwd=there).stdout.endswith("refs/heads/main\n")


def test_a_browser_lands_on_the_page(server, pushed):
    assert get(server, "/weir/project") == (302, "/#/repos/project")
    assert get(server, "/weir/project.git") == (302, "/#/repos/project")
    assert get(server, "/weir/project/pull/7") == (302, "/#/pulls/project/7")
    assert get(server, "/weir/project/actions/runs/1") == (302, "/#/runs/1")
    assert get(server, f"/weir/project/commit/{'a' * 40}") == (302, "/#/repos/project")
    for path in ("/weir/nothing", "/weir/..%2f..%2fetc", "/weir/project/wiki", "/weir/", "/weir/%2e%2e"):
        assert get(server, path)[0] in (400, 404), path


def test_githubs_api_tells_the_same_addresses(server, pushed):
    told = server.get("/api/v3/repos/weir/project")
    assert told["html_url"] == f"{server.url}/weir/project"
    assert told["clone_url"] == told["ssh_url"] == told["git_url"] == f"{server.url}/weir/project.git"
