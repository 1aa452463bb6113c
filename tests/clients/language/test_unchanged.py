"""What workflow files of public repositories hold, and runs here as it stands: each of these once was refused or went wrong."""

import subprocess

import pytest

from oracle import WEIR

WORKFLOW = """
name: {name}
on:
  push:
  schedule:
    - cron: |
        0 6 * * *
jobs:
{jobs}
"""


@pytest.fixture
def run(tmp_path):
    repository = tmp_path / "repository"
    workflows = repository / ".github" / "workflows"
    workflows.mkdir(parents=True)

    def git(*arguments):
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments], cwd=repository, check=True,
                       capture_output=True)

    git("init", "-b", "main")

    def go(jobs, **more):
        for name, text in {"main": jobs, **more}.items():
            on_call = name != "main"
            text = WORKFLOW.format(name=name, jobs=text)
            if on_call:
                text = text[:text.index("on:")] + "on: workflow_call\n" + text[text.index("jobs:"):]
            (workflows / f"{name}.yml").write_text(text)
        git("add", ".")
        git("commit", "--allow-empty", "-m", "one")
        done = subprocess.run([WEIR, "run", "-W", ".github/workflows/main.yml"], cwd=repository, capture_output=True, text=True,
                              check=False, timeout=120)
        return done.returncode, done.stdout + done.stderr

    return go


def test_steps_for_windows_are_left_out_and_fail_where_they_are_not(run):
    jobs = """
  test:
    runs-on: ubuntu-latest
    steps:
      - {if: "runner.os == 'Windows'", shell: cmd, run: ver}
      - {if: "runner.os != 'Windows'", run: echo on $RUNNER_OS}
"""
    code, text = run(jobs)
    assert code == 0 and "on Linux" in text
    code, text = run(jobs.replace("if: \"runner.os == 'Windows'\", ", ""))
    assert code == 1 and "`shell: cmd` is there on Windows only" in text


def test_jobs_are_needed_without_regard_to_case(run):
    code, text = run("""
  validate: {runs-on: ubuntu-latest, outputs: {x: "${{ steps.a.outputs.x }}"}, steps: [{id: a, run: "echo x=7 >> $GITHUB_OUTPUT"}]}
  test: {needs: Validate, runs-on: ubuntu-latest, steps: [{run: "echo got ${{ needs.validate.outputs.x }} ${{ needs.Validate.result }}"}]}
""")
    assert code == 0 and "got 7 success" in text


def test_workflows_of_the_own_repository_are_called_by_dollar(run):
    code, text = run("  call: {uses: $/.github/workflows/called.yml}\n",
                     called="  a: {runs-on: ubuntu-latest, steps: [{run: echo called here}]}\n")
    assert code == 0 and "called here" in text, text


def test_a_run_that_its_conditions_leave_out_has_not_failed(run):
    code, text = run("  a: {if: \"github.repository == 'some/other'\", runs-on: ubuntu-latest, steps: [{run: echo no}]}\n")
    assert code == 0 and "skipped" in text, text


def test_a_leg_that_no_machine_takes_leaves_the_others_alone(run):
    code, text = run("""
  test:
    strategy: {matrix: {os: [windows-latest, ubuntu-latest]}}
    runs-on: ${{ matrix.os }}
    steps: [{run: "echo ran on ${{ matrix.os }}"}]
""")
    assert code == 1 and 'no runner has the label "windows-latest"' in text and "ran on ubuntu-latest" in text
