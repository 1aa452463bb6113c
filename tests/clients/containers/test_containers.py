"""Jobs in containers, their services and container actions, with the real podman."""

import os
import shutil
import signal
from pathlib import Path

import pytest
from weir_server import wait_until

pytestmark = pytest.mark.usefixtures("podman")

NODE = os.path.realpath(shutil.which("node"))

WEB = """\
        image: weir-test:1
        ports: ["80", "127.0.0.1:18471:81/tcp"]
        volumes: ["%s:/usr/bin/node:ro"]
        env: {SAID: "from web"}
        entrypoint: node
        command: -e "const s = require('http').createServer((q, a) => a.end(process.env.SAID)); console.log('serving'); s.listen(80); require('fs').writeFileSync('/tmp/ready', '')"
        options: >-
          --health-cmd "test -e /tmp/ready" --health-interval 1s --health-timeout 5s --health-retries 20
""" % NODE

WORKFLOW = """\
name: CI
on: push
env: {TOP: top, LANG: C}
jobs:
  inside:
    runs-on: ubuntu-latest
    container:
      image: weir-test:${{ vars.NONE || '1' }}
      env: {LEVEL: l1}
      options: --hostname box
      volumes: ["%(shared)s:/shared"]
    services:
      web:
%(web)s
    outputs:
      answer: ${{ steps.first.outputs.answer }}
    steps:
      - uses: actions/checkout@v4
      - id: first
        run: |
          echo "at $(hostname) in ${PWD##*/} of $HOME: $LEVEL $TOP $LANG $CI [$OWN]"
          test "$PWD" = "$GITHUB_WORKSPACE" && test -f act/action.yml && cat /shared/told
          echo answer=42 >> "$GITHUB_OUTPUT"; echo NEXT=next >> "$GITHUB_ENV"; echo /added >> "$GITHUB_PATH"
          echo "# Summary" >> "$GITHUB_STEP_SUMMARY"; echo "::warning::careful"; echo written > by-step
        env: {OWN: o w n}
      - run: echo "then ${PWD##*/} ${{ steps.first.outputs.answer }} $NEXT ${PATH%%%%:*}"
        working-directory: act
      - shell: bash
        run: |
          exec 3<> /dev/tcp/web/80; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3
          echo "; ports ${{ job.services.web.ports['80'] > 0 }} ${{ job.services.web.ports['81'] }} ${{ job.container.network == job.services.web.network }}"
      - id: seven
        continue-on-error: true
        run: exit 7
      - run: echo "exit was ${{ steps.seven.outcome }}"
      - uses: ./act
        id: act
        with: {who: Ada}
      - run: echo "action said ${{ steps.act.outputs.made }} $OF_ACTION"
      - uses: docker://weir-test:1
        with: {entrypoint: sh, args: "-c \\"cat by-step; echo at $PWD\\""}
      - uses: ./script
      - uses: ./both
      - uses: actions/upload-artifact@v4
        with: {name: by-step, path: by-step}
  outside:
    runs-on: ubuntu-latest
    services:
      web:
%(other)s
    steps:
      - shell: bash
        run: exec 3<> /dev/tcp/127.0.0.1/${{ job.services.web.ports['80'] }}; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3
      - uses: docker://weir-test:1
        with: {args: getent hosts web}
"""

ACTION = """\
name: Act
inputs: {who: {default: you}}
outputs: {made: {description: what it made}}
runs:
  using: docker
  image: Dockerfile
  args: ["${{ inputs.who }}", two words]
  env: {MODE: "m-${{ inputs.who }}"}
  post-entrypoint: /post.sh
"""

# The server answers 403 to a name that is not its own: it was reached.
ENTRY = """\
#!/bin/bash
echo "${0##*/} $# $1 $2 $MODE $INPUT_WHO $GITHUB_WORKSPACE $PWD $HOME state=$STATE_k"
server=${WEIR_URL#http://}
exec 3<> /dev/tcp/${server%:*}/${server#*:}
printf 'GET /api/v1/runs HTTP/1.0\\r\\nHost: nobody\\r\\n\\r\\n' >&3
read -r line <&3; echo "answered $line"
echo made=yes >> "$GITHUB_OUTPUT"; echo k=v >> "$GITHUB_STATE"; echo OF_ACTION=act >> "$GITHUB_ENV"
"""

SCRIPT = """\
const http = require('http');
console.log('script at', require('os').hostname(), process.env.HOME, process.env.LEVEL);
http.get(process.env.WEIR_URL + '/api/v1/runs?limit=1', answer => { console.log('server says', answer.statusCode); answer.resume(); });
"""


def log_of(server, job):
    return "\n".join(line["text"] for line in server.get(f"/api/v1/jobs/{job['id']}/log")["lines"])


def push(server, repository, workflow, count):
    repository.write(".github/workflows/ci.yml", workflow)
    repository.commit()
    repository.push()
    return wait_until(lambda: [r for r in server.get("/api/v1/runs")["runs"] if r["id"] == count], 60, "the run")[0]["id"]


def nothing_left(podman):
    assert podman("ps", "--all", "--quiet").stdout == ""
    assert "weir-" not in podman("network", "ls").stdout


