"""Workflows whose own actions use GitHub's published clients, beside weir's built-in ones."""

import json
from pathlib import Path

HERE = Path(__file__).parent

# An action as people publish it; its packages lie where the tests have installed them.
SCRIPT = """
import fs from 'node:fs'
import { execFileSync } from 'node:child_process'
const call = (name, given) => {
  const lines = execFileSync('node', [process.env.CLIENT, name, JSON.stringify(given)], {encoding: 'utf8'}).trim().split('\\n')
  const answer = JSON.parse(lines.at(-1))
  if (answer.error) { console.log(lines.join('\\n')); throw new Error(answer.error) }
  return answer.ok
}
const what = process.env.INPUT_WHAT
const work = process.env.GITHUB_WORKSPACE
if (what === 'upload') {
  fs.mkdirSync(`${work}/made`)
  fs.writeFileSync(`${work}/made/by-client.txt`, 'from the client')
  console.log('uploaded', call('upload', {name: 'by-client', files: [`${work}/made/by-client.txt`], root: `${work}/made`}).id)
} else if (what === 'download') {
  const found = call('get', {name: 'built-in'}).artifact
  call('download', {id: found.id, path: `${work}/got`})
  console.log('got', fs.readFileSync(`${work}/got/by-weir.txt`, 'utf8'), fs.statSync(`${work}/got/large.txt`).size)
} else if (what === 'cache') {
  fs.mkdirSync(`${work}/cached`)
  fs.writeFileSync(`${work}/cached/x`, 'cached text')
  call('save', {paths: ['cached'], key: 'k1'})
  fs.rmSync(`${work}/cached`, {recursive: true})
  console.log('restored', call('restore', {paths: ['cached'], key: 'k1'}), fs.readFileSync(`${work}/cached/x`, 'utf8'))
} else if (what === 'show') {
  const names = Object.keys(process.env).filter(name => name.startsWith('ACTIONS_')).sort()
  console.log('variables', names.join(' '))
  console.log('token', process.env.ACTIONS_RUNTIME_TOKEN)
} else if (what === 'id') {
  const token = call('idToken', {audience: 'me'})
  fs.writeFileSync(process.env.CLAIMS, Buffer.from(token.split('.')[1], 'base64url'))
}
"""

WORKFLOW = """
name: Toolkit
on: push
permissions: {{contents: read, id-token: write}}
env: {{CLIENT: {client}, CLAIMS: {claims}}}
jobs:
  first:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: "mkdir out; printf 'from weir' > out/by-weir.txt; seq 100000 > out/large.txt; env | grep ^ACTIONS_RUNTIME || echo none here"
      - uses: actions/upload-artifact@v4
        with: {{name: built-in, path: out}}
      - uses: ./.github/actions/toolkit
        with: {{what: upload}}
      - uses: ./.github/actions/toolkit
        with: {{what: show}}
  second:
    needs: first
    runs-on: ubuntu-latest
    environment: staging
    steps:
      - uses: actions/checkout@v4
      - uses: actions/download-artifact@v4
        with: {{name: by-client, path: got-by-weir}}
      - run: echo "got $(cat got-by-weir/by-client.txt)"
      - uses: ./.github/actions/toolkit
        with: {{what: download}}
      - uses: ./.github/actions/toolkit
        with: {{what: cache}}
      - uses: ./.github/actions/toolkit
        with: {{what: id}}
"""


def log_of(server, job):
    import urllib.request
    with urllib.request.urlopen(f"{server.url}/api/v1/jobs/{job}/log", timeout=30) as answer:
        return answer.read().decode()


def test_clients_and_built_in_actions_see_each_others_artifacts(server, repository, tmp_path):
    claims = tmp_path / "claims.json"
    repository.write(".github/workflows/toolkit.yml", WORKFLOW.format(client=HERE / "client.mjs", claims=claims))
    repository.write(".github/actions/toolkit/action.yml",
                     "name: Toolkit\ninputs: {what: {required: true}}\nruns: {using: node20, main: main.mjs}\n")
    repository.write(".github/actions/toolkit/main.mjs", SCRIPT)
    repository.commit()
    repository.push()
    run = server.get("/api/v1/runs?limit=1")["runs"][0]["id"]
    done = server.finished(run)
    logs = "\n".join(log_of(server, job["id"]) for job in done["jobs"])
    assert done["conclusion"] == "success", logs
    assert "none here" in logs, "GitHub gives the run-time token to actions, not to scripts"
    for line in ("uploaded", "got from the client", "got from weir 588895", "restored k1 cached text", "token ***",
                 "variables ACTIONS_CACHE_MODE ACTIONS_CACHE_SERVICE_V2 ACTIONS_CACHE_URL ACTIONS_ID_TOKEN_REQUEST_TOKEN "
                 "ACTIONS_ID_TOKEN_REQUEST_URL ACTIONS_RESULTS_URL ACTIONS_RUNTIME_TOKEN ACTIONS_RUNTIME_URL"):
        assert line in logs, (line, logs)
    # What a cloud provider would see.
    said = json.loads(claims.read_text())
    commit = repository.git("rev-parse", "HEAD").stdout.strip()
    expected = {"iss": server.url, "aud": "me", "sub": "repo:weir/project:environment:staging", "environment": "staging",
                "repository": "weir/project", "repository_owner": "weir", "ref": "refs/heads/main", "sha": commit,
                "run_id": str(run), "run_attempt": "1", "event_name": "push", "workflow": "Toolkit",
                "ref_type": "branch", "runner_environment": "self-hosted", "workflow_sha": commit,
                "workflow_ref": "weir/project/.github/workflows/toolkit.yml@refs/heads/main",
                "job_workflow_ref": "weir/project/.github/workflows/toolkit.yml@refs/heads/main"}
    assert {name: said.get(name) for name in expected} == expected


ANOTHER_RUN = """
name: Another
on: push
jobs:
  gets:
    runs-on: ubuntu-latest
    permissions: {{contents: read, actions: read}}
    steps:
      - uses: actions/download-artifact@v4
        with: {{name: from-before, run-id: {run}, github-token: "${{{{ github.token }}}}", path: got}}
      - run: cat got/x
      - uses: actions/download-artifact@v4
        id: absent
        continue-on-error: true
        with: {{name: from-before, run-id: 4711}}
      - run: echo "${{{{ steps.absent.outcome }}}}"
"""


def test_artifacts_of_an_earlier_run_by_its_number(server, repository):
    repository.write(".github/workflows/w.yml", """
name: Before
on: push
jobs:
  makes:
    runs-on: ubuntu-latest
    steps:
      - run: mkdir out && echo from run $GITHUB_RUN_ID > out/x
      - {uses: actions/upload-artifact@v4, id: up, with: {name: from-before, path: out}}
      - {run: 'curl -sf -o got.zip "${{ steps.up.outputs.artifact-url }}" && python3 -m zipfile -l got.zip'}
""")
    repository.commit()
    repository.push()
    before = server.get("/api/v1/runs?limit=1")["runs"][0]["id"]
    assert server.finished(before)["conclusion"] == "success"
    repository.write(".github/workflows/w.yml", ANOTHER_RUN.format(run=before))
    repository.commit()
    repository.push()
    run = server.get("/api/v1/runs?limit=1")["runs"][0]["id"]
    done = server.finished(run)
    assert done["conclusion"] == "success", done
    lines = [line["text"] for line in server.get(f"/api/v1/jobs/{done['jobs'][0]['id']}/log")["lines"]]
    assert f"from run {before}" in lines and "failure" in lines, lines
