"""Chosen stages: what was made before stands as long as nothing that went into it has changed, and weir says why."""

import json
import subprocess

from weir_server import WEIR

WORKFLOW = """\
on: push
jobs:
  prepare:
    runs-on: ubuntu-latest
    outputs: {rows: "${{ steps.p.outputs.rows }}"}
    steps:
      - uses: actions/checkout@v4
      - id: p
        run: |
          cat prepare.sh > /dev/null
          echo "rows=$(cat data/*.csv | wc -l)" >> "$GITHUB_OUTPUT"
          cat data/*.csv | sort > clean.csv
      - uses: actions/upload-artifact@v4
        with: {name: clean, path: clean.csv}
  train:
    needs: prepare
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: actions/download-artifact@v4
        with: {name: clean}
      - run: sh train.sh ${{ needs.prepare.outputs.rows }} clean.csv
  report:
    needs: train
    runs-on: ubuntu-latest
    steps: [{run: echo report}]
"""


def make(folder):
    def write(path, text):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)

    write(".github/workflows/ml.yml", WORKFLOW)
    write("prepare.sh", "# 1\n")
    write("train.sh", 'echo "trained on $1: $(wc -l < $2)"\n')
    write("data/a.csv", "2\n1\n")
    write("README.md", "text\n")
    git = lambda *a: subprocess.run(["git", "-C", folder, *a], check=True, capture_output=True, text=True)
    git("init", "-q", "-b", "main")
    git("config", "user.name", "Carol")
    git("config", "user.email", "carol@example.com")
    return write, git


def run(folder, *arguments, code=0):
    done = subprocess.run([WEIR, "run", *arguments, "--json"], cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == code, done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def text(folder, *arguments):
    done = subprocess.run([WEIR, "run", *arguments], cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_stages_reuse_what_did_not_change_and_say_what_did(tmp_path):
    write, git = make(tmp_path)
    git("add", "-A")
    git("commit", "-qm", "one")
    run(tmp_path)

    # Neither the script of the later stage nor the README went into `prepare`.
    write("train.sh", 'echo "trained better on $1: $(wc -l < $2)"\n')
    write("README.md", "other\n")
    shown = text(tmp_path, "--from", "train", "--to", "train")
    assert "trained better on 2: 2" in shown
    assert "reused from run #1: nothing that went into it has changed" in shown
    assert "report" not in shown

    # A new file in a folder that it listed did.
    write("data/b.csv", "4\n3\n")
    shown = text(tmp_path, "--from", "train", "--to", "train")
    assert "since run #1: data/b.csv is new" in shown and "trained better on 4: 4" in shown

    write("prepare.sh", "# 2\n")
    shown = text(tmp_path, "--from", "train")
    assert "since run #3: prepare.sh changed" in shown and "echo report" in shown or "report" in shown


def test_a_wrong_stage_is_told(tmp_path):
    make(tmp_path)
    done = subprocess.run([WEIR, "run", "--from", "trian"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and 'no job "trian"; did you mean "train"' in done.stderr


def test_failed_jobs_run_again_on_fixed_code(server, repository):
    write, _ = repository.write, None
    write(".github/workflows/ml.yml", WORKFLOW)
    write("prepare.sh", "# 1\n")
    write("train.sh", "exit 1\n")
    write("data/a.csv", "2\n1\n")
    repository.commit()
    repository.push()
    assert server.finished(1)["conclusion"] == "failure"
    write("train.sh", 'echo "fixed $1"\n')
    repository.commit("Fix")
    repository.git("checkout", "-qb", "fix")
    repository.push(ref="fix")
    server.finished(2)
    said = server.cli("rerun", "1", "--failed", "--on", "fix", token=server.admin_token).stdout
    assert said.startswith("run 3 ")
    again = server.finished(3)
    assert again["conclusion"] == "success"
    jobs = {job["key"]: job for job in again["jobs"]}
    assert jobs["prepare"]["origin"] and "reused from run #" in jobs["prepare"]["reason"]
    assert jobs["train"]["origin"] is None
    assert again["reason"].startswith("run #1 again on ")
    assert [a["name"] for a in again["artifacts"]] == ["clean"]
