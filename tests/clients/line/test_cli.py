"""Every command explains itself, and says what it says as JSON too."""

import json
import re
import shlex
import subprocess

import pytest
from weir_server import WEIR

COMMANDS = ["serve", "run", "lint", "expr", "graph", "pr", "repo", "runs", "logs", "cancel", "rerun", "approve", "reject", "gate", "deploy", "rollback",
            "why", "dora", "report", "events", "triggers", "notifications", "fsck", "token", "version", "secret"]
NESTED = ["token create", "token list", "token revoke", "secret set", "secret list", "secret delete", "pr create", "pr list", "pr view", "pr comment",
          "pr review", "pr dismiss", "pr merge", "pr close", "pr reopen", "repo add", "repo list", "repo fetch", "repo remove",
          "notifications retry", "notifications test"]


def help_of(command):
    done = subprocess.run([WEIR, *command.split(), "--help"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and not done.stderr
    return done.stdout


def test_help_lists_every_command():
    listed = re.findall(r"^  ([a-z]+) ", help_of("").partition("Subcommands:")[2].partition("Start with")[0], re.M)
    assert sorted(listed) == sorted(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS + NESTED)
def test_help_has_examples_that_use_known_options(command):
    text = help_of(command)
    examples = [line.strip() for line in text.partition("Examples:")[2].splitlines() if line.strip().startswith("weir ")]
    assert examples, text
    for example in examples:
        words = shlex.split(example)
        assert words[1] == command.split()[0]
        # Examples of a group show its sub-commands.
        inner = " ".join(words[1:3]) if " ".join(words[1:3]) in NESTED else words[1]
        for option in (word for word in words if word.startswith("-")):
            assert re.search(rf"(^|[ ,]){re.escape(option)}\b", help_of(inner), re.M), f"{example}: no {option}"


@pytest.mark.parametrize("command", [c for c in COMMANDS if c not in ("token", "secret", "pr", "repo")] + NESTED)
def test_every_command_takes_json(command):
    assert "--json" in help_of(command)


def test_answers_and_errors_are_json_when_asked_for(server):
    def said(*arguments, code=0):
        done = server.cli(*arguments, "--json", check=False)
        assert done.returncode == code, (arguments, done.stdout, done.stderr)
        return json.loads(done.stdout)

    assert said("runs") == {"runs": []}
    assert said("approve")["approvals"] == [] and said("reject")["approvals"] == []
    assert said("dora")["deployments"] == 0
    assert said("version")["version"]
    token = said("token", "create", "alice", "--role", "approver")
    assert token["token"] and [t["name"] for t in said("token", "list")["tokens"]].count("alice") == 1
    assert said("token", "revoke", str(token["id"])) == {"id": token["id"], "revoked": True}
    assert said("secret", "set", "API_KEY", "--value", "s3cret-value") == {"name": "API_KEY", "repository": "", "environment": ""}
    assert "s3cret" not in json.dumps(server.get("/api/v1/secrets", token=server.admin_token))
    for event in server.cli("events", "--json").stdout.splitlines():
        assert json.loads(event)["specversion"] == "1.0"
    for arguments in [("runs", "7"), ("logs", "7"), ("cancel", "7"), ("rerun", "7"), ("approve", "7"), ("reject", "7"),
                      ("gate", "nothing", "--version", "1"), ("deploy", "nothing", "1"), ("rollback", "nothing"),
                      ("why", "nothing@production"), ("token", "revoke", "77")]:
        answer = said(*arguments, code=1)
        assert answer["error"] and answer["message"], arguments
    server.stop()
    assert said("fsck")["problems"] == []


def test_serve_tells_its_address_as_json(tmp_path):
    process = subprocess.Popen([WEIR, "serve", "--state", tmp_path / "state", "--json"], stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True)
    try:
        answer = json.loads(process.stdout.readline())
        assert answer["url"] == json.loads((tmp_path / "state/server.json").read_text())["url"]
        assert (answer["state"], answer["pid"]) == (str(tmp_path / "state"), process.pid)
    finally:
        process.terminate()
        assert process.wait(30) == 0


def test_local_commands_are_json_when_asked_for(tmp_path):
    folder = tmp_path / ".github/workflows"
    folder.mkdir(parents=True)
    (folder / "ci.yml").write_text("on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    stepz: []\n")
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    done = subprocess.run([WEIR, "lint", "--json"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "stepz" in json.dumps(json.loads(done.stdout))
    (folder / "ci.yml").write_text("on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps: [{run: 'true'}]\n")
    done = subprocess.run([WEIR, "run", "--list", "--json"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert [job["job"] for job in json.loads(done.stdout)["jobs"]] == ["a"]
