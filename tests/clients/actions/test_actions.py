"""Actions that use GitHub's published packages, in workflows that `weir run` runs."""

import shutil
import subprocess

import pytest

METADATA = """
name: Toolkit
description: Uses what the toolkit has
inputs:
  name: {required: true}
  loud: {default: 'true'}
  lines: {default: "one\\n\\ntwo"}
outputs:
  greeting: {description: what was said}
runs:
  using: node20
  pre: pre.mjs
  main: main.mjs
  post: post.mjs
"""

PRE = """
import * as core from '@actions/core'
core.info(`pre for ${core.getInput('name')}`)
core.saveState('begun', 'yes')
"""

MAIN = """
import * as core from '@actions/core'
import * as exec from '@actions/exec'
import * as cache from '@actions/tool-cache'
import fs from 'node:fs'
core.info(`state ${core.getState('begun')}`)
core.info(`inputs ${core.getInput('name', {required: true})} ${core.getBooleanInput('loud')} ${core.getMultilineInput('lines')}`)
core.setOutput('greeting', {to: core.getInput('name'), text: 'a\\nb'})
core.exportVariable('GREETED', 'line 1\\nline 2')
core.setSecret('hush-hush')
core.info('the secret is hush-hush')
core.saveState('kept', {deep: [1, 2]})
await core.group('Inside', async () => core.info('grouped'))
core.notice('look here', {title: 'T', file: 'README.md', startLine: 2, endLine: 2, startColumn: 3, endColumn: 5})
core.debug('not shown')
let said = ''
const code = await exec.exec('sh', ['-c', 'echo from exec; exit 3'],
                             {ignoreReturnCode: true, listeners: {stdout: data => { said += data }}})
core.info(`exec gave ${code} ${said.trim()}`)
fs.mkdirSync('made', {recursive: true})
fs.writeFileSync('made/mytool', '#!/bin/sh\\necho tool speaks\\n', {mode: 0o755})
core.addPath(await cache.cacheDir('made', 'mytool', '1.2.3'))
core.info(`versions ${cache.findAllVersions('mytool')}`)
await core.summary.addHeading('Report').addTable([[{data: 'metric', header: true}], ['auc']]).write()
core.info(`platform ${core.platform.isLinux}`)
"""

POST = """
import * as core from '@actions/core'
core.info(`post ${JSON.parse(core.getState('kept')).deep.length} ${core.getState('begun')} ${core.getInput('name')}`)
"""

JOB = """
  one:
    runs-on: ubuntu-latest
    steps:
"""


def lines_of(output, job="one"):
    return [line.split(" | ", 1)[1] if " | " in line else line for line in output.splitlines() if line.startswith(job)]


def test_the_toolkit_in_a_javascript_action(world):
    world.publish("acme/toolkit", {"action.yml": METADATA, "pre.mjs": PRE, "main.mjs": MAIN, "post.mjs": POST})
    output = world.run(JOB + """
      - run: echo first
      - uses: acme/toolkit@v1
        id: tk
        with: {name: "Ada ${{ github.ref_name }}"}
      - run: |
          echo 'json ${{ steps.tk.outputs.greeting }} ${{ fromJSON(steps.tk.outputs.greeting).to }}'
          echo "$GREETED" | wc -l; mytool
""")
    lines = lines_of(output)
    for line in ("state yes", "inputs Ada main true one,two", "the secret is ***", "grouped", "exec gave 3 from exec",
                 "versions 1.2.3", "platform true", 'json {"to":"Ada main","text":"a\\nb"} Ada main', "2", "tool speaks",
                 "post 2 yes Ada main"):
        assert line in lines, (line, output)
    assert lines.index("pre for Ada main") < lines.index("first") < lines.index("tool speaks") < lines.index(
        "post 2 yes Ada main")
    assert "##[notice]look here" in lines
    assert "not shown" not in output and "hush-hush" not in output


def test_a_failed_action_says_so_and_its_post_still_runs(world):
    world.publish("acme/bad", {
        "action.yml": "runs: {using: node20, main: m.mjs, post: p.mjs}",
        "m.mjs": "import * as core from '@actions/core'\ncore.setFailed('it is broken')\n",
        "p.mjs": "console.log('cleaned up')\n"})
    output = world.run(JOB + "      - uses: acme/bad@v1\n      - run: echo never-comes\n", expect=1)
    lines = lines_of(output)
    assert "##[error]it is broken" in lines and "cleaned up" in lines and "never-comes" not in lines


