"""Makes what the dashboard shows by real runs: calls, matrices, annotations, a preempted and a reused job, pull requests
in every state, a large log.

python make_data.py FOLDER starts a server below FOLDER, makes all of it, prints the address and serves until it is
interrupted."""

import base64
import json
import struct
import sys
import urllib.error
import zlib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "line"))
from weir_server import Repository, Server, wait_until  # noqa: E402

CONFIG = """\
environments:
  production: {reviewers: [alice]}
endpoints:
  flights: {environments: {production: {model: 'models:/m@champion'}}}
runners:
  small: {slots: 1, grace: 10s}
branches:
  main: {checks: [test], reviews: 1}
notify:
  - {to: http://127.0.0.1:1/nobody-is-here}
"""
LINE = """\
name: Line
on: push
jobs:
  prepare:
    runs-on: ubuntu-latest
    steps:
      - name: Show
        run: |
          echo '<script>document.title = "taken over"</script>'
          echo '### Numbers <img src=x onerror="document.title = 1"> | **bold**' >> "$GITHUB_STEP_SUMMARY"
      - name: Check the rows
        run: |
          echo '::group::Rows that are odd'
          seq 1 40
          echo '::endgroup::'
          echo '::warning file=data/rows.csv,line=7,title=Odd row::Row 7 has no label'
          echo '::notice::40 rows were looked at'
  test:
    needs: prepare
    strategy: {fail-fast: false, matrix: {part: [MATRIX]}}
    runs-on: ubuntu-latest
    steps:
      - run: test ${{ matrix.part }} != 3 || { echo "::error file=train.py,line=12::Part 3 does not fit"; exit 1; }
  ship:
    needs: prepare
    strategy: {matrix: {where: [eu, us, asia]}}
    uses: ./.github/workflows/ship.yml
    with: {where: "${{ matrix.where }}"}
  publish:
    needs: [prepare]
    uses: ./.github/workflows/publish.yml
  deploy:
    needs: publish
    runs-on: ubuntu-latest
    environment: {name: production, url: 'http://127.0.0.1/flights'}
    steps: [{run: echo done}]
"""
SHIP = """\
on: {workflow_call: {inputs: {where: {type: string, required: true}}}}
jobs:
  build: {runs-on: ubuntu-latest, steps: [{run: "echo ${{ inputs.where }}"}]}
  copy: {needs: build, runs-on: ubuntu-latest, steps: [{run: "echo copied"}]}
"""
PUBLISH = """\
on: {workflow_call: {}}
jobs:
  pack: {runs-on: ubuntu-latest, steps: [{run: "echo packed"}]}
  many:
    needs: pack
    strategy: {matrix: {n: [1, 2, 3, 4, 5, 6, 7, 8]}}
    runs-on: ubuntu-latest
    steps: [{run: "true"}]
  again: {needs: pack, uses: ./.github/workflows/pack.yml}
"""
PACK = "on: {workflow_call: {}}\njobs:\n  inner: {runs-on: ubuntu-latest, steps: [{run: echo inner}]}\n"
CHECKS = """\
name: CI
on: pull_request
jobs:
  test:
    runs-on: ubuntu-latest
    steps: [{uses: actions/checkout@v4}, {run: "test \\"$(cat model.txt)\\" = good"}]
  lint:
    runs-on: ubuntu-latest
    permissions: {pull-requests: write}
    steps:
      - if: github.event.number == 3
        env: {GITHUB_TOKEN: "${{ github.token }}"}
        run: |
          curl -fsS "$GITHUB_API_URL/repos/$GITHUB_REPOSITORY/issues/3/comments" -H "Authorization: Bearer $GITHUB_TOKEN" \\
            -d '{"body": "Looked at by a job."}'
"""
TALK = """\
name: Talk
on: workflow_dispatch
jobs:
  talk:
    runs-on: ubuntu-latest
    steps:
      - name: Say little
        run: echo beginning of the talk
      - name: Say much
        run: seq -f 'epoch %.0f of a long training, loss 0.123456789 accuracy 0.987654321' 1 60000
      - name: Say the end
        run: echo end of the talk
"""
TRAIN = """\
name: Train
on: workflow_dispatch
jobs:
  train:
    runs-on: [small, preemptible, priority=low]
    steps:
      - run: |
          trap 'touch "$WEIR_RESUME_DIR/seen"; exit 1' TERM
          test -e "$WEIR_RESUME_DIR/seen" && exit 0
          echo started
          while :; do sleep 0.05; done
"""
FIX = "on: workflow_dispatch\njobs:\n  fix: {runs-on: [small, priority=high], steps: [{run: echo fixed}]}\n"
STAGES = """\
name: Stages
on: workflow_dispatch
jobs:
  zero:
    runs-on: ubuntu-latest
    outputs: {text: "${{ steps.read.outputs.text }}"}
    steps: [{uses: actions/checkout@v4}, {id: read, run: 'echo "text=$(cat zero.txt)" >> "$GITHUB_OUTPUT"'}]
  first:
    needs: zero
    runs-on: ubuntu-latest
    env: {RATE: 1}
    steps: [{uses: actions/checkout@v4}, {run: cat model.txt old.txt && ls data}]
  second: {needs: first, runs-on: ubuntu-latest, steps: [{uses: actions/checkout@v4}, {run: sh stage.sh}]}
"""
HOSTILE = "<img src=x onerror=document.title=2>"


