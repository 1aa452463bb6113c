"""The signed link of a message: a reviewer follows it through a proxy's name, approves, and the run goes on."""

import html
import re
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import pytest
from conftest import wait_until
from weir_server import WEIR

DEPLOY = """on: push
jobs:
  deploy:
    runs-on: ubuntu-latest
    environment: production
    steps:
      - run: echo deployed
"""
PUBLIC = "https://weir.example.com:8443"


def through_proxy(server, link, data=None, **headers):
    """What a proxy in front of the server makes of a request to its public name."""
    assert link.startswith(PUBLIC + "/"), link
    request = urllib.request.Request(server.url + link.removeprefix(PUBLIC), data, {"Host": "weir.example.com:8443", **headers})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read().decode()


def test_a_reviewer_decides_by_the_link_of_their_message(serve, push, webhook):
    server = serve(WEIR_PUBLIC_URL=PUBLIC)
    token = server.admin_token
    push(server, f"""environments:
  production: {{reviewers: [alice], expires: 2d}}
notify:
  - {{to: {webhook.url}/alice, reviewer: alice}}
  - {{to: {webhook.url}/all}}
""", **{".github/workflows/deploy.yml": DEPLOY})
    wait_until(lambda: len(webhook.posts) == 2, what="the request")
    texts = {post["path"]: html.unescape(post["json"]["text"]) for post in webhook.posts}
    assert "Decide as" not in texts["/all"] and f"{PUBLIC}/#/runs/1" in texts["/all"]
    link = re.search(r"Decide as alice: (\S+)", texts["/alice"])[1]

    approval = server.get("/api/v1/approvals?state=pending", token)["approvals"][0]
    assert approval["expires_at"] > approval["requested_at"]
    page = through_proxy(server, link)
    assert "You decide as <b>alice</b>" in page
    # Opening it decides nothing.
    assert server.get("/api/v1/approvals?state=pending", token)["approvals"][0]["id"] == approval["id"]

    form = urllib.parse.urlencode({"decision": "approve", "comment": "by link"}).encode()
    with pytest.raises(urllib.error.HTTPError) as elsewhere:
        through_proxy(server, link, form, Origin="https://evil.example.com")
    assert elsewhere.value.code == 403
    assert "granted" in through_proxy(server, link, form, Origin=PUBLIC)
    run = wait_until(lambda: (r := server.get("/api/v1/runs/1", token))["state"] == "completed" and r, 120, "the run")
    assert run["conclusion"] == "success"
    decided = server.get("/api/v1/approvals", token)["approvals"][0]
    assert (decided["state"], decided["reviewed_by"], decided["comment"]) == ("granted", "alice", "by link")
    with pytest.raises(urllib.error.HTTPError):
        through_proxy(server, link, form, Origin=PUBLIC)


def test_a_server_that_others_reach_through_a_proxy_knows_nobody_without_a_token(serve):
    server = serve(WEIR_PUBLIC_URL=PUBLIC)
    for host in ("weir.example.com:8443", server.url.removeprefix("http://")):
        with pytest.raises(urllib.error.HTTPError) as refused:
            through_proxy(server, f"{PUBLIC}/api/v1/runs", Host=host)
        assert refused.value.code == 401
    with pytest.raises(urllib.error.HTTPError) as refused:
        through_proxy(server, f"{PUBLIC}/api/v1/runs", Host="evil.example.com")
    assert refused.value.code == 403


@pytest.mark.parametrize("url", ["ftp://weir.example.com", "weir.example.com", "https://weir.example.com/base", "https://"])
def test_a_public_address_is_that_of_a_server(url, tmp_path):
    tried = subprocess.run([WEIR, "serve", "--state", tmp_path / "state", "--public-url", url], capture_output=True, text=True, timeout=30)
    assert tried.returncode == 1
    assert "must be https:// or http:// and a host, without a path" in tried.stderr


def test_whom_weir_yaml_names_decides_with_any_role_and_nobody_an_own_request(serve, push, webhook):
    server = serve()

    def token(name, role):
        return server.post("/api/v1/tokens", {"name": name, "role": role}, server.admin_token)["token"]

    ann, carol = token("ann", "viewer"), token("carol", "approver")
    push(server, f"""environments:
  production: {{reviewers: [admin, ann]}}
notify:
  - {{to: {webhook.url}/ann, reviewer: ann}}
  - {{to: {webhook.url}/admin, reviewer: admin}}
""", **{".github/workflows/deploy.yml": DEPLOY})
    wait_until(lambda: len(webhook.posts) == 2, what="the request")
    texts = {post["path"]: html.unescape(post["json"]["text"]) for post in webhook.posts}
    # Who asked for it may not agree, and gets no link that says so only when it is used.
    assert "Decide as ann: " in texts["/ann"] and "Decide as" not in texts["/admin"]
    assert '"Change", asked for by admin' in texts["/ann"]
    with pytest.raises(urllib.error.HTTPError) as refused:
        server.post("/api/v1/approvals/1/approve", {}, carol)
    assert refused.value.code == 403 and "carol is not a reviewer of production: admin or ann may" in refused.value.read().decode()
    with pytest.raises(urllib.error.HTTPError) as refused:
        server.post("/api/v1/approvals/1/approve", {})
    assert refused.value.code == 401
    assert "granted" in server.cli("approve", "1", token=ann).stdout
    assert server.get("/api/v1/approvals", ann)["approvals"][0]["reviewed_by"] == "ann"
