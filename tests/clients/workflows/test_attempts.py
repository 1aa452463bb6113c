"""What a second attempt of a run, or a second turn of a preempted job, does again: artifacts of the same names, and a
log that tells of both."""

import io
import urllib.error
import urllib.parse
import urllib.request
import zipfile

from weir_server import wait_until


def dispatch(server, file):
    return server.post("/api/v1/repos/project/dispatches", {"workflow": file}, server.admin_token)["run_id"]


def log_lines(server, job):
    return [line["text"] for line in server.get(f"/api/v1/jobs/{job}/log")["lines"]]


def fetch(server, path, token=None):
    request = urllib.request.Request(server.url + path)
    request.add_header("Authorization", f"Bearer {token or server.admin_token}")
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read()


def content(data):
    archive = zipfile.ZipFile(io.BytesIO(data))
    return {name: archive.read(name).decode() for name in archive.namelist()}


def artifact(server, run, name, attempt=None):
    query = f"?attempt={attempt}" if attempt else ""
    return content(fetch(server, f"/api/v1/runs/{run}/artifacts/{urllib.parse.quote(name)}{query}"))


MAKES = """\
on: workflow_dispatch
jobs:
  make:
    runs-on: ubuntu-latest
    steps:
      - run: echo "attempt $GITHUB_RUN_ATTEMPT" > made.txt
      - uses: actions/upload-artifact@v4
        with: {name: out, path: made.txt}
  flaky:
    needs: make
    runs-on: ubuntu-latest
    steps:
      - uses: actions/download-artifact@v4
        with: {name: out, path: got}
      - run: cat got/made.txt; echo "flaky $GITHUB_RUN_ATTEMPT" > report.txt
      - uses: actions/upload-artifact@v4
        with: {name: report, path: report.txt}
      - run: test "$GITHUB_RUN_ATTEMPT" -gt 1
"""


def test_a_run_again_makes_its_artifacts_again(server, repository):
    repository.write(".github/workflows/makes.yml", MAKES)
    repository.commit()
    repository.push()
    run = dispatch(server, "makes.yml")
    assert server.finished(run)["conclusion"] == "failure"
    assert server.cli("rerun", str(run), "--failed", check=False).returncode == 0
    second = server.finished(run)
    assert second["conclusion"] == "success", [log_lines(server, job["id"]) for job in second["jobs"]]
    # What the job made that was not run again is there for the one that was, and for people.
    flaky = next(job for job in second["jobs"] if job["key"] == "flaky")
    assert "attempt 1" in log_lines(server, flaky["id"])
    assert {one["name"]: one["attempt"] for one in second["artifacts"]} == {"out": 1, "report": 2}
    assert server.cli("rerun", str(run), check=False).returncode == 0
    third = server.finished(run)
    assert third["conclusion"] == "success"
    assert {one["name"]: one["attempt"] for one in third["artifacts"]} == {"out": 3, "report": 3}
    flaky = next(job for job in third["jobs"] if job["key"] == "flaky")
    assert "attempt 3" in log_lines(server, flaky["id"])
    # Each attempt still has what it had.
    assert [artifact(server, run, "out", n) for n in (1, 2, 3, None)] == [
        {"made.txt": f"attempt {n}\n"} for n in (1, 1, 3, 3)]
    assert [artifact(server, run, "report", n) for n in (1, 2, 3)] == [{"report.txt": f"flaky {n}\n"} for n in (1, 2, 3)]
    assert {one["name"]: one["attempt"] for one in server.get(f"/api/v1/runs/{run}?attempt=2")["artifacts"]} == {
        "out": 1, "report": 2}
    # GitHub's listing has all of them, the newest first, each to be had by its number.
    token = server.admin_token
    listed = server.get(f"/api/v3/repos/weir/project/actions/runs/{run}/artifacts", token)["artifacts"]
    assert [one["name"] for one in listed] == ["report", "out", "report", "report", "out"]
    reports = [content(fetch(server, urllib.parse.urlsplit(one["archive_download_url"]).path)) for one in listed
               if one["name"] == "report"]
    assert reports == [{"report.txt": f"flaky {n}\n"} for n in (3, 2, 1)]
    # One that is deleted takes no other with it.
    server.call("DELETE", urllib.parse.urlsplit(listed[0]["url"]).path, token=token)
    assert artifact(server, run, "report") == {"report.txt": "flaky 2\n"}


def test_a_name_belongs_to_one_job_of_an_attempt(server, repository):
    repository.write(".github/workflows/both.yml", """\
on: workflow_dispatch
jobs:
  first:
    runs-on: ubuntu-latest
    steps:
      - run: echo first > o.txt
      - {uses: actions/upload-artifact@v4, with: {name: out, path: o.txt}}
  second:
    needs: first
    runs-on: ubuntu-latest
    steps:
      - run: echo second > o.txt
      - {uses: actions/upload-artifact@v4, with: {name: out, path: o.txt, overwrite: "${{ github.run_attempt == 3 }}"}}
""")
    repository.commit()
    repository.push()
    run = dispatch(server, "both.yml")
    for attempt in (1, 2):
        done = server.finished(run)
        assert [job["conclusion"] for job in done["jobs"]] == ["success", "failure"], attempt
        second = done["jobs"][1]
        assert any("already exists on the workflow run" in line for line in log_lines(server, second["id"]))
        assert artifact(server, run, "out") == {"o.txt": "first\n"}
        assert server.cli("rerun", str(run), check=False).returncode == 0
    assert server.finished(run)["conclusion"] == "success"
    assert [artifact(server, run, "out", n) for n in (1, 2, 3)] == [
        {"o.txt": "first\n"}, {"o.txt": "first\n"}, {"o.txt": "second\n"}]


