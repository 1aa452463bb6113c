"""What `weir lint`, `weir expr` and errors say at a terminal."""

import json
import os
import pty
import subprocess

import pytest
from weir_server import WEIR

LEAF = """\
on:
  workflow_call:
    inputs:
      city: {type: string, required: true}
    secrets:
      KEY: {required: true}
jobs:
  a: {runs-on: ubuntu-latest, steps: [{run: 'true'}]}
"""
MAIN = """\
on: push
jobs:
  c:
    uses: ./.github/workflows/leaf.yml
    with: {z: 1}
  d:
    uses: ./.github/workflows/missing.yml
"""


def weir(*arguments, cwd=None, text=None):
    return subprocess.run([WEIR, *map(str, arguments)], cwd=cwd, input=text, capture_output=True, text=True, timeout=60)


def at_a_terminal(*arguments, **env):
    """What the command writes when both its outputs are a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([WEIR, *map(str, arguments)], stdout=theirs, stderr=theirs, stdin=subprocess.DEVNULL,
                               env={**{k: v for k, v in os.environ.items() if k != "NO_COLOR"}, **env})
    os.close(theirs)
    written = b""
    try:
        while piece := os.read(ours, 65536):
            written += piece
    except OSError:  # the other end is closed
        pass
    process.wait(60)
    os.close(ours)
    return written.decode()


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "project/.github/workflows"
    folder.mkdir(parents=True)
    (folder / "leaf.yml").write_text(LEAF)
    (folder / "main.yml").write_text(MAIN)
    return tmp_path / "project"


def test_calls_between_files_are_checked(project):
    done = weir("lint", "--json", project)
    found = [(p["line"], p["column"], p["message"]) for p in json.loads(done.stdout)["problems"]]
    assert done.returncode == 1
    leaf = ".github/workflows/leaf.yml"
    assert found == [(4, 11, f'{leaf} requires the input "city", which the call does not give'),
                     (4, 11, f'{leaf} requires the secret "KEY", which the call does not give'),
                     (5, 12, f'{leaf} declares no input "z"'),
                     (7, 11, "there is no file .github/workflows/missing.yml")]


def test_a_run_is_refused_with_the_same_places(project):
    subprocess.run(["git", "init", "-q", project], check=True)
    done = weir("run", cwd=project)
    assert done.returncode == 1
    assert '.github/workflows/main.yml:5:12: error: .github/workflows/leaf.yml declares no input "z"\n' in done.stdout + done.stderr


@pytest.mark.parametrize("folder", [".", ".github", ".github/", ".github/workflows"])
def test_a_folder_is_looked_into(project, folder):
    assert weir("lint", project / folder).stdout.endswith("4 errors, 0 warnings in 2 files\n")
    assert weir("lint", ".", cwd=project / folder).stdout.endswith("4 errors, 0 warnings in 2 files\n")


def test_a_folder_without_anything_to_check_is_an_error(tmp_path):
    (tmp_path / "lt/.github").mkdir(parents=True)
    for folder in (tmp_path / "lt", tmp_path / "lt/.github"):
        done = weir("lint", folder)
        assert done.returncode == 1 and f"no workflow files in {folder}" in done.stderr and not done.stdout


def test_an_unknown_time_zone_is_named_with_the_one_that_was_meant(tmp_path):
    (tmp_path / "w.yml").write_text("on: {schedule: [{cron: '0 2 * * *', timezone: Europe/Berln}]}\n"
                                    "jobs: {a: {runs-on: ubuntu-latest, steps: [{run: 'true'}]}}\n")
    done = weir("lint", tmp_path / "w.yml")
    assert done.returncode == 1 and 'w.yml:1:47: error: "Europe/Berln" is no time zone' in done.stdout
    assert 'did you mean "Europe/Berlin"?' in done.stdout


def test_no_color_is_honoured(project):
    assert "\033[" in at_a_terminal("lint", project)
    assert "\033[" not in at_a_terminal("lint", project, NO_COLOR="1")
    assert "\033[" in at_a_terminal("lint", "/nowhere")
    assert "\033[" not in at_a_terminal("lint", "/nowhere", NO_COLOR="1")


def test_every_line_of_a_batch_has_its_answer():
    done = weir("expr", "--batch", text='{"expr": "1"}\n\n{"expr": "2"}\n')
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"kind": "number", "value": 1}, {"error": "the line is empty"}, {"kind": "number", "value": 2}]


def test_errors_of_several_lines_keep_their_lines(tmp_path):
    folder = tmp_path / "project/.github/workflows"
    folder.mkdir(parents=True)
    (folder / "m.yml").write_text("on: push\njobs:\n  a:\n    strategy: {matrix: '${{ fromJSON(vars.L) }}'}\n"
                                  "    runs-on: ubuntu-latest\n    steps: [{run: 'true'}]\n")
    subprocess.run(["git", "init", "-q", tmp_path / "project"], check=True)
    done = weir("run", cwd=tmp_path / "project")
    assert done.returncode == 1 and "fromJSON" in done.stdout
    assert "\\x0a" not in done.stdout + done.stderr


@pytest.mark.parametrize("arguments", [("runs", "--bogus"), ("bogus",), ("lint", "--bogus"), ("pr",)])
def test_mistakes_of_usage_are_json_when_asked_for(arguments):
    done = weir(*arguments, "--json")
    assert done.returncode == 2 and not done.stderr
    answer = json.loads(done.stdout)
    assert answer["error"] == "invalid_argument" and answer["message"]
    plain = weir(*arguments)
    assert plain.returncode == 2 and plain.stderr and not plain.stdout
