"""kill -9 of the server at fifty moments of pipelines of small steps: nothing is lost, nothing runs twice."""

import random
import time

from weir_server import Repository

STEPS = 4
KILLS = 50

STEP = """      - run: |
          echo "{job} {step}" >> "{trace}"
          for i in 1 2 3; do echo "line $i of {job} {step}"; sleep 0.02; done
"""


def workflow(trace):
    text = "name: Small steps\non: push\njobs:\n"
    for job, needs in [("first", ""), ("left", "first"), ("right", "first"), ("last", "left, right")]:
        text += f"  {job}:\n    runs-on: ubuntu-latest\n    needs: [{needs}]\n    steps:\n"
        text += "".join(STEP.format(job=job, step=step, trace=trace) for step in range(STEPS))
    return text


def test_no_kill_loses_a_run_a_line_or_runs_a_step_twice(server, tmp_path):
    random.seed(7)
    kills = 0
    runs = 0
    traces = []
    repository = Repository(tmp_path / "repository", server)
    while kills < KILLS:
        trace = tmp_path / f"trace-{runs}"
        traces.append(trace)
        repository.write(".github/workflows/steps.yml", workflow(trace))
        repository.commit(f"Number {runs}")
        repository.push()  # acknowledged: from here on it must not be lost
        runs += 1
        while kills < KILLS:
            time.sleep(random.uniform(0, 0.15))  # the moment of the kill; nothing is expected of it
            server.kill()
            kills += 1
            server.start()
            if server.get(f"/api/v1/runs/{runs}")["state"] == "completed":
                break
    wanted = sorted(f"{job} {step}" for job in ("first", "left", "right", "last") for step in range(STEPS))
    for number, trace in enumerate(traces, 1):
        run = server.finished(number)
        assert run["conclusion"] == "success", (number, run)
        assert sorted(trace.read_text().split("\n")[:-1]) == wanted, f"run {number} after {kills} kills"
        for job in run["jobs"]:
            lines = [line["text"] for line in server.get(f"/api/v1/jobs/{job['id']}/log")["lines"]]
            for step in range(STEPS):
                for i in (1, 2, 3):
                    assert lines.count(f"line {i} of {job['key']} {step}") == 1, (number, job["key"], step, i)
    assert server.cli("fsck", "--deep").returncode == 0