def test_composite_actions_use_others(world):
    world.publish("acme/toolkit", {"action.yml": METADATA, "pre.mjs": PRE, "main.mjs": MAIN, "post.mjs": POST})
    world.publish("acme/suite", {"train/action.yml": """
inputs: {who: {default: nobody}}
outputs:
  greeting: {value: "${{ steps.inner.outputs.greeting }}"}
runs:
  using: composite
  steps:
    - uses: acme/toolkit@v1
      id: inner
      with: {name: "${{ inputs.who }}"}
    - run: echo "here is $(basename "$GITHUB_ACTION_PATH") of ${{ github.action_ref }}"
      shell: bash
"""})
    output = world.run(JOB + """
      - uses: acme/suite/train@v1
        id: suite
        with: {who: Grace}
      - run: echo "greeting ${{ fromJSON(steps.suite.outputs.greeting).to }}"
""")
    lines = lines_of(output)
    for line in ("inputs Grace true one,two", "here is train of v1", "greeting Grace", "post 2 yes Grace"):
        assert line in lines, (line, output)


def test_steps_in_the_background(world):
    output = world.run(JOB + """
      - {id: server, background: true, run: "touch up; echo port=80 >> $GITHUB_OUTPUT; while test -e up; do sleep 0.02; done"}
      - run: "while ! test -e up; do sleep 0.02; done; rm up; echo 'early [${{ steps.server.outputs.port }}]'"
      - wait: server
      - run: echo 'late [${{ steps.server.outputs.port }}]'
      - parallel:
          - run: "touch p1; while ! test -e p2; do sleep 0.02; done; echo p1 done"
          - run: "touch p2; while ! test -e p1; do sleep 0.02; done; echo p2 done"
      - {id: endless, background: true, run: sleep 600}
      - cancel: endless
""")
    for line in ("early []", "late [80]", "p1 done", "p2 done"):
        assert line in lines_of(output), output


def test_an_address_that_does_not_answer_is_explained(world):
    output = world.run(JOB + "      - uses: acme/none@v1\n", "--actions-url", "http://127.0.0.1:9", expect=1)
    assert "cannot be had from http://127.0.0.1:9" in output and "--actions-url file://" in output


@pytest.mark.skipif(shutil.which("npm") is None, reason="needs npm")
def test_github_script(world):
    """Its packages are installed by the action itself, from the registry that npm is set to."""
    world.write("helper.js", "module.exports = core => core.info('helped')\n")
    output = world.run(JOB + """
      - uses: actions/github-script@v7
        id: script
        env: {WHO: Ada}
        with:
          script: |
            require('./helper.js')(core)
            const {stdout} = await exec.getExecOutput('echo', ['quiet'], {silent: true})
            const found = await (await glob.create('*.js')).glob()
            core.info(`${context.eventName} ${context.repo.repo} ${typeof github.rest.issues.createComment} ${stdout.trim()}`)
            core.info(`${found.length} ${(await io.which('sh', true)).endsWith('/sh')} ${typeof getOctokit} ${process.env.WHO}`)
            return {number: 7}
      - run: echo 'result ${{ fromJSON(steps.script.outputs.result).number }}'
      - uses: actions/github-script@v7
        id: text
        with: {result-encoding: string, debug: "", script: "return 'plain'"}
      - run: echo 'result ${{ steps.text.outputs.result }}'
      - uses: actions/github-script@v7
        id: bad
        continue-on-error: true
        with: {script: "throw new Error('no way')"}
      - run: echo 'bad ${{ steps.bad.outcome }}'
""")
    lines = lines_of(output)
    for line in ("helped", "push project function quiet", "1 true function Ada", "result 7", "result plain",
                 "##[error]Unhandled error: Error: no way", "bad failure"):
        assert line in lines, (line, output)


def test_files_tell_their_version_as_in_the_archives_that_github_hands_out(world):
    world.publish("acme/versioned", {
        ".gitattributes": ".version export-subst\n",
        ".version": "$Format:%H$ $Format:%(describe:tags=true,match=[0-9]*)$\n",
        "action.yml": "name: V\ndescription: v\nruns:\n  using: composite\n  steps:\n"
                      "    - {shell: bash, run: 'cat \"$GITHUB_ACTION_PATH/.version\"'}\n"}, tag="24.1.0")
    commit = subprocess.run(["git", "-C", world.mirror / "acme/versioned", "rev-parse", "HEAD"], check=True,
                            capture_output=True, text=True).stdout.strip()
    subprocess.run(["git", "-C", world.mirror / "acme/versioned", "tag", "stable"], check=True)
    output = world.run(JOB + "      - uses: acme/versioned@stable\n      - uses: acme/versioned@24.1.0\n")
    assert output.count(f"{commit} 24.1.0") == 2, output