POOL = "runners:\n  small: {slots: 1, grace: 5s}\n"
HOTFIX = "on: workflow_dispatch\njobs: {fix: {runs-on: [small, priority=high], steps: [{run: echo fixed}]}}\n"


def preempt(server, run, said):
    """Lets the hotfix take the place of the run's only job, once that has said so much; gives the job's id."""
    job = wait_until(lambda: server.get(f"/api/v1/runs/{run}")["jobs"][0], 60, "the job")["id"]

    def running():
        try:
            return said in log_lines(server, job)
        except urllib.error.HTTPError:
            return False

    wait_until(running, 60, said)
    assert server.finished(dispatch(server, "hotfix.yml"))["conclusion"] == "success"
    return job


def test_a_preempted_job_makes_its_artifacts_again_and_its_log_goes_on(server, repository):
    repository.write("weir.yaml", POOL)
    repository.write(".github/workflows/train.yml", """\
on: workflow_dispatch
jobs:
  train:
    runs-on: [small, preemptible]
    steps:
      - run: |
          echo turn >> "$WEIR_RESUME_DIR/turns"
          echo "turn $(grep -c turn "$WEIR_RESUME_DIR/turns") begins"
          cp "$WEIR_RESUME_DIR/turns" turns.txt
      - uses: actions/upload-artifact@v4
        with: {name: out, path: turns.txt}
      - run: |
          trap 'echo "asked to stop"; exit 1' TERM
          echo "uploaded $(grep -c turn turns.txt)"
          if [ "$(grep -c turn turns.txt)" = 3 ]; then exit 0; fi
          while :; do sleep 0.05; done
""")
    repository.write(".github/workflows/hotfix.yml", HOTFIX)
    repository.commit()
    repository.push()
    run = dispatch(server, "train.yml")
    job = preempt(server, run, "uploaded 1")
    after = server.get(f"/api/v1/jobs/{job}/log")["size"]
    preempt(server, run, "uploaded 2")
    done = server.finished(run)
    assert done["conclusion"] == "success", "\n".join(log_lines(server, job))
    assert [one["name"] for one in done["artifacts"]] == ["out"]
    assert artifact(server, run, "out") == {"turns.txt": "turn\nturn\nturn\n"}
    # The log tells all three turns in their order, and why each went no further.
    lines = log_lines(server, job)
    told = [line for line in lines if line.startswith(("turn ", "uploaded", "asked", "Turn "))]
    hotfixes = [one["id"] for one in server.get("/api/v1/runs?workflow=hotfix.yml")["runs"]][::-1]
    assert [line.split(" at ")[0] for line in told] == [
        "turn 1 begins", "uploaded 1", "asked to stop", "Turn 1 of this job was preempted",
        "turn 2 begins", "uploaded 2", "asked to stop", "Turn 2 of this job was preempted",
        "turn 3 begins", "uploaded 3"]
    for line, hotfix in zip([line for line in told if line.startswith("Turn ")], hotfixes):
        assert f"(fix of run {hotfix}), whose priority is 10" in line
        assert line.endswith(f"WEIR_RESUME_DIR stays {server.state}/resume/{run}/train.0")
    # A reader who was at the end of the first turn goes on there.
    rest = [line["text"] for line in server.get(f"/api/v1/jobs/{job}/log?after={after}")["lines"]]
    assert lines[-len(rest):] == rest and "turn 1 begins" not in rest and "uploaded 3" in rest
    assert server.cli("logs", str(run)).stdout.count("was preempted at 2") == 2
    # And GitHub's API, which has one log of a job.
    text = fetch(server, f"/api/v3/repos/weir/project/actions/jobs/{job}/logs").decode()
    assert [line.split(" ", 1)[1] for line in text.splitlines()] == lines


def test_a_server_that_dies_meanwhile_tells_it_once(server, repository):
    repository.write("weir.yaml", POOL)
    gate = server.state.parent / "gate"
    repository.write(".github/workflows/train.yml", f"""\
on: workflow_dispatch
jobs:
  train:
    runs-on: [small, preemptible]
    steps:
      - run: |
          trap 'exit 1' TERM
          if [ -e "$WEIR_RESUME_DIR/seen" ]; then echo again; exit 0; fi
          touch "$WEIR_RESUME_DIR/seen"; echo first
          while :; do sleep 0.05; done
""")
    repository.write(".github/workflows/hotfix.yml",
                     HOTFIX.replace("echo fixed", f"'while [ ! -e {gate} ]; do sleep 0.05; done'"))
    repository.commit()
    repository.push()
    run = dispatch(server, "train.yml")
    job = wait_until(lambda: server.get(f"/api/v1/runs/{run}")["jobs"][0]["state"] == "in_progress" and
                     server.get(f"/api/v1/runs/{run}")["jobs"][0]["id"], 60, "the job")
    wait_until(lambda: "first" in log_lines(server, job), 60, "its first line")
    dispatch(server, "hotfix.yml")
    # Who looks while it waits sees what it printed, and why it stopped.
    wait_until(lambda: any("was preempted" in line for line in log_lines(server, job)), 60, "the preemption")
    assert "first" in log_lines(server, job)
    server.kill()
    server.start()
    gate.touch()
    assert server.finished(run)["conclusion"] == "success"
    lines = log_lines(server, job)
    assert [line.split(" at ")[0] for line in lines if line in ("first", "again") or line.startswith("Turn ")] == [
        "first", "Turn 1 of this job was preempted", "again"]
