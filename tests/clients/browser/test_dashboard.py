"""The dashboard in a real browser, with the data of real runs: both languages, both themes, no script error, nothing
loaded from elsewhere, WCAG AA; what people do there."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "line")]
from described import Described  # noqa: E402
from make_data import HOSTILE, make_all, pages  # noqa: E402
from weir_server import Server, wait_until  # noqa: E402

pytestmark = pytest.mark.skipif(shutil.which("node") is None or not Path("/usr/bin/chromium").exists(),
                                reason="needs node and chromium")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dashboard")
    (folder / "state").mkdir()
    server = Server(folder / "state")
    try:
        yield server, make_all(server, folder / "repository")
    finally:
        server.stop()


def in_browser(script, *arguments):
    done = subprocess.run(["node", HERE / script, *arguments], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_every_page_shows_its_data_without_an_error(made, tmp_path):
    server, data = made
    answer = in_browser("browse.mjs", server.url, os.environ.get("WEIR_SCREENSHOTS", tmp_path), *pages(server, data))
    assert answer["problems"] == []
    text = answer["texts"]
    assert "Show me" in text["-runs-en-light"]
    assert "等待决定" in text["overview-zh-dark"] and "Change worse" in text["overview-zh-dark"]
    assert "0.9375" in text["-experiments-0-en-light"] and HOSTILE in text["-experiments-0-en-light"]
    assert "0.9375" in text[f"-experiments-0-runs-{data['experiment']}-zh-dark"]
    assert "0.9375" in text["-models-m-en-light"]
    assert "Messages to people" in text["-alerts-en-light"] and "http://127.0.0.1:1/nobody-is-here" in text["-alerts-en-light"]
    assert "发给人员的消息" in text["-alerts-zh-dark"]
    line = text["-runs-1-en-light"]
    for part in ("Numbers", "test × 9", "ship (eu)", "pack", "inner"):
        assert part in line, part
    assert "Made room for another job" in text[f"-runs-{data['runs']['train']}-en-light"]
    reused = next(value for name, value in text.items() if name.startswith(f"-runs-{data['runs']['reused']}-") and "en" in name)
    assert "reused from run #" in reused and "the job that made it" in reused
    assert "What went into its result" in reused and "model.txt" in reused and "data" in reused
    changed = {name: value for name, value in text.items() if name.startswith(f"-runs-{data['runs']['changed']}-")}
    english = next(value for name, value in changed.items() if "-en-" in name)
    for part in ("What differs since run #1", "env.RATE", "What its needs made (1)", "Files of the repository (302)",
                 "changed model.txt", "gone old.txt", "new data/day-000.csv", "Show more (290 left)"):
        assert part in english, (part, english)
    assert "data/day-299.csv" not in english  # folded
    chinese = next(value for name, value in changed.items() if "-zh-" in name)
    assert "对照 运行 #1" in chinese and "仓库中的文件 (302)" in chinese
    assert "Change conflict" in text["-pulls-en-light"] and "other.md" in text["-pulls-en-light"]
    assert "Change merged" not in text["-pulls-en-light"]
    assert "Ready to merge" in text["-pulls-project-2-en-light"] and "0.74" in text["-pulls-project-2-en-light"]
    assert 'the check "test" is failure' in text["-pulls-project-3-en-light"]
    # A job that comments is called what people call it; its number is for the history.
    for name in ("-pulls-project-3-en-light", "-pulls-project-3-zh-dark"):
        assert "weir · CI / lint" in text[name] and "Looked at by a job." in text[name] and "job:" not in text[name]
    assert "已合并" in text["-pulls-project-1-zh-dark"]


def test_people_find_places_in_logs_and_review_and_merge(made):
    """use.mjs goes through the pages as a person does; each of its steps waits for what it expects."""
    server, data = made
    jobs = {run: server.get(f"/api/v1/runs/{data['runs'][run]}")["jobs"] for run in ("line", "talk")}
    answer = in_browser("use.mjs", server.url, data["tokens"]["bob"], str(jobs["talk"][0]["id"]), str(data["runs"]["talk"]),
                        str(data["runs"]["changed"]), str(data["runs"]["reused"]))
    assert answer["problems"] == []
    # Never the whole of it: the log has megabytes.
    assert answer["largest_answer"] < 2_000_000
    assert server.get("/api/v1/repos/project/pulls/2")["merged"]
    reviews = server.get("/api/v1/repos/project/pulls/3")["reviews"]
    assert [review["state"] for review in reviews] == ["COMMENTED", "DISMISSED"]
    assert reviews[1]["body"] == "Not like this." and reviews[1]["dismissal_message"] == "It was of another change."


def test_answers_about_pull_requests_are_as_described(made):
    server, data = made
    described = Described(server.url)
    assert described.call("GET", "/api/v1/pulls?state=all&limit=3")["repos"] == ["project"]
    for number in range(1, 7):
        described.call("GET", f"/api/v1/repos/project/pulls/{number}", token=data["tokens"]["bob"])


def test_a_jobs_comment_says_who_that_is_and_history_keeps_its_number(made):
    server, data = made
    said = next(one for one in server.get("/api/v1/repos/project/pulls/3")["comments"] if one["body"] == "Looked at by a job.")
    user = said["user"]
    assert user["login"] == f"job:{user['job']}" and user["name"] == "weir · CI / lint"
    job = server.get(f"/api/v1/jobs/{user['job']}")
    assert (job["key"], job["run"]) == ("lint", user["run"])
    events = server.get("/api/v1/events?limit=1000", data["tokens"]["bob"])["events"]
    assert any(event["actor"] == user["login"] and "comment" in event["type"] for event in events)
    # Actions that look for what they wrote before go by GitHub's name of their user.
    shown = server.get("/api/v3/repos/weir/project/issues/3/comments", data["tokens"]["bob"])
    assert [one["user"]["login"] for one in shown if one["id"] == said["id"]] == ["github-actions[bot]"]
    assert [one["user"]["type"] for one in shown if one["id"] == said["id"]] == ["Bot"]


def test_answers_about_reuse_are_as_described(made):
    server, data = made
    described = Described(server.url)
    jobs = {run: {job["key"]: job["id"] for job in server.get(f"/api/v1/runs/{data['runs'][run]}")["jobs"]}
            for run in ("line", "stages", "reused", "changed")}
    reused = described.call("GET", f"/api/v1/jobs/{jobs['reused']['first']}/reuse")
    assert reused["reused"] and reused["earlier"] == {"job": jobs["stages"]["first"], "run": data["runs"]["stages"], "number": 1}
    if not reused["key"]["every_file"]:  # the kernel tells what was read
        assert {file["path"] for file in reused["key"]["files"]} == {"model.txt", "old.txt"}
        assert "data" in reused["key"]["folders"]
    changed = described.call("GET", f"/api/v1/jobs/{jobs['changed']['first']}/reuse")
    assert changed["asked"] and not changed["reused"] and changed["differences_count"] == len(changed["differences"]) >= 304
    kinds = {kind: [one["name"] for one in changed["differences"] if one["kind"] == kind] for kind in ("definition", "value", "need")}
    assert kinds == {"definition": ["env.RATE", "steps"], "value": [], "need": ["zero"]}
    assert not described.call("GET", f"/api/v1/jobs/{jobs['line']['prepare']}/reuse")["asked"]
    described.call("GET", "/api/v1/jobs/99999/reuse", status=404)


def test_any_place_of_a_log_is_found(made):
    server, data = made
    job = server.get(f"/api/v1/runs/{data['runs']['talk']}")["jobs"][0]
    log = f"/api/v1/jobs/{job['id']}/log"
    lines, after = [], 0
    while True:
        answer = server.get(f"{log}?after={after}&limit=131072")
        lines += answer["lines"]
        if answer["next"] == after or answer["done"]:
            break
        after = answer["next"]
    assert answer["size"] > 4_000_000 and lines[0]["at"] == 0
    assert [line["text"].split()[1] for line in lines if line["text"].startswith("epoch ")] == [str(i) for i in range(1, 60_001)]
    for place in (1, answer["size"] // 3, answer["size"] - 40):
        near = server.get(f"{log}?near={place}&limit=131072")["lines"]
        assert near[:1] == [line for line in lines if line["at"] >= place][:1]
    middle = lines[len(lines) // 2]["at"]
    before = server.get(f"{log}?before={middle}&limit=131072")
    assert before["next"] == middle and before["lines"] == [line for line in lines if before["start"] <= line["at"] < middle]
    assert server.get(f"{log}?before={1 << 53}&limit=131072")["lines"][-1] == lines[-1]
    for step in (0, 1, 2):
        assert server.get(f"{log}?step={step}&limit=131072")["lines"][0] == next(line for line in lines if line["step"] == step)
    found, after = [], 0
    while not (answer := server.get(f"{log}/search?q=EPOCH%20599&after={after}"))["done"]:
        found, after = found + answer["lines"], answer["next"]
    found += answer["lines"]
    assert found == [line for line in lines if "epoch 599" in line["text"]] and len(found) == 111
    assert server.get(f"{log}/search?q=1%201")["lines"] == [line for line in lines if "1 1" in line["text"]][:100]
