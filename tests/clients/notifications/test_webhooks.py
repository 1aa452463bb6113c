"""Webhooks: signatures that others verify, routes, and what the queue tells."""

import base64
import urllib.error

import pytest
import standardwebhooks
from conftest import notifications, secret, tell, wait_until

SECRET = "whsec_" + base64.b64encode(b"twenty-four bytes of key").decode()


def test_a_signed_webhook_is_verified_by_another_program(serve, push, webhook):
    server = serve(WEIR_PUBLIC_URL="https://weir.example.com/")
    secret(server, "HOOK_SECRET", SECRET)
    push(server, f'notify:\n  - {{to: {webhook.url}/signed, secret: "${{{{ secrets.HOOK_SECRET }}}}"}}\n')
    tell(server, "it broke", title="Nightly")
    wait_until(lambda: webhook.posts, what="the webhook")
    post = webhook.posts[0]
    verifier = standardwebhooks.Webhook(SECRET)
    body = verifier.verify(post["body"], {key.lower(): value for key, value in post["headers"].items()})
    assert body == post["json"]
    assert body["type"] == "message"
    assert body["data"]["text"] == "Nightly: it broke"
    assert body["data"]["links"]["server"] == "https://weir.example.com"
    with pytest.raises(standardwebhooks.webhooks.WebhookVerificationError):
        verifier.verify(post["body"] + b" ", {key.lower(): value for key, value in post["headers"].items()})
    assert post["headers"]["webhook-id"] == post["headers"]["Idempotency-Key"]


def test_repositories_hear_of_their_own_runs(serve, push, webhook):
    server = serve()
    failing = {".github/workflows/ci.yml": "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: exit 1\n"}
    push(server, f"notify:\n  - {{to: {webhook.url}/one}}\n", name="one")
    push(server, f"notify:\n  - {{to: {webhook.url}/two, template: \"${{{{ repo }}}}: ${{{{ message.text }}}} ${{{{ links.page }}}}\"}}\n", name="two", **failing)
    run = server.finished(1)
    assert run["conclusion"] == "failure"
    wait_until(lambda: notifications(server, "sent"), what="the message")
    assert [post["path"] for post in webhook.posts] == ["/two"]
    assert webhook.posts[0]["json"]["text"] == f'two: run.completed run/1: failure, .github/workflows/ci.yml #1 of two at main, "Change", started by admin {server.url}/#/runs/1'


def test_the_queue_tells_what_failed_and_tries_again(serve, push, webhook):
    server = serve()
    push(server, f"notify:\n  - {{to: {webhook.url}/a}}\n")
    webhook.answer = lambda post: 410
    tell(server, "it broke")
    one = wait_until(lambda: notifications(server, "retrying"), what="a refusal")[0]
    assert one["problem"] == "the answer was 410"
    assert one["target"] == f"{webhook.url}/a"
    shown = server.cli("notifications").stdout
    assert "retrying" in shown and "the answer was 410" in shown and "it broke" in shown
    webhook.answer = lambda post: 204
    assert "is tried again" in server.cli("notifications", "retry", str(one["id"])).stdout
    wait_until(lambda: notifications(server, "sent"), what="the message")
    refused = server.cli("notifications", "retry", str(one["id"]), check=False)
    assert refused.returncode == 1 and "was sent; it is not sent again" in refused.stderr
    assert len({post["headers"]["Idempotency-Key"] for post in webhook.posts}) == 1
    nobody = server.cli("notifications", "retry", "99", check=False)
    assert "there is no notification 99" in nobody.stderr
    assert server.cli("notifications", "--only", "held").stdout == "no notification is held\n"
    assert "is no state" in server.cli("notifications", "--only", "lost", check=False).stderr


def test_targets_can_be_tried(serve, push, webhook):
    server = serve()
    nothing = server.cli("notifications", "test", check=False)
    assert nothing.returncode == 1 and "nothing under `notify:`" in nothing.stderr
    # Whatever it is limited to, and at any time of the day.
    push(server, f"""notify:
  - {{to: {webhook.url}/good, severity: [page], environments: [production], quiet: {{from: "00:00", to: "23:59"}}}}
  - {{to: {webhook.url}/bad}}
""")
    webhook.answer = lambda post: 404 if post["path"] == "/bad" else 200
    tried = server.cli("notifications", "test", check=False)
    assert tried.returncode == 1
    assert f"{webhook.url}/good\n" in tried.stdout
    assert f"{webhook.url}/bad: the answer was 404\n" in tried.stdout
    assert server.cli("notifications", "test", f"{webhook.url}/good").returncode == 0
    unknown = server.cli("notifications", "test", "mailto:me@example.com", check=False)
    assert f'there are "{webhook.url}/good", "{webhook.url}/bad"' in unknown.stderr


def test_messages_go_to_addresses_that_the_servers_people_named_alone(serve, push, webhook):
    server = serve()
    dan = server.post("/api/v1/tokens", {"name": "dan", "role": "developer"}, server.admin_token)["token"]
    push(server, f"notify:\n  - {{to: {webhook.url}/named}}\n")
    secret(server, "HOOK", f"{webhook.url}/kept")

    def send(to):
        server.post("/api/v1/notifications", {"message": to, "to": to}, dan)

    for other in (f"{webhook.url}/evil", f"{webhook.url}/keptnot", f"{webhook.url}@127.0.0.1/", "http://169.254.169.254/latest"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            send(other)
        assert refused.value.code == 403 and "`to` of an entry under `notify:`" in refused.value.read().decode()
    for fine in ("/named", "/kept", "/kept/below"):
        send(webhook.url + fine)
    wait_until(lambda: len(webhook.posts) == 3, what="the messages")
    assert {post["path"] for post in webhook.posts} == {"/named", "/kept", "/kept/below"}


def test_a_step_sends_to_the_webhook_that_its_repositorys_secret_holds(serve, push, webhook):
    server = serve()
    for name, scope in (("OWN", {"repository": "project"}), ("LIVE", {"repository": "project", "environment": "live"})):
        server.call("PUT", f"/api/v1/secrets/{name}", {"value": f"{webhook.url}/{name}", **scope}, server.admin_token)
    server.call("PUT", "/api/v1/secrets/OTHERS", {"value": f"{webhook.url}/OTHERS", "repository": "other"}, server.admin_token)
    push(server, "", **{".github/workflows/tell.yml": f"""on: push
permissions: {{}}
jobs:
  tell:
    runs-on: ubuntu-latest
    environment: live
    steps:
      - {{uses: slack/notify-action@v1, with: {{message: own, webhook: "${{{{ secrets.OWN }}}}"}}}}
      - {{uses: slack/notify-action@v1, with: {{message: live, webhook: "${{{{ secrets.LIVE }}}}"}}}}
      - {{id: other, continue-on-error: true, uses: slack/notify-action@v1, with: {{message: no, webhook: "{webhook.url}/OTHERS"}}}}
      - run: test ${{{{ steps.other.outcome }}}} = failure
"""})
    assert server.finished(1)["conclusion"] == "success", server.get("/api/v1/jobs/1/log", server.admin_token)
    wait_until(lambda: len(webhook.posts) == 2, what="the messages")
    assert {post["path"] for post in webhook.posts} == {"/OWN", "/LIVE"}
