"""A damaged state: `weir fsck` says what, where and what to do; nothing is served from it in silence."""

import json
import os
import sqlite3
import subprocess

import pytest

from faults import answer, sha256
from weir_server import WEIR

DATA = b"the bytes of a model" * 100


@pytest.fixture
def state(server, repository):
    """The folder of a stopped server that has been used."""
    repository.write(".github/workflows/a.yml", "on: push\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: 'true'}]}}\n")
    repository.commit()
    repository.push()
    server.finished(1)
    assert answer(server, "PUT", "/api/2.0/mlflow-artifacts/artifacts/1/model.pkl", DATA)[0] == 200
    server.stop()
    return server.state


def fsck(state):
    """Problems and advice; the same in words for people."""
    done = subprocess.run([WEIR, "fsck", "--deep", "--json", "--state", state], capture_output=True, text=True)
    report = json.loads(done.stdout)
    assert done.returncode == (1 if report["problems"] else 0), done
    assert bool(report["problems"]) == bool(report["advice"])
    words = subprocess.run([WEIR, "fsck", "--deep", "--state", state], capture_output=True, text=True).stdout
    for line in report["problems"] + report["advice"]:
        assert line in words
    return "\n".join(report["problems"]), "\n".join(report["advice"])


def change(state, sql):
    with sqlite3.connect(state / "weir.db") as db:
        db.executescript(sql)
    db.close()


def serve(state):
    """Starts the server on a state that it should refuse."""
    done = subprocess.run([WEIR, "serve", "--state", state], capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    return done.stderr


def test_a_sound_state_has_no_problem(state):
    assert fsck(state) == ("", "")


def blob_file(state):
    name = sha256(DATA)
    return state / "blobs" / name[:2] / name[2:]


@pytest.mark.parametrize("damage", ["changed", "cut", "missing"])
def test_a_blob_with_wrong_bytes(state, damage):
    file = blob_file(state)
    os.chmod(file, 0o644)
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(DATA[:100] if damage == "cut" else DATA.replace(b"model", b"madel"))
    problems, advice = fsck(state)
    assert "experiment artifact (1/model.pkl)" in problems
    assert (sha256(DATA) if damage == "missing" else str(file)) in problems
    assert "backup" in advice and "upload the artifact again" in advice


@pytest.mark.parametrize("sql, words", [
    ("DELETE FROM events WHERE sequence > 3", "rows 4 to"),
    ("DELETE FROM events WHERE sequence = 3", "row 3 is missing"),
    ("DELETE FROM events", "rows 1 to"),
    ("UPDATE events SET actor = 'mallory' WHERE sequence = 2", "event 2: its chain hash"),
    ("UPDATE events SET payload = '{}' WHERE sequence = (SELECT max(sequence) FROM events)", "payload was changed"),
])
def test_an_event_log_that_was_changed(state, sql, words):
    change(state, sql)
    problems, advice = fsck(state)
    assert words in problems, problems
    assert "The event log" in advice and "backup" in advice


def test_a_cut_event_log_never_gives_its_numbers_to_other_events(server, state):
    last = sqlite3.connect(state / "weir.db").execute("SELECT max(sequence) FROM events").fetchone()[0]
    change(state, f"DELETE FROM events WHERE sequence > {last - 2}")
    server.start()
    assert f"events {last - 1} to {last} are missing" in (state.parent / "serve.log").read_text()
    server.cli("token", "create", "bob")
    events = server.get("/api/v1/events?limit=1000")["events"]
    assert max(event["sequence"] for event in events) == last + 1
    server.stop()
    assert f"rows {last - 1} to {last} are missing" in fsck(state)[0]


@pytest.mark.parametrize("damage", ["pages", "half", "header", "empty"])
def test_a_damaged_database(state, damage):
    file = state / "weir.db"
    data = bytearray(file.read_bytes())
    if damage == "pages":
        for page in range(5, len(data) // 4096, 2):
            data[page * 4096:page * 4096 + 2000] = os.urandom(2000)
    elif damage == "header":
        data[:4096] = os.urandom(4096)
    else:
        del data[{"half": len(data) // 2 // 4096 * 4096, "empty": 0}[damage]:]
    file.write_bytes(data)
    problems, advice = fsck(state)
    assert str(file) in problems and "Traceback" not in problems
    assert "restore weir.db" in advice
    if damage in ("header", "empty"):
        refused = serve(state)
        assert str(file) in refused and ("backup" in refused or "weir fsck" in refused), refused


def test_a_lost_database_is_not_replaced_by_a_new_one(state):
    (state / "weir.db").unlink()
    refused = serve(state)
    assert str(state / "weir.db") in refused and "backup" in refused, refused
    assert not (state / "weir.db").exists()
    done = subprocess.run([WEIR, "fsck", "--state", state], capture_output=True, text=True)
    assert done.returncode == 1 and str(state / "weir.db") in done.stderr


def test_a_configuration_that_cannot_be_read_stops_the_start(server, repository):
    repository.write("weir.yaml", "environments: {production: {reviewers: [alice]}}\n")
    repository.commit()
    repository.push()
    server.stop()
    change(server.state, "UPDATE access_configs SET text = replace(text, 'reviewers', 'watchers')")
    refused = serve(server.state)
    for words in ("repository project", "watchers", "weir lint", "weir.yaml:1:"):
        assert words in refused, refused
    change(server.state, "UPDATE access_configs SET text = replace(text, 'watchers', 'reviewers')")
    server.start()
    assert server.cli("fsck").returncode == 0
