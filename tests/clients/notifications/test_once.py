"""kill -9 between sending a message and recording that it was sent."""

import threading

from conftest import notifications, tell, wait_until


def test_a_message_whose_fate_is_unknown_comes_again_marked_and_one_that_was_recorded_does_not(serve, push, webhook):
    server = serve()
    push(server, f"notify:\n  - {{to: {webhook.url}/a}}\n")
    tell(server, "recorded")
    wait_until(lambda: notifications(server, "sent"), what="the first message to be recorded")

    killed = threading.Event()

    def hold(post):
        if "unknown" in post["json"]["text"] and not killed.is_set():
            killed.wait(60)  # the answer comes when nobody waits for it any more
        return 200

    webhook.answer = hold
    tell(server, "unknown")
    wait_until(lambda: len(webhook.posts) == 2, what="the second message to arrive")
    server.kill()
    killed.set()
    server.start()
    wait_until(lambda: len(notifications(server, "sent")) == 2, what="the second message to be recorded")

    texts = [post["json"]["text"].split("\n")[0] for post in webhook.posts]
    assert texts == ["recorded", "unknown", "unknown"]
    first, second, third = (post["headers"] for post in webhook.posts)
    assert "X-Weir-Possibly-Repeated" not in first and "X-Weir-Possibly-Repeated" not in second
    assert third["X-Weir-Possibly-Repeated"] == "true"
    assert second["Idempotency-Key"] == third["Idempotency-Key"] != first["Idempotency-Key"]
    assert "may have reached you before" in webhook.posts[2]["json"]["text"]
    repeated = {one["text"]: one["possibly_repeated"] for one in notifications(server)}
    assert repeated == {"recorded": False, "unknown": True}

    # Whatever comes now, neither is sent again.
    server.kill()
    server.start()
    tell(server, "later")
    wait_until(lambda: len(notifications(server, "sent")) == 3, what="the third message")
    assert [post["json"]["text"].split("\n")[0] for post in webhook.posts][3:] == ["later"]


def test_what_was_queued_before_the_kill_arrives_unmarked(serve, push, webhook):
    server = serve()
    push(server, f"notify:\n  - {{to: {webhook.url}/a}}\n")
    webhook.answer = lambda post: 503
    tell(server, "it broke")
    wait_until(lambda: notifications(server, "retrying"), what="a refusal")
    server.kill()
    webhook.answer = lambda post: 200
    server.start()
    wait_until(lambda: notifications(server, "sent"), what="the message")
    assert all("X-Weir-Possibly-Repeated" not in post["headers"] for post in webhook.posts)