def test_jobs_services_and_actions(server, repository, podman, tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "told").write_text("told by the machine\n")
    repository.write("act/action.yml", ACTION)
    repository.write("act/Dockerfile", "ARG TAG=1\nFROM weir-test:${TAG}\nCOPY entry.sh /entry.sh\nCOPY entry.sh /post.sh\n"
                                       'ENTRYPOINT ["/entry.sh"]\n')
    repository.write("act/entry.sh", ENTRY)
    (repository.folder / "act/entry.sh").chmod(0o755)
    repository.write("script/action.yml", "runs: {using: node20, main: main.js}\n")
    repository.write("script/main.js", SCRIPT)
    repository.write("both/action.yml", "runs:\n  using: composite\n  steps:\n    - run: echo composite at $(hostname); ls $GITHUB_ACTION_PATH\n"
                                        "      shell: bash\n    - uses: docker://weir-test:1\n      with: {args: getent hosts web}\n")
    other = "\n".join(line for line in WEB.splitlines() if "18471" not in line).replace("        image", "        ports: [80]\n        image")
    run = server.finished(push(server, repository, WORKFLOW % {"shared": shared, "web": WEB, "other": other}, 1))
    inside, outside = sorted(run["jobs"], key=lambda job: job["id"])
    log = log_of(server, inside)
    assert run["conclusion"] == "success", log + log_of(server, outside)
    lines = log.splitlines()
    for expected in ("at box in workspace of /github/home: l1 top C true [o w n]", "told by the machine", "then act 42 next /added",
                     "from web; ports true 18471 true", "exit was failure", "action said yes act",
                     "entry.sh 2 Ada two words m-Ada Ada /github/workspace /github/workspace /github/home state=",
                     "post.sh 2 Ada two words m-Ada Ada /github/workspace /github/workspace /github/home state=v",
                     "written", "at /github/workspace", "script at box /github/home l1", "server says 200", "composite at box",
                     "action.yml", "serving"):
        assert expected in lines, f"{expected}\n{log}"
    assert "FROM docker.io/library/weir-test:1" in log, log
    assert log.count("answered HTTP/1.1 403") == 2 and log.count("Building the action's image") == 1, log
    assert inside["outputs"] == {"answer": "42"} and "Summary" in inside["summary"]
    assert [a["message"] for a in inside["annotations"] if a["level"] == "warning"] == ["careful"]
    assert [a["name"] for a in server.get(f"/api/v1/runs/{run['id']}/artifacts")["artifacts"]] == ["by-step"]
    assert "from web" in log_of(server, outside) and " web" in log_of(server, outside)
    nothing_left(podman)


SLOW = """\
name: Slow
on: push
jobs:
  slow:
    runs-on: ubuntu-latest
    container: weir-test:1
    services: {other: {image: weir-test:1, entrypoint: sleep, command: "1000"}}
    steps:
      - run: touch started; sleep 300
      - if: always()
        run: echo "after all, at $HOME"
  act:
    runs-on: ubuntu-latest
    steps:
      - uses: docker://weir-test:1
        with: {entrypoint: sh, args: "-c \\"trap 'exit 3' INT TERM; touch started; sleep 300 & wait\\""}
"""


def started(server, jobs):
    wait_until(lambda: all((server.state / f"jobs/{job}/workspace/started").exists() for job in jobs), 90, "the steps")


def test_nothing_stays_of_jobs_that_were_ended(server, repository, podman):
    first = push(server, repository, SLOW, 1)
    started(server, (1, 2))
    server.post(f"/api/v1/runs/{first}/cancel", {}, server.admin_token)
    run = server.finished(first)
    assert run["conclusion"] == "cancelled"
    assert "after all, at /github/home" in log_of(server, run["jobs"][0])
    nothing_left(podman)

    repository.git("commit", "-q", "--allow-empty", "-m", "Again")
    second = push(server, repository, SLOW + "# again\n", 2)
    started(server, (3, 4))
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if command[0].endswith(b"weir-runner") and str(server.state).encode() in command[1]:
            os.kill(int(process.name), signal.SIGKILL)
    assert server.finished(second)["conclusion"] == "failure"
    wait_until(lambda: podman("ps", "--all", "--quiet").stdout == "" and "weir-" not in podman("network", "ls").stdout, 90,
               "the server to remove what is left")


HOLD = """\
on: push
jobs:
  hold:
    runs-on: ubuntu-latest
    container: {image: weir-test:1, volumes: ["%(shared)s:/shared"]}
    services: {%(name)s: {image: weir-test:1, entrypoint: sleep, command: "1000"}}
    steps:
      - run: |
          touch /shared/%(name)s; until [ -e /shared/go-%(name)s ]; do sleep 0.1; done
          getent hosts %(name)s
"""


def test_a_job_that_ends_takes_nothing_from_another(server, repository, tmp_path):
    # What podman starts for the first network serves all others.
    (tmp_path / "shared").mkdir()
    for number, name in enumerate(("one", "two"), 1):
        push(server, repository, HOLD % {"shared": tmp_path / "shared", "name": name}, number)
        wait_until((tmp_path / "shared" / name).exists, 90, "the job")
    for number, name in enumerate(("one", "two"), 1):
        (tmp_path / "shared" / f"go-{name}").touch()
        run = server.finished(number)
        assert run["conclusion"] == "success", log_of(server, run["jobs"][0])


def test_a_service_that_does_not_start_is_named(server, repository, podman):
    ended = """\
on: push
jobs:
  test:
    runs-on: ubuntu-latest
    services: {db: {image: weir-test:1, entrypoint: sh, command: -c "echo out of order; exit 3", options: --health-cmd true}}
    steps:
      - run: echo never
"""
    run = server.finished(push(server, repository, ended, 1))
    log = log_of(server, run["jobs"][0])
    assert run["conclusion"] == "failure" and "the service db ended before it was healthy" in log, log
    assert "out of order" in log and "never" not in log
    run = server.finished(push(server, repository, ended.replace("weir-test:1", "localhost/not-here:2"), 2))
    log = log_of(server, run["jobs"][0])
    assert run["conclusion"] == "failure" and "not-here" in log and "never" not in log, log
    nothing_left(podman)