def picture():
    """A small PNG of our own: a rising line."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    width, height = 96, 48
    rows = b"".join(b"\0" + bytes(0 if abs(height - y - x // 2) < 2 else 235 for x in range(width)) for y in range(height))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def token(server, name, role):
    return json.loads(server.cli("token", "create", name, "--role", role, "--json").stdout)["token"]


def log_experiment(server):
    """A run with a metric and a hostile parameter, and a model version made from it."""
    def call(path, **body):
        return server.post(f"/api/2.0/mlflow/{path}", body)

    run = call("runs/create", experiment_id="0", run_name="tried", start_time=1)["run"]["info"]["run_id"]
    call("runs/log-parameter", run_id=run, key="note", value=HOSTILE)
    call("runs/log-metric", run_id=run, key="auc", value=0.9375, timestamp=1, step=0)
    call("registered-models/create", name="m")
    call("model-versions/create", name="m", source=f"runs:/{run}/model", run_id=run)
    return run


def make_runs(server, folder, legs):
    """The repository `project` and its runs: their ids by what they show."""
    repository = Repository(folder, server)
    repository.write("weir.yaml", CONFIG)
    repository.write("model.txt", "good\n")
    repository.write("stage.sh", "exit 1\n")
    for name in ("zero.txt", "old.txt", "data/first.csv"):
        repository.write(name, "1\n")
    for name, text in {"line": LINE.replace("MATRIX", ", ".join(map(str, range(legs)))), "ship": SHIP, "publish": PUBLISH,
                       "pack": PACK, "ci": CHECKS, "talk": TALK, "train": TRAIN, "fix": FIX, "stages": STAGES}.items():
        repository.write(f".github/workflows/{name}.yml", text)
    repository.commit("Show me")
    repository.push()
    wait_until(lambda: server.get("/api/v1/approvals?state=pending")["approvals"], 120, "an approval")
    runs = {"line": 1}

    def start(name):
        runs[name] = server.post("/api/v1/repos/project/dispatches", {"workflow": f"{name}.yml"}, server.admin_token)["run_id"]
        return runs[name]

    talk = start("talk")
    train = start("train")

    def training():
        try:
            job = server.get(f"/api/v1/runs/{train}")["jobs"][0]["id"]
            return any(line["text"] == "started" for line in server.get(f"/api/v1/jobs/{job}/log")["lines"])
        except urllib.error.HTTPError:
            return False

    wait_until(training, 120, "the training to start")
    server.finished(start("fix"))
    server.finished(train)
    server.finished(talk)
    server.finished(start("stages"))
    repository.git("checkout", "-qb", "fixed")
    repository.write("stage.sh", "exit 0\n")
    repository.commit("Fix the second stage")
    repository.push(ref="fixed")
    runs["reused"] = server.post(f"/api/v1/runs/{runs['stages']}/rerun", {"failed_only": True, "ref": "fixed"}, server.admin_token)["id"]
    server.finished(runs["reused"])
    # Everything that went into its middle stage, hundreds of files too, is another one here.
    repository.git("checkout", "-qb", "changed")
    repository.git("rm", "-q", "old.txt")
    repository.write("zero.txt", "2\n")
    repository.write("model.txt", "better\n")
    repository.write(".github/workflows/stages.yml", STAGES.replace("RATE: 1", "RATE: 2").replace(" old.txt", ""))
    for number in range(300):
        repository.write(f"data/day-{number:03}.csv", f"{number}\n")
    repository.commit("Change all of it")
    repository.push(ref="changed")
    runs["changed"] = server.post(f"/api/v1/runs/{runs['stages']}/rerun", {"failed_only": True, "ref": "changed"}, server.admin_token)["id"]
    server.finished(runs["changed"])
    repository.git("checkout", "-q", "main")
    return repository, runs


def make_pulls(server, repository, tokens):
    """1: merged; 2: approved and ready, with a report; 3: fails its check; 4: closed; 5: a draft; 6: in conflict."""
    base = "/api/v1/repos/project/pulls"

    def propose(number, branch, text, draft=False):
        repository.git("checkout", "-q", "-b", branch, "main")
        for path, content in text.items():
            repository.write(path, content)
        repository.commit(f"Change {branch}")
        repository.push(token=tokens["carol"], ref=branch)
        made = server.post(base, {"head": branch, "title": f"Change {branch}", "draft": draft, "body": f"**Better** {branch}. {HOSTILE}"}, tokens["carol"])
        assert made["number"] == number, made
        repository.git("checkout", "-q", "main")

    def checked(number):
        def found():
            runs = [run for run in server.get(f"{base}/{number}")["runs"] if run["event"] == "pull_request"]
            return runs and all(run["state"] == "completed" for run in runs)
        wait_until(found, 120, f"the checks of pull request {number}")

    def approve(number):
        checked(number)
        server.post(f"{base}/{number}/reviews", {"state": "approve", "body": "Fine."}, tokens["bob"])

    propose(1, "merged", {"other.md": "text\n"})
    approve(1)
    server.post(f"{base}/1/merge", {"method": "squash"}, tokens["bob"])
    propose(2, "better", {"notes.md": "text\n"})
    propose(3, "worse", {"model.txt": "bad\n"})
    propose(4, "given-up", {"more.md": "text\n"})
    propose(5, "unfinished", {"draft.md": "text\n"}, draft=True)
    approve(2)
    for number in (3, 5):
        checked(number)
    server.post(f"{base}/3/reviews", {"state": "comment", "body": "Why is it **bad**?"}, tokens["bob"])
    plot = base64.b64encode(picture()).decode()
    server.post(f"{base}/2/comments", {"body": "## Metrics\n\n| metric | champion | this |\n|---|---|---|\n| AUC | 0.71 | **0.74** |\n\n"
                                               f"![rising line](data:image/png;base64,{plot})\n\n{HOSTILE} ![elsewhere](https://example.org/spy.png)\n\n"
                                               "<script>document.title = 'taken over'</script>\n\n```\nweir run\n```"}, tokens["bob"])
    server.call("PATCH", f"{base}/4", {"state": "closed"}, tokens["carol"])
    propose(6, "conflict", {"other.md": "something else\n"})


def make_all(server, folder, legs=9):
    tokens = {"carol": token(server, "carol", "developer"), "bob": token(server, "bob", "approver")}
    repository, runs = make_runs(server, folder, legs)
    make_pulls(server, repository, tokens)
    return {"runs": runs, "experiment": log_experiment(server), "tokens": tokens}


def pages(server, made):
    """Every page of the dashboard, as addresses after the server's."""
    job = {name: server.get(f"/api/v1/runs/{run}")["jobs"] for name, run in made["runs"].items()}
    of = lambda name, key: next(one["id"] for one in job[name] if one["key"] == key)
    runs = made["runs"]
    return ["", "#/runs", f"#/runs/{runs['line']}", f"#/runs/{runs['line']}/jobs/{of('line', 'prepare')}", f"#/runs/{runs['talk']}",
            f"#/runs/{runs['train']}", f"#/runs/{runs['reused']}/jobs/{of('reused', 'first')}",
            f"#/runs/{runs['changed']}/jobs/{of('changed', 'first')}", "#/pulls", "#/pulls/project/1",
            "#/pulls/project/2", "#/pulls/project/3", "#/pulls/project/5", "#/pulls/project/6", "#/experiments", "#/experiments/0",
            f"#/experiments/0/runs/{made['experiment']}", "#/models", "#/models/m", "#/endpoints", "#/endpoints/flights", "#/alerts", "#/events"]


def main():
    folder = Path(sys.argv[1])
    (folder / "state").mkdir(parents=True)
    server = Server(folder / "state")
    try:
        made = make_all(server, folder / "repository", int(sys.argv[2]) if len(sys.argv) > 2 else 9)
        print(json.dumps({"url": server.url, "pages": pages(server, made), **made}), flush=True)
        server.process.wait()
    except KeyboardInterrupt:
        pass
    finally:
        server.stop()


if __name__ == "__main__":
    main()
